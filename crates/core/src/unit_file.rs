//! Unit-file text: writing transient unit files and drop-ins, and reading any (reference 10). What a key means is a row
//! of `properties/`; where files lie and which of them count is not decided here.
//!
//! ```text
//! let mut settings = default_settings(unit_type, config);
//! let source = Source { name, path, config };              // the fragment first, then its drop-ins in order
//! let warnings = unit_file::read(text, &source, &mut settings);
//! ```

mod lexer;
mod parse;
mod reader;
mod specifiers;
mod spelling;
mod words;
mod write;

pub use lexer::{LINE_LENGTH_MAX, Lexer, Line, Token};
pub(crate) use parse::{address_prefix, boolean, cpu_set, number, permyriad, permyriad_unbounded, size, time_span};
pub use reader::{Severity, Source, Warning, read};
pub(crate) use specifiers::{NameParts, expand, expand_for};
pub use spelling::{Limit, Percent, Quota, TimeSpan, yes_no};
pub(crate) use words::{Escapes, Words};
pub use write::{DROP_IN_HEADER, TRANSIENT_HEADER, TransientFile, drop_in_text, escape_specifiers, push_line, quote};
pub(crate) use write::{plain_word, push_text};

use crate::names::UnitType;

/// Which section a key stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `[Unit]`
    Unit,
    /// The section named after the unit's type.
    Type,
}

impl Section {
    /// The section's name for a unit of this type.
    #[must_use]
    pub fn name(self, unit_type: UnitType) -> &'static str {
        match self {
            Self::Unit => "Unit",
            Self::Type => unit_type.section(),
        }
    }
}

#[cfg(test)]
mod tests;
