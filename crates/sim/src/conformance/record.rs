//! A scenario as lines of a recording, which `cgarbiter-sim vectors` replays.

use serde_json::Value;

use super::Disagreement;
use crate::vectors::kernel::Object;

/// An object of these fields.
pub(super) fn object(fields: &[(&str, Value)]) -> Object {
    fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

/// The text of a recording with one sequence: what the other kernel answered.
#[must_use]
pub fn recording(machine: &Object, name: &str, found: &Disagreement) -> String {
    let mut text = line(machine.clone());
    text += &line(object(&[("op", "seq".into()), ("name", name.into())]));
    for (step, answer) in found.steps.iter().zip(&found.answers) {
        let mut step = step.clone();
        step.extend(answer.clone());
        text += &line(step);
    }
    text + &line(object(&[("op", "end".into())]))
}

fn line(object: Object) -> String {
    format!("{}\n", Value::Object(object))
}
