//! A failure as a file: how to run, the choices, and the text of what happened. The text is for people; the choices are
//! what is read back. Also what makes such a list shorter.
//!
//! ```text
//! cgarbiter-sim choices 1
//! steps 40
//! mutant replies-twice
//! choices 3 0 0 7 1
//! failure wrong answers: call 7 is answered, and nobody waits
//! ---
//! (the text)
//! ```

use crate::choice::{Recorded, Replayed, Seeded};
use crate::exhaustive::Size;
use crate::mutants::Mutant;
use crate::run::{Ended, Failure, Options, run};
use std::fmt::Write;

/// How such a file begins.
pub const HEAD: &str = "cgarbiter-sim choices 1";
/// More attempts than a shrinking needs that gets anywhere.
const ATTEMPTS_MAX: usize = 4_000;

/// A list of choices, and how to run them.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// What was drawn.
    pub choices: Vec<u32>,
    /// How to run.
    pub options: Options,
}

/// Runs what a seed draws.
#[must_use]
pub fn run_seed(seed: u64, options: &Options) -> Ended {
    run(&mut Seeded::new(seed), options)
}

impl Failure {
    /// What kind of failure, in one word and the oracle's name: what a shorter story must still show.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Wrong(violation) => format!("wrong {}", violation.oracle),
            Self::Stuck(violation) => format!("stuck {}", violation.oracle),
            // Numbers differ from case to case.
            Self::Panic(text) => format!("panic {}", text.split([':', ',']).next().unwrap_or_default()),
        }
    }

    /// In words.
    #[must_use]
    pub fn what(&self) -> &str {
        match self {
            Self::Wrong(violation) | Self::Stuck(violation) => &violation.what,
            Self::Panic(text) => text,
        }
    }

    /// The exit status that tells failures apart: 3 for a wrong answer, 4 for lost progress, 5 for a crash.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Wrong(_) => 3,
            Self::Stuck(_) => 4,
            Self::Panic(_) => 5,
        }
    }
}

impl Story {
    /// What a seed draws.
    #[must_use]
    pub fn of_seed(seed: u64, options: &Options) -> Self {
        let mut choice = Recorded::new(Seeded::new(seed));
        run(&mut choice, options);
        Self { choices: choice.into_choices(), options: options.clone() }
    }

    /// Runs it again.
    #[must_use]
    pub fn tell(&self, trace: bool) -> Ended {
        let options = Options { trace, ..self.options.clone() };
        let mut choice = Replayed::new(self.choices.clone());
        run(&mut choice, &options)
    }

    /// A shorter one with the same kind of failure: choices are left out, in ever smaller pieces, and made smaller.
    #[must_use]
    pub fn shrink(&self) -> Self {
        let Some(failure) = self.tell(false).failure else { return self.clone() };
        let mut shrinking = Shrinking { kind: failure.kind(), best: self.clone(), attempts: ATTEMPTS_MAX };
        shrinking.fewer_steps();
        let mut before = usize::MAX;
        while shrinking.weight() < before && shrinking.attempts > 0 {
            before = shrinking.weight();
            shrinking.fewer_choices();
            shrinking.smaller_choices();
        }
        shrinking.best
    }

    /// As a file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let ended = self.tell(true);
        let mut text = format!("{HEAD}\nsteps {}\n", self.options.steps);
        // Writing into a String cannot fail.
        if let Some(mutant) = self.options.mutant {
            let _ = writeln!(text, "mutant {}", mutant.name());
        }
        if let Some(size) = self.options.size {
            let _ = writeln!(text, "small {}", size.number());
        }
        if self.options.faultless {
            text.push_str("faultless\n");
        }
        text.push_str("choices");
        for choice in &self.choices {
            let _ = write!(text, " {choice}");
        }
        text.push('\n');
        if let Some(failure) = &ended.failure {
            let _ = writeln!(text, "failure {}: {}", failure.kind(), failure.what());
        }
        text.push_str("---\n");
        for line in &ended.trace {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return Err(format!("the first line is not {HEAD:?}"));
        }
        let mut story = Self::default();
        for line in lines.take_while(|line| *line != "---") {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            let number = |word: &str| word.parse().map_err(|_| format!("{word:?} is not a number"));
            match key {
                "small" => {
                    let size = Size::of(number(rest)?).ok_or_else(|| format!("there is no small world {rest:?}"))?;
                    story.options.size = Some(size);
                }
                "steps" => story.options.steps = u64::from(number(rest)?),
                "mutant" => {
                    let mutant = Mutant::from_name(rest).ok_or_else(|| format!("there is no mutant {rest:?}"))?;
                    story.options.mutant = Some(mutant);
                }
                "faultless" => story.options.faultless = true,
                "choices" => story.choices = rest.split_whitespace().map(number).collect::<Result<_, _>>()?,
                "failure" => {}
                _ => return Err(format!("{key:?} means nothing here")),
            }
        }
        Ok(story)
    }
}

struct Shrinking {
    kind: String,
    best: Story,
    attempts: usize,
}

impl Shrinking {
    fn weight(&self) -> usize {
        let sum: u64 = self.best.choices.iter().map(|choice| u64::from(*choice)).sum();
        self.best.choices.len().saturating_mul(1000) + usize::try_from(sum).unwrap_or(usize::MAX / 2)
    }

    /// Takes the other one if it fails in the same way.
    fn try_instead(&mut self, mut other: Story) -> bool {
        if self.attempts == 0 {
            return false;
        }
        self.attempts -= 1;
        while other.choices.last() == Some(&0) {
            other.choices.pop();
        }
        let fails = other.tell(false).failure.is_some_and(|failure| failure.kind() == self.kind);
        if fails {
            self.best = other;
        }
        fails
    }

    fn fewer_steps(&mut self) {
        let (mut low, mut high) = (0, self.best.options.steps);
        while low < high {
            let middle = low.midpoint(high);
            let mut other = self.best.clone();
            other.options.steps = middle;
            if self.try_instead(other) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
    }

    fn fewer_choices(&mut self) {
        let mut length = self.best.choices.len() / 2;
        while length > 0 {
            let mut at = 0;
            while at < self.best.choices.len() {
                let mut other = self.best.clone();
                other.choices.drain(at..(at + length).min(other.choices.len()));
                if !self.try_instead(other) {
                    at += length;
                }
            }
            length /= 2;
        }
        self.fewer_steps();
    }

    fn smaller_choices(&mut self) {
        let mut at = 0;
        while at < self.best.choices.len() {
            let now = self.best.choices[at];
            for smaller in [0, now / 2, now.saturating_sub(1)] {
                if smaller < now {
                    let mut other = self.best.clone();
                    other.choices[at] = smaller;
                    if self.try_instead(other) {
                        break;
                    }
                }
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_read_as_it_was_written() {
        let options = Options { steps: 30, mutant: Some(Mutant::RepliesTwice), ..Options::default() };
        let story = Story::of_seed(3, &options);
        let read = Story::parse(&story.to_text()).expect("it was written like that");
        assert_eq!((read.choices, read.options.steps, read.options.mutant), (story.choices, 30, options.mutant));
        assert!(Story::parse("choices 1 2").is_err() && Story::parse(&format!("{HEAD}\nsteps x\n")).is_err());
    }

    #[test]
    fn a_shorter_story_fails_in_the_same_way() {
        let options = Options { steps: 300, mutant: Some(Mutant::RepliesTwice), ..Options::default() };
        let story = Story::of_seed(2, &options);
        let failure = story.tell(false).failure.expect("a mutant is noticed");
        let shorter = story.shrink();
        assert_eq!(shorter.tell(false).failure.map(|failure| failure.kind()), Some(failure.kind()));
        assert!(
            shorter.choices.len() * 2 < story.choices.len(),
            "{} of {}",
            shorter.choices.len(),
            story.choices.len()
        );
    }
}
