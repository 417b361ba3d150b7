//! A unit has at most one job at a time, as listeners see it, and a job is about one unit from its beginning to its
//! end.

use super::{Oracle, Past, Verdict, View};
use crate::world::Visible;
use cgarbiter_core::value::Value;
use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub(super) struct Jobs {
    /// The job that was announced last for each unit, and has not ended.
    of: BTreeMap<String, u32>,
    /// Jobs beside those: what comes to nothing at once may do so beside another.
    beside: BTreeMap<u32, String>,
}

impl Oracle for Jobs {
    fn name(&self) -> &'static str {
        "jobs"
    }

    fn after(&mut self, _view: &View<'_>, past: &Past<'_>) -> Verdict {
        match past {
            Past::Told(Visible::Signal { message, .. }) => match (message.member, message.body.as_slice()) {
                ("JobNew", [Value::U32(job), _, Value::Str(unit)]) => {
                    self.begins(*job, unit);
                    Ok(())
                }
                ("JobRemoved", [Value::U32(job), _, Value::Str(unit), _]) => self.ends(*job, unit),
                _ => Ok(()),
            },
            Past::Told(_) => Ok(()),
            _ => match self.beside.pop_first() {
                Some((job, unit)) => Err(format!("{unit} has job {:?}, and job {job} beside it", self.of.get(&unit))),
                None => Ok(()),
            },
        }
    }

    fn crashed(&mut self) {
        *self = Self::default();
    }

    fn size(&self) -> usize {
        self.of.len() + self.beside.len()
    }
}

impl Jobs {
    fn begins(&mut self, job: u32, unit: &str) {
        if self.of.contains_key(unit) {
            self.beside.insert(job, unit.to_owned());
        } else {
            self.of.insert(unit.to_owned(), job);
        }
    }

    fn ends(&mut self, job: u32, unit: &str) -> Verdict {
        if self.of.get(unit) == Some(&job) {
            self.of.remove(unit);
            return Ok(());
        }
        match self.beside.remove(&job) {
            Some(known) if known == unit => Ok(()),
            known => Err(format!("job {job} of {unit} ends, which was that of {known:?}")),
        }
    }
}
