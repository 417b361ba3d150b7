//! Choices: everything in a run that could have gone otherwise asks [`Choice::below`].
//!
//! | implementation | gives |
//! |---|---|
//! | [`Seeded`] | swarms: numbers that look random, the same for the same seed |
//! | [`Replayed`] | bug reports: a recorded list again, and after its end always 0 |
//! | [`Exhaustive`] | small worlds: every list of choices up to a depth, one after the other |
//! | [`Bytes`] | fuzzing: bytes as choices, and after their end always 0 |
//!
//! 0 is by convention the plainest thing: go on, nobody asks, nothing fails. So a shorter list, or one with smaller
//! numbers, is a simpler story, which is what shrinking relies on.

/// Answers every question of the form "which one".
pub trait Choice {
    /// A number below `count`, which is not 0.
    fn below(&mut self, count: u32) -> u32;

    /// True once in so many times; never when every choice is 0.
    fn once_in(&mut self, times: u32) -> bool {
        times > 0 && self.below(times) == times - 1
    }
}

/// One of the items, the first for 0; none when there are none.
pub fn pick<'a, T>(choice: &mut (impl Choice + ?Sized), items: &'a [T]) -> Option<&'a T> {
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    if count == 0 { None } else { items.get(choice.below(count) as usize) }
}

/// Numbers from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// The same seed gives the same numbers, on every machine.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }
}

impl Choice for Seeded {
    fn below(&mut self, count: u32) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The upper half times the count: even enough, and no division.
        let scaled = (mixed >> 32) * u64::from(count);
        u32::try_from(scaled >> 32).expect("less than the count")
    }
}

/// A recorded list.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    choices: Vec<u32>,
    at: usize,
}

impl Replayed {
    /// Gives these numbers, each cut to what is asked for.
    #[must_use]
    pub fn new(choices: Vec<u32>) -> Self {
        Self { choices, at: 0 }
    }

    /// How many of them have been asked for.
    #[must_use]
    pub fn used(&self) -> usize {
        self.at.min(self.choices.len())
    }
}

impl Choice for Replayed {
    fn below(&mut self, count: u32) -> u32 {
        let choice = self.choices.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        choice % count
    }
}

/// Writes down what another one answers.
#[derive(Clone, Debug)]
pub struct Recorded<C> {
    inner: C,
    choices: Vec<u32>,
}

impl<C: Choice> Recorded<C> {
    /// Nothing written yet.
    pub fn new(inner: C) -> Self {
        Self { inner, choices: Vec::new() }
    }

    /// Everything that was answered.
    pub fn into_choices(self) -> Vec<u32> {
        self.choices
    }
}

impl<C: Choice> Choice for Recorded<C> {
    fn below(&mut self, count: u32) -> u32 {
        let choice = self.inner.below(count);
        self.choices.push(choice);
        choice
    }
}

/// Every list of choices, one after the other, like the digits of a counter whose wheels have different sizes.
#[derive(Clone, Debug)]
pub struct Exhaustive {
    wheels: Vec<(u32, u32)>,
    at: usize,
    depth: usize,
}

impl Exhaustive {
    /// Enumerates the first `depth` choices; those after are 0.
    #[must_use]
    pub fn new(depth: usize) -> Self {
        Self { wheels: Vec::new(), at: 0, depth }
    }

    /// Goes to the next list; false when all have been given.
    pub fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, count)) = self.wheels.pop() {
            if choice + 1 < count {
                self.wheels.push((choice + 1, count));
                return true;
            }
        }
        false
    }
}

impl Choice for Exhaustive {
    fn below(&mut self, count: u32) -> u32 {
        if self.at >= self.depth {
            return 0;
        }
        if self.at == self.wheels.len() {
            self.wheels.push((0, count));
        }
        let (choice, expected) = self.wheels[self.at];
        assert!(expected == count, "the same choices lead to the same question");
        self.at += 1;
        choice
    }
}

/// Bytes as choices: one for up to 256 ways, two beyond.
#[derive(Clone, Debug)]
pub struct Bytes<'a> {
    bytes: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// Takes the bytes from the front.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether all have been taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn take(&mut self) -> u32 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        u32::from(*first)
    }
}

impl Choice for Bytes<'_> {
    fn below(&mut self, count: u32) -> u32 {
        let low = self.take();
        let wide = if count > 256 { low | self.take() << 8 } else { low };
        wide % count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_given_once() {
        let mut choice = Exhaustive::new(3);
        let mut seen = Vec::new();
        loop {
            // The second question depends on the first answer.
            let first = choice.below(2);
            let second = choice.below(2 + first);
            seen.push((first, second, choice.below(2)));
            if !choice.advance() {
                break;
            }
        }
        assert_eq!(seen.len(), 2 * (2 + 3));
        let mut sorted = seen.clone();
        sorted.dedup();
        assert_eq!(sorted, seen, "in order, and none twice");
        assert_eq!(choice.below(5), 0);
    }

    #[test]
    fn beyond_the_depth_there_is_nothing_to_choose() {
        let mut choice = Exhaustive::new(1);
        let lists = std::iter::from_fn(|| {
            let list = [choice.below(3), choice.below(3)];
            choice.advance().then_some(list)
        });
        assert_eq!(lists.collect::<Vec<_>>(), [[0, 0], [1, 0]]);
    }

    #[test]
    fn a_recording_gives_the_same_again_and_then_the_plainest() {
        let mut recorded = Recorded::new(Seeded::new(7));
        let answers: Vec<u32> = (1..100).map(|count| recorded.below(count)).collect();
        assert!((1..100).zip(&answers).all(|(count, answer)| *answer < count));
        let mut replayed = Replayed::new(recorded.into_choices());
        assert_eq!((1..100).map(|count| replayed.below(count)).collect::<Vec<_>>(), answers);
        assert_eq!((replayed.below(9), replayed.used()), (0, 99));
        assert!(!replayed.once_in(2), "nothing happens when nothing is chosen");
    }

    #[test]
    fn seeds_differ_and_reach_every_number() {
        let (mut one, mut two) = (Seeded::new(1), Seeded::new(2));
        assert_ne!([one.below(1 << 30), one.below(1 << 30)], [two.below(1 << 30), two.below(1 << 30)]);
        let mut seen = [0_u32; 10];
        (0..10_000).for_each(|_| seen[one.below(10) as usize] += 1);
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
    }

    #[test]
    fn bytes_are_choices_in_their_order() {
        let mut bytes = Bytes::new(&[7, 2, 1, 255]);
        assert_eq!((bytes.below(10), bytes.below(1000), bytes.below(4)), (7, 258, 3));
        assert!(bytes.is_empty() && bytes.below(9) == 0);
    }
}
