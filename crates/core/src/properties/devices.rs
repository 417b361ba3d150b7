//! Lists by device and by address: checks, and how an entry joins the list that is there.

use super::{invalid, values};
use crate::error::Refusal;
use crate::settings::{IpPrefix, UNSET};
use crate::value::Value;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Longest path the kernel takes, its end mark included.
const PATH_SIZE_MAX: usize = 4096;

/// A list of (path, number).
pub(super) fn check(
    name: &str,
    value: &Value,
    accepts: impl Fn(u64) -> bool,
    refusal: &str,
) -> Result<Vec<(String, u64)>, Refusal> {
    let entry = |item: &Value| {
        let [path, number] = values::fields::<2>(item)?;
        let (path, number) = (values::string(path)?, values::u64(number)?);
        if !is_normalized(path) {
            // systemd 252 prints the two words the wrong way round, and so do we.
            return Err(invalid(format!("Path '{name}' specified in {path}= is not normalized.")));
        }
        if accepts(number) { Ok((path.into(), number)) } else { Err(invalid(refusal)) }
    };
    values::array(value, "(st)")?.iter().map(entry).collect()
}

pub(super) fn is_normalized(path: &str) -> bool {
    let trimmed = path.strip_prefix('/').unwrap_or(path);
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    let parts_fit = trimmed.split('/').all(|part| !matches!(part, "" | "." | ".."));
    !path.is_empty() && path.len() < PATH_SIZE_MAX && (path == "/" || parts_fit)
}

/// The entry of `list` with this path, made at the end if there is none.
pub(super) fn entry<'a, T>(list: &'a mut Vec<(String, T)>, path: &str, fresh: T) -> &'a mut T {
    let same = |(have, _): &(String, T)| have.trim_end_matches('/') == path.trim_end_matches('/');
    let index = list.iter().position(same).unwrap_or_else(|| {
        list.push((path.into(), fresh));
        list.len() - 1
    });
    &mut list[index].1
}

/// Sets the numbers of the paths given; none at all empties the list.
pub(super) fn merge(list: &mut Vec<(String, u64)>, given: &[(String, u64)]) {
    if given.is_empty() {
        list.clear();
    }
    given.iter().for_each(|(path, number)| *entry(list, path, 0) = *number);
}

/// Sets one of N limits for the paths given; none at all lifts that limit everywhere. Entries stay even without a
/// limit, because the kernel has to be told.
pub(super) fn merge_column<const N: usize>(list: &mut Vec<(String, [u64; N])>, column: usize, given: &[(String, u64)]) {
    if given.is_empty() {
        list.iter_mut().for_each(|(_, limits)| limits[column] = UNSET);
    }
    given.iter().for_each(|(path, number)| entry(list, path, [UNSET; N])[column] = *number);
}

/// What of one column is limited.
pub(super) fn column<const N: usize>(list: &[(String, [u64; N])], column: usize) -> impl Iterator<Item = (&str, u64)> {
    list.iter().map(move |(path, limits)| (path.as_str(), limits[column])).filter(|(_, limit)| *limit != UNSET)
}

/// `DeviceAllow`: patterns with permissions, none of which means all.
pub(super) fn check_allow(value: &Value) -> Result<Vec<(String, String)>, Refusal> {
    let entry = |item: &Value| {
        let [pattern, permissions] = values::fields::<2>(item)?;
        allow_entry(values::string(pattern)?, values::string(permissions)?)
    };
    values::array(value, "(ss)")?.iter().map(entry).collect()
}

/// One of them.
pub(super) fn allow_entry(pattern: &str, permissions: &str) -> Result<(String, String), Refusal> {
    if !is_device_pattern(pattern) {
        return Err(invalid("DeviceAllow= requires device node or pattern"));
    }
    if !permissions.chars().all(|c| "rwm".contains(c)) {
        return Err(invalid("DeviceAllow= requires combination of rwm flags"));
    }
    let granted = |c: &char| permissions.is_empty() || permissions.contains(*c);
    Ok((pattern.into(), "rwm".chars().filter(granted).collect()))
}

fn is_device_pattern(pattern: &str) -> bool {
    let node = (pattern.starts_with("/dev/") || pattern.starts_with("/run/systemd/inaccessible/"))
        && !pattern.ends_with('/')
        && is_normalized(pattern);
    let class = pattern.starts_with("block-") || pattern.starts_with("char-");
    (node || class) && !pattern.contains([' ', '\t', '\n', '\r'])
}

/// New patterns go to the front, as in systemd; known ones get the new permissions.
pub(super) fn merge_allow(list: &mut Vec<(String, String)>, given: &[(String, String)]) {
    if given.is_empty() {
        list.clear();
    }
    for (pattern, permissions) in given {
        match list.iter_mut().find(|(have, _)| have == pattern) {
            Some((_, have)) => have.clone_from(permissions),
            None => list.insert(0, (pattern.clone(), permissions.clone())),
        }
    }
}

/// In files, new patterns go to the end, so that a list that was written is the same when it is read.
pub(super) fn append_allow(list: &mut Vec<(String, String)>, given: &[(String, String)]) {
    for (pattern, permissions) in given {
        match list.iter_mut().find(|(have, _)| have == pattern) {
            Some((_, have)) => have.clone_from(permissions),
            None => list.push((pattern.clone(), permissions.clone())),
        }
    }
}

const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;

/// Address ranges.
pub(super) fn check_prefixes(name: &str, value: &Value) -> Result<Vec<IpPrefix>, Refusal> {
    let entry = |item: &Value| {
        let [family, address, length] = values::fields::<3>(item)?;
        let (word, size) = match values::i32(family)? {
            AF_INET => ("AF_INET", 4),
            AF_INET6 => ("AF_INET6", 16),
            _ => return Err(invalid(format!("{name}= expects IPv4 or IPv6 addresses only."))),
        };
        let (mut address, length) = (address_bytes(address)?, values::u32(length)?);
        if address.len() != size {
            let got = address.len();
            let text = format!("IP address has wrong size for family ({word}, expected {size}, got {got})");
            return Err(invalid(text));
        }
        if length as usize > size * 8 {
            return Err(invalid(format!("Prefix length {length} too large for address family {word}.")));
        }
        clear_host_bits(&mut address, length as usize);
        Ok(IpPrefix { address, length })
    };
    values::array(value, "(iayu)")?.iter().map(entry).collect()
}

fn address_bytes(value: &Value) -> Result<Vec<u8>, Refusal> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.clone()),
        _ => values::array(value, "y")?.iter().map(|b| if let Value::U8(b) = b { Ok(*b) } else { Ok(0) }).collect(),
    }
}

pub(super) fn clear_host_bits(address: &mut [u8], length: usize) {
    for (i, byte) in address.iter_mut().enumerate() {
        let kept = length.saturating_sub(i * 8).min(8);
        *byte &= !(0xFF_u16 >> kept) as u8;
    }
}

/// A set: united with what is there, emptied by nothing.
pub(super) fn merge_prefixes(list: &mut Vec<IpPrefix>, given: &[IpPrefix]) {
    if given.is_empty() {
        list.clear();
    }
    list.extend_from_slice(given);
    list.sort();
    list.dedup();
}

/// The family's number.
pub(super) fn family(prefix: &IpPrefix) -> i32 {
    if prefix.address.len() == 4 { AF_INET } else { AF_INET6 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalized_paths() {
        for good in ["/", "/dev/vda", "relative", "/usr/", "/a.b/..c"] {
            assert!(is_normalized(good), "{good}");
        }
        for bad in ["", "//", "/a//b", "/a/../b", "./a", "/a/.", "..", "."] {
            assert!(!is_normalized(bad), "{bad}");
        }
    }

    #[test]
    fn device_patterns() {
        for good in ["/dev/null", "char-*", "block-8", "char-pts", "/run/systemd/inaccessible/chr"] {
            assert!(is_device_pattern(good), "{good}");
        }
        for bad in ["", "/dev/", "/etc/passwd", "/dev/a b", "/dev/../etc", "null"] {
            assert!(!is_device_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn host_bits_are_cleared() {
        let mut address = [10, 255, 255, 255];
        clear_host_bits(&mut address, 12);
        assert_eq!(address, [10, 240, 0, 0]);
    }
}
