//! The `[Install]` section of a unit file and its drop-ins.

use super::problem::{BAD_MESSAGE, Problem};
use crate::config::Config;
use crate::error::Errno;
use crate::names::{NameForm, UnitType};
use crate::unit_file::{Escapes, Lexer, NameParts, Severity, Token, Warning, Words, expand_for};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// What the section says. Specifiers are filled in where a value is used, but for `Also=` and `DefaultInstance=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// `Alias=`
    pub aliases: Vec<String>,
    /// `WantedBy=`
    pub wanted_by: Vec<String>,
    /// `RequiredBy=`
    pub required_by: Vec<String>,
    /// `UpheldBy=`
    pub upheld_by: Vec<String>,
    /// `Also=`
    pub also: Vec<String>,
    /// `DefaultInstance=`
    pub default_instance: Option<String>,
}

impl Section {
    /// Whether there is anything to enable about the unit itself.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        let lists = [&self.aliases, &self.wanted_by, &self.required_by, &self.upheld_by];
        lists.iter().any(|list| !list.is_empty())
    }

    /// Adds what a file says, the fragment first, then each drop-in. Assignments that make no sense are passed over:
    /// `check` tells of them.
    ///
    /// # Errors
    /// This is no unit file, or the default instance is none.
    pub fn read(&mut self, text: &str, name: &str, config: &Config) -> Result<(), Problem> {
        let mut is_inside = false;
        for line in Lexer::new(text) {
            match line.token {
                Token::Section(section) => is_inside = section == "Install",
                Token::Assignment(key, value) if is_inside => self.assign(&key, &value, name, config)?,
                Token::BadHeader(_) | Token::TooLong => {
                    return Err(Problem::Unusable { file: name.into(), errno: BAD_MESSAGE });
                }
                Token::Assignment(..) | Token::NoAssignment | Token::NoKey => {}
            }
        }
        Ok(())
    }

    fn assign(&mut self, key: &str, value: &str, name: &str, config: &Config) -> Result<(), Problem> {
        let parts = NameParts::of(name);
        match key {
            "Alias" if may_alias(name) => take_words(&mut self.aliases, value),
            "WantedBy" => take_words(&mut self.wanted_by, value),
            "RequiredBy" => take_words(&mut self.required_by, value),
            "UpheldBy" => take_words(&mut self.upheld_by, value),
            "Also" => {
                let words = Words::new(value, Escapes::Plain).map_while(Result::ok);
                let names = words.filter_map(|word| expand_for(&word, &parts, "", config).ok());
                self.also.extend(names.filter(|name| NameForm::of(name).is_some()));
            }
            "DefaultInstance" if value.is_empty() => self.default_instance = None,
            "DefaultInstance" if NameForm::of(name) == Some(NameForm::Template) => {
                let invalid = || Problem::Unusable { file: name.to_owned(), errno: Errno::Inval };
                let Ok(instance) = expand_for(value, &parts, "", config) else { return Ok(()) };
                instantiate(name, &instance).ok_or_else(invalid)?;
                self.default_instance = Some(instance);
            }
            _ => {}
        }
        Ok(())
    }
}

/// What in the section of a file makes no sense, line by line; faults of lines outside of it are not told.
#[must_use]
pub fn check(text: &str, name: &str, config: &Config) -> Vec<Warning> {
    let mut is_inside = false;
    let mut warnings = Vec::new();
    for line in Lexer::new(text) {
        match line.token {
            Token::Section(section) => is_inside = section == "Install",
            Token::Assignment(key, value) if is_inside && !key.starts_with("X-") => {
                if let Some(text) = fault(&key, &value, name, config) {
                    warnings.push(Warning { line: line.number, key: key.into(), text, severity: Severity::Skipped });
                }
            }
            _ => {}
        }
    }
    warnings
}

/// What is wrong with an assignment in `[Install]`.
fn fault(key: &str, value: &str, name: &str, config: &Config) -> Option<String> {
    let parts = NameParts::of(name);
    match key {
        "Alias" if !may_alias(name) => Some("Units of this type have one name only.".into()),
        "Alias" | "WantedBy" | "RequiredBy" | "UpheldBy" | "Also" => {
            let mut words = Words::new(value, Escapes::Plain);
            words.find_map(|word| {
                let Ok(word) = word else { return Some("Invalid syntax, ignoring the rest.".into()) };
                // What depends on the machine is found out there.
                let Ok(word) = expand_for(&word, &parts, "", config) else { return None };
                let is_path = key == "Alias" && word.contains('/');
                let is_valid = is_path || NameForm::of(&word).is_some();
                (!is_valid).then(|| alloc::format!("\"{word}\" is not a valid unit name."))
            })
        }
        "DefaultInstance" if NameForm::of(name) != Some(NameForm::Template) => {
            Some("Only templates have instances.".into())
        }
        "DefaultInstance" if !value.is_empty() && !value.contains('%') => {
            let is_valid = instantiate(name, value).is_some();
            (!is_valid).then(|| alloc::format!("\"{value}\" is no name of an instance."))
        }
        "DefaultInstance" => None,
        _ => Some("Unknown key in section [Install], ignoring.".into()),
    }
}

/// Nothing empties the list; what follows a quote that does not close is lost.
fn take_words(list: &mut Vec<String>, value: &str) {
    if value.is_empty() {
        list.clear();
    }
    list.extend(Words::new(value, Escapes::Plain).map_while(Result::ok));
}

/// Whether units of this name's type can have more than one.
pub(super) fn may_alias(name: &str) -> bool {
    use UnitType::{Device, Path, Service, Socket, Target, Timer};
    matches!(type_of(name), Some(Service | Socket | Target | Device | Timer | Path))
}

pub(super) fn type_of(name: &str) -> Option<UnitType> {
    UnitType::from_suffix(name.rsplit('.').next()?)
}

/// The template or instance with this instance instead of its own; none if that is no name.
pub(super) fn instantiate(name: &str, instance: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let suffix = rest.rsplit('.').next()?;
    let made = [prefix, "@", instance, ".", suffix].concat();
    (NameForm::of(&made) == Some(NameForm::Instance)).then_some(made)
}

/// The template of an instance.
pub(super) fn template_of(name: &str) -> Option<String> {
    let is_instance = NameForm::of(name) == Some(NameForm::Instance);
    let (prefix, rest) = name.split_once('@').filter(|_| is_instance)?;
    Some([prefix, "@.", rest.rsplit('.').next()?].concat())
}
