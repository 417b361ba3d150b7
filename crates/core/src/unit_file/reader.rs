//! Reading: a unit file or drop-in becomes settings, assignment by assignment. What cannot be taken is told with its
//! line and key, and skipped, as systemd does it; a few mistakes make the whole unit unfit.

use super::Section;
use super::lexer::{Lexer, Token};
use crate::config::Config;
use crate::names::UnitName;
use crate::properties::{self, Fault};
use crate::settings::Settings;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Whose file it is.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The unit.
    pub name: &'a UnitName,
    /// Where the unit's own file lies, for `%y`.
    pub path: &'a str,
    /// Facts and choices.
    pub config: &'a Config,
}

/// Something in a file that was not taken as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where, from 1: the first of lines that are joined.
    pub line: u32,
    /// The key; empty when there is none.
    pub key: String,
    /// What is wrong, in words.
    pub text: String,
    /// What follows from it.
    pub severity: Severity,
}

/// What follows from a mistake in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// This one assignment (or a part of it) has no effect.
    Skipped,
    /// An essential setting is wrong, and reading ended there: the unit must not run (`bad-setting`).
    BadSetting,
    /// This is no unit file, and reading ended there (`error`).
    Unreadable,
}

/// Where we are in the file.
#[derive(Clone, Copy)]
enum Place {
    Outside,
    In(Section),
    /// In a section whose keys are not for us: `[Install]`, `[X-…]`, an unknown one.
    Ignored,
}

/// Applies a file to the settings: the fragment first, then each drop-in in its order. Everything up to a mistake that
/// ends the reading has been applied; such a mistake is the last warning.
#[must_use]
pub fn read(text: &str, source: &Source<'_>, settings: &mut Settings) -> Vec<Warning> {
    let mut reader = Reader { source, settings, place: Place::Outside, warnings: Vec::new() };
    for line in Lexer::new(text) {
        reader.take(line.number, line.token);
        if reader.warnings.last().is_some_and(|warning| warning.severity > Severity::Skipped) {
            break;
        }
    }
    reader.warnings
}

struct Reader<'a> {
    source: &'a Source<'a>,
    settings: &'a mut Settings,
    place: Place,
    warnings: Vec<Warning>,
}

impl Reader<'_> {
    fn take(&mut self, line: u32, token: Token<'_>) {
        match token {
            Token::Section(name) => self.enter(line, &name),
            Token::Assignment(key, value) => match self.place {
                Place::Outside => self.warn(line, &key, "Assignment outside of section. Ignoring."),
                Place::In(section) => self.assign(line, section, &key, &value),
                Place::Ignored => {}
            },
            Token::NoAssignment => self.warn(line, "", "Missing '=', ignoring line."),
            Token::NoKey => self.warn(line, "", "Missing key name before '=', ignoring line."),
            Token::BadHeader(header) => {
                self.push(line, "", format!("Invalid section header '{header}'"), Severity::Unreadable);
            }
            Token::TooLong => self.push(line, "", "Line too long", Severity::Unreadable),
        }
    }

    fn enter(&mut self, line: u32, name: &str) {
        let own = self.source.name.unit_type();
        let section = [Section::Unit, Section::Type].into_iter().find(|section| section.name(own) == name);
        self.place = section.map_or(Place::Ignored, Place::In);
        if section.is_none() && name != "Install" && !name.starts_with("X-") {
            self.warn(line, "", format!("Unknown section '{name}'. Ignoring."));
        }
    }

    fn assign(&mut self, line: u32, section: Section, key: &str, value: &str) {
        if key.starts_with("X-") {
            return;
        }
        let mut notes = Vec::new();
        let result = properties::assign(section, key, value, self.source, self.settings, &mut notes);
        notes.into_iter().for_each(|note| self.warn(line, key, note));
        if let Err(Fault { text, is_bad_setting }) = result {
            let severity = if is_bad_setting { Severity::BadSetting } else { Severity::Skipped };
            self.push(line, key, text, severity);
        }
    }

    fn warn<'t>(&mut self, line: u32, key: &str, text: impl Into<Cow<'t, str>>) {
        self.push(line, key, text, Severity::Skipped);
    }

    fn push<'t>(&mut self, line: u32, key: &str, text: impl Into<Cow<'t, str>>, severity: Severity) {
        self.warnings.push(Warning { line, key: key.into(), text: text.into().into_owned(), severity });
    }
}
