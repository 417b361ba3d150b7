//! The io controller: the default weight and the limits of each disk.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::parse::{is_space, scan_decimal, scan_word, skip_spaces};
use super::{Errno, Kernel};

#[derive(Clone, Debug, Hash)]
pub(super) struct Io {
    weight: u64,
    /// By disk: bytes and operations per second, read and write.
    max: BTreeMap<(u32, u32), [u64; 4]>,
    /// By disk: bytes read and written, operations of both kinds.
    pub(super) used: BTreeMap<(u32, u32), [u64; 4]>,
}

const KEYS: [&str; 4] = ["rbps", "wbps", "riops", "wiops"];

impl Default for Io {
    fn default() -> Self {
        Self { weight: 100, max: BTreeMap::new(), used: BTreeMap::new() }
    }
}

impl Kernel {
    /// `MAJ:MIN` at the beginning of the text, and what follows.
    fn scan_disk<'a>(&self, text: &'a [u8]) -> Result<((u32, u32), &'a [u8]), Errno> {
        let (major, _, rest) = scan_decimal(text).ok_or(Errno::EINVAL)?;
        let rest = rest.strip_prefix(b":").ok_or(Errno::EINVAL)?;
        let (minor, _, rest) = scan_decimal(rest).ok_or(Errno::EINVAL)?;
        if !rest.first().is_some_and(|byte| is_space(*byte)) {
            return Err(Errno::EINVAL);
        }
        let number = |value: u64| u32::try_from(value).map_err(|_| Errno::ENODEV);
        let disk = (number(major)?, number(minor)?);
        if self.config.disks.contains(&disk) { Ok((disk, skip_spaces(rest))) } else { Err(Errno::ENODEV) }
    }

    pub(super) fn write_io_max(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let (disk, mut rest) = self.scan_disk(text)?;
        let mut limits = self.cgroups[index].io.max.get(&disk).copied().unwrap_or([u64::MAX; 4]);
        let lowest = if self.config.at_least(6, 16) { 1 } else { 2 };
        while let Some((token, after)) = scan_word(rest, 26) {
            rest = after;
            let cut = token.iter().position(|byte| *byte == b'=').ok_or(Errno::EINVAL)?;
            let value = limit_value(&token[cut + 1..])?;
            let key = KEYS.iter().position(|key| key.as_bytes() == &token[..cut]);
            let key = key.filter(|_| value >= lowest).ok_or(Errno::EINVAL)?;
            let counts_operations = key >= 2;
            limits[key] = if counts_operations && value >= u64::from(u32::MAX) { u64::MAX } else { value };
        }
        let max = &mut self.cgroups[index].io.max;
        if limits == [u64::MAX; 4] {
            max.remove(&disk);
        } else {
            max.insert(disk, limits);
        }
        Ok(())
    }

    pub(super) fn show_io_max(&self, index: u32) -> String {
        let mut text = String::new();
        for ((major, minor), limits) in &self.cgroups[index].io.max {
            text += &format!("{major}:{minor}");
            for (key, limit) in KEYS.iter().zip(limits) {
                match *limit {
                    u64::MAX => text += &format!(" {key}=max"),
                    limit => write!(text, " {key}={limit}").expect("strings take all"),
                }
            }
            text.push('\n');
        }
        text
    }

    /// No policy with weights is active on any disk; only the default can be set.
    pub(super) fn write_io_weight(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        if text.contains(&b':') {
            self.scan_disk(text)?;
            return Err(Errno::EOPNOTSUPP);
        }
        let number = text.strip_prefix(b"default").unwrap_or(text);
        let (weight, _, _) = scan_decimal(number).ok_or(Errno::EINVAL)?;
        if !(1..=10_000).contains(&weight) {
            return Err(Errno::EINVAL);
        }
        self.cgroups[index].io.weight = weight;
        Ok(())
    }

    pub(super) fn show_io_weight(&self, index: u32) -> String {
        format!("default {}\n", self.cgroups[index].io.weight)
    }
}

fn limit_value(text: &[u8]) -> Result<u64, Errno> {
    let value = match scan_decimal(text) {
        Some((value, _, _)) => value,
        None if text == b"max" => u64::MAX,
        None => return Err(Errno::EINVAL),
    };
    if value == 0 { Err(Errno::ERANGE) } else { Ok(value) }
}
