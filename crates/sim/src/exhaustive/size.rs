//! How large a small world is: which units there are, and what bounds it.

/// The sizes there are, by their number.
///
/// | size | slices | scopes | handed over |
/// |---|---|---|---|
/// | 1 | `a` | `s0` in `a` | |
/// | 2 | `a`, `a-b` | `s0` in `a`, `s1` in `a-b` | |
/// | 3 | `a`, `a-b` | the same, and | `d` in `a` |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(u32);

/// A unit that somebody may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Small {
    pub(super) name: &'static str,
    /// Of a scope; slices have theirs by name.
    pub(super) slice: Option<&'static str>,
    pub(super) delegated: bool,
}

const fn slice(name: &'static str) -> Small {
    Small { name, slice: None, delegated: false }
}

const fn scope(name: &'static str, slice: &'static str, delegated: bool) -> Small {
    Small { name, slice: Some(slice), delegated }
}

const ONE: &[Small] = &[scope("s0.scope", "a.slice", false), slice("a.slice")];
const TWO: &[Small] =
    &[scope("s0.scope", "a.slice", false), scope("s1.scope", "a-b.slice", false), slice("a.slice"), slice("a-b.slice")];
const THREE: &[Small] = &[
    scope("s0.scope", "a.slice", false),
    scope("s1.scope", "a-b.slice", false),
    scope("d.scope", "a.slice", true),
    slice("a.slice"),
    slice("a-b.slice"),
];

impl Size {
    /// Two slices, two scopes, and one scope that is handed over.
    pub const FULL: Self = Self(3);

    /// The one of this number.
    #[must_use]
    pub fn of(number: u32) -> Option<Self> {
        (1..=3).contains(&number).then_some(Self(number))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    pub(super) fn units(self) -> &'static [Small] {
        match self.0 {
            1 => ONE,
            2 => TWO,
            _ => THREE,
        }
    }

    /// So many processes at a time.
    pub(super) fn processes_max(self) -> i32 {
        i32::try_from(self.0).expect("a small number") + 2
    }
}

impl Small {
    pub(super) fn is_scope(&self) -> bool {
        self.slice.is_some()
    }
}
