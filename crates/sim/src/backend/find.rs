//! What an arbiter finds when it starts: the directories that units may have, and the files of the store.

use super::{SimBackend, number};
use crate::kernel::{CgroupId, File, Pid};
use crate::store::{Entry, is_aside};
use cgarbiter_core::config::UnitPaths;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::found::{Found, FoundCgroup, FoundFile};
use cgarbiter_core::{Errno, OpError};

impl SimBackend {
    /// Look: everything that an earlier arbiter may have left.
    #[must_use]
    pub fn found(&self, paths: &UnitPaths) -> Found {
        let mut cgroups = Vec::new();
        let mut todo = vec![CgroupId::ROOT];
        while let Some(above) = todo.pop() {
            for (name, id) in self.kernel.children(above) {
                let is_slice = name.ends_with(b".slice");
                let found = self.found_cgroup(id, is_slice, name.ends_with(b".service"));
                if is_slice && !found.delegated {
                    todo.push(id);
                }
                cgroups.push(found);
            }
        }
        cgroups.sort_by(|a, b| a.path.cmp(&b.path));
        let mut files = self.found_files(&paths.transient);
        files.extend(self.found_files(&paths.quarantine));
        let unit_files = paths.files().iter().flat_map(|directory| self.store.unit_files(directory)).collect();
        // Descriptors go with the arbiter.
        Found { cgroups, files, unit_files, descriptors: Vec::new() }
    }

    /// Look: controllers that the root hands down now.
    #[must_use]
    pub fn root_enabled(&self) -> ControllerMask {
        ControllerMask::parse(&self.read(CgroupId::ROOT, File::CgroupSubtreeControl).unwrap_or_default())
    }

    fn found_cgroup(&self, id: CgroupId, is_slice: bool, is_service: bool) -> FoundCgroup {
        let text = |file| self.read(id, file).unwrap_or_default();
        let events = text(File::CgroupEvents);
        let attribute =
            |name: &str| self.kernel.get_xattr(&self.myself(), id, None, name.as_bytes()).ok().map(<[u8]>::to_vec);
        let invocation = attribute("user.invocation_id").map(|value| String::from_utf8_lossy(&value).into_owned());
        // Whoever owns a directory may mark it. Slices are never handed to anybody.
        let owner = self.kernel.stat(id, None).map(|attributes| attributes.uid);
        let invocation = invocation.filter(|_| !is_slice || owner == Ok(self.myself().uid));
        let pids = if is_service { text(File::CgroupProcs) } else { String::new() };
        FoundCgroup {
            path: self.path(id),
            id: id.ino(),
            enabled: ControllerMask::parse(&if is_slice { text(File::CgroupSubtreeControl) } else { String::new() }),
            invocation,
            delegated: ["user.delegate", "trusted.delegate"]
                .iter()
                .any(|name| attribute(name).as_deref() == Some(b"1")),
            populated: events.contains("populated 1"),
            freeze: text(File::CgroupFreeze).trim() == "1",
            frozen: events.contains("frozen 1"),
            pids: pids.lines().filter_map(|line| line.parse::<Pid>().ok()).map(number).collect(),
        }
    }

    fn found_files(&self, directory: &str) -> Vec<FoundFile> {
        let inside = format!("{directory}/");
        let records = self.store.below(&inside).filter(|(path, _)| !is_aside(path));
        let files = records.map(|(path, entry)| FoundFile {
            path: path.into(),
            content: match entry {
                Entry::Text(text) => Ok(text.clone()),
                Entry::Link(_) => Err(OpError::new(path, Errno::from_raw(40))),
            },
        });
        files.collect()
    }
}
