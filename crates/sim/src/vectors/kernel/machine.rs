//! The first line of a recording: which kernel to imagine, and the machine below it.

use serde_json::Value;

use super::{Object, text_of};
use crate::kernel::{Config, Controller, ControllerSet, Version};

/// The kernel that a line `"op":"machine"` tells of. What it leaves out is as a distribution's kernel of that version
/// has it.
///
/// # Errors
/// When it says something that cannot be understood.
pub fn config_of(machine: &Object) -> Result<Config, &'static str> {
    let release = text_of(machine, "kernel").ok_or("no kernel release")?;
    let mut config = Config::of(Version::parse(release).ok_or("a release that is none")?);
    if let Some(names) = text_of(machine, "controllers") {
        config.controllers = controllers(names).ok_or("an unknown controller")?;
    }
    if let Some(cpus) = text_of(machine, "cpus") {
        config.cpus = count(cpus).ok_or("processors other than 0-N")?;
    }
    if let Some(mems) = text_of(machine, "mems") {
        config.mems = count(mems).ok_or("memory nodes other than 0-N")?;
    }
    if let Some(disks) = text_of(machine, "blockdev") {
        config.disks = disks.split_whitespace().map(disk).collect::<Option<_>>().ok_or("a disk that is none")?;
    }
    let flag = |key| machine.get(key).and_then(Value::as_bool);
    config.uclamp = flag("uclamp").unwrap_or(config.uclamp);
    config.zswap = flag("zswap").unwrap_or(config.zswap);
    config.kill_at_birth = flag("kill_at_birth").unwrap_or(config.kill_at_birth);
    Ok(config)
}

fn controllers(names: &str) -> Option<ControllerSet> {
    let mut set = ControllerSet::NONE;
    for name in names.split_whitespace() {
        set |= ControllerSet::of(Controller::from_name(name.as_bytes())?);
    }
    Some(set)
}

/// `0` or `0-N`.
fn count(list: &str) -> Option<u32> {
    let (first, last) = list.split_once('-').unwrap_or((list, list));
    let last: u32 = last.parse().ok()?;
    (first == "0" && last < 63).then_some(last + 1)
}

fn disk(numbers: &str) -> Option<(u32, u32)> {
    let (major, minor) = numbers.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(line: &str) -> Result<Config, &'static str> {
        config_of(&serde_json::from_str(line).expect("an object"))
    }

    #[test]
    fn what_is_said_counts_and_the_rest_is_as_usual() {
        let plain = config(r#"{"op":"machine","kernel":"6.1.0-56-cloud-amd64"}"#).expect("a machine");
        assert_eq!(plain, Config::of(Version::V6_1));
        let told = r#"{"kernel":"6.1.0","controllers":"cpu pids","cpus":"0-3","blockdev":"254:0 254:16","uclamp":true,"kill_at_birth":true}"#;
        let told = config(told).expect("a machine");
        assert_eq!((told.cpus, told.mems, told.uclamp, told.zswap), (4, 1, true, false));
        assert!(told.kill_at_birth && !plain.kill_at_birth);
        assert_eq!(told.disks, [(254, 0), (254, 16)]);
        assert_eq!(told.controllers.to_string(), "cpu pids");
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(config("{}"), Err("no kernel release"));
        assert_eq!(config(r#"{"kernel":"next"}"#), Err("a release that is none"));
        assert_eq!(config(r#"{"kernel":"6.1","cpus":"1-3"}"#), Err("processors other than 0-N"));
        assert_eq!(config(r#"{"kernel":"6.1","blockdev":"sda"}"#), Err("a disk that is none"));
    }
}
