//! A scenario that differs, made as short as it can be: steps are left out, levels of directories, then fields of
//! steps, as long as the two kernels still disagree about something.

use super::{Arm, Disagreement, Imagined, Pair};
use crate::vectors::kernel::{Object, text_of};

/// Fields that hold paths.
const PATHS: [&str; 3] = ["g", "into", "to"];

/// Fields that a step can do without.
const OPTIONAL: [&str; 2] = ["by", "u"];

/// The same difference with fewer steps.
pub(super) fn shrink(
    found: Disagreement,
    imagined: &mut Imagined,
    other: &mut dyn Arm,
) -> Result<Disagreement, String> {
    let mut shrinking = Shrinking { imagined, other, best: found };
    let mut chunk = shrinking.best.steps.len().div_ceil(2);
    while chunk > 0 {
        let shorter = shrinking.without_chunks(chunk)?;
        if !shorter || chunk > 1 {
            chunk /= 2;
        }
    }
    while shrinking.without_a_level()? {}
    shrinking.without_fields()?;
    shrinking.without_chunks(1)?;
    Ok(shrinking.best)
}

struct Shrinking<'a> {
    imagined: &'a mut Imagined,
    other: &'a mut dyn Arm,
    best: Disagreement,
}

impl Shrinking<'_> {
    /// Leaves out runs of so many steps, from the end; answers whether any could be left out.
    fn without_chunks(&mut self, size: usize) -> Result<bool, String> {
        let mut shorter = false;
        let mut end = self.best.steps.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            let mut steps = self.best.steps.clone();
            steps.drain(start..end);
            shorter |= self.attempt(steps)?;
            end = start.min(self.best.steps.len());
        }
        Ok(shorter)
    }

    /// Puts what is in a directory into the one above; answers whether that could be done somewhere.
    fn without_a_level(&mut self) -> Result<bool, String> {
        for position in 0..self.best.steps.len() {
            let step = &self.best.steps[position];
            let path = text_of(step, "g").filter(|_| text_of(step, "op") == Some("mkdir")).unwrap_or("/").to_owned();
            let Some((above, _)) = path.rsplit_once('/').filter(|(above, _)| !above.is_empty()) else { continue };
            let mut steps = self.best.steps.clone();
            steps.remove(position);
            steps.iter_mut().for_each(|step| lift(step, &path, above));
            if self.attempt(steps)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn without_fields(&mut self) -> Result<(), String> {
        for position in (0..self.best.steps.len()).rev() {
            for field in OPTIONAL {
                // A `0` means who writes it, and the driver must stay where it is.
                if self.best.steps.get(position).is_some_and(|step| step.get("d").is_some_and(|data| data == "0")) {
                    continue;
                }
                // The difference may meanwhile lie before this step.
                let mut steps = self.best.steps.clone();
                if steps.get_mut(position).is_some_and(|step| step.remove(field).is_some()) {
                    self.attempt(steps)?;
                }
            }
        }
        Ok(())
    }

    /// Plays these steps; where they still differ, they are the best so far.
    fn attempt(&mut self, steps: Vec<Object>) -> Result<bool, String> {
        let mut pair = Pair::begin(self.imagined, self.other)?;
        for step in steps {
            if !pair.agree(step) {
                self.best = pair.disagreement();
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What is at or below `path` is at or below `above`.
fn lift(step: &mut Object, path: &str, above: &str) {
    for key in PATHS {
        let rest = text_of(step, key).and_then(|old| old.strip_prefix(path));
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            let lifted = format!("{above}{rest}");
            step.insert(key.to_owned(), lifted.into());
        }
    }
}
