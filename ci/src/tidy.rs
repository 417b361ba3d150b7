//! `cargo ci tidy`: house rules that a compiler does not know, checked on every file of the tree. The same runs as a
//! test.
//!
//! A rule is a line in `faults`; it sees one file and says what is wrong, with the line. Exceptions stand in lists
//! here, each with its reason, and an exception that is no longer needed is a fault, too.

use crate::{Outcome, files};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest line, in characters.
const WIDTH: usize = 120;
/// Longest file of Rust, in lines, outside tests and tables.
const LENGTH: usize = 600;

/// Longer files that may stay as they are, and why.
const LONG_FILES: &[(&str, &str)] = &[];

/// Words that may not stand in Rust: unfinished work, and output of a debugging session.
const UNFINISHED: &[&str] = &[concat!("todo", "!"), concat!("unimplemented", "!"), concat!("dbg", "!")];
/// Words that may stand nowhere: notes to oneself, and places that a clone does not have.
const NOWHERE: &[&str] = &[concat!("FIX", "ME"), concat!("XX", "X:"), concat!("/wo", "rk/"), concat!("../sha", "red")];

/// Directories that are not the tree's own, or hold inputs of tests as bytes.
const FOREIGN: &[&str] = &[".git", "target", "cache", "corpus", "artifacts"];
/// Kinds of files in which every rule about text applies.
const TEXT: &[&str] = &["rs", "toml", "md", "sh", "py", "c", "conf", ""];
/// Texts of others, taken over as they are.
const VERBATIM: &[&str] = &["LICENSE-APACHE"];

/// Checks the whole tree.
pub(crate) fn run() -> Outcome {
    let found = check_tree(&files::workspace())?;
    for fault in &found {
        println!("{fault}");
    }
    match found.len() {
        0 => Ok(()),
        count => Err(format!("the tree is not tidy in {count} places")),
    }
}

fn check_tree(root: &Path) -> Outcome<Vec<String>> {
    let mut paths = Vec::new();
    walk(root, Path::new(""), &mut paths)?;
    paths.sort();
    let exists = |path: &Path| root.join(path).exists();
    let mut found = Vec::new();
    for path in paths {
        let bytes = fs::read(root.join(&path)).map_err(|e| format!("read {}: {e}", path.display()))?;
        if let Ok(text) = String::from_utf8(bytes) {
            found.extend(faults(&path, &text, &exists));
        }
    }
    let gone = LONG_FILES.iter().filter(|(path, _)| !exists(Path::new(path)));
    found.extend(gone.map(|(path, _)| format!("{path}: is on the list of long files, and is not there")));
    Ok(found)
}

/// Every file of the tree that may hold text, relative to its top.
fn walk(root: &Path, below: &Path, paths: &mut Vec<PathBuf>) -> Outcome {
    let directory = root.join(below);
    let entries = fs::read_dir(&directory).map_err(|e| format!("list {}: {e}", directory.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let path = below.join(&name);
        let kind = entry.file_type().map_err(|e| format!("look at {}: {e}", path.display()))?;
        if kind.is_dir() && !FOREIGN.iter().any(|foreign| name == *foreign) {
            walk(root, &path, paths)?;
        } else if kind.is_file() && name != ".git" && TEXT.contains(&extension(&path)) {
            paths.push(path);
        }
    }
    Ok(())
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// What is wrong with one file, one line of text for each fault.
fn faults(path: &Path, text: &str, exists: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let name = path.display().to_string();
    if VERBATIM.contains(&name.as_str()) {
        return Vec::new();
    }
    let kind = extension(path);
    let mut found = Vec::new();
    if kind == "rs" {
        if !text.starts_with("//!") {
            found.push(format!("{name}:1: does not begin with //! and what belongs in the file"));
        }
        found.extend(length_fault(&name, text.lines().count()));
    }
    for (index, line) in text.lines().enumerate() {
        let mut fault = |what: String| found.push(format!("{name}:{}: {what}", index + 1));
        if matches!(kind, "rs" | "toml" | "md") && line.contains('\t') {
            fault("a tab".into());
        }
        if line.ends_with([' ', '\t']) {
            fault("blanks at the end".into());
        }
        if kind == "rs" && width(line) > WIDTH {
            fault(format!("longer than {WIDTH} characters"));
        }
        let banned = if kind == "rs" { UNFINISHED } else { &[] };
        banned.iter().chain(NOWHERE).filter(|word| line.contains(**word)).for_each(|word| fault(format!("{word:?}")));
    }
    if kind == "md" {
        found.extend(link_faults(path, text, exists));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(format!("{name}: the last line is not ended"));
    }
    found
}

/// Characters of a line of Rust. What stands in quotes does not count: a message that people search for is not cut in
/// two.
fn width(line: &str) -> usize {
    let quoted = match (line.find('"'), line.rfind('"')) {
        (Some(first), Some(last)) if !line.trim_start().starts_with("//") => line[first..last].chars().count(),
        _ => 0,
    };
    line.chars().count() - quoted
}

fn length_fault(name: &str, lines: usize) -> Option<String> {
    let may_be_long = ["tests", "table", "benches", "examples"].iter().any(|word| name.contains(word));
    let listed = LONG_FILES.iter().any(|(path, _)| *path == name);
    match (lines > LENGTH, listed) {
        (true, false) if !may_be_long => {
            Some(format!("{name}: {lines} lines, more than {LENGTH}: cut it, or put it on the list with the reason"))
        }
        (false, true) => Some(format!("{name}: is on the list of long files, and is not long any more")),
        _ => None,
    }
}

/// Links of a text in Markdown that lead to no file of the tree.
fn link_faults(path: &Path, text: &str, exists: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        for target in targets.filter(|target| !is_code && !leads_out(target)) {
            let file = target.split('#').next().unwrap_or_default();
            let resolved = resolve(path.parent().unwrap_or(Path::new("")), file);
            if !resolved.is_some_and(|file| exists(&file)) {
                found.push(format!("{}:{}: a link to {target}, which is not there", path.display(), index + 1));
            }
        }
    }
    found
}

fn leads_out(target: &str) -> bool {
    ["http://", "https://", "mailto:", "#"].iter().any(|start| target.starts_with(start))
}

/// A relative path with its dots taken away; none when it leaves the tree.
fn resolve(directory: &Path, target: &str) -> Option<PathBuf> {
    let mut path = directory.to_path_buf();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if path.pop() => {}
            ".." => return None,
            part => path.push(part),
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> String {
        faults(Path::new(path), text, &|path| path == Path::new("docs/there.md")).join("\n")
    }

    #[test]
    fn the_tree_is_tidy() {
        let found = check_tree(&files::workspace()).expect("the tree can be read");
        assert!(found.is_empty(), "\n{}", found.join("\n"));
    }

    #[test]
    fn a_good_file_has_no_faults() {
        assert_eq!(of("crates/a.rs", "//! What it is.\n\nfn a() {}\n"), "");
        assert_eq!(
            of("docs/a.md", "See [it](there.md#part), [that](../docs/there.md), [us](https://a.invalid).\n"),
            ""
        );
    }

    #[test]
    fn each_rule_finds_its_fault() {
        for (path, text, fault) in [
            ("a.rs", "fn a() {}\n", "a.rs:1: does not begin with //!"),
            ("a.rs", "//! A.\n\tb();\n", "a.rs:2: a tab"),
            ("a.rs", "//! A. \n", "a.rs:1: blanks at the end"),
            ("a.rs", "//! A.", "the last line is not ended"),
            ("a.rs", &format!("//! A.\n// {}\n", "ü".repeat(WIDTH)), "a.rs:2: longer than"),
            ("a.rs", &format!("//! A.\n{}();\n", UNFINISHED[0]), "a.rs:2: \"todo"),
            ("a.rs", &format!("//! A.\n{}(1);\n", UNFINISHED[2]), "a.rs:2: \"dbg"),
            ("a.py", &format!("# {}\n", NOWHERE[0]), "a.py:1: \"FIX"),
            ("ci/run", &format!("cd {}\n", NOWHERE[2]), "ci/run:1: "),
            ("crates/a.rs", &"//! A.\n".repeat(LENGTH + 1), "601 lines, more than 600"),
            ("docs/a.md", "[x](gone.md)\n", "docs/a.md:1: a link to gone.md"),
            ("docs/a.md", "[x](../../docs/there.md)\n", "docs/a.md:1: a link to ../../docs/there.md"),
            ("a.md", "[x](there.md)\n", "a.md:1: a link to there.md"),
        ] {
            assert!(of(path, text).contains(fault), "{path}: {:?} is not {fault:?}", of(path, text));
        }
    }

    #[test]
    fn what_may_be_long_and_code_that_looks_like_a_link() {
        assert_eq!(of("a.rs", &format!("//! A.\nf(\"{}\");\n", "x".repeat(WIDTH))), "");
        assert_eq!(of("crates/a/tests/b.rs", &"//! A.\n".repeat(LENGTH + 1)), "");
        assert_eq!(of("crates/a/table/b.rs", &"//! A.\n".repeat(LENGTH + 1)), "");
        assert_eq!(of("docs/a.md", "```\n[x](gone.md)\n```\n"), "");
    }
}
