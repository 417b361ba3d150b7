//! Programs attached to cgroups: who may attach where, which are in effect, and what device programs allow.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::access::Caller;
use super::cgroup::CgroupId;
use super::{Errno, Kernel};

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProgramKind {
    /// Opening and making device nodes.
    Device,
    /// Packets that arrive.
    Ingress,
    /// Packets that leave.
    Egress,
}

/// What a program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramBody {
    /// Returns this.
    Returns(u32),
    /// These instructions, run by whoever knows how.
    Code(Arc<[u8]>),
}

/// A loaded program by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramId(u32);

/// Flags of an attach call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttachFlags {
    /// `BPF_F_ALLOW_OVERRIDE`
    pub overridable: bool,
    /// `BPF_F_ALLOW_MULTI`
    pub multi: bool,
    /// `BPF_F_REPLACE` with this program.
    pub replace: Option<ProgramId>,
}

/// Programs of one kind in one cgroup, in the order of attachment.
#[derive(Clone, Debug, Default)]
struct Attached {
    overridable: bool,
    multi: bool,
    programs: Vec<ProgramId>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Attachments(BTreeMap<ProgramKind, Attached>);

#[derive(Clone, Debug)]
pub(super) struct Program {
    kind: ProgramKind,
    body: ProgramBody,
}

/// Most programs of one kind in one cgroup.
const PROGRAMS_MAX: usize = 64;

impl Kernel {
    /// Loads a program.
    pub fn load_program(&mut self, kind: ProgramKind, body: ProgramBody) -> ProgramId {
        ProgramId(self.programs.insert(Program { kind, body }))
    }

    fn attached(&self, index: u32, kind: ProgramKind) -> Option<&Attached> {
        let attached = self.cgroups[index].bpf.as_ref()?.0.get(&kind)?;
        if attached.programs.is_empty() { None } else { Some(attached) }
    }

    /// Attaches a program; no permission on the cgroup is needed.
    ///
    /// # Errors
    /// `EINVAL` for flags that do not go together, a replaced program of another kind, a program that is attached
    /// already; `EPERM` where an ancestor or the present flags forbid it; `E2BIG`; `ENOENT`.
    pub fn attach_program(&mut self, id: CgroupId, program: ProgramId, flags: AttachFlags) -> Result<(), Errno> {
        let index = self.live(id)?;
        let kind = self.programs[program.0].kind;
        let replaced_kind = flags.replace.map(|replaced| self.programs[replaced.0].kind);
        if (flags.overridable && flags.multi) || (flags.replace.is_some() && !flags.multi) {
            return Err(Errno::EINVAL);
        }
        if replaced_kind.is_some_and(|other| other != kind) {
            return Err(Errno::EINVAL);
        }
        if !self.ancestors_allow(index, kind) {
            return Err(Errno::EPERM);
        }
        let attached = self.cgroups[index].bpf.get_or_insert_default().0.entry(kind).or_default();
        let same = (attached.overridable, attached.multi) == (flags.overridable, flags.multi);
        if !attached.programs.is_empty() && !same {
            return Err(Errno::EPERM);
        }
        if attached.programs.len() >= PROGRAMS_MAX {
            return Err(Errno::E2BIG);
        }
        (attached.overridable, attached.multi) = (flags.overridable, flags.multi);
        place(&mut attached.programs, program, flags)
    }

    /// The nearest ancestor with programs decides: several, or one that may be overridden.
    fn ancestors_allow(&self, index: u32, kind: ProgramKind) -> bool {
        let mut above = self.cgroups[index].parent;
        while let Some(ancestor) = above {
            if let Some(attached) = self.attached(ancestor, kind) {
                return attached.multi || attached.overridable;
            }
            above = self.cgroups[ancestor].parent;
        }
        true
    }

    /// Detaches a program; where only one can be, whichever is there.
    ///
    /// # Errors
    /// `ENOENT` when there is no such attachment.
    pub fn detach_program(&mut self, id: CgroupId, program: ProgramId) -> Result<(), Errno> {
        let index = self.live(id)?;
        let kind = self.programs[program.0].kind;
        self.attached(index, kind).ok_or(Errno::ENOENT)?;
        let attachments = self.cgroups[index].bpf.as_mut().expect("something is attached");
        let attached = attachments.0.get_mut(&kind).expect("something is attached");
        let position = match attached.multi {
            true => attached.programs.iter().position(|other| *other == program).ok_or(Errno::ENOENT)?,
            false => 0,
        };
        attached.programs.remove(position);
        Ok(())
    }

    /// The programs attached here, and the flags they were attached with.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn attached_programs(&self, id: CgroupId, kind: ProgramKind) -> Result<(AttachFlags, Vec<ProgramId>), Errno> {
        let index = self.live(id)?;
        Ok(self.attached(index, kind).map_or_else(Default::default, |attached| {
            let flags = AttachFlags { overridable: attached.overridable, multi: attached.multi, replace: None };
            (flags, attached.programs.clone())
        }))
    }

    /// The programs in effect for processes here: the own ones first, then those of ancestors that allow several.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn effective_programs(&self, id: CgroupId, kind: ProgramKind) -> Result<Vec<ProgramId>, Errno> {
        Ok(self.effective(self.live(id)?, kind))
    }

    fn effective(&self, index: u32, kind: ProgramKind) -> Vec<ProgramId> {
        let mut programs = Vec::new();
        let mut next = Some(index);
        while let Some(index) = next {
            let attached = self.attached(index, kind);
            if let Some(attached) = attached.filter(|attached| programs.is_empty() || attached.multi) {
                programs.extend_from_slice(&attached.programs);
            }
            next = self.cgroups[index].parent;
        }
        programs
    }

    /// May the caller open a device? Every device program in effect must return 1; `run` runs those made of code.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn open_device(&self, who: &Caller, run: &dyn Fn(&[u8]) -> u32) -> Result<(), Errno> {
        let index = self.tasks[self.task(who.pid)?].cgroup;
        for program in self.effective(index, ProgramKind::Device) {
            let verdict = match &self.programs[program.0].body {
                ProgramBody::Returns(value) => *value,
                ProgramBody::Code(code) => run(code),
            };
            if verdict != 1 {
                return Err(Errno::EPERM);
            }
        }
        Ok(())
    }
}

fn place(programs: &mut Vec<ProgramId>, program: ProgramId, flags: AttachFlags) -> Result<(), Errno> {
    if !flags.multi {
        programs.clear();
        programs.push(program);
        return Ok(());
    }
    if programs.contains(&program) && flags.replace != Some(program) {
        return Err(Errno::EINVAL);
    }
    match flags.replace {
        None => programs.push(program),
        Some(replaced) => {
            let position = programs.iter().position(|other| *other == replaced).ok_or(Errno::ENOENT)?;
            programs[position] = program;
        }
    }
    Ok(())
}
