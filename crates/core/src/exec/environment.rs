//! Variables of a process: how lists of them are put together, how a file with some is read, what `$NAME` in a command
//! line becomes. Pure, since the files and users that they come from are known to the child only.

use crate::unit_file::{Escapes, Words};
use alloc::string::String;
use alloc::vec::Vec;

/// Adds variables (`NAME=VALUE`); a later one replaces an earlier one of the same name.
pub fn merge_variables(list: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for variable in more {
        let name = name_of(&variable);
        match list.iter_mut().find(|have| name_of(have) == name) {
            Some(have) => *have = variable,
            None => list.push(variable),
        }
    }
}

/// Takes variables out, by name or by name and value.
pub fn unset_variables(list: &mut Vec<String>, unset: &[String]) {
    list.retain(|have| !unset.iter().any(|out| out == have || *out == name_of(have)));
}

fn name_of(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(name, _)| name)
}

/// The variables in the text of an `EnvironmentFile=`: lines of `NAME=VALUE` with quotes and backslashes as a shell
/// has them, without anything being expanded. What is no assignment is passed over.
#[must_use]
pub fn read_environment_file(text: &str) -> Vec<String> {
    let (mut variables, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (line, after) = take_line(rest);
        variables.extend(line);
        rest = after;
    }
    variables
}

/// One assignment, which may go over several lines, and what comes after it.
fn take_line(text: &str) -> (Option<String>, &str) {
    let start = text.trim_start_matches([' ', '\t', '\r']);
    let end = |from: &str| from.find('\n').map_or("", |at| &from[at + 1..]).len();
    if start.starts_with(['#', ';', '\n']) || start.is_empty() {
        return (None, &text[text.len() - end(start)..]);
    }
    let line_end = start.find('\n').unwrap_or(start.len());
    let Some(equals) = start[..line_end].find('=') else {
        return (None, &text[text.len() - end(start)..]);
    };
    let name = start[..equals].trim_end();
    let (value, after) = take_value(&start[equals + 1..]);
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(legal);
    (is_name.then(|| [name, "=", &value].concat()), after)
}

fn take_value(text: &str) -> (String, &str) {
    let text = text.trim_start_matches([' ', '\t']);
    let (mut value, mut quote, mut kept) = (String::new(), None, 0);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            ('\n', None) => return (trimmed(value, kept), &text[at + 1..]),
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => {
                quote = None;
                kept = value.len();
            }
            ('\\', Some('\'')) => value.push('\\'),
            ('\\', open) => match chars.next() {
                None | Some((_, '\n')) => {}
                // Inside of quotes only these need one; before others it stands for itself.
                Some((_, next)) => {
                    if open.is_some() && !matches!(next, '"' | '\\' | '`' | '$') {
                        value.push('\\');
                    }
                    value.push(next);
                    kept = value.len();
                }
            },
            (c, _) => value.push(c),
        }
    }
    (trimmed(value, kept), "")
}

/// Blanks at the end go, unless they were in quotes.
fn trimmed(mut value: String, kept: usize) -> String {
    let length = value.trim_end_matches([' ', '\t', '\r']).len().max(kept);
    value.truncate(length);
    value
}

/// What the arguments of a command line become: `$NAME` as a word of its own becomes the words of the value, none if
/// there is none; `${NAME}` anywhere becomes the value; `$$` becomes `$`.
#[must_use]
pub fn expand_arguments(arguments: &[String], environment: &[String]) -> Vec<String> {
    let value = |name: &str| environment.iter().rev().find_map(|have| have.strip_prefix(name)?.strip_prefix('='));
    let mut expanded = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match argument.strip_prefix('$').filter(|rest| !rest.starts_with(['{', '$']) && !rest.is_empty()) {
            Some(name) => {
                let words = Words::new(value(name).unwrap_or(""), Escapes::Literal);
                expanded.extend(words.filter_map(Result::ok));
            }
            None => expanded.push(expand_word(argument, value)),
        }
    }
    expanded
}

fn expand_word<'a>(word: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let (mut out, mut rest) = (String::new(), word);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        rest = match (braced, after.strip_prefix('$')) {
            (Some((name, after)), _) => {
                out.push_str(value(name).unwrap_or(""));
                after
            }
            (None, Some(after)) => {
                out.push('$');
                after
            }
            (None, None) => {
                out.push('$');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| String::from(*text)).collect()
    }

    #[test]
    fn words_that_are_variables_become_words() {
        let environment = strings(&["A=one two  'three four'", "B=b", "EMPTY="]);
        let expanded = |word: &str| expand_arguments(&strings(&[word]), &environment);
        assert_eq!(expanded("$A"), ["one", "two", "three four"]);
        assert_eq!(expanded("${A}"), ["one two  'three four'"]);
        assert_eq!(expanded("x${B}y${NONE}z"), ["xbyz"]);
        assert_eq!(expanded("$NONE"), strings(&[]));
        assert_eq!(expanded("$EMPTY"), strings(&[]));
        assert_eq!(expanded("x$B"), ["x$B"]);
        assert_eq!(expanded("$$B"), ["$B"]);
        assert_eq!(expanded("100$"), ["100$"]);
        assert_eq!(expanded("${B"), ["${B"]);
    }

    #[test]
    fn a_file_is_read_as_a_shell_would() {
        let text = "# no\n; no\nA=1\n  B = two words  \nC=\"x \\\"y\\\" $Z\"  \nD='a\\b'\nE=a\\\nb\nno assignment\n\
                    1F=x\nG=\"two\nlines\"\nH=\"kept  \"\nI=";
        let want = ["A=1", "B=two words", "C=x \"y\" $Z", "D=a\\b", "E=ab", "G=two\nlines", "H=kept  ", "I="];
        assert_eq!(read_environment_file(text), want);
        assert_eq!(read_environment_file("A=1\r\nB=2"), ["A=1", "B=2"]);
    }

    #[test]
    fn later_variables_replace_earlier_ones_and_some_go() {
        let mut list = strings(&["A=1", "B=2", "C=3"]);
        merge_variables(&mut list, strings(&["A=4", "D=5"]));
        assert_eq!(list, ["A=4", "B=2", "C=3", "D=5"]);
        unset_variables(&mut list, &strings(&["B", "C=4", "D=5"]));
        assert_eq!(list, ["A=4", "C=3"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "[A-C=\"'\\\\ \n#$é{}]{0,40}") {
            let variables = read_environment_file(&text);
            proptest::prop_assert!(variables.iter().all(|variable| variable.contains('=')));
            proptest::prop_assert!(expand_arguments(&[], &variables).is_empty());
            let _ = expand_arguments(&[text], &variables);
        }
    }
}
