//! Transient units whose drop-ins have changed when the unit files are read anew. What such a unit was made with, and
//! what was set since, stands in the store alone: it is read once more, and the drop-ins of the search path come
//! between the two, as when the arbiter starts anew (`recover.rs`). Units whose drop-ins are what they were are not
//! asked about.

use super::Manager;
use super::process::Waiting;
use crate::effect::Severity;
use crate::error::{OpError, Refusal, RefusalKind};
use crate::event::Question;
use crate::names::UnitName;
use crate::persist;
use crate::plan::Op;
use crate::properties;
use crate::request::CallId;
use crate::unit::{LoadState, Unit, UnitId};
use crate::unit_file;
use crate::unit_files::{Content, UnitFile, UnitFiles};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a reading of records is for.
#[derive(Clone, Debug)]
pub(super) struct Reread {
    /// The reload that waits for it.
    pub(super) call: Option<CallId>,
    /// Whose records are read. By name: some may have gone when they are there.
    units: Vec<UnitName>,
    /// The files that counted before; what is wrong in those is known.
    before: Option<Box<UnitFiles>>,
}

impl Manager {
    /// The transient units that other drop-ins count for than before, or drop-ins with other texts.
    pub(super) fn with_other_drop_ins(&self, before: &UnitFiles) -> Vec<UnitId> {
        let transient = self.graph.iter().filter(|(_, unit)| is_recorded(unit));
        let differs = |unit: &Unit| before.drop_ins(&unit.name) != self.files.drop_ins(&unit.name);
        transient.filter(|(_, unit)| differs(unit)).map(|(id, _)| id).collect()
    }

    /// Asks for the records of these units, to configure them anew.
    pub(super) fn read_records(&mut self, call: Option<CallId>, units: &[UnitId], before: Option<Box<UnitFiles>>) {
        let units: Vec<&Unit> = units.iter().map(|id| self.graph.unit(*id)).filter(|unit| is_recorded(unit)).collect();
        let files = units.iter().filter_map(|unit| unit.fragment.as_ref());
        let places = files.flat_map(|file| [file.clone(), beside(file)]).collect();
        let units = units.into_iter().map(|unit| unit.name.clone()).collect();
        self.read(Question::UnitFiles(places), Waiting::Records(Reread { call, units, before }));
    }

    /// The records are there.
    pub(super) fn records_read(&mut self, reread: Reread, files: Vec<UnitFile>) {
        let mut lying: BTreeMap<Arc<str>, Content> = files.into_iter().map(|file| (file.path, file.content)).collect();
        self.unwritten().for_each(|op| follow(&mut lying, op));
        for name in &reread.units {
            let found = self.graph.find(name.as_str());
            if let Some(id) = found.filter(|id| is_recorded(self.graph.unit(*id))) {
                self.configure_by_record(id, &lying, reread.before.as_deref());
            }
        }
        self.load_queued();
        if let Some(call) = reread.call {
            self.reload_done(call);
        }
    }

    /// None of the records could be read. Everything else has been read anew.
    pub(super) fn records_unread(&mut self, reread: Reread, error: &OpError) {
        for name in &reread.units {
            let found = self.graph.find(name.as_str());
            self.tell(Severity::Warning, found, format!("{name} keeps its settings: {error}"));
        }
        if let Some(call) = reread.call {
            self.reload_done(call);
        }
    }

    /// A unit that cannot be read anew keeps what it has: nothing loses a limit that way.
    fn configure_by_record(&mut self, id: UnitId, lying: &BTreeMap<Arc<str>, Content>, known: Option<&UnitFiles>) {
        let unit = self.graph.unit(id);
        let is_up = !unit.active().is_inactive_or_failed() || unit.realized.is_used();
        let is_in_use = is_up || unit.work.is_pending();
        match self.read_record(id, lying, known) {
            Ok(configured) => self.reconfigure(id, configured, is_in_use),
            Err(refusal) => {
                let text = format!("It keeps its settings: {}", refusal.message);
                self.tell(Severity::Warning, Some(id), text);
            }
        }
    }

    /// First what its maker said, then the drop-ins of the search path, then what was set since.
    fn read_record(
        &mut self,
        id: UnitId,
        lying: &BTreeMap<Arc<str>, Content>,
        known: Option<&UnitFiles>,
    ) -> Result<super::files::Configured, Refusal> {
        let unit = self.graph.unit(id);
        let (name, unit_type) = (unit.name.clone(), unit.unit_type());
        let file = unit.fragment.clone().expect("only units with a record are asked about");
        let text = match unit.work.intents.as_ref().and_then(|intents| intents.record.clone()) {
            // It is not written yet.
            Some(text) => text,
            None => settings_of(&file, lying)?,
        };
        let mut settings = properties::default_settings(unit_type, &self.config);
        let source = unit_file::Source { name: &name, path: &file, config: &self.config };
        // What is wrong in it was told, or refused, when it was made.
        let _ = unit_file::read(&text, &source, &mut settings);
        let unfit = |(_, refusal)| refusal;
        let mut drop_ins = self.read_drop_ins(&name, &file, &mut settings, known).map_err(unfit)?;
        let inside = [&beside(&file), "/"].concat();
        for (path, content) in lying.iter().filter(|(path, _)| path.starts_with(&inside) && path.ends_with(".conf")) {
            let drop_in = UnitFile { path: path.clone(), link: None, content: content.clone() };
            self.read_file(&name, &file, &drop_in, &mut settings, None).map_err(unfit)?;
            drop_ins.push(path.clone());
        }
        if let Some(Content::Unreadable(error)) = lying.get(&beside(&file)) {
            return Err(unread(error));
        }
        super::transient::check_type(unit_type, &settings)?;
        self.check_can_notify(&settings)?;
        Ok(super::files::Configured { settings, fragment: Some(file), drop_ins })
    }
}

/// Whether there is a record that tells what the unit was made with.
fn is_recorded(unit: &Unit) -> bool {
    unit.transient && unit.load == LoadState::Loaded && unit.fragment.is_some()
}

/// Where what was set since lies.
fn beside(file: &str) -> Arc<str> {
    [file, ".d"].concat().into()
}

fn settings_of(file: &str, lying: &BTreeMap<Arc<str>, Content>) -> Result<String, Refusal> {
    let fail = |why: &str| Err(Refusal::new(RefusalKind::LoadFailed, format!("{file}: {why}")));
    match lying.get(file) {
        Some(Content::Text(text)) => match persist::read(text) {
            Ok((settings, _)) => Ok(settings.into()),
            Err(damage) => fail(&format!("{damage}")),
        },
        Some(Content::Unreadable(error)) => Err(unread(error)),
        None => fail("it is not there"),
    }
}

fn unread(error: &OpError) -> Refusal {
    Refusal::new(RefusalKind::LoadFailed, format!("{error}"))
}

/// What is on its way to the store counts as if it were there.
fn follow(lying: &mut BTreeMap<Arc<str>, Content>, op: &Op) {
    match op {
        Op::WriteFile { file, content, .. } => {
            lying.insert(file.clone(), Content::Text(content.as_str().into()));
        }
        Op::RemoveFile { file, directory: false } => drop(lying.remove(file)),
        Op::RemoveFile { file, directory: true } => {
            let inside = [file, "/"].concat();
            lying.retain(|path, _| !path.starts_with(&inside));
        }
        _ => {}
    }
}
