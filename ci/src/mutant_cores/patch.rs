//! The patches: what bug each brings back, and which tests must fail with it.
//!
//! ```text
//! What: a sentence.
//! Fails: PACKAGE TARGET TEST
//!
//! --- a/FILE
//! ```

use crate::{Outcome, files};
use std::path::PathBuf;

/// A bug that can be put back.
pub(crate) struct Mutant {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// Never empty.
    pub(crate) fails: Vec<Story>,
}

/// A test that must fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Story {
    package: String,
    target: String,
    pub(crate) test: String,
}

impl Story {
    pub(crate) fn target(&self) -> (String, String) {
        (self.package.clone(), self.target.clone())
    }
}

/// Where patches and switch lie.
pub(crate) fn directory() -> PathBuf {
    files::workspace().join("ci/mutant-cores")
}

/// Every patch, by name.
pub(crate) fn all() -> Outcome<Vec<Mutant>> {
    let directory = directory();
    let entries = std::fs::read_dir(&directory).map_err(|e| format!("list {}: {e}", directory.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "patch")).collect();
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn read(file: PathBuf) -> Outcome<Mutant> {
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let fails = parse(&name, &files::read(&file)?)?;
    Ok(Mutant { name, file, fails })
}

/// The stories that a patch names; a patch whose switch has another name could never be switched on.
fn parse(name: &str, text: &str) -> Outcome<Vec<Story>> {
    let head = text.lines().take_while(|line| !line.starts_with("--- "));
    let mut fails = Vec::new();
    for line in head.filter_map(|line| line.strip_prefix("Fails: ")) {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [package, target, test] => {
                fails.push(Story { package: package.into(), target: target.into(), test: test.into() });
            }
            _ => return Err(format!("{name}: \"Fails: {line}\" is not package, target and test")),
        }
    }
    match text {
        _ if !text.starts_with("What: ") => Err(format!("{name}: does not begin with \"What: \" and a sentence")),
        _ if fails.is_empty() => Err(format!("{name}: names no test that fails with it")),
        _ if !text.contains(&format!("mutant::is(\"{name}\")")) => Err(format!("{name}: its switch has another name")),
        _ => Ok(fails),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "What: it forgets.\nFails: p history a::b\n\n--- a/x\n+++ b/x\n+ if crate::mutant::is(\"m\") {\n";

    #[test]
    fn a_patch_names_its_tests() {
        let story = Story { package: "p".into(), target: "history".into(), test: "a::b".into() };
        assert_eq!(parse("m", GOOD), Ok(vec![story]));
    }

    #[test]
    fn a_patch_that_could_not_be_judged_is_refused() {
        assert!(parse("other", GOOD).is_err());
        for (from, to) in [("What: ", ""), ("Fails: p history a::b\n", ""), ("history ", "")] {
            assert!(parse("m", &GOOD.replace(from, to)).is_err(), "{from}");
        }
    }

    #[test]
    fn every_patch_of_the_tree_is_read() {
        assert!(!all().expect("patches that can be judged").is_empty());
    }

    #[test]
    fn the_list_of_bugs_names_every_patch_and_its_stories() {
        let list = files::read(&files::workspace().join("docs/historical-bugs.md")).expect("the list");
        for mutant in all().expect("patches that can be judged") {
            assert!(list.contains(&format!("`{}`", mutant.name)), "{}", mutant.name);
            for story in mutant.fails {
                assert!(list.contains(&format!("`{}`", story.test)), "{}", story.test);
            }
        }
    }
}
