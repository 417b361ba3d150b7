//! What others do in the same tree: they make and remove directories of their own, beside ours and inside delegated
//! ones, write there, and sometimes write our values.

use super::Workload;
use crate::choice::{Choice, pick};
use crate::kernel::{Caller, CgroupId, File, Kernel};
use crate::reference::Reference;
use crate::world::World;

/// A file whose value is the mark of whoever wrote it last: the arbiter never does.
pub(crate) const MARKED: File = File::CgroupMaxDescendants;

/// What others write to our files. The last ends everybody there.
const OTHERS_VALUES: [(File, &str); 4] =
    [(File::PidsMax, "77"), (File::MemoryHigh, "16777216"), (File::CpuWeight, "55"), (File::CgroupKill, "1")];

impl Workload {
    /// A foreigner does something.
    pub(super) fn interfere(&mut self, choice: &mut dyn Choice, world: &mut World, reference: &mut Reference) {
        let kernel = world.backend_mut().kernel_mut();
        self.foreign.retain(|cgroup, _| kernel.lookup(&Caller::INIT, cgroup.as_bytes()).is_ok());
        match choice.below(6) {
            0 => self.make(kernel, "/openrc.some"),
            1 | 2 => {
                let delegated: Vec<String> =
                    reference.units().filter(|(_, unit)| unit.delegated).map(|(_, unit)| unit.cgroup.clone()).collect();
                if let Some(cgroup) = pick(choice, &delegated) {
                    self.make(kernel, &format!("{cgroup}/own"));
                }
            }
            3 => self.mark(choice, kernel),
            4 => self.remove(choice, kernel),
            _ => write_ours(choice, kernel, reference),
        }
    }

    /// Owners let go on whom they have stopped.
    pub(super) fn unfreeze_delegated(&mut self, world: &mut World) {
        let kernel = world.backend_mut().kernel_mut();
        for cgroup in self.foreign.keys() {
            if let Ok(id) = kernel.lookup(&Caller::INIT, cgroup.as_bytes()) {
                let _ = kernel.write(&Caller::INIT, id, File::CgroupFreeze, b"0");
            }
        }
    }

    pub(crate) fn make(&mut self, kernel: &mut Kernel, cgroup: &str) {
        let Some((parent, name)) = cgroup.rsplit_once('/') else { return };
        let Ok(parent) = kernel.lookup(&Caller::INIT, parent.as_bytes()) else { return };
        if kernel.mkdir(&Caller::INIT, parent, name.as_bytes()).is_ok() {
            self.foreign.insert(cgroup.to_owned(), None);
            self.made += 1;
        }
    }

    fn mark(&mut self, choice: &mut dyn Choice, kernel: &mut Kernel) {
        let all: Vec<String> = self.foreign.keys().cloned().collect();
        let Some(cgroup) = pick(choice, &all) else { return };
        let Ok(id) = kernel.lookup(&Caller::INIT, cgroup.as_bytes()) else { return };
        let value = format!("{}", 100 + choice.below(100));
        if kernel.write(&Caller::INIT, id, MARKED, value.as_bytes()).is_ok() {
            self.foreign.insert(cgroup.clone(), Some(value));
        }
    }

    fn remove(&mut self, choice: &mut dyn Choice, kernel: &mut Kernel) {
        let all: Vec<String> = self.foreign.keys().cloned().collect();
        let Some(cgroup) = pick(choice, &all) else { return };
        let Ok(id) = kernel.lookup(&Caller::INIT, cgroup.as_bytes()) else { return };
        if kernel.rmdir(&Caller::INIT, id).is_ok() {
            self.foreign.remove(cgroup);
        }
    }
}

/// Somebody with privileges writes a limit of ours, behind our back.
fn write_ours(choice: &mut dyn Choice, kernel: &mut Kernel, reference: &mut Reference) {
    let all: Vec<String> = reference.units().map(|(_, unit)| unit.cgroup.clone()).collect();
    let Some(cgroup) = pick(choice, &all) else { return };
    let found: Result<CgroupId, _> = kernel.lookup(&Caller::INIT, cgroup.as_bytes());
    let Ok(id) = found else { return };
    let (file, value) = OTHERS_VALUES[choice.below(4) as usize];
    if kernel.write(&Caller::INIT, id, file, value.as_bytes()).is_ok() {
        reference.meddle(cgroup, file.name());
    }
}
