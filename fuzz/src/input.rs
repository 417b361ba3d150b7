//! Bytes as decisions: each is read off the front, and after the last one everything is zero. The same bytes make the
//! same decisions, and a longer input only adds some at the end.

/// What is left of an input.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of it.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Nothing is left: all further decisions are the first of their kind.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// Up to this many bytes.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number below `n`, which is at most 65536; takes one byte where that is enough.
    pub fn below(&mut self, n: usize) -> usize {
        let high = if n > 256 { usize::from(self.byte()) << 8 } else { 0 };
        (high | usize::from(self.byte())) % n
    }

    /// One of these.
    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// True once in `n` times, and not when nothing is left.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// A number: small, at an edge, or any.
    pub fn number(&mut self) -> u64 {
        const EDGES: [u64; 12] = [
            u64::MAX,
            u64::MAX - 1,
            1 << 63,
            (1 << 63) - 1,
            1 << 32,
            u32::MAX as u64,
            u32::MAX as u64 - 1,
            i32::MAX as u64,
            4096,
            4095,
            10_000,
            1_000_000,
        ];
        match self.byte() {
            small @ 0..=127 => u64::from(small),
            128..=191 => self.of(&EDGES),
            _ => self.bytes(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
        }
    }

    /// A text of up to 31 bytes, of any characters.
    pub fn text(&mut self) -> String {
        let count = self.below(32);
        String::from_utf8_lossy(self.bytes(count)).into_owned()
    }
}
