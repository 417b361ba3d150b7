//! The changes of one call as they add up: each is a step for the store, what would take it back, and a line for the
//! client. The index is changed along, so that what comes later in the call sees it.

use super::find::absolute;
use super::problem::Problem;
use super::section::template_of;
use crate::config::Config;
use crate::plan::Op;
use crate::unit_files::{Content, Entry, UnitFiles, last_part};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a client is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A link was made.
    Symlink,
    /// A link or file was removed.
    Unlink,
}

impl ChangeKind {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Symlink => "symlink",
            Self::Unlink => "unlink",
        }
    }
}

/// One line of what a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Made or removed.
    pub kind: ChangeKind,
    /// Which.
    pub path: String,
    /// Where the link leads; empty for what was removed.
    pub source: String,
}

/// A step, and what takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The name of the unit or template it is about.
    pub name: String,
    /// What to do.
    pub op: Op,
    /// What brings back what was there.
    pub undo: Option<Op>,
}

/// What a call comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// For the store, in this order.
    pub steps: Vec<Made>,
    /// For the client.
    pub changes: Vec<Change>,
    /// Whether any of the files had something to be installed.
    pub carries: bool,
    /// What could not be done beside that.
    pub left_out: Vec<Problem>,
}

/// Links and removes.
pub(super) struct Changer<'a> {
    pub(super) files: UnitFiles,
    pub(super) config: &'a Config,
    /// Where links are made and removed.
    pub(super) directory: Arc<str>,
    /// Links that lead elsewhere are replaced.
    pub(super) force: bool,
    decision: Decision,
    /// Directories that something was removed from.
    emptied: BTreeSet<String>,
}

impl<'a> Changer<'a> {
    pub(super) fn new(files: UnitFiles, config: &'a Config, runtime: bool, force: bool) -> Self {
        let directory = config.unit_paths.install(runtime).clone();
        Self { files, config, directory, force, decision: Decision::default(), emptied: BTreeSet::new() }
    }

    /// Notes what is not done, and does not keep the rest from being done.
    pub(super) fn left_out(&mut self, problems: impl Iterator<Item = Problem>) {
        self.decision.left_out.extend(problems);
    }

    /// Whether anything was to be changed so far.
    pub(super) fn has_changes(&self) -> bool {
        !self.decision.changes.is_empty()
    }

    /// The whole of it.
    pub(super) fn finish(mut self, carries: bool) -> Decision {
        self.decision.carries = carries;
        for directory in &self.emptied {
            let name = last_part(directory).rsplit_once('.').map_or("", |(name, _)| name).to_owned();
            let op = Op::RemoveEmpty { directory: directory.as_str().into() };
            self.decision.steps.push(Made { name, op, undo: None });
        }
        self.decision
    }

    /// Makes a link below the directory, unless it is there.
    pub(super) fn link(&mut self, name: &str, inside: &str, target: &str, force: bool) -> Result<(), Problem> {
        let path = format!("{}/{inside}", self.directory);
        let undo = match self.files.entry(&path) {
            None => Op::RemoveFile { file: path.as_str().into(), directory: false },
            Some(Entry::File) => return Err(Problem::Exists { path, target: None }),
            Some(Entry::Link(old)) if absolute(&path, old) == target => return Ok(()),
            Some(Entry::Link(old)) if !force => return Err(Problem::Exists { path, target: Some(old.into()) }),
            Some(Entry::Link(old)) => {
                let old: Arc<str> = old.into();
                self.change(ChangeKind::Unlink, &path, "");
                Op::Link { file: path.as_str().into(), target: old }
            }
        };
        self.change(ChangeKind::Symlink, &path, target);
        self.step(name, Op::Link { file: path.into(), target: target.into() }, undo);
        Ok(())
    }

    /// Removes a link or file.
    pub(super) fn unlink(&mut self, path: &str) {
        let file: Arc<str> = path.into();
        let undo = match self.files.entry(path) {
            Some(Entry::Link(target)) => Op::Link { file: file.clone(), target: target.into() },
            Some(Entry::File) => match self.files.at(path).map(|file| &file.content) {
                Some(Content::Text(text)) => {
                    Op::WriteFile { file: file.clone(), content: (**text).to_owned(), spares_others: false }
                }
                _ => Op::RemoveFile { file: file.clone(), directory: false },
            },
            None => return,
        };
        if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !self.is_top(parent)) {
            self.emptied.insert(parent.into());
        }
        self.change(ChangeKind::Unlink, path, "");
        self.step(last_part(path), Op::RemoveFile { file, directory: false }, undo);
    }

    fn is_top(&self, directory: &str) -> bool {
        self.files.search().iter().any(|top| **top == *directory)
    }

    fn change(&mut self, kind: ChangeKind, path: &str, source: &str) {
        self.decision.changes.push(Change { kind, path: path.into(), source: source.into() });
    }

    fn step(&mut self, name: &str, op: Op, undo: Op) {
        self.files.follow_op(&op);
        self.decision.steps.push(Made { name: name.into(), op, undo: Some(undo) });
    }

    /// Removes every link in this directory that leads to what is marked, by name or path, or is called so itself; and
    /// then those that lead to these.
    pub(super) fn remove_links_to(&mut self, mut marked: BTreeSet<String>, directory: &str) {
        let inside = format!("{directory}/");
        loop {
            let is_meant = |path: &str, name: &str, target: &str| {
                let end = self.end_of(path, target);
                let is_marked = |name: &str| marked.contains(name);
                let is_of_template = template_of(name).is_some_and(|template| is_marked(&template));
                let leads_there = end.is_some_and(|end| is_marked(&end) || is_marked(last_part(&end)));
                leads_there || is_of_template || is_marked(name)
            };
            let links = self.files.links().filter(|link| link.path.starts_with(&inside));
            let found: Vec<String> = links
                .filter(|link| is_meant(link.path, link.name(), link.target))
                .map(|link| link.path.to_owned())
                .collect();
            if found.is_empty() {
                return;
            }
            for path in found {
                self.unlink(&path);
                marked.insert(path);
            }
        }
    }

    /// Where a link leads in the end; nowhere, if that is a circle.
    fn end_of(&self, path: &str, target: &str) -> Option<String> {
        let first = absolute(path, target);
        let next = |at: &String| match self.files.entry(at)? {
            Entry::Link(target) => Some(absolute(at, target)),
            Entry::File => None,
        };
        let (last, hops) = core::iter::successors(Some(first), next).take(40).zip(1..).last()?;
        (hops < 40).then_some(last)
    }
}
