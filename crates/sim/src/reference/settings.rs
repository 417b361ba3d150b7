//! Settings that are to stay when the machine is switched off: those of `SetUnitProperties` without `runtime`, as the
//! drop-in of the unit has them.

use super::Reference;
use crate::store::Store;
use cgarbiter_core::CallId;
use cgarbiter_core::request::PropertyList;
use cgarbiter_core::value::Value;
use std::collections::BTreeSet;

/// Where drop-ins lie that are to stay.
const CONTROL: &str = "/etc/systemd/system.control";

/// What a setting of a unit is, as far as anybody can know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Setting {
    /// The last value that was answered; none for unset.
    stands: Option<String>,
    /// Values that were asked for by calls without an answer yet.
    pending: Vec<Asked>,
    /// Values that may have come to nothing, of calls since the last that counts: they were never answered, or refused
    /// and could not be taken back, or the unit may be a transient one, which takes what is set of it along.
    perhaps: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    call: CallId,
    value: String,
    /// The unit was not transient when it was asked.
    stays: bool,
}

impl Setting {
    /// What there may be.
    pub fn candidates(&self) -> impl Iterator<Item = Option<&str>> {
        let asked = self.pending.iter().map(|asked| &asked.value).chain(&self.perhaps);
        std::iter::once(self.stands.as_deref()).chain(asked.map(|value| Some(value.as_str())))
    }

    /// Whether this may be found.
    #[must_use]
    pub fn may_be(&self, value: Option<&str>) -> bool {
        self.candidates().any(|candidate| candidate == value)
    }

    /// What the store has of it.
    ///
    /// # Errors
    /// A drop-in that ends in the middle.
    pub fn lies_in(&self, store: &Store, unit: &str, key: &str) -> Result<Option<String>, String> {
        let file = file_of(unit, key);
        let Some(text) = store.read(&file) else { return Ok(None) };
        let has_section = text.lines().any(|line| line.starts_with('[') && line.ends_with(']'));
        let assigned = text.lines().rev().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        match assigned {
            Some(value) if has_section && text.ends_with('\n') => Ok(Some(value.to_owned())),
            _ => Err(file),
        }
    }
}

impl Reference {
    /// Look: all settings that are to stay, by unit and by the name that the drop-in has for it.
    pub fn settings(&self) -> impl Iterator<Item = (&(String, &'static str), &Setting)> {
        self.settings.iter()
    }

    /// The power was cut: nobody is there, and nothing is promised but what was to stay.
    pub fn power_cut(&mut self) {
        self.leave_open();
        let settings = std::mem::take(&mut self.settings);
        let dropped_in = std::mem::take(&mut self.dropped_in);
        *self = Self { settings, dropped_in, ..Self::default() };
    }

    /// What is found now is what there is.
    pub fn look_at_settings(&mut self, store: &Store) {
        for ((unit, key), setting) in &mut self.settings {
            let found = setting.lies_in(store, unit, key).unwrap_or_default();
            *setting = Setting { stands: found, ..Setting::default() };
        }
    }

    /// Nobody will be answered any more.
    pub(super) fn leave_open(&mut self) {
        for setting in self.settings.values_mut() {
            let pending = std::mem::take(&mut setting.pending);
            setting.perhaps.extend(pending.into_iter().map(|asked| asked.value));
        }
    }

    pub(super) fn promise_settings(&mut self, call: CallId, unit: &str, properties: &PropertyList) {
        // A scope always is.
        let stays = !self.transient.contains(unit) && !unit.ends_with(".scope");
        for (key, value) in properties.iter().filter_map(|(name, value)| written(name, value)) {
            let setting = self.settings.entry((unit.to_owned(), key)).or_default();
            setting.pending.push(Asked { call, value, stays });
        }
    }

    /// A call is answered. The last of several values for one property counts.
    pub(super) fn keep_settings(&mut self, call: CallId, unit: &str, keep: bool) {
        let range = (unit.to_owned(), "")..=(unit.to_owned(), "\u{7f}");
        for ((_, key), setting) in self.settings.range_mut(range) {
            // A drop-in that could not be taken back may be there.
            let is_left = self.left.contains(&file_of(unit, key));
            let pending = std::mem::take(&mut setting.pending);
            for asked in pending {
                match asked.call == call {
                    false => setting.pending.push(asked),
                    true if keep && asked.stays => {
                        (setting.stands, setting.perhaps) = (Some(asked.value), BTreeSet::new());
                    }
                    true if keep || is_left => drop(setting.perhaps.insert(asked.value)),
                    true => {}
                }
            }
        }
    }
}

/// Where the drop-in lies.
fn file_of(unit: &str, key: &str) -> String {
    format!("{CONTROL}/{unit}.d/50-{key}.conf")
}

/// The line of a drop-in that a property becomes.
fn written(property: &str, value: &Value) -> Option<(&'static str, String)> {
    let Value::U64(number) = *value else { return None };
    let plain = if number == u64::MAX { "infinity".to_owned() } else { number.to_string() };
    Some(match property {
        "MemoryMax" => ("MemoryMax", plain),
        "MemoryHigh" => ("MemoryHigh", plain),
        "MemoryLow" => ("MemoryLow", plain),
        "TasksMax" => ("TasksMax", plain),
        "CPUWeight" => ("CPUWeight", plain),
        // Lifted by an assignment of nothing.
        "CPUQuotaPerSecUSec" if number == u64::MAX => ("CPUQuota", String::new()),
        "CPUQuotaPerSecUSec" => ("CPUQuota", format!("{}%", number / 10_000)),
        _ => return None,
    })
}
