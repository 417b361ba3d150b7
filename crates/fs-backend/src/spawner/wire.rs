//! What the two halves of the spawner say to each other, as bytes. Both are one program, so that no version can differ.

use cgarbiter_core::exec::{DirectoryKind, ExecStep, FileMode, Mounts, Stream};
use cgarbiter_core::plan::Spawn;
use cgarbiter_core::settings::CpuSet;
use std::sync::Arc;

/// Bytes and back.
pub(super) trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_ne_bytes());
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_ne_bytes(*bytes))
            }
        })*
    };
}

numbers!(u8, u32, u64, i32);

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        u8::from(*self).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        u8::take(from).map(|byte| byte != 0)
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let length = usize::try_from(u64::take(from)?).ok()?;
        let (bytes, rest) = from.split_at_checked(length)?;
        *from = rest;
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

impl Wire for Arc<str> {
    fn put(&self, out: &mut Vec<u8>) {
        String::from(&**self).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        String::take(from).map(Self::from)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|item| item.put(out));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        (0..u64::take(from)?).map(|_| T::take(from)).collect()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        self.iter().for_each(|item| item.put(out));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(if bool::take(from)? { Some(T::take(from)?) } else { None })
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

impl Wire for CpuSet {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Wire::take(from).map(Self)
    }
}

macro_rules! record {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($field.put(out);)*
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                $(let $field = Wire::take(from)?;)*
                Some(Self { $($field),* })
            }
        }
    };
}

/// A variant is told by a number that stands in the list.
macro_rules! choice {
    ($type:ty { $($number:literal $variant:ident $({ $($field:ident),* $(,)? })? $(( $item:ident ))?),* $(,)? }) => {
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(($item))? => {
                        out.push($number);
                        $($($field.put(out);)*)?
                        $($item.put(out);)?
                    })*
                }
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                match u8::take(from)? {
                    $($number => {
                        $($(let $field = Wire::take(from)?;)*)?
                        $(let $item = Wire::take(from)?;)?
                        Some(Self::$variant $({ $($field),* })? $(($item))?)
                    })*
                    _ => None,
                }
            }
        }
    };
}

record!(Spawn { path, arguments, environment, setup, stored, no_env_expand, tell_executed });
record!(Mounts { private_tmp, private_devices, read_only, read_write, inaccessible, empty });
choice!(FileMode { 0 Read, 1 ReadWrite, 2 Append, 3 Truncate });
choice!(DirectoryKind { 0 Runtime, 1 State, 2 Cache, 3 Logs, 4 Configuration });
choice!(Stream {
    0 Null,
    1 Arbiter,
    2 Same(number),
    3 File { path, mode },
    4 Terminal { path, force },
    5 Handle(handle),
});
choice!(ExecStep {
    0 Identity { user, group, supplementary },
    1 Stream { number, stream },
    2 OomScoreAdjust(value),
    3 Nice(value),
    4 Scheduler { policy, priority, reset_on_fork },
    5 CpuAffinity(set),
    6 IoPriority { class, level },
    7 Directories { kind, names, mode },
    8 UMask(mask),
    9 Environment { pass, set, files, unset },
    10 Groups,
    11 Mounts(mounts),
    12 RootDirectory(path),
    13 Limit { limit, soft, hard },
    14 BoundingSet(set),
    15 Become { ambient },
    16 SecureBits(bits),
    17 NoNewPrivileges,
    18 IgnoreSigpipe,
    19 WorkingDirectory { path, optional },
});

#[cfg(test)]
mod tests {
    use super::*;

    fn returns<T: Wire + PartialEq + std::fmt::Debug>(item: &T) {
        let mut bytes = Vec::new();
        item.put(&mut bytes);
        assert_eq!(T::take(&mut &bytes[..]).as_ref(), Some(item));
        for length in 0..bytes.len() {
            assert_ne!(T::take(&mut &bytes[..length]).as_ref(), Some(item), "cut off after {length}");
        }
    }

    #[test]
    fn what_is_said_is_understood() {
        let setup = vec![
            ExecStep::Identity { user: Some("nobody".into()), group: None, supplementary: vec!["audio".into()] },
            ExecStep::Stream { number: 1, stream: Stream::File { path: "/x".into(), mode: FileMode::Append } },
            ExecStep::Environment {
                pass: vec![],
                set: vec!["A=ä".into()],
                files: vec![("/f".into(), true)],
                unset: vec![],
            },
            ExecStep::Mounts(Mounts { read_only: vec!["/".into()], ..Mounts::default() }),
            ExecStep::Limit { limit: 7, soft: 1, hard: u64::MAX },
            ExecStep::CpuAffinity(CpuSet(vec![3])),
            ExecStep::WorkingDirectory { path: "~".into(), optional: false },
        ];
        returns(&Spawn { setup, tell_executed: true, ..Spawn::new("/bin/true", ["true", ""]) });
    }
}
