//! From unit files: what `Key=value` means for each kind of property (reference 10.3), in the words of systemd's
//! warnings where it has some. Files do more than the bus: they reset with nothing at all, know percentages, ranges and
//! specifiers, and go on where a part of a value is wrong.

use super::kind::{Choice, Integer, Kind, Memory};
use super::property::{Property, Setting};
use super::table::{Row, rows_with_key};
use super::values::Checked;
use super::{check, context, defaults, devices, exec, signals};
use crate::error::Refusal;
use crate::names::{NameError, UnitName, UnitType};
use crate::resources::memory_permyriad;
use crate::settings::{CpuSet, Settings, StatusSet, UNSET};
use crate::unit_file::{self, Escapes, Section, Source, Words, expand};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Why an assignment was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In words.
    pub(crate) text: String,
    /// Whether the unit must not run without it.
    pub(crate) is_bad_setting: bool,
}

impl Fault {
    fn bad_setting(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_bad_setting: true }
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self { text, is_bad_setting: false }
    }
}

/// Applies one assignment to the settings. `notes` get what was left out of a value that was taken otherwise.
///
/// # Errors
/// [`Fault`] when nothing of it was taken.
pub(crate) fn assign(
    section: Section,
    key: &str,
    value: &str,
    source: &Source<'_>,
    settings: &mut Settings,
    notes: &mut Vec<String>,
) -> Result<(), Fault> {
    let unit_type = source.name.unit_type();
    if (section, key, unit_type) == (Section::Type, "TimeoutSec", UnitType::Service) {
        // One word for two settings.
        assign(section, "TimeoutStartSec", value, source, settings, notes)?;
        return assign(section, "TimeoutStopSec", value, source, settings, notes);
    }
    let key = current_key(key);
    let mut known = rows_with_key(key).filter(|row| row.section == section).peekable();
    if known.peek().is_none() {
        return Err(format!("Unknown key name '{key}' in section '{}', ignoring.", section.name(unit_type)).into());
    }
    let Some(row) = known.find(|row| row.types.has(unit_type)) else {
        return Err(format!("{key}= setting not supported for this unit type, ignoring.").into());
    };
    let mut text = Text { row, value, source, settings, notes };
    if let Some(property) = text.property()? {
        property.apply(settings);
    }
    Ok(())
}

/// What the key is called today.
pub(super) fn current_key(key: &str) -> &str {
    OLD_KEYS.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new)
}

/// Keys that go by another name today; files that are still shipped have them.
const OLD_KEYS: [(&str, &str); 3] = [
    ("ReadWriteDirectories", "ReadWritePaths"),
    ("ReadOnlyDirectories", "ReadOnlyPaths"),
    ("InaccessibleDirectories", "InaccessiblePaths"),
];

/// One assignment, and what its meaning depends on.
struct Text<'a> {
    row: &'static Row,
    value: &'a str,
    source: &'a Source<'a>,
    settings: &'a Settings,
    notes: &'a mut Vec<String>,
}

impl Text<'_> {
    /// What to apply; none when nothing is left of it.
    fn property(&mut self) -> Result<Option<Property>, Fault> {
        match &self.row.kind {
            Kind::Slice => self.slice().map(|name| Some(Property::Slice(Some(name)))),
            Kind::Dependency(kind) => {
                let names = self.unit_names()?;
                Ok((!names.is_empty()).then_some(Property::Dependencies(*kind, names)))
            }
            _ => Ok(self.checked()?.map(|value| Property::Setting(Setting { row: self.row, value }))),
        }
    }

    fn checked(&mut self) -> Result<Option<Checked>, Fault> {
        let is_empty = self.value.is_empty();
        Ok(Some(match &self.row.kind {
            Kind::Flag(_) | Kind::OptionalFlag(_) => Checked::Flag(self.boolean()?),
            Kind::Description => Checked::Text(Some(self.expanded(self.value)?.into())),
            Kind::Text(_, accepts) => Checked::Text(self.text(*accepts)?.map(Into::into)),
            Kind::Principal(_) => self.principal()?,
            Kind::Choice(choice) => Checked::Choice(self.word(choice)?),
            Kind::Integer(integer) => Checked::Integer(self.integer(integer)?),
            Kind::Mode(_) => Checked::Fraction(self.mode()?),
            Kind::Limit(index, _) => self.limits(*index)?,
            Kind::Capabilities(field) => {
                let set = context::capabilities_text(&self.expanded(self.value)?, *(field.get)(self.settings));
                Checked::Number(set.map_err(Fault::from)?)
            }
            Kind::Stream(number) => {
                let text = self.expanded(self.value)?;
                let (kind, path) = context::stream_text(*number, &text).ok_or_else(|| self.invalid("stream"))?;
                Checked::StreamAt(kind, path)
            }
            Kind::Signal(..) => Checked::Signal(signals::from_name(self.value).ok_or_else(|| self.invalid("signal"))?),
            Kind::Time(_) | Kind::Patience(_) => Checked::Number(self.time_span()?),
            Kind::StopTime(_) => Checked::Number(self.stop_time()?),
            Kind::OptionalTime(_, endless) => {
                Checked::Number(self.time_span().map(|usec| if usec == 0 && *endless { UNSET } else { usec })?)
            }
            Kind::Count(_) | Kind::OptionalCount(_) => Checked::Number(self.count()?),
            Kind::Statuses(_) => return self.statuses(),
            Kind::Period(_) | Kind::Weight(..) | Kind::Quota(_) if is_empty => Checked::Number(UNSET),
            Kind::Period(_) => Checked::Number(self.time_span()?),
            Kind::Weight(_, min, max, idle) => Checked::Number(self.weight(*min, *max, *idle)?),
            Kind::Quota(_) => Checked::Number(self.quota()?),
            Kind::CpuSet(field) => Checked::Set(self.cpu_set((field.get)(self.settings))?),
            Kind::Memory(memory) => Checked::Number(self.memory(memory)?),
            Kind::TasksMax => self.tasks_max()?,
            Kind::Fraction(_) if is_empty => Checked::Fraction(0),
            Kind::Fraction(_) => Checked::Fraction(self.fraction()?),
            _ => return self.list(),
        }))
    }

    /// Lists: nothing at all empties them, anything else is one more entry, or some.
    fn list(&mut self) -> Result<Option<Checked>, Fault> {
        let is_empty = self.value.is_empty();
        Ok(Some(match &self.row.kind {
            Kind::DeviceWeights(..) | Kind::DeviceLimit(_) | Kind::DeviceBandwidth(_) | Kind::DeviceLatency
                if is_empty =>
            {
                Checked::Devices(vec![])
            }
            Kind::DeviceWeights(_, min, max, _) => {
                self.device(|text| unit_file::number(text).filter(|weight| (*min..=*max).contains(weight)))?
            }
            Kind::DeviceLimit(_) | Kind::DeviceBandwidth(_) => self.device(|text| match text {
                "infinity" => Some(UNSET),
                _ => unit_file::size(text, 1000),
            })?,
            Kind::DeviceLatency => self.device(unit_file::time_span)?,
            Kind::DeviceAllow if is_empty => Checked::Allow(vec![]),
            Kind::DeviceAllow => Checked::AllowLast(self.device_allow()?),
            Kind::IpPrefixes(_) => return self.words(Escapes::Literal, Self::addresses, Checked::Prefixes),
            Kind::Delegate if is_empty => self.controllers(""),
            Kind::Delegate => match unit_file::boolean(self.value) {
                Some(flag) => Checked::Flag(flag),
                None => return Ok(self.known_controllers()),
            },
            Kind::DisableControllers if is_empty => self.controllers(""),
            Kind::DisableControllers => return Ok(self.known_controllers()),
            Kind::Strings(_, accepts, _) => {
                return self.words(Escapes::Plain, |text, word| text.string(word, *accepts), Checked::Strings);
            }
            Kind::EnvironmentFiles if is_empty => Checked::Files(vec![]),
            Kind::EnvironmentFiles => Checked::Files(vec![self.environment_file()?]),
            Kind::Environment => return self.words(Escapes::C, Self::variable, Checked::Strings),
            Kind::Commands(_) | Kind::CommandsEx(_) => Checked::Commands(self.commands()?),
            _ => unreachable!("{:?} has no key of its own", self.row),
        }))
    }

    fn invalid(&self, what: &str) -> Fault {
        format!("Invalid {what} '{}' in {}=, ignoring.", self.value, self.row.key).into()
    }

    fn out_of_range(&self) -> Fault {
        format!("{}={} out of range, ignoring.", self.row.key, self.value).into()
    }

    fn expanded(&self, text: &str) -> Result<String, Fault> {
        expand(text, self.source).map_err(|unresolved| {
            format!("Specifier %{} cannot be resolved in '{text}', ignoring.", unresolved.0).into()
        })
    }

    fn boolean(&self) -> Result<bool, Fault> {
        unit_file::boolean(self.value)
            .ok_or_else(|| format!("Failed to parse boolean value, ignoring: {}", self.value).into())
    }

    fn text(&self, accepts: fn(&str) -> bool) -> Result<Option<String>, Fault> {
        let text = self.expanded(self.value)?;
        if text.is_empty() {
            return Ok(None);
        }
        if accepts(&text) { Ok(Some(text)) } else { Err(self.invalid("value")) }
    }

    /// A program must not run with more rights than it was meant to.
    fn principal(&self) -> Result<Checked, Fault> {
        let text = self.expanded(self.value).map_err(|fault| Fault::bad_setting(fault.text))?;
        check::principal_text(self.row.name, &text).map_err(as_bad_setting)
    }

    fn word(&self, choice: &Choice) -> Result<usize, Fault> {
        choice.place_of(self.value).ok_or_else(|| match choice.unserved.contains(&self.value) {
            true => format!(
                "{}={} is not supported here; supported: {}. Ignoring.",
                self.row.key,
                self.value,
                choice.words.join(", ")
            )
            .into(),
            false => self.invalid("value"),
        })
    }

    fn integer(&self, integer: &Integer) -> Result<i32, Fault> {
        let named = integer.words.iter().find(|(word, _)| *word == self.value).map(|(_, number)| *number);
        let number = named.or_else(|| self.value.parse().ok()).ok_or_else(|| self.invalid("value"))?;
        if integer.range.contains(&number) { Ok(number) } else { Err(self.out_of_range()) }
    }

    fn mode(&self) -> Result<u32, Fault> {
        let mode = u32::from_str_radix(self.value, 8).ok().filter(|mode| *mode <= 0o7777);
        mode.ok_or_else(|| self.invalid("mode"))
    }

    fn limits(&self, index: usize) -> Result<Checked, Fault> {
        let (soft, hard) = context::limit_text(index, self.value).ok_or_else(|| self.invalid("resource limit"))?;
        Ok(Checked::Limits(soft, hard))
    }

    fn environment_file(&self) -> Result<(String, bool), Fault> {
        let text = self.expanded(self.value)?;
        let path = text.strip_prefix('-').unwrap_or(&text);
        let optional = path.len() < text.len();
        if path.starts_with('/') { Ok((path.into(), optional)) } else { Err(self.invalid("path")) }
    }

    fn time_span(&self) -> Result<u64, Fault> {
        unit_file::time_span(self.value).ok_or_else(|| self.invalid("time span"))
    }

    fn count(&self) -> Result<u64, Fault> {
        let count = unit_file::number(self.value).filter(|count| u32::try_from(*count).is_ok());
        count.ok_or_else(|| self.invalid("number"))
    }

    /// Codes and signals; what is neither is noted.
    fn statuses(&mut self) -> Result<Option<Checked>, Fault> {
        if self.value.is_empty() {
            return Ok(Some(Checked::Statuses(None)));
        }
        let mut set = StatusSet::NONE;
        for word in self.value.split_whitespace() {
            if exec::add_status(&mut set, word).is_none() {
                self.notes.push(format!("Invalid exit status or signal '{word}', ignoring."));
            }
        }
        Ok((!set.is_empty()).then_some(Checked::Statuses(Some(set))))
    }

    /// For services, no time at all has always meant that they are waited for without end.
    fn stop_time(&self) -> Result<u64, Fault> {
        let is_service = self.settings.service.is_some();
        self.time_span().map(|usec| if usec == 0 && is_service { UNSET } else { usec })
    }

    fn weight(&self, min: u64, max: u64, idle: bool) -> Result<u64, Fault> {
        if idle && self.value == "idle" {
            return Ok(0);
        }
        let weight = unit_file::number(self.value).ok_or_else(|| self.invalid("weight"))?;
        if (min.max(1)..=max).contains(&weight) { Ok(weight) } else { Err(self.out_of_range()) }
    }

    /// systemd reads two decimals; more are read because we write them.
    fn quota(&self) -> Result<u64, Fault> {
        let (parts, beyond) = unit_file::permyriad_unbounded(self.value, 4).ok_or_else(|| self.invalid("CPU quota"))?;
        match parts.checked_mul(100).and_then(|usec| usec.checked_add(beyond)) {
            None | Some(0) => Err(self.out_of_range()),
            Some(usec) => Ok(usec),
        }
    }

    /// Further lines add to the set.
    fn cpu_set(&self, have: &CpuSet) -> Result<CpuSet, Fault> {
        if self.value.is_empty() {
            return Ok(CpuSet::default());
        }
        let given = unit_file::cpu_set(self.value).ok_or_else(|| self.invalid("CPU set"))?;
        let (mut union, other) = if given.0.len() > have.0.len() { (given, have) } else { (have.clone(), &given) };
        union.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
        Ok(union)
    }

    fn memory(&self, memory: &Memory) -> Result<u64, Fault> {
        let is_protection = memory.set.is_some();
        match self.value {
            "" if is_protection => return Ok(0),
            "" | "infinity" => return Ok(UNSET),
            _ => {}
        }
        let machine = &self.source.config.machine;
        let share = unit_file::permyriad(self.value).map(|parts| memory_permyriad(machine, parts));
        let bytes = share.or_else(|| unit_file::size(self.value, 1024)).ok_or_else(|| self.invalid("memory limit"))?;
        if bytes < memory.minimum || bytes == UNSET { Err(self.out_of_range()) } else { Ok(bytes) }
    }

    fn tasks_max(&self) -> Result<Checked, Fault> {
        match self.value {
            "" => return Ok(Checked::Number(defaults::file_tasks_max(self.source.config))),
            "infinity" => return Ok(Checked::Number(UNSET)),
            _ => {}
        }
        if let Some(parts) = unit_file::permyriad(self.value) {
            // Rounded up, so that the part of a whole number of tasks does not come out one too small.
            return Ok(Checked::Fraction(fraction(parts, 9_999)));
        }
        match unit_file::number(self.value) {
            None => Err(self.invalid("maximum number of tasks")),
            Some(0 | UNSET) => Err(self.out_of_range()),
            Some(count) => Ok(Checked::Number(count)),
        }
    }

    fn fraction(&self) -> Result<u32, Fault> {
        let parts = unit_file::permyriad(self.value).ok_or_else(|| self.invalid("percentage"))?;
        Ok(fraction(parts, 5_000))
    }

    /// A path, and what `read` makes of the rest.
    fn device(&self, read: impl Fn(&str) -> Option<u64>) -> Result<Checked, Fault> {
        let mut words = Words::new(self.value, Escapes::Plain);
        let path = words.next().and_then(Result::ok).ok_or_else(|| self.invalid("path"))?;
        let path = self.expanded(&path)?;
        if !devices::is_normalized(&path) {
            return Err(self.invalid("path"));
        }
        let number = read(words.rest()).ok_or_else(|| self.invalid("value"))?;
        Ok(Checked::Devices(vec![(path, number)]))
    }

    fn device_allow(&self) -> Result<Vec<(String, String)>, Fault> {
        let mut words = Words::new(self.value, Escapes::Plain);
        let pattern = words.next().and_then(Result::ok).ok_or_else(|| self.invalid("device"))?;
        let entry = devices::allow_entry(&self.expanded(&pattern)?, words.rest());
        entry.map(|entry| vec![entry]).map_err(|refusal| format!("{}, ignoring.", refusal.message).into())
    }

    /// Every word as `read` takes it; those that it does not take are noted. Nothing at all is the empty list.
    fn words<T>(
        &mut self,
        escapes: Escapes,
        read: impl Fn(&Self, &str) -> Result<Vec<T>, Fault>,
        checked: fn(Vec<T>) -> Checked,
    ) -> Result<Option<Checked>, Fault> {
        if self.value.is_empty() {
            return Ok(Some(checked(vec![])));
        }
        let list = self.each_word(escapes, read);
        Ok((!list.is_empty()).then(|| checked(list)))
    }

    fn each_word<T>(&mut self, escapes: Escapes, read: impl Fn(&Self, &str) -> Result<Vec<T>, Fault>) -> Vec<T> {
        let (mut list, mut faults) = (Vec::new(), Vec::new());
        for word in Words::new(self.value, escapes) {
            match word.map_err(|_| self.invalid("syntax")).and_then(|word| read(self, &word)) {
                Ok(more) => list.extend(more),
                Err(fault) => faults.push(fault.text),
            }
        }
        self.notes.extend(faults);
        list
    }

    fn addresses(&self, word: &str) -> Result<Vec<crate::settings::IpPrefix>, Fault> {
        let mut list = unit_file::address_prefix(word)
            .ok_or_else(|| Fault::from(format!("Invalid address prefix '{word}', ignoring.")))?;
        list.iter_mut().for_each(|prefix| devices::clear_host_bits(&mut prefix.address, prefix.length as usize));
        Ok(list)
    }

    fn string(&self, word: &str, accepts: fn(&str) -> bool) -> Result<Vec<String>, Fault> {
        let text = self.expanded(word)?;
        if accepts(&text) { Ok(vec![text]) } else { Err(format!("Invalid value '{text}', ignoring.").into()) }
    }

    fn variable(&self, word: &str) -> Result<Vec<String>, Fault> {
        let text = self.expanded(word)?;
        let is_fine = exec::is_variable(&text);
        if is_fine { Ok(vec![text]) } else { Err(format!("Invalid environment assignment, ignoring: {text}").into()) }
    }

    fn controllers(&self, names: &str) -> Checked {
        let (mask, others, _) = check::controllers_named(names.split_whitespace());
        Checked::Controllers(mask, others)
    }

    /// The controllers that are known; none at all is not the empty list.
    fn known_controllers(&mut self) -> Option<Checked> {
        let (mask, others, unknown) = check::controllers_named(self.value.split_whitespace());
        let count = unknown.len();
        self.notes.extend(unknown.iter().map(|name| format!("Invalid controller name '{name}', ignoring.")));
        (count < self.value.split_whitespace().count()).then_some(Checked::Controllers(mask, others))
    }

    fn commands(&self) -> Result<Vec<crate::settings::ExecCommand>, Fault> {
        exec::read_commands(self.value, |text| self.expanded(text).map_err(|fault| fault.text))
            .map_err(Fault::bad_setting)
    }

    fn slice(&self) -> Result<UnitName, Fault> {
        check::slice_name(&self.expanded(self.value)?)
            .map_err(|refusal| format!("{}, ignoring.", refusal.message).into())
    }

    fn unit_names(&mut self) -> Result<Vec<UnitName>, Fault> {
        let names = self.each_word(Escapes::Literal, |text, word| {
            let name = text.expanded(word)?;
            let found = match UnitName::parse(&name) {
                Err(NameError::Template) => UnitName::parse(&instance_for(&name, text.source.name)),
                other => other,
            };
            let refusal = |_| Fault::from(format!("Failed to add dependency on {name}, ignoring: Invalid argument"));
            found.map(|name| vec![name]).map_err(refusal)
        });
        Ok(names)
    }
}

/// A template in a dependency means its instance for this unit: the same instance, or one named after the unit.
pub(crate) fn instance_for(template: &str, name: &UnitName) -> String {
    let instance = name.instance().unwrap_or(name.prefix());
    let (before, after) = template.split_once('@').unwrap_or((template, ""));
    [before, "@", instance, after].concat()
}

fn as_bad_setting(refusal: Refusal) -> Fault {
    Fault::bad_setting(refusal.message.to_owned())
}

/// Parts of ten thousand as a fraction of 2^32-1.
fn fraction(parts: u64, rounding: u64) -> u32 {
    u32::try_from((parts * u64::from(u32::MAX) + rounding) / 10_000).expect("at most the whole")
}
