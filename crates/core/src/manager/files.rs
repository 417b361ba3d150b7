//! Units from files: what the index of unit files makes of a name when it is loaded, and what a reload changes in
//! units that are loaded already (reference 10.1, 10.2). Which file counts is decided in `unit_files.rs`, what stands
//! in it in `unit_file.rs`.

use super::Manager;
use super::transient::check_type;
use crate::effect::{Reply, Severity as Loudness};
use crate::error::{Refusal, RefusalKind};
use crate::event::Question;
use crate::names::{NameError, UnitName, UnitType};
use crate::plan::Op;
use crate::propagation;
use crate::properties;
use crate::request::CallId;
use crate::settings::Settings;
use crate::unit::{LoadState, UnitId};
use crate::unit_file::{self, Severity, Source};
use crate::unit_files::{Content, Fragment, UnitFile, UnitFiles};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What files make of a unit.
pub(super) struct Configured {
    pub(super) settings: Settings,
    pub(super) fragment: Option<Arc<str>>,
    pub(super) drop_ins: Vec<Arc<str>>,
}

/// Why a unit is not loaded.
pub(super) type Unfit = (LoadState, Refusal);

impl Manager {
    /// Configures a unit that is being loaded; the state it is loaded with.
    pub(super) fn configure(&mut self, id: UnitId) -> (LoadState, Option<Refusal>) {
        match self.read_files(id, None) {
            Ok(configured) => {
                let unit = self.graph.unit_mut(id);
                unit.settings = configured.settings;
                unit.drop_ins = configured.drop_ins;
                if !unit.transient {
                    unit.fragment = configured.fragment;
                    unit.settings.shrink_to_fit();
                }
                self.name_anew(id);
                (LoadState::Loaded, None)
            }
            Err((load, refusal)) => (load, Some(refusal)),
        }
    }

    fn name_anew(&mut self, id: UnitId) {
        let name = &self.graph.unit(id).name;
        let aliases: Box<[UnitName]> = self.files.aliases_of(name).cloned().collect();
        self.graph.unit_mut(id).aliases = aliases;
    }

    /// What a unit is to be, by its own file and its drop-ins. A transient one is what its maker said, and the drop-ins
    /// come on top of that; a slice needs no file, and a file of a scope is none of its maker. What is wrong in files
    /// that are among those `known` has been told.
    fn read_files(&mut self, id: UnitId, known: Option<&UnitFiles>) -> Result<Configured, Unfit> {
        let unit = self.graph.unit(id);
        let (name, unit_type, transient) = (unit.name.clone(), unit.unit_type(), unit.transient);
        if unit_type == UnitType::Slice {
            super::load::check_slice(&name)?;
        }
        let not_found =
            || (LoadState::NotFound, Refusal::new(RefusalKind::NoSuchUnit, format!("Unit {name} not found.")));
        if !unit_type.is_managed() || (unit_type == UnitType::Scope && !transient) {
            return Err(not_found());
        }
        if transient {
            let (mut settings, noted) = (unit.settings.clone(), unit.drop_ins.clone());
            // Where its file lies is known before it is loaded only of one with a record, which was read with all its
            // drop-ins, in the order in which they had come to count.
            let is_recorded = unit.fragment.is_some();
            let drop_ins = if is_recorded { noted } else { self.read_drop_ins(&name, "", &mut settings, known)? };
            return Ok(Configured { settings, fragment: None, drop_ins });
        }
        let fragment = match self.files.fragment(&name) {
            None if unit_type == UnitType::Service => return Err(not_found()),
            None => None,
            Some(Fragment::Masked(_)) => {
                return Err((
                    LoadState::Masked,
                    Refusal::new(RefusalKind::UnitMasked, format!("Unit {name} is masked.")),
                ));
            }
            Some(Fragment::File(file)) => Some(file.clone()),
        };
        let mut settings = properties::default_settings(unit_type, &self.config);
        let path = fragment.as_ref().map(|file| Arc::from(file.shown_path()));
        if let Some(file) = &fragment {
            self.read_file(&name, file.shown_path(), file, &mut settings, known)?;
        }
        let drop_ins = self.read_drop_ins(&name, path.as_deref().unwrap_or(""), &mut settings, known)?;
        self.add_ties(&name, &mut settings);
        check_type(unit_type, &settings).map_err(|_| bad_setting(&name))?;
        self.check_can_notify(&settings).map_err(|_| bad_setting(&name))?;
        Ok(Configured { settings, fragment: path, drop_ins })
    }

    pub(super) fn read_drop_ins(
        &mut self,
        name: &UnitName,
        path: &str,
        settings: &mut Settings,
        known: Option<&UnitFiles>,
    ) -> Result<Vec<Arc<str>>, Unfit> {
        let files: Vec<UnitFile> = self.files.drop_ins(name).into_iter().cloned().collect();
        for file in &files {
            self.read_file(name, path, file, settings, known)?;
        }
        Ok(files.into_iter().map(|file| file.path).collect())
    }

    /// Drop-ins of a unit that has a record: they lie below those made for it since. One that became unfit is passed
    /// over; whether there is one, because what it said may be in force.
    pub(super) fn read_drop_ins_of_files(
        &mut self,
        name: &UnitName,
        path: &str,
        settings: &mut Settings,
    ) -> (Vec<Arc<str>>, bool) {
        let files: Vec<UnitFile> = self.files.drop_ins(name).into_iter().cloned().collect();
        let mut read = Vec::with_capacity(files.len());
        for file in &files {
            let before = settings.clone();
            match self.read_file(name, path, file, settings, None) {
                Ok(()) => read.push(file.path.clone()),
                Err((_, refusal)) => {
                    *settings = before;
                    let text = format!("{name} goes on without {}: {}", file.path, refusal.message);
                    self.tell(Loudness::Warning, None, text);
                }
            }
        }
        let is_unfit = read.len() < files.len();
        (read, is_unfit)
    }

    /// Applies one file; what is wrong in it is told.
    pub(super) fn read_file(
        &mut self,
        name: &UnitName,
        path: &str,
        file: &UnitFile,
        settings: &mut Settings,
        known: Option<&UnitFiles>,
    ) -> Result<(), Unfit> {
        let unit = self.graph.find(name.as_str());
        let is_news = known.is_none_or(|known| known.at(&file.path) != Some(file));
        let content = match &file.content {
            Content::Text(content) => content.clone(),
            Content::Unreadable(error) => {
                let text = format!("Unit {name} cannot be loaded: {error}");
                if is_news {
                    self.tell(Loudness::Error, unit, text.clone());
                }
                return Err((LoadState::Error, Refusal::new(RefusalKind::LoadFailed, text)));
            }
        };
        let source = Source { name, path, config: &self.config };
        let warnings = unit_file::read(&content, &source, settings);
        let worst = warnings.iter().map(|warning| warning.severity).max();
        for warning in warnings.into_iter().filter(|_| is_news) {
            let key = if warning.key.is_empty() { String::new() } else { format!(" {}:", warning.key) };
            self.tell(Loudness::Warning, unit, format!("{}:{}:{key} {}", file.path, warning.line, warning.text));
        }
        match worst {
            Some(Severity::BadSetting) => Err(bad_setting(name)),
            Some(Severity::Unreadable) => {
                let text = format!("Unit {name} failed to load properly: {} is no unit file.", file.path);
                Err((LoadState::Error, Refusal::new(RefusalKind::LoadFailed, text)))
            }
            Some(Severity::Skipped) | None => Ok(()),
        }
    }

    /// Ties made by links beside the file; and every tie to another name of a unit is one to that unit.
    fn add_ties(&self, name: &UnitName, settings: &mut Settings) {
        for (dependency, other) in self.files.ties(name) {
            let other = match UnitName::parse(other) {
                Err(NameError::Template) => UnitName::parse(&properties::instance_for(other, name)),
                parsed => parsed,
            };
            let Ok(other) = other else { continue };
            if !settings.dependencies.contains(&(dependency, other.clone())) {
                settings.dependencies.push((dependency, other));
            }
        }
        for (_, other) in &mut settings.dependencies {
            if let Some(unit) = self.files.canonical(other.as_str()) {
                other.clone_from(unit);
            }
        }
    }

    /// A reload begins by reading everything anew.
    pub(super) fn ask_for_files(&mut self, call: CallId) {
        let directory = &self.config.unit_paths.transient;
        let foreign = self.foreign.iter().map(|name| Arc::from([directory, "/", name.as_str()].concat()));
        let places = self.files.search().iter().cloned().chain(foreign).collect();
        self.read(Question::UnitFiles(places), super::process::Waiting::Reload { call });
    }

    /// The files are there: every unit is compared with them, and only what differs is changed.
    pub(super) fn reload(&mut self, call: CallId, files: Vec<UnitFile>) {
        let before = self.take_files(files);
        let others = self.with_other_drop_ins(&before);
        match others.is_empty() {
            true => self.reload_done(call),
            false => self.read_records(Some(call), &others, Some(Box::new(before))),
        }
    }

    /// Every unit is what the files make of it.
    pub(super) fn reload_done(&mut self, call: CallId) {
        self.announce_reload();
        self.reply(call, Ok(Reply::Done));
    }

    /// These files count from now on, and no others; those that counted before. What has been told of a file is not
    /// told again. Transient units are not compared.
    pub(super) fn take_files(&mut self, files: Vec<UnitFile>) -> UnitFiles {
        let search = self.files.search().to_vec();
        let before = core::mem::replace(&mut self.files, UnitFiles::new(search));
        for file in files.iter().filter(|file| !file.is_dangling() && before.at(&file.path) != Some(*file)) {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let is_file = name.ends_with(".conf") || !matches!(UnitName::parse(name), Err(NameError::Invalid));
            if let (Content::Unreadable(error), true) = (&file.content, is_file) {
                self.tell(Loudness::Warning, None, format!("cannot be read as a unit file: {error}"));
            }
        }
        self.files.replace(files);
        let news = self.files.unread().filter(|error| !before.unread().any(|known| known == *error));
        let unread: Vec<String> = news.map(|error| format!("unit files are not read: {error}")).collect();
        unread.into_iter().for_each(|text| self.tell(Loudness::Error, None, text));
        self.forget_foreign();
        self.keep_unwritten();
        let all: Vec<UnitId> = self.graph.iter().map(|(id, _)| id).collect();
        for id in all {
            self.configure_anew(id, Some(&before));
        }
        self.load_queued();
        before
    }

    /// Files of others among the transient ones that have gone meanwhile keep their names from nobody any more.
    fn forget_foreign(&mut self) {
        let directory = &self.config.unit_paths.transient;
        let is_there = |name: &UnitName| self.files.at(&[directory, "/", name.as_str()].concat()).is_some();
        self.foreign.retain(is_there);
    }

    /// What is still on its way to the disk counts as if it were there.
    fn keep_unwritten(&mut self) {
        let unwritten: Vec<Op> = self.unwritten().cloned().collect();
        unwritten.iter().for_each(|op| self.files.follow_op(op));
    }

    /// Everything that is still on its way to kernel and store.
    pub(super) fn unwritten(&self) -> impl Iterator<Item = &Op> {
        let in_flight = self.in_flight.iter().flat_map(|run| run.plan.steps.iter());
        let intents = self.graph.iter().filter_map(|(_, unit)| unit.work.intents.as_ref());
        let steps = in_flight.chain(&self.loose).map(|step| &step.op);
        steps.chain(intents.flat_map(|intents| intents.files.iter()))
    }

    /// Compares one unit with its files. Transient units keep what their makers and setters said. A unit that is up and
    /// whose file has gone, or became unfit, keeps what it has: nothing that runs loses a limit that way.
    pub(super) fn configure_anew(&mut self, id: UnitId, known: Option<&UnitFiles>) {
        let work = &mut self.graph.unit_mut(id).work;
        let pending = work.intents.iter_mut().flat_map(|intents| &mut intents.undo);
        work.planned.undo.iter_mut().chain(pending).for_each(|undo| undo.is_reread = true);
        let unit = self.graph.unit(id);
        if unit.transient || unit.load == LoadState::Stub {
            return;
        }
        let was_loaded = unit.load == LoadState::Loaded;
        let is_up = !unit.active().is_inactive_or_failed() || unit.realized.is_used();
        // It is there with a damaged record: files cannot tell what it was.
        if !was_loaded && is_up {
            return;
        }
        let is_in_use = is_up || unit.work.is_pending();
        match self.read_files(id, known) {
            Ok(_) if !was_loaded => {
                let unit = self.graph.unit_mut(id);
                unit.load = LoadState::Stub;
                unit.load_error = None;
                self.load(id);
            }
            Ok(configured) => self.reconfigure(id, configured, is_in_use),
            Err((_, refusal)) if was_loaded && is_in_use => {
                let text = format!("It keeps its settings, because it is up: {}", refusal.message);
                self.tell(Loudness::Warning, Some(id), text);
                self.graph.unit_mut(id).fragment = None;
            }
            Err((load, refusal)) => self.unload(id, load, refusal),
        }
    }

    /// Gives a loaded unit the settings of its files. Where it lies is not changed while it is up.
    pub(super) fn reconfigure(&mut self, id: UnitId, configured: Configured, is_in_use: bool) {
        let unit = self.graph.unit_mut(id);
        unit.fragment = configured.fragment;
        unit.drop_ins = configured.drop_ins;
        let mut settings = configured.settings;
        settings.keep_what_files_do_not_hold(&unit.settings);
        if is_in_use {
            settings.slice.clone_from(&unit.settings.slice);
        }
        let is_same = settings == unit.settings;
        self.name_anew(id);
        if is_same {
            return;
        }
        let changed = propagation::withdraw(&mut self.graph, id);
        self.realize_slices(&changed);
        self.untie(id);
        self.graph.unit_mut(id).settings = settings;
        self.tie(id);
        let touched = propagation::update_subtree(&mut self.graph, id);
        touched.iter().for_each(|unit| self.queue_realize(*unit));
    }

    /// A unit lets go of all that it names, which may have nobody left who needs it.
    pub(super) fn untie(&mut self, id: UnitId) {
        let named: Vec<UnitId> = self.graph.all_edges(id).map(|(_, other)| other).collect();
        self.graph.untie(id);
        named.into_iter().chain(self.graph.unit(id).slice).for_each(|other| self.queue_collect(other));
    }

    /// A unit that is not in use has no usable file any more.
    fn unload(&mut self, id: UnitId, load: LoadState, refusal: Refusal) {
        self.graph.untie(id);
        let settings = properties::default_settings(self.graph.unit(id).unit_type(), &self.config);
        let unit = self.graph.unit_mut(id);
        unit.load = load;
        unit.load_error = Some(Box::new(refusal));
        unit.fragment = None;
        unit.drop_ins = Vec::new();
        unit.settings = settings;
        let changed = propagation::update(&mut self.graph, id);
        self.realize_slices(&changed);
    }
}

fn bad_setting(name: &UnitName) -> Unfit {
    let text = format!("Unit {name} has a bad unit file setting.");
    (LoadState::BadSetting, Refusal::new(RefusalKind::BadUnitSetting, text))
}
