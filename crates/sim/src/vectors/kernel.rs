//! Replays recordings of real kernels: every operation is done again on an imagined kernel of that version, and each
//! answer compared.

mod actors;
mod machine;
mod operations;
mod snapshot;

use serde_json::{Map, Value};

use super::{BadLine, Difference, Tally};
use crate::kernel::Config;
pub(crate) use actors::Player;
pub use machine::config_of;
pub use snapshot::SNAPSHOT_FILES;
pub(crate) use snapshot::first_difference;

/// A step as recorded, or what it answered.
pub type Object = Map<String, Value>;

/// Fields that are answers; all others say what was done.
pub(crate) const ANSWERS: [&str; 7] = ["r", "v", "pri", "err", "in", "attach_flags", "s"];

/// Replays the text of one recording.
///
/// # Errors
/// When a line is not what it should be.
pub fn replay(text: &str) -> Result<Tally, BadLine> {
    let mut replay = Replay { config: None, player: None, scenario: String::new(), step: 0, tally: Tally::default() };
    for (number, line) in text.lines().enumerate() {
        let bad = |reason: String| BadLine { line: number + 1, reason };
        let object: Object = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        replay.line(&object).map_err(|reason| bad(reason.to_owned()))?;
    }
    Ok(replay.tally)
}

struct Replay {
    config: Option<Config>,
    player: Option<Player>,
    scenario: String,
    step: usize,
    tally: Tally,
}

impl Replay {
    fn line(&mut self, object: &Object) -> Result<(), &'static str> {
        match text_of(object, "op").ok_or("no operation")? {
            "machine" => self.config = Some(config_of(object)?),
            "seq" => {
                let config = self.config.clone().ok_or("a sequence before the machine")?;
                text_of(object, "name").ok_or("no name")?.clone_into(&mut self.scenario);
                (self.player, self.step) = (Some(Player::new(config)), 0);
            }
            "end" => {
                let player = self.player.take().ok_or("an end without a beginning")?;
                player.kernel.check_invariants();
            }
            "note" => {}
            operation => self.step(operation, object)?,
        }
        Ok(())
    }

    fn step(&mut self, operation: &str, object: &Object) -> Result<(), &'static str> {
        self.step += 1;
        let player = self.player.as_mut().ok_or("an operation outside a sequence")?;
        let Some(answer) = player.perform(operation, object) else {
            self.tally.skipped += 1;
            return Ok(());
        };
        if ANSWERS.iter().all(|key| object.get(*key) == answer.get(*key)) {
            self.tally.agree += 1;
            return Ok(());
        }
        self.tally.differ += 1;
        if self.tally.differences.last().is_none_or(|last| last.scenario != self.scenario) {
            self.tally.differences.push(self.difference(object, &answer));
        }
        Ok(())
    }

    fn difference(&self, object: &Object, answer: &Object) -> Difference {
        let done: Object = object.iter().filter(|(key, _)| !ANSWERS.contains(&key.as_str())).map(owned).collect();
        let (expected, got) = match (object.get("s"), answer.get("s")) {
            (Some(expected), Some(got)) => first_difference(expected, got),
            _ => (only_answers(object), only_answers(answer)),
        };
        let operation = shortened(&Value::Object(done).to_string());
        Difference { scenario: self.scenario.clone(), step: self.step, operation, expected, got }
    }
}

fn owned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

fn only_answers(object: &Object) -> String {
    let answers: Object = object.iter().filter(|(key, _)| ANSWERS.contains(&key.as_str())).map(owned).collect();
    Value::Object(answers).to_string()
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(300).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

pub(crate) fn text_of<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// A recorded string stands for bytes: one code point, one byte.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("recorded strings hold bytes")).collect()
}

/// The opposite of [`bytes`].
fn latin(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().map(|byte| char::from(*byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = r#"{"op":"machine","kernel":"6.12.117"}"#;

    fn play(lines: &[&str]) -> Tally {
        let text = [&[MACHINE, r#"{"op":"seq","name":"story"}"#], lines].concat().join("\n");
        replay(&text).expect("well formed")
    }

    #[test]
    fn agreement_difference_and_ignorance_are_counted() {
        let tally = play(&[
            r#"{"op":"mkdir","g":"/a","r":0}"#,
            r#"{"op":"mkdir","g":"/a","r":0}"#,
            r#"{"op":"teleport","g":"/a","r":0}"#,
        ]);
        assert_eq!((tally.agree, tally.differ, tally.skipped), (1, 1, 1));
        let expected =
            "story step 2: {\"g\":\"/a\",\"op\":\"mkdir\"}\n    expected {\"r\":0}\n    got      {\"r\":\"EEXIST\"}";
        assert_eq!(tally.differences[0].to_string(), expected);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = replay(&format!("{MACHINE}\n{{}}")).expect_err("no operation");
        assert_eq!((error.line, error.reason.as_str()), (2, "no operation"));
    }
}
