//! Specifiers: what `%n` and the like stand for (reference 10.6). Facts that only the machine knows (`%H`, `%m`) are
//! not to be had here, and are said to be missing instead of being guessed.

use super::reader::Source;
use crate::names::{self, UnitName};
use alloc::string::{String, ToString};

/// A specifier that cannot be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unresolved(pub(crate) char);

/// The text with its specifiers filled in. What is no specifier stays as it is.
pub(crate) fn expand(text: &str, source: &Source<'_>) -> Result<String, Unresolved> {
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
            Some(specifier) => push(&mut out, specifier, source)?,
        }
    }
    Ok(out)
}

fn push(out: &mut String, specifier: char, source: &Source<'_>) -> Result<(), Unresolved> {
    let name = source.name;
    match specifier {
        'n' => out.push_str(name.as_str()),
        'N' => out.push_str(name.stem()),
        'p' => out.push_str(name.prefix()),
        'i' => out.push_str(name.instance().unwrap_or("")),
        'j' => out.push_str(last_part(name)),
        'P' => out.push_str(&unescaped(specifier, name.prefix())?),
        'I' => out.push_str(&unescaped(specifier, name.instance().unwrap_or(""))?),
        'J' => out.push_str(&unescaped(specifier, last_part(name))?),
        'f' => push_path(out, &unescaped(specifier, name.instance().unwrap_or(name.prefix()))?),
        'y' => out.push_str(source.path),
        'Y' => out.push_str(source.path.rsplit_once('/').map_or("", |(directory, _)| directory)),
        'a' => out.push_str(&source.config.machine.architecture),
        'U' | 'G' => out.push_str(&source.config.uid.to_string()),
        'u' | 'g' | 'h' | 's' if source.config.uid == 0 => out.push_str(of_root(specifier)),
        _ => match DIRECTORIES.iter().find(|(known, _)| *known == specifier) {
            Some((_, directory)) => out.push_str(directory),
            None if OF_THE_MACHINE.contains(specifier) => return Err(Unresolved(specifier)),
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

/// Specifiers that systemd knows and that are not to be had here.
const OF_THE_MACHINE: &str = "HlqmbvowBWMAcrRughsd";

fn of_root(specifier: char) -> &'static str {
    match specifier {
        'h' => "/root",
        's' => "/bin/sh",
        _ => "root",
    }
}

/// The part of the prefix behind its last dash.
fn last_part(name: &UnitName) -> &str {
    name.prefix().rsplit('-').next().unwrap_or("")
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
    use crate::config::Config;
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
            ("100%% %z %", "100% %z %"),
        ] {
            assert_eq!(expanded(text, name).as_deref(), Ok(want), "{text}");
        }
        assert_eq!(expanded("<%i>", "a.slice").as_deref(), Ok("<>"));
        assert_eq!(expanded("on %H", "a.slice"), Err(Unresolved('H')));
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
