//! `NeedDaemonReload`: whether a unit was loaded from other files than lie there now. The few places where its files
//! may lie are read when somebody asks, so that the answer is about the disk and costs the same whatever else is there.

use super::Manager;
use super::process::Waiting;
use super::requests::Answered;
use crate::event::Question;
use crate::request::CallId;
use crate::systemd1;
use crate::unit::{LoadState, UnitId};
use crate::unit_files::UnitFile;
use alloc::string::String;
use alloc::vec::Vec;

impl Manager {
    /// Asks for the unit's files if one of its properties needs them; otherwise goes on to what the kernel says.
    pub(super) fn get_unit_property(
        &mut self,
        call: CallId,
        interface: String,
        name: Option<String>,
        id: UnitId,
    ) -> Answered {
        let unit = self.graph.unit(id);
        let has_files = !matches!(unit.load, LoadState::Stub | LoadState::NotFound);
        if !has_files || !systemd1::needs_files(&interface, name.as_deref()) {
            return self.get_with_readings(call, interface, name, id, false);
        }
        let places = self.files.places_of(&unit.name, self.own_file(id));
        self.graph.unit_mut(id).marks.asked = true;
        self.read(Question::UnitFiles(places), Waiting::PropertyFiles { call, interface, name, unit: id });
        Ok(None)
    }

    /// The unit's files are there; or could not be read, and then they are not those it was loaded from.
    pub(super) fn unit_files_seen(
        &mut self,
        call: CallId,
        interface: String,
        name: Option<String>,
        id: UnitId,
        files: Option<Vec<UnitFile>>,
    ) {
        let outdated = files.is_none_or(|files| self.is_outdated(id, files));
        let answered = self.get_with_readings(call, interface, name, id, outdated);
        self.graph.unit_mut(id).marks.asked = false;
        self.queue_collect(id);
        if let Some(reply) = answered.transpose() {
            self.reply(call, reply);
        }
    }

    /// The file that the unit was loaded from, as it was then; of one that could not be loaded, that which kept it from
    /// being. A transient one has none but drop-ins, and a unit without a file gets none before a reload.
    fn own_file(&self, id: UnitId) -> Option<&UnitFile> {
        let unit = self.graph.unit(id);
        if unit.transient || unit.load == LoadState::Loaded && unit.fragment.is_none() {
            return None;
        }
        self.files.own_file(&unit.name, unit.fragment.as_deref())
    }

    /// Whether the unit is something else than these files, which lie there now, would make of it.
    fn is_outdated(&self, id: UnitId, files: Vec<UnitFile>) -> bool {
        let unit = self.graph.unit(id);
        let now = self.files.of_one(&unit.name, files, self.unwritten());
        let own = self.own_file(id);
        let has_lost_its_own = own.is_none() && unit.fragment.is_some() && !unit.transient;
        let is_changed = own.is_some_and(|file| now.at(&file.path) != Some(file));
        let is_loaded = unit.load == LoadState::Loaded;
        has_lost_its_own || is_changed || is_loaded && self.files.drop_ins_differ(&unit.name, &unit.drop_ins, &now)
    }
}
