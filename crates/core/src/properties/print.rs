//! A property as unit-file lines: in the transient file while the unit is created, in a drop-in of its own afterwards.

use super::kind::Kind;
use super::property::{Property, Setting};
use super::values::{Checked, OtherControllers};
use super::{context, devices, exec, signals};
use crate::controllers::ControllerMask;
use crate::names::UnitType;
use crate::settings::{CpuSet, IpPrefix, Settings, StatusSet};
use crate::unit_file::{
    self, Limit, Percent, Quota, Section, TimeSpan, TransientFile, escape_specifiers, plain_word, push_line, yes_no,
};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::net::{Ipv4Addr, Ipv6Addr};

/// A drop-in to be written below the unit's `.d` directory as `STEM.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropIn {
    /// File name without `.conf`.
    pub stem: String,
    /// The whole content.
    pub content: String,
}

impl Property {
    /// Adds it to the transient unit file. `settings` are those after it was applied.
    pub fn write_transient(&self, settings: &Settings, file: &mut TransientFile) {
        let (section, lines) = self.lines(settings);
        file.push(section, &lines);
    }

    /// The drop-in that keeps it; none for what is not kept. `settings` are those after it was applied.
    #[must_use]
    pub fn drop_in(&self, unit_type: UnitType, settings: &Settings) -> Option<DropIn> {
        let (section, lines) = self.lines(settings);
        let content = unit_file::drop_in_text(section, unit_type, &lines);
        (!lines.is_empty()).then(|| DropIn { stem: ["50-", self.drop_in_name()].concat(), content })
    }

    /// systemd names two of them by their key, all others as they are called on the bus.
    fn drop_in_name(&self) -> &'static str {
        match self {
            Self::Setting(Setting { row, .. }) if matches!(row.kind, Kind::Quota(_) | Kind::Period(_)) => row.key,
            _ => self.name(),
        }
    }

    fn lines(&self, settings: &Settings) -> (Section, String) {
        let mut out = String::new();
        match self {
            Self::Slice(Some(name)) => push_line(&mut out, "Slice", name),
            Self::Dependencies(kind, names) => {
                names.iter().for_each(|name| push_line(&mut out, kind.name(), name));
                return (Section::Unit, out);
            }
            Self::Setting(setting) => {
                setting.print(settings, &mut out);
                return (setting.row.section, out);
            }
            Self::Slice(None)
            | Self::Pids(_)
            | Self::PidFds(_)
            | Self::AddRef(_)
            | Self::Controller(_)
            | Self::Markers(_) => {}
        }
        (Section::Type, out)
    }
}

impl Setting {
    fn print(&self, settings: &Settings, out: &mut String) {
        let key = self.row.key;
        match (&self.row.kind, &self.value) {
            (_, Checked::Flag(flag)) => push_line(out, key, yes_no(*flag)),
            (Kind::Integer(integer), Checked::Integer(number)) => {
                let word = integer.words.iter().find(|(_, known)| known == number);
                push_line(out, key, word.map_or_else(|| number.to_string(), |(word, _)| String::from(*word)));
            }
            (Kind::Mode(_), Checked::Fraction(mode)) => push_line(out, key, format_args!("{mode:04o}")),
            (Kind::Capabilities(field), Checked::Number(_)) => {
                push_line(out, key, "");
                push_line(out, key, context::capability_names(*(field.get)(settings)));
            }
            (Kind::Limit(index, _), _) => {
                let (soft, hard) = settings.exec().limits[*index].unwrap_or((u64::MAX, u64::MAX));
                push_line(out, exec::limit_key(*index), format_args!("{}:{}", Limit(soft), Limit(hard)));
            }
            (Kind::Stream(number) | Kind::StreamFile(number, _), _) => {
                push_line(
                    out,
                    exec::stream_key(*number),
                    escape_specifiers(&context::stream_word(*number, settings.exec())),
                );
            }
            // A descriptor does not outlive the arbiter.
            (Kind::StreamHandle(_), _) => {}
            (Kind::Weight(_, _, _, idle), Checked::Number(number)) => push_line(out, key, weight(*number, *idle)),
            (Kind::Quota(_), Checked::Number(usec)) => push_line(out, key, unless_unset(*usec, Quota)),
            (Kind::Period(_), Checked::Number(usec)) => push_line(out, key, unless_unset(*usec, TimeSpan)),
            (Kind::Time(_) | Kind::StopTime(_) | Kind::Patience(_) | Kind::OptionalTime(..), Checked::Number(usec)) => {
                push_line(out, key, TimeSpan(*usec));
            }
            (Kind::Statuses(_), Checked::Statuses(set)) => {
                push_line(out, key, exec::status_words(set.as_ref().unwrap_or(&StatusSet::NONE)));
            }
            (_, Checked::Number(number)) => push_line(out, key, Limit(*number)),
            (_, Checked::Fraction(fraction) | Checked::Share(fraction, _)) => push_line(out, key, Percent(*fraction)),
            (_, Checked::Signal(number)) => push_line(out, key, signals::name(*number)),
            (Kind::Choice(choice), Checked::Choice(index)) => push_line(out, key, choice.words[*index]),
            (_, Checked::Text(text)) => push_line(out, key, escape_specifiers(text.as_deref().unwrap_or(""))),
            (_, Checked::Set(set)) => {
                push_line(out, key, "");
                push_line(out, key, ranges(set, " "));
            }
            (_, Checked::Controllers(mask, others)) => push_line(out, key, controllers(*mask, *others)),
            _ => self.print_list(settings, out),
        }
    }

    /// Lists are written whole, after a line that empties them, so that each file stands for itself.
    fn print_list(&self, settings: &Settings, out: &mut String) {
        let (key, extra) = (self.row.key, settings.resources.extra());
        let mut line = |value: &dyn Display| push_line(out, key, value);
        match &self.row.kind {
            Kind::Environment => return line(&exec::quoted(&settings.service().environment)),
            _ => line(&""),
        }
        if let Kind::EnvironmentFiles = &self.row.kind {
            for (path, optional) in &settings.exec().environment_files {
                let mark = if *optional { "-" } else { "" };
                line(&format_args!("{mark}{}", escape_specifiers(path)));
            }
            return;
        }
        match &self.row.kind {
            Kind::DeviceWeights(field, ..) => pairs((field.get)(settings), line),
            Kind::DeviceLatency => extra.io_device_latency.iter().for_each(|(path, usec)| {
                line(&format_args!("{} {}", plain_word(path), TimeSpan(*usec)));
            }),
            Kind::DeviceLimit(n) => columns(devices::column(&extra.io_device_limits, *n), line),
            Kind::DeviceBandwidth(n) => columns(devices::column(&extra.block_io_device_bandwidth, *n), line),
            Kind::DeviceAllow => extra.device_allow.iter().for_each(|(pattern, permissions)| {
                line(&format_args!("{} {permissions}", plain_word(pattern)));
            }),
            Kind::IpPrefixes(field) => (field.get)(settings).iter().for_each(|prefix| line(&address(prefix))),
            Kind::Strings(field, ..) => {
                (field.get)(settings).iter().for_each(|text| line(&plain_word(text)));
            }
            Kind::Commands(step) | Kind::CommandsEx(step) => {
                settings.service().commands(*step).iter().for_each(|command| line(&exec::command_line(command)));
            }
            _ => unreachable!("{:?} is no list", self.row),
        }
    }
}

fn weight(number: u64, idle: bool) -> String {
    match number {
        u64::MAX => String::new(),
        0 if idle => "idle".into(),
        _ => number.to_string(),
    }
}

fn unless_unset<T: Display>(number: u64, show: fn(u64) -> T) -> String {
    if number == u64::MAX { String::new() } else { show(number).to_string() }
}

fn pairs(list: &[(String, u64)], line: impl FnMut(&dyn Display)) {
    columns(list.iter().map(|(path, number)| (path.as_str(), *number)), line);
}

fn columns<'a>(list: impl Iterator<Item = (&'a str, u64)>, mut line: impl FnMut(&dyn Display)) {
    list.for_each(|(path, number)| line(&format_args!("{} {number}", plain_word(path))));
}

/// Names separated by blanks, ours first.
fn controllers(mask: ControllerMask, others: OtherControllers) -> String {
    let ours = mask.controllers().map(|c| c.name());
    ours.chain(others.names()).collect::<Vec<_>>().join(" ")
}

fn address(prefix: &IpPrefix) -> String {
    let bytes = prefix.address.as_slice();
    let text = match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(v4), _) => Ipv4Addr::from(v4).to_string(),
        (_, Ok(v6)) => Ipv6Addr::from(v6).to_string(),
        _ => String::new(),
    };
    format!("{text}/{}", prefix.length)
}

/// A set as ranges (`0-3 7`), with this between them.
#[must_use]
pub(crate) fn ranges(set: &CpuSet, separator: &str) -> String {
    let mut out = String::new();
    let mut bits = members(set).peekable();
    while let Some(first) = bits.next() {
        let mut last = first;
        while let Some(next) = bits.next_if_eq(&(last + 1)) {
            last = next;
        }
        let gap = if out.is_empty() { "" } else { separator };
        let range = if first == last { format!("{gap}{first}") } else { format!("{gap}{first}-{last}") };
        out.push_str(&range);
    }
    out
}

fn members(set: &CpuSet) -> impl Iterator<Item = usize> {
    let bits = |(i, word): (usize, &u64)| {
        let word = *word;
        (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| i * 64 + bit)
    };
    set.0.iter().enumerate().flat_map(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn sets_are_written_as_ranges() {
        for (words, want) in [
            (vec![], ""),
            (vec![1], "0"),
            (vec![0b1000_1111], "0-3 7"),
            (vec![1 << 63, 0b11], "63-65"),
            (vec![0, 1], "64"),
        ] {
            assert_eq!(ranges(&CpuSet(words), " "), want);
        }
    }
}
