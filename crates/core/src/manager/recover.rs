//! Recovery: from what was found at the start to units, as they were when the arbiter before this one ended. Where each
//! fact about a unit comes from is listed in `persist.rs`; what state it has is decided in `recover/revive.rs`.
//!
//! Nothing is concluded here that a living arbiter concludes from notices. A unit that has a directory is taken for
//! what its record says; its watch is made anew with the first plans, and what ended in the meantime is seen then. What
//! was half done is done again by the same diff as ever: nothing is believed of the values in files.

mod findings;
mod records;
mod revive;

use super::Manager;
use crate::effect::Severity;
use crate::error::{Refusal, RefusalKind};
use crate::found::{Found, FoundCgroup};
use crate::names::{CgroupPath, UnitName, UnitType, cgroup_escape, cgroup_unescape, default_slice};
use crate::persist::Saved;
use crate::plan::{Cause, OnError, Op, Step};
use crate::propagation;
use crate::properties;
use crate::realized::Realized;
use crate::unit::{LoadState, UnitId, parse_invocation};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use findings::{Findings, Reading, Record};

/// So many names of what is not ours are told.
const FOREIGN_TOLD_MAX: usize = 8;

impl Manager {
    /// Takes over what an earlier arbiter has left.
    pub(super) fn take_over(&mut self, mut found: Found) {
        let descriptors = core::mem::take(&mut found.descriptors);
        let mut findings = Findings::sort(found, &self.config);
        let mut known: Vec<(UnitId, Saved)> = Vec::new();
        let mut damaged: Vec<(UnitName, String)> = Vec::new();
        for (name, path) in findings.put_aside() {
            damaged.push((name, format!("its record could not be used and lies in {path}")));
        }
        for (name, record) in core::mem::take(&mut findings.records) {
            match record.reading(&self.config.boot_id) {
                Reading::Good(settings, saved) => {
                    let id = self.make_recorded(&name, &record.path, settings, &saved, &findings);
                    known.push((id, saved));
                }
                Reading::OtherBoot => self.forget_other_boot(&name, &record),
                Reading::Foreign => drop(findings.foreign.insert(name)),
                Reading::Kept(why) => damaged.push((name, format!("{why}; {} stays as it is", record.path))),
                Reading::Damaged(why) => {
                    let aside = format!("{}/{name}", self.config.unit_paths.quarantine);
                    self.put_aside(&name, findings.has_drop_ins(&name));
                    damaged.push((name, format!("{why}; it has been put aside as {aside}")));
                }
            }
        }
        let damaged: Vec<(UnitId, Option<FoundCgroup>)> =
            damaged.into_iter().map(|(name, why)| self.load_damaged(&name, &why, &mut findings)).collect();
        for (id, saved) in &known {
            self.load(*id);
            // One that is always loaded was counted without what its record says.
            let changed = propagation::update(&mut self.graph, *id);
            self.realize_slices(&changed);
            self.place_where_found(*id, saved, &findings);
        }
        let recorded = known.iter().map(|(id, _)| *id).chain(damaged.iter().map(|(id, _)| *id)).collect();
        self.take_over_slices(recorded, &mut findings);
        for (id, cgroup) in damaged {
            self.revive_damaged(id, cgroup.as_ref());
        }
        for (id, saved) in known {
            let is_own = |cgroup: &FoundCgroup| self.is_own(id, &saved, cgroup);
            let path = self.graph.cgroup_path(id);
            let cgroup = path.and_then(|path| findings.take_if(&path, is_own));
            self.revive(id, saved, cgroup.as_ref());
        }
        self.foreign.clone_from(&findings.foreign);
        self.forget_leftovers(findings);
        self.keep_what_may_be_in_force();
        self.take_over_descriptors(descriptors);
        self.queue_recovered();
        // Those of whom nothing is left need no controllers any more.
        self.collect_units();
        self.drain();
    }

    /// A unit as its record describes it; nothing is known of its state yet, and it is not loaded, because the slice it
    /// names may have a record, too.
    fn make_recorded(
        &mut self,
        name: &UnitName,
        file: &Arc<str>,
        settings: &str,
        saved: &Saved,
        findings: &Findings,
    ) -> UnitId {
        let id = self.ensure_named(name);
        let mut known = properties::default_settings(name.unit_type(), &self.config);
        self.read_settings(name, settings, &mut known);
        let (mut drop_ins, is_unfit) = self.read_drop_ins_of_files(name, file, &mut known);
        drop_ins.extend(self.read_recorded_drop_ins(name, findings.drop_ins_of(name), &mut known));
        let unit = self.graph.unit_mut(id);
        unit.settings = known;
        unit.transient = true;
        unit.fragment = Some(file.clone());
        unit.drop_ins = drop_ins;
        unit.realized.spares_defaults = is_unfit;
        unit.owner = saved.owner;
        if name.unit_type() == UnitType::Service {
            unit.service = Some(Box::default());
        }
        self.count_owner(saved.owner, true);
        self.set_controller(id, saved.controller.clone());
        if self.graph.unit(id).unit_type() != UnitType::Slice {
            self.identify(id, saved.invocation_id);
        }
        id
    }

    /// Whether a directory that lies where a recorded unit's would is the one that was made for it: another mark tells
    /// that it is not, none tells nothing (kernels may refuse it); whoever was handed the directory may have changed
    /// it.
    fn is_own(&self, id: UnitId, saved: &Saved, cgroup: &FoundCgroup) -> bool {
        let unit = self.graph.unit(id);
        let is_free = !cgroup.populated || unit.settings.resources.delegate || unit.unit_type() == UnitType::Slice;
        let mark = cgroup.invocation.as_deref().and_then(parse_invocation);
        is_free || mark.is_none() || saved.invocation_id.is_none() || mark == saved.invocation_id
    }

    /// Gives a unit the identity it had. Two cannot have the same.
    fn identify(&mut self, id: UnitId, invocation: Option<[u8; 16]>) {
        let invocation = invocation.filter(|invocation| *invocation != [0; 16]);
        if invocation.is_some_and(|invocation| self.graph.find_invocation(&invocation).is_none()) {
            self.graph.set_invocation(id, invocation);
        }
    }

    /// Slices that are up: those with our mark, those with a record, and those that any of these or a recorded unit
    /// lies in. Members that only files speak of say nothing about a directory.
    fn take_over_slices(&mut self, mut recorded: Vec<UnitId>, findings: &mut Findings) {
        for name in findings.marked_slices() {
            recorded.push(self.load_name(&name));
        }
        let around: BTreeSet<UnitId> = recorded.iter().flat_map(|id| self.graph.ancestors(*id)).collect();
        let mut unfit = Vec::new();
        let slices: Vec<UnitId> =
            self.graph.iter().filter(|(_, unit)| unit.unit_type() == UnitType::Slice).map(|(id, _)| id).collect();
        for id in slices {
            let unit = self.graph.unit(id);
            let is_ours = |cgroup: &FoundCgroup| cgroup.invocation.is_some() || around.contains(&id) || unit.transient;
            if unit.name.is_root_slice() || unit.realized.exists {
                continue;
            }
            let is_unfit = unit.load != LoadState::Loaded;
            let path = self.graph.cgroup_path(id);
            if let Some(cgroup) = path.and_then(|path| findings.take_if(&path, is_ours)) {
                self.revive_slice(id, &cgroup);
                unfit.extend(Some(id).filter(|_| is_unfit));
            }
        }
        // Only now is it known what is on above them.
        unfit.into_iter().for_each(|id| self.leave_limits(id));
    }

    /// A slice that is up and whose files cannot be used keeps what is in force.
    fn leave_limits(&mut self, id: UnitId) {
        let reason = self.graph.unit(id).load_error.as_ref().map_or("", |error| &error.message);
        let text = format!("Its limits stay as they are, because it is up: {reason}");
        self.tell(Severity::Warning, Some(id), text);
        self.keep_controllers_above_unit(id);
    }

    /// A unit lies where it was made, even if a file puts it elsewhere by now.
    fn place_where_found(&mut self, id: UnitId, saved: &Saved, findings: &Findings) {
        let unit = self.graph.unit(id);
        if unit.unit_type() == UnitType::Slice || self.graph.cgroup_path(id).is_some_and(|path| findings.has(&path)) {
            return;
        }
        let Some(path) =
            saved.invocation_id.and_then(|mark| findings.marked(&cgroup_escape(unit.name.as_str()), &mark))
        else {
            return;
        };
        if let Some(slice) = slice_around(path) {
            let above = self.load_name(&slice);
            propagation::withdraw(&mut self.graph, id);
            self.graph.set_slice(id, Some(above));
            self.graph.unit_mut(id).settings.slice = Some(slice);
            propagation::update(&mut self.graph, id);
        }
    }

    /// A unit whose record cannot be used is there by name, in the slice where its directory is; if it has processes
    /// they can be seen and stopped. Its limits stay as they are in the kernel.
    fn load_damaged(&mut self, name: &UnitName, why: &str, findings: &mut Findings) -> (UnitId, Option<FoundCgroup>) {
        let text = format!("The record of {name} cannot be used: {why}.");
        let id = self.ensure_named(name);
        let cgroup = findings.take_likely(name);
        let mut in_doubt = findings.in_doubt(name).into_iter();
        if let (Some(one), Some(other)) = (in_doubt.next(), in_doubt.next()) {
            let text = format!("Nobody knows whether it is {one} or {other} that {name} was: both are left alone.");
            self.tell(Severity::Warning, Some(id), text);
        }
        let slice = match name.unit_type() {
            UnitType::Slice => default_slice(name),
            _ => cgroup.as_ref().and_then(|cgroup| slice_around(&cgroup.path)),
        };
        if let Some(slice) = slice {
            let above = self.load_name(&slice);
            self.graph.set_slice(id, Some(above));
            if name.unit_type() != UnitType::Slice {
                self.graph.unit_mut(id).settings.slice = Some(slice);
            }
        }
        let unit = self.graph.unit_mut(id);
        unit.load = LoadState::Error;
        unit.load_error = Some(Box::new(Refusal::new(RefusalKind::LoadFailed, text.clone())));
        self.tell(Severity::Error, Some(id), text);
        (id, cgroup)
    }

    /// The drop-ins first, because a record in its place has all of this done again. Then they may be aside already,
    /// and what is there stays.
    fn put_aside(&mut self, name: &UnitName, has_drop_ins: bool) {
        let paths = &self.config.unit_paths;
        let (from, to) = (format!("{}/{name}", paths.transient), format!("{}/{name}", paths.quarantine));
        let drop_ins = Op::RemoveFile { file: format!("{to}.d").into(), directory: true };
        let aside =
            |suffix: &str| Op::MoveFile { file: format!("{from}{suffix}").into(), to: format!("{to}{suffix}").into() };
        let with_drop_ins = has_drop_ins.then(|| [drop_ins, aside(".d")]);
        for op in with_drop_ins.into_iter().flatten().chain([aside("")]) {
            self.loose(name, op);
        }
    }

    /// A record of another boot: its cgroup has gone, and it with it.
    fn forget_other_boot(&mut self, name: &UnitName, record: &Record) {
        self.loose(name, Op::RemoveFile { file: format!("{}.d", record.path).into(), directory: true });
        self.loose(name, Op::RemoveFile { file: record.path.clone(), directory: false });
    }

    fn loose(&mut self, name: &UnitName, op: Op) {
        self.loose.push(Step { unit: name.clone(), cause: Cause::Recover, on_error: OnError::Report, op });
    }

    /// Directories and files that belong to no unit. Ours are removed when nobody is in them, others are not touched.
    fn forget_leftovers(&mut self, mut findings: Findings) {
        let mut foreign: Vec<CgroupPath> = Vec::new();
        for cgroup in findings.rest() {
            let name = cgroup.path.components().next_back().map(cgroup_unescape).and_then(|n| UnitName::parse(n).ok());
            let is_ours = |name: &UnitName| !findings.foreign.contains(name) && name.unit_type() != UnitType::Slice;
            let ours = name.filter(|name| cgroup.invocation.is_some() && is_ours(name));
            if ours.is_none() || cgroup.populated {
                self.keep_controllers_above(&cgroup.path);
            }
            match ours {
                Some(_) if cgroup.populated => {
                    let text = format!("{} has processes and no record: it is left alone", cgroup.path);
                    self.tell(Severity::Warning, None, text);
                }
                Some(name) => self.loose(&name, Op::Rmdir { cgroup: cgroup.path, watch: None }),
                None => foreign.push(cgroup.path),
            }
        }
        for name in findings.orphaned_drop_ins(|name| self.graph.find(name.as_str()).is_some()) {
            let directory = format!("{}/{name}.d", self.config.unit_paths.transient);
            self.loose(&name, Op::RemoveFile { file: directory.into(), directory: true });
        }
        self.tell_left_alone("cgroups", foreign.iter().map(CgroupPath::as_str));
        self.tell_left_alone("transient unit files", findings.foreign.iter().map(UnitName::as_str));
    }

    /// Somebody of whom nothing is known may need what the slices above hand down: none of it is switched off.
    fn keep_controllers_above(&mut self, cgroup: &CgroupPath) {
        let Some(around) = cgroup.parent().and_then(|parent| self.unit_of_cgroup(&parent)) else { return };
        let realized = &mut self.graph.unit_mut(around).realized;
        realized.foreign_enabled |= realized.enabled;
        self.keep_controllers_above_unit(around);
    }

    /// Who knows which controllers its limits need: none of those that are on goes off.
    fn keep_controllers_above_unit(&mut self, id: UnitId) {
        let above: Vec<UnitId> = self.graph.ancestors(id).collect();
        for slice in above {
            let realized = &mut self.graph.unit_mut(slice).realized;
            realized.foreign_enabled |= realized.enabled;
        }
    }

    fn tell_left_alone<'a>(&mut self, what: &str, mut names: impl Iterator<Item = &'a str>) {
        let named: Vec<&str> = names.by_ref().take(FOREIGN_TOLD_MAX).collect();
        if named.is_empty() {
            return;
        }
        let more = names.count();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        self.tell(Severity::Info, None, format!("{what} of others, left alone: {}{more}", named.join(", ")));
    }

    /// Not all that configures these could be read, so nobody knows which controllers their limits need.
    fn keep_what_may_be_in_force(&mut self) {
        let unsure = self.graph.iter().filter(|(_, unit)| unit.realized.exists && unit.realized.spares_defaults);
        let unsure: Vec<UnitId> = unsure.map(|(id, _)| id).collect();
        unsure.into_iter().for_each(|id| self.keep_controllers_above_unit(id));
    }

    /// Everything that has a directory is compared, slices first, because others need them.
    fn queue_recovered(&mut self) {
        let mut order: Vec<(usize, UnitId)> = Vec::new();
        for (id, unit) in self.graph.iter() {
            if unit.realized.exists && !unit.name.is_root_slice() {
                let is_slice = unit.unit_type() == UnitType::Slice;
                let depth = if is_slice { self.graph.ancestors(id).count() } else { usize::MAX };
                order.push((depth, id));
            }
        }
        order.sort_unstable();
        let queued: BTreeSet<UnitId> = order.iter().map(|(_, id)| *id).collect();
        self.realize.retain(|id| !queued.contains(id));
        self.recovered.extend(order.into_iter().map(|(_, id)| id));
    }

    /// What is believed of a directory that was found: that it is there, and nothing of the values in its files.
    fn believe(&mut self, id: UnitId, cgroup: &FoundCgroup) {
        let unit = self.graph.unit_mut(id);
        let is_slice = unit.unit_type() == UnitType::Slice;
        let enabled = if is_slice { cgroup.enabled } else { Default::default() };
        let spares_defaults = unit.realized.spares_defaults || self.files.is_incomplete();
        let is_ours = cgroup.invocation.is_some() && unit.load == LoadState::Loaded;
        unit.realized = Realized {
            path: Some(cgroup.path.clone()),
            exists: true,
            id: cgroup.id,
            enabled,
            foreign_enabled: if is_ours { Default::default() } else { enabled },
            stale: true,
            spares_defaults,
            ..Realized::default()
        };
    }
}

/// The slice whose directory this one lies in.
fn slice_around(path: &CgroupPath) -> Option<UnitName> {
    match path.parent()?.components().next_back() {
        None => UnitName::parse("-.slice").ok(),
        Some(name) => UnitName::parse(cgroup_unescape(name)).ok().filter(|n| n.unit_type() == UnitType::Slice),
    }
}
