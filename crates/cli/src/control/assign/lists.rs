//! Compound values: CPU sets, devices, per-device limits, addresses, ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Value, scalars};

const CPUS_MAX: usize = 8192;
const AF_INET: i32 = libc::AF_INET;
const AF_INET6: i32 = libc::AF_INET6;
const LONG_BITS: usize = 64;

/// Splits at white space; quotes keep words together.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut open) = (String::new(), None, false);
    for c in text.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => (quote, open) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if open {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            (_, c) => {
                word.push(c);
                open = true;
            }
        }
    }
    if open {
        words.push(word);
    }
    words
}

/// `0-3,5 7` → little-endian bitmap in whole machine words, as systemd 252 sends it.
pub(super) fn bitmap(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for item in text.split([',', ' ', '\t']).filter(|item| !item.is_empty()) {
        let (first, last) = range(item)?;
        let words = last / LONG_BITS + 1;
        if bytes.len() < words * 8 {
            bytes.resize(words * 8, 0);
        }
        for n in first..=last {
            bytes[n / 8] |= 1 << (n % 8);
        }
    }
    Ok(bytes)
}

fn range(item: &str) -> Result<(usize, usize), String> {
    const WHAT: &str = "expected numbers and ranges such as 0-3,5";
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let (first, last): (usize, usize) = (first.parse().map_err(|_| WHAT)?, last.parse().map_err(|_| WHAT)?);
    if last < first {
        return Err(format!("the range {item} runs backwards"));
    }
    if last >= CPUS_MAX {
        return Err(format!("{last} is too large, at most {} is possible", CPUS_MAX - 1));
    }
    Ok((first, last))
}

/// `/dev/null rw`, `char-pts`; empty resets.
pub(super) fn device(text: &str) -> Vec<(String, String)> {
    match text.split_once(' ') {
        _ if text.is_empty() => vec![],
        Some((path, access)) => vec![(path.to_owned(), access.to_owned())],
        None => vec![(text.to_owned(), String::new())],
    }
}

/// `egress:/sys/fs/bpf/program`; empty resets.
pub(super) fn program(text: &str) -> Result<Vec<(String, String)>, String> {
    if text.is_empty() {
        return Ok(vec![]);
    }
    let (kind, path) = text.split_once(':').ok_or("expected TYPE:PATH")?;
    Ok(vec![(kind.to_owned(), path.to_owned())])
}

/// `/dev/sda VALUE`; empty resets.
pub(super) fn path_and(text: &str, value: impl Fn(&str) -> Result<u64, String>) -> Result<Vec<(String, u64)>, String> {
    if text.is_empty() {
        return Ok(vec![]);
    }
    let (path, rest) = text.split_once(' ').ok_or("expected a path and a value, as in '/dev/sda 5M'")?;
    Ok(vec![(path.to_owned(), value(rest.trim())?)])
}

/// Words such as `any`, `10.0.0.0/8`, `::1`; empty resets.
pub(super) fn addresses(text: &str) -> Result<Vec<(i32, Vec<u8>, u32)>, String> {
    let mut all = Vec::new();
    for word in words(text) {
        match word.as_str() {
            "any" => all.extend([v4([0, 0, 0, 0], 0), v6(Ipv6Addr::UNSPECIFIED, 0)]),
            "localhost" => all.extend([v4([127, 0, 0, 0], 8), v6(Ipv6Addr::LOCALHOST, 128)]),
            "link-local" => all.extend([v4([169, 254, 0, 0], 16), v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 64)]),
            "multicast" => all.extend([v4([224, 0, 0, 0], 4), v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8)]),
            other => all.push(address(other)?),
        }
    }
    Ok(all)
}

fn v4(octets: [u8; 4], prefix: u32) -> (i32, Vec<u8>, u32) {
    (AF_INET, octets.to_vec(), prefix)
}

fn v6(address: Ipv6Addr, prefix: u32) -> (i32, Vec<u8>, u32) {
    (AF_INET6, address.octets().to_vec(), prefix)
}

fn address(word: &str) -> Result<(i32, Vec<u8>, u32), String> {
    let what = || {
        format!(
            "'{word}' is neither an address, an address with prefix length, nor any, localhost, link-local or multicast"
        )
    };
    let (ip, prefix) = match word.split_once('/') {
        Some((ip, prefix)) => (ip, Some(prefix.parse::<u32>().map_err(|_| what())?)),
        None => (word, None),
    };
    let ip: IpAddr = ip.parse().map_err(|_| what())?;
    let bits = if ip.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS };
    let prefix = prefix.unwrap_or(bits);
    if prefix > bits {
        return Err(format!("the prefix length of '{word}' is more than {bits}"));
    }
    Ok(match ip {
        IpAddr::V4(ip) => v4(ip.octets(), prefix),
        IpAddr::V6(ip) => v6(ip, prefix),
    })
}

/// `any`, `443`, `tcp:1000-2000`, `ipv6:udp:53`; empty resets.
pub(super) fn bind(text: &str) -> Result<Vec<(i32, i32, u16, u16)>, String> {
    if text.is_empty() {
        return Ok(vec![]);
    }
    let mut parts: Vec<&str> = text.split(':').collect();
    let ports = match parts.last() {
        Some(&("ipv4" | "ipv6" | "tcp" | "udp")) => "any",
        _ => parts.pop().unwrap_or("any"),
    };
    let family = take(&mut parts, &[("ipv4", AF_INET), ("ipv6", AF_INET6)]);
    let protocol = take(&mut parts, &[("tcp", libc::IPPROTO_TCP), ("udp", libc::IPPROTO_UDP)]);
    if !parts.is_empty() {
        return Err("expected [ipv4:|ipv6:][tcp:|udp:]PORT, PORT-PORT or any".to_owned());
    }
    let (first, count) = port_range(ports)?;
    Ok(vec![(family, protocol, count, first)])
}

/// Takes the first part if it is one of the words; 0 = any.
fn take(parts: &mut Vec<&str>, known: &[(&str, i32)]) -> i32 {
    let found = parts.first().and_then(|part| known.iter().find(|(word, _)| word == part));
    match found {
        Some((_, number)) => {
            parts.remove(0);
            *number
        }
        None => 0,
    }
}

/// First port and how many; `any` = (0, 0).
fn port_range(text: &str) -> Result<(u16, u16), String> {
    if text == "any" {
        return Ok((0, 0));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (scalars::integer::<u16>(first)?, scalars::integer::<u16>(last)?) {
        (first, last) if first == 0 || last < first => Err("expected ports of 1 to 65535, in order".to_owned()),
        (first, last) => Ok((first, last - first + 1)),
    }
}

/// `eth0 eth1` allows only these, `~eth0` all but these; empty resets.
pub(super) fn interfaces(text: &str) -> Value {
    match text.strip_prefix('~') {
        Some(denied) => Value::Names(false, words(denied)),
        None => Value::Names(true, words(text)),
    }
}
