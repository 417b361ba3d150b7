//! Looking for inputs without libFuzzer: random bytes, and known inputs changed at random. Blind, but it needs nothing.

use crate::Target;
use std::panic;

/// Longest input that is made.
const LENGTH_MAX: usize = 1024;

/// A sequence that looks random (xorshift).
pub struct Random(u64);

impl Random {
    /// The sequence of this number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % n as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// Bytes of which some runs are text, since some targets take texts.
    pub fn bytes(&mut self, length_max: usize) -> Vec<u8> {
        const SIGNS: &[u8] = b"abx019-_.@/\\:*?[]! =\n\0,()%\"";
        let length = self.below(length_max) + 1;
        let texts = self.below(3);
        (0..length).map(|_| if self.below(3) < texts { SIGNS[self.below(SIGNS.len())] } else { self.byte() }).collect()
    }

    /// The next input: a new one, or a known one with a few changes.
    pub fn input(&mut self, known: &[Vec<u8>]) -> Vec<u8> {
        if known.is_empty() || self.below(3) == 0 {
            return self.bytes(LENGTH_MAX);
        }
        let mut input = known[self.below(known.len())].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut input, known);
        }
        input.truncate(LENGTH_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, known: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let end = (at + 1 + self.below(8)).min(input.len());
        match self.below(6) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => drop(input.splice(at..at, self.bytes(16))),
            3 => input.extend(self.bytes(64)),
            4 => {
                let other = &known[self.below(known.len())];
                input.splice(at.., other[self.below(other.len() + 1)..].iter().copied());
            }
            _ => input[at..end].iter_mut().for_each(|byte| *byte = self.byte()),
        }
    }
}

/// What the target says about an input; none when it is content.
pub fn complaint(target: Target, input: &[u8]) -> Option<String> {
    let panicked = panic::catch_unwind(|| target(input)).err()?;
    let text = panicked.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panicked.downcast_ref::<&str>().map(|text| (*text).into())).unwrap_or_default())
}

/// What a complaint is about: numbers and quoted values differ from one input to the next.
#[must_use]
pub fn kind(complaint: &str) -> String {
    complaint.chars().take_while(|c| !c.is_ascii_digit() && *c != '"').take(60).collect()
}

/// A shorter and plainer input of which the target has a complaint of this kind.
#[must_use]
pub fn shorten(target: Target, input: &[u8], wanted: &str) -> Vec<u8> {
    let complains = |input: &[u8]| complaint(target, input).is_some_and(|text| kind(&text) == wanted);
    let mut best = input.to_vec();
    loop {
        let before = best.clone();
        let mut size = best.len() / 2 + 1;
        while size > 0 {
            let mut at = 0;
            while at < best.len() {
                let mut shorter = best.clone();
                shorter.drain(at..(at + size).min(best.len()));
                if complains(&shorter) {
                    best = shorter;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        for at in 0..best.len() {
            let plain = std::mem::replace(&mut best[at], 0);
            if !complains(&best) {
                best[at] = plain;
            }
        }
        if best == before {
            return best;
        }
    }
}
