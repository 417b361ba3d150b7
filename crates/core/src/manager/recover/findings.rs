//! What was found, sorted by what it is: records by unit, drop-ins by unit, directories by path. Each is taken out when
//! it has been put to use; what is left in the end is nobody's.

use crate::config::Config;
use crate::error::OpError;
use crate::found::{Found, FoundCgroup};
use crate::names::{CgroupPath, UnitName, UnitType, cgroup_escape, cgroup_unescape, slice_parent};
use crate::persist::{self, Damage, Saved};
use crate::unit::{invocation_hex, parse_invocation};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A file's text, or why there is none.
pub(super) type Content = Result<String, OpError>;

/// A file with the name of a unit among the transient ones.
pub(super) struct Record {
    pub(super) path: Arc<str>,
    content: Content,
}

/// What a record turned out to be.
pub(super) enum Reading<'a> {
    Good(&'a str, Saved),
    OtherBoot,
    /// It is none of ours: records bear a state section, and are there as a whole or not at all.
    Foreign,
    /// It may be good for somebody: it is of a newer version, or cannot be read now. Why, in the same words.
    Kept(String),
    /// Why, in words that follow "cannot be used".
    Damaged(String),
}

impl Record {
    /// Whether nothing tells that it is about another activation than the one that left the directory.
    fn may_be_of(&self, cgroup: &FoundCgroup) -> bool {
        let told = self.content.as_deref().ok().and_then(persist::identity);
        let mark = cgroup.invocation.as_deref().and_then(parse_invocation);
        told.is_none() || mark.is_none() || told == mark
    }

    pub(super) fn reading(&self, boot_id: &str) -> Reading<'_> {
        match self.content.as_deref().map(persist::read) {
            Ok(Ok((_, saved))) if saved.boot_id != boot_id => Reading::OtherBoot,
            Ok(Ok((settings, saved))) => Reading::Good(settings, saved),
            Ok(Err(Damage::Foreign)) => Reading::Foreign,
            Ok(Err(damage @ Damage::Newer(_))) => Reading::Kept(damage.to_string()),
            Ok(Err(damage @ Damage::Broken(_))) => Reading::Damaged(damage.to_string()),
            Err(error) => Reading::Kept(format!("it cannot be read ({error})")),
        }
    }
}

pub(super) struct Findings {
    pub(super) records: BTreeMap<UnitName, Record>,
    /// Units of another manager that keeps its files where we do.
    pub(super) foreign: BTreeSet<UnitName>,
    /// Where records lie that an arbiter before us could not use.
    aside: BTreeMap<UnitName, Record>,
    /// Of transient units, in the order in which they apply.
    drop_ins: BTreeMap<UnitName, BTreeMap<Arc<str>, Content>>,
    cgroups: BTreeMap<CgroupPath, FoundCgroup>,
    /// Their paths by their last component.
    named: BTreeMap<String, Vec<CgroupPath>>,
}

impl Findings {
    pub(super) fn sort(found: Found, config: &Config) -> Self {
        let mut findings = Self {
            records: BTreeMap::new(),
            foreign: BTreeSet::new(),
            aside: BTreeMap::new(),
            drop_ins: BTreeMap::new(),
            cgroups: BTreeMap::new(),
            named: BTreeMap::new(),
        };
        for mut cgroup in found.cgroups {
            // Whatever else somebody has written there, it is no mark of ours.
            cgroup.invocation = cgroup.invocation.filter(|mark| parse_invocation(mark).is_some());
            if let Some(name) = cgroup.path.components().next_back() {
                findings.named.entry(name.into()).or_default().push(cgroup.path.clone());
            }
            findings.cgroups.insert(cgroup.path.clone(), cgroup);
        }
        let (transient, quarantine) = (&config.unit_paths.transient, &config.unit_paths.quarantine);
        for file in found.files {
            if let Some(name) = drop_in_of(transient, &file.path) {
                findings.drop_ins.entry(name).or_default().insert(file.path, file.content);
            } else if let Some(name) = record_of(transient, &file.path) {
                findings.records.insert(name, Record { path: file.path, content: file.content });
            } else if let Some(name) = record_of(quarantine, &file.path) {
                findings.aside.insert(name, Record { path: file.path, content: file.content });
            }
        }
        findings
    }

    pub(super) fn drop_ins_of(&self, name: &UnitName) -> Vec<(Arc<str>, Content)> {
        let files = self.drop_ins.get(name).into_iter().flatten();
        files.map(|(path, content)| (path.clone(), content.clone())).collect()
    }

    pub(super) fn has_drop_ins(&self, name: &UnitName) -> bool {
        self.drop_ins.contains_key(name)
    }

    /// Units of ours that have drop-ins and are not known.
    pub(super) fn orphaned_drop_ins(&self, is_known: impl Fn(&UnitName) -> bool) -> Vec<UnitName> {
        self.drop_ins.keys().filter(|name| !is_known(name) && !self.foreign.contains(*name)).cloned().collect()
    }

    /// Units that are up, and have a record only among those put aside.
    pub(super) fn put_aside(&self) -> Vec<(UnitName, Arc<str>)> {
        let is_up = |(name, record): &(&UnitName, &Record)| {
            let is_slice = name.unit_type() == UnitType::Slice;
            self.likely(name).iter().any(|cgroup| (cgroup.populated || is_slice) && record.may_be_of(cgroup))
        };
        let aside = self.aside.iter().filter(|(name, _)| !self.records.contains_key(*name)).filter(is_up);
        aside.map(|(name, record)| (name.clone(), record.path.clone())).collect()
    }

    /// Slices whose directory bears our mark and lies where it has to.
    pub(super) fn marked_slices(&self) -> Vec<UnitName> {
        let marked = self.cgroups.values().filter(|cgroup| cgroup.invocation.is_some());
        let named = marked.filter_map(|cgroup| UnitName::parse(unit_of(&cgroup.path)?).ok());
        named.filter(|name| name.unit_type() == UnitType::Slice && name.is_valid_slice()).collect()
    }

    pub(super) fn take(&mut self, path: &CgroupPath) -> Option<FoundCgroup> {
        self.cgroups.remove(path)
    }

    pub(super) fn take_if(
        &mut self,
        path: &CgroupPath,
        is_wanted: impl Fn(&FoundCgroup) -> bool,
    ) -> Option<FoundCgroup> {
        self.cgroups.get(path).is_some_and(is_wanted).then(|| self.take(path)).flatten()
    }

    /// The directory of a unit of which only the name is known: the one that bears a mark, or else the only one; none
    /// if that does not tell which of several it is.
    pub(super) fn take_likely(&mut self, name: &UnitName) -> Option<FoundCgroup> {
        let path = match self.likely(name)[..] {
            [one] => one.path.clone(),
            _ => return None,
        };
        self.take(&path)
    }

    /// Where a unit may be of which only the name is known, if nobody knows which of several places it is.
    pub(super) fn in_doubt(&self, name: &UnitName) -> Vec<CgroupPath> {
        let likely = self.likely(name);
        let paths = likely.iter().map(|cgroup| cgroup.path.clone());
        paths.filter(|_| likely.len() > 1).collect()
    }

    /// Only where a unit of that name can lie at all; those with a mark, if there are any.
    fn likely(&self, name: &UnitName) -> Vec<&FoundCgroup> {
        let paths = self.named.get(&*cgroup_escape(name.as_str())).into_iter().flatten();
        let found = paths.filter(|path| is_place_of_unit(path)).filter_map(|path| self.cgroups.get(path));
        let (marked, others): (Vec<_>, Vec<_>) = found.partition(|cgroup| cgroup.invocation.is_some());
        if marked.is_empty() { others } else { marked }
    }

    pub(super) fn has(&self, path: &CgroupPath) -> bool {
        self.cgroups.contains_key(path)
    }

    /// Where a directory of this name lies that bears the mark of this activation.
    pub(super) fn marked(&self, name: &str, invocation: &[u8; 16]) -> Option<&CgroupPath> {
        let mark = invocation_hex(invocation);
        let is_marked =
            |path: &&CgroupPath| self.cgroups.get(path).is_some_and(|c| c.invocation.as_ref() == Some(&mark));
        self.named.get(name)?.iter().find(is_marked)
    }

    /// All that nobody has taken, parents first.
    pub(super) fn rest(&mut self) -> Vec<FoundCgroup> {
        core::mem::take(&mut self.cgroups).into_values().collect()
    }
}

/// Whether a unit can lie there: in slices alone, each in the one that its name says.
fn is_place_of_unit(path: &CgroupPath) -> bool {
    let mut around = UnitName::root_slice();
    let mut names = path.components().map(|name| UnitName::parse(cgroup_unescape(name)).ok()).peekable();
    while let Some(name) = names.next() {
        let Some(name) = name else { return false };
        let fits = match name.is_valid_slice() {
            true => slice_parent(&name).as_ref() == Some(&around),
            false => names.peek().is_none(),
        };
        if !fits {
            return false;
        }
        around = name;
    }
    true
}

fn unit_of(path: &CgroupPath) -> Option<&str> {
    path.components().next_back().map(cgroup_unescape)
}

/// The unit that a file directly in the directory is the record of.
fn record_of(directory: &str, file: &str) -> Option<UnitName> {
    let name = file.strip_prefix(directory)?.strip_prefix('/')?;
    UnitName::parse(name).ok().filter(|name| name.unit_type().is_managed())
}

/// The unit that a file in `DIRECTORY/NAME.d` is a drop-in of.
fn drop_in_of(directory: &str, file: &str) -> Option<UnitName> {
    let (name, file) = file.strip_prefix(directory)?.strip_prefix('/')?.split_once(".d/")?;
    let is_drop_in = file.ends_with(".conf") && !file.contains('/');
    UnitName::parse(name).ok().filter(|name| is_drop_in && name.unit_type().is_managed())
}
