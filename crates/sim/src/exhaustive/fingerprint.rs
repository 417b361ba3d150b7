//! A world as 128 bits, the same for worlds that behave alike.
//!
//! What goes in is said where it goes in (`canonical.rs` of core's manager, of kernel, backend, world and reference).
//! Here names become canonical:
//!
//! | marked as | becomes |
//! |---|---|
//! | call, job, watch, pin | its rank among all of its kind in this world |
//! | directory, invocation id | its place in the order in which they are first met |
//! | moment | its distance from now |
//!
//! Ranks, because tables are gone through in their order, and the next number is larger than all. Inode numbers are
//! only compared, so any order does that is the same in both worlds: the kernel comes first, from the root down, by
//! name. Of moments come only deadlines.
//!
//! In texts there are names, too: an invocation id (32 hex digits, by themselves or in a record), and the times of a
//! record. Its checksum is left out. When a unit was started only matters with a `RuntimeMaxSec`.

use cgarbiter_core::canonical::{self, Kind};
use std::hash::Hasher;
use twox_hash::XxHash3_128;

/// 128 bits of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(pub u128);

/// Takes in a world, piece by piece; used again and again, so that its memory is.
#[derive(Debug, Default)]
pub(super) struct Canonical {
    bytes: Vec<u8>,
    /// Where in the bytes a name is to stand, and which.
    names: Vec<(usize, Kind, u64)>,
    /// Numbers of one kind, while names are made canonical.
    numbers: Vec<u64>,
    now: u64,
}

/// A short text holds no record.
const RECORD_LENGTH_MIN: usize = 40;
/// A number of one byte, when not one of these two.
const LARGEST: u8 = 254;
const LONG: u8 = 255;

impl Canonical {
    /// Begins anew, at this time.
    pub(super) fn begin(&mut self, now: u64) {
        self.bytes.clear();
        self.names.clear();
        self.now = now;
    }

    /// The fingerprint of all that went in.
    pub(super) fn end(&mut self) -> Fingerprint {
        for kind in Kind::ALL {
            match kind {
                Kind::Moment => {
                    let now = self.now;
                    self.put(kind, |_, moment| moment.wrapping_sub(now));
                }
                Kind::Directory | Kind::Invocation => self.put(kind, |numbers, number| {
                    let place = numbers.iter().position(|other| *other == number);
                    place.unwrap_or_else(|| {
                        numbers.push(number);
                        numbers.len() - 1
                    }) as u64
                }),
                Kind::Call | Kind::Job | Kind::Watch | Kind::Pin => {
                    self.numbers.clear();
                    self.numbers.extend(self.names.iter().filter(|name| name.1 == kind).map(|name| name.2));
                    self.numbers.sort_unstable();
                    self.numbers.dedup();
                    self.put(kind, |numbers, number| numbers.partition_point(|other| *other < number) as u64);
                }
            }
            self.numbers.clear();
        }
        Fingerprint(XxHash3_128::oneshot(&self.bytes))
    }

    fn put(&mut self, kind: Kind, canonical: impl Fn(&mut Vec<u64>, u64) -> u64) {
        for (at, _, number) in self.names.iter().filter(|name| name.1 == kind) {
            let number = canonical(&mut self.numbers, *number);
            self.bytes[*at..*at + 8].copy_from_slice(&number.to_le_bytes());
        }
    }

    fn name(&mut self, kind: Kind, number: u64) {
        self.bytes.push(kind as u8);
        self.names.push((self.bytes.len(), kind, number));
        self.bytes.extend_from_slice(&[0; 8]);
    }

    /// 32 hex digits.
    fn invocation(&mut self, digits: &[u8]) {
        let digit = |byte: &u8| u64::from(char::from(*byte).to_digit(16).expect("hex digits"));
        self.name(Kind::Invocation, digits[..16].iter().fold(0, |half, byte| half << 4 | digit(byte)));
    }

    /// A text with a state section, line by line.
    fn record(&mut self, text: &str) {
        let is_bounded = text.contains("RuntimeMaxSec=") || !text.contains("\n[X-Cgarbiter]\n");
        for line in text.lines() {
            match line.split_once('=') {
                Some(("Checksum", _)) => self.bytes.extend_from_slice(b"Checksum"),
                Some(("InvocationID", id)) if is_invocation(id.as_bytes()) => self.invocation(id.as_bytes()),
                Some(("Started", _)) if !is_bounded => self.bytes.extend_from_slice(b"Started"),
                Some((key @ ("Started" | "Since" | "MainStarted" | "ControlStarted"), times)) => {
                    self.bytes.extend_from_slice(key.as_bytes());
                    let moment = times.split_once(' ').and_then(|(_, monotonic)| monotonic.parse().ok());
                    self.name(Kind::Moment, moment.unwrap_or(0));
                }
                _ => self.bytes.extend_from_slice(line.as_bytes()),
            }
            self.bytes.push(b'\n');
        }
    }
}

fn is_invocation(bytes: &[u8]) -> bool {
    bytes.len() == 32 && bytes.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
}

/// Small numbers, and the largest, take one byte: most are.
impl Hasher for Canonical {
    fn finish(&self) -> u64 {
        unreachable!("the fingerprint is what comes of it")
    }

    fn write(&mut self, bytes: &[u8]) {
        if is_invocation(bytes) {
            return self.invocation(bytes);
        }
        if bytes.len() >= RECORD_LENGTH_MIN
            && let Ok(text) = std::str::from_utf8(bytes)
            && text.contains("\nStarted=")
        {
            return self.record(text);
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn write_u8(&mut self, number: u8) {
        self.bytes.push(number);
    }

    fn write_u64(&mut self, number: u64) {
        match u8::try_from(number) {
            Ok(small) if small < LARGEST => self.bytes.push(small),
            _ if number == u64::MAX => self.bytes.push(LARGEST),
            _ => {
                self.bytes.push(LONG);
                self.bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u128(&mut self, marked: u128) {
        let (kind, number) = canonical::read(marked);
        self.name(kind, number);
    }

    fn write_i32(&mut self, number: i32) {
        self.write_u64(u64::from(number.cast_unsigned()));
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    fn write_isize(&mut self, number: isize) {
        self.write_i64(number as i64);
    }
}
