//! Specifiers: what `%n` and the like stand for (reference 10.6). Facts that only the machine knows (`%H`, `%m`) come
//! from the driver, once; what it could not find out is said to be missing instead of being guessed.

use super::reader::Source;
use crate::config::Config;
use crate::names;
use alloc::string::{String, ToString};

/// A specifier that cannot be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unresolved(pub(crate) char);

impl Unresolved {
    /// Whether there is such a specifier at all.
    pub(crate) fn is_known(self) -> bool {
        OF_THE_MACHINE.contains(self.0) || OF_THE_NAME.contains(self.0)
    }
}

/// A name, of a unit or of a template, in its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameParts<'a> {
    name: &'a str,
    stem: &'a str,
    prefix: &'a str,
    instance: Option<&'a str>,
}

impl<'a> NameParts<'a> {
    /// The parts of a name that is known to be one.
    pub(crate) fn of(name: &'a str) -> Self {
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let (prefix, instance) = stem.split_once('@').map_or((stem, None), |(prefix, rest)| (prefix, Some(rest)));
        Self { name, stem, prefix, instance }
    }

    fn instance(&self) -> &'a str {
        self.instance.unwrap_or("")
    }

    /// The part of the prefix behind its last dash.
    fn last_part(&self) -> &'a str {
        self.prefix.rsplit('-').next().unwrap_or("")
    }
}

/// The text with its specifiers filled in. What is no specifier stays as it is.
pub(crate) fn expand(text: &str, source: &Source<'_>) -> Result<String, Unresolved> {
    expand_for(text, &NameParts::of(source.name.as_str()), source.path, source.config)
}

/// The same for any name; `path` is where the unit's own file lies.
pub(crate) fn expand_for(text: &str, name: &NameParts<'_>, path: &str, config: &Config) -> Result<String, Unresolved> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => out.push('%'),
            Some('%') => out.push('%'),
            Some(specifier) => push(&mut out, specifier, name, path, config)?,
        }
    }
    Ok(out)
}

fn push(
    out: &mut String,
    specifier: char,
    name: &NameParts<'_>,
    path: &str,
    config: &Config,
) -> Result<(), Unresolved> {
    match specifier {
        'n' => out.push_str(name.name),
        'N' => out.push_str(name.stem),
        'p' => out.push_str(name.prefix),
        'i' => out.push_str(name.instance()),
        'j' => out.push_str(name.last_part()),
        'P' => out.push_str(&unescaped(specifier, name.prefix)?),
        'I' => out.push_str(&unescaped(specifier, name.instance())?),
        'J' => out.push_str(&unescaped(specifier, name.last_part())?),
        'f' => push_path(out, &unescaped(specifier, name.instance.unwrap_or(name.prefix))?),
        'y' => out.push_str(path),
        'Y' => out.push_str(path.rsplit_once('/').map_or("", |(directory, _)| directory)),
        'a' => out.push_str(&config.machine.architecture),
        'U' | 'G' => out.push_str(&config.uid.to_string()),
        'u' | 'g' | 'h' | 's' if config.uid == 0 => out.push_str(of_root(specifier)),
        'b' if !config.boot_id.is_empty() => out.extend(config.boot_id.chars().filter(|c| *c != '-')),
        _ if of_the_machine(specifier, config).is_some_and(|text| push_str(out, text)) => {}
        _ => match DIRECTORIES.iter().find(|(known, _)| *known == specifier) {
            Some((_, directory)) => out.push_str(directory),
            None if specifier.is_ascii_alphanumeric() => return Err(Unresolved(specifier)),
            None => out.extend(['%', specifier]),
        },
    }
    Ok(())
}

const DIRECTORIES: [(char, &str); 7] = [
    ('t', "/run"),
    ('S', "/var/lib"),
    ('C', "/var/cache"),
    ('L', "/var/log"),
    ('E', "/etc"),
    ('T', "/tmp"),
    ('V', "/var/tmp"),
];

/// What the driver found out about the machine.
fn of_the_machine(specifier: char, config: &Config) -> Option<&str> {
    let is_it = |(known, _): &&(String, String)| known.chars().eq([specifier]);
    config.machine.specifiers.iter().find(is_it).map(|(_, text)| text.as_str())
}

fn push_str(out: &mut String, text: &str) -> bool {
    out.push_str(text);
    true
}

/// Specifiers that stand for parts of the name, and can fail.
const OF_THE_NAME: &str = "PIJf";

/// Specifiers that systemd knows and that are not to be had here.
const OF_THE_MACHINE: &str = "HlqmbvowBWMAcrRughsd";

fn of_root(specifier: char) -> &'static str {
    match specifier {
        'h' => "/root",
        's' => "/bin/sh",
        _ => "root",
    }
}

fn unescaped(specifier: char, text: &str) -> Result<String, Unresolved> {
    let bytes = names::unescape(text).map_err(|_| Unresolved(specifier))?;
    String::from_utf8(bytes).map_err(|_| Unresolved(specifier))
}

fn push_path(out: &mut String, path: &str) {
    if !path.starts_with('/') {
        out.push('/');
    }
    out.push_str(path);
}

#[cfg(test)]
mod tests {
    use super::super::escape_specifiers;
    use super::*;
    use crate::names::UnitName;
    use proptest::prelude::*;

    fn expanded(text: &str, name: &str) -> Result<String, Unresolved> {
        let (name, config) = (UnitName::parse(name).expect("a name"), Config::example());
        expand(text, &Source { name: &name, path: "/etc/x/a.service", config: &config })
    }

    #[test]
    fn names_and_their_parts() {
        let name = "web-front@srv-a\\x2db.service";
        for (text, want) in [
            ("%n", name),
            ("%N", "web-front@srv-a\\x2db"),
            ("%p/%P %j", "web-front/web/front front"),
            ("%i %I %f", "srv-a\\x2db srv/a-b /srv/a-b"),
            ("%y in %Y", "/etc/x/a.service in /etc/x"),
            ("%t/%S %U %u %a", "/run//var/lib 0 root x86-64"),
            ("100%% %- %", "100% %- %"),
        ] {
            assert_eq!(expanded(text, name).as_deref(), Ok(want), "{text}");
        }
        assert_eq!(expanded("<%i>", "a.slice").as_deref(), Ok("<>"));
        assert_eq!(expanded("on %H", "a.slice").as_deref(), Ok("on example"));
        assert_eq!(expanded("%b %v", "a.slice").as_deref(), Ok("00000000000040008000000000000001 6.1.0"));
        assert_eq!(expanded("in %m", "a.slice"), Err(Unresolved('m')));
        assert_eq!(expanded("%z", "a.slice"), Err(Unresolved('z')));
        assert!(Unresolved('H').is_known() && Unresolved('P').is_known() && !Unresolved('z').is_known());
        assert_eq!(expanded("%P", "a\\q.slice"), Err(Unresolved('P')));
    }

    proptest! {
        #[test]
        fn what_was_escaped_means_itself(text in "[%a-zé \n]{0,20}") {
            let expanded = expanded(&escape_specifiers(&text), "a@b.service");
            prop_assert_eq!(expanded.as_deref(), Ok(text.as_str()));
        }
    }
}
