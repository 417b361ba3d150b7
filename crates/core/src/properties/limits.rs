//! Which changes set a limit rather than lift one.

use super::kind::Kind;
use super::property::Setting;
use super::values::Checked;

impl Setting {
    /// Whether it restricts or favours something, so that it would be missed if the kernel could not do it.
    pub(crate) fn limits(&self) -> bool {
        match (&self.row.kind, &self.value) {
            // No protection; but no swap is a limit.
            (Kind::Memory(memory), Checked::Number(0)) => memory.set.is_none(),
            (_, Checked::Number(number)) => *number != u64::MAX,
            (_, Checked::Set(set)) => !set.0.is_empty(),
            (_, Checked::Devices(list)) => list.iter().any(|(_, number)| *number != u64::MAX),
            _ => true,
        }
    }
}
