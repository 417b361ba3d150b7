//! Hashing a manager for those who search many worlds and want to meet each only once: what its future depends on goes
//! in, what is a mere name goes in marked as such, so that a hasher can give names of its own.
//!
//! `Hash` of [`Manager`](crate::Manager) takes in every field but those listed at its head, with the reason. Most
//! types derive it. A number that was only handed out to tell one thing from another (a call, a job, a watch) and a
//! moment on the clock reach the hasher by [`Hasher::write_u128`], which nothing else uses, together with its
//! [`Kind`]. Any hasher takes that as it is; one that renames replaces numbers by their rank among all of their kind,
//! and moments by their distance from now. Ranks keep the order: whatever goes through a table in the order of its
//! keys does so in the same order under other names, and a number yet to be handed out is larger than all that were.

use core::hash::Hasher;

/// What a marked number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A call that waits for its answer.
    Call,
    /// A job.
    Job,
    /// A watch on a cgroup.
    Watch,
    /// A process that is held on to.
    Pin,
    /// The inode number of a cgroup's directory.
    Directory,
    /// An invocation id: its first half.
    Invocation,
    /// A moment on the monotonic clock, in microseconds.
    Moment,
}

impl Kind {
    /// All of them, by their number.
    pub const ALL: [Self; 7] =
        [Self::Call, Self::Job, Self::Watch, Self::Pin, Self::Directory, Self::Invocation, Self::Moment];
}

/// Hands a marked number to a hasher.
pub fn write<H: Hasher>(kind: Kind, number: u64, state: &mut H) {
    state.write_u128(u128::from(kind as u8) << 64 | u128::from(number));
}

/// Hands over an invocation id.
pub fn write_invocation<H: Hasher>(id: &[u8; 16], state: &mut H) {
    let half = id.first_chunk().expect("8 of 16 bytes");
    write(Kind::Invocation, u64::from_be_bytes(*half), state);
}

/// What [`write`] has handed over.
///
/// # Panics
/// When it was somebody else.
#[must_use]
pub fn read(marked: u128) -> (Kind, u64) {
    let kind = usize::try_from(marked >> 64).ok().and_then(|kind| Kind::ALL.get(kind).copied());
    let number = u64::try_from(marked & u128::from(u64::MAX)).expect("64 bits");
    (kind.expect("only marked numbers have 128 bits"), number)
}

/// Numbers that only tell one thing from another.
macro_rules! names {
    ($($name:ty => $kind:ident),* $(,)?) => {
        $(impl core::hash::Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                write(Kind::$kind, u64::from(self.0), state);
            }
        })*
    };
}

names! {
    crate::request::CallId => Call,
    crate::job::JobId => Job,
    crate::plan::WatchId => Watch,
    crate::plan::Pin => Pin,
    crate::time::Instant => Moment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_numbers_come_back() {
        struct Last(u128);
        impl Hasher for Last {
            fn finish(&self) -> u64 {
                0
            }
            fn write(&mut self, _: &[u8]) {}
            fn write_u128(&mut self, number: u128) {
                self.0 = number;
            }
        }
        let mut last = Last(0);
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            write(kind, u64::MAX - 7, &mut last);
            assert_eq!(read(last.0), (kind, u64::MAX - 7));
        }
    }
}
