//! Settings read back from files: what stands in records, and in the drop-ins that `SetUnitProperties` has made.

use super::findings::{Content, drop_in_of};

use crate::config::UnitPaths;
use crate::effect::Severity;
use crate::found::Found;
use crate::manager::Manager;
use crate::names::{UnitName, UnitType};
use crate::settings::Settings;
use crate::unit::UnitId;
use crate::unit_file::{self, Source};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Manager {
    /// Keeps the drop-ins of units that are not transient for when those are loaded.
    pub(in crate::manager) fn take_controls(&mut self, found: &Found) {
        let paths = self.config.unit_paths.clone();
        for file in &found.files {
            for directory in [&paths.runtime_control, &paths.persistent_control] {
                let Some(name) = drop_in_of(directory, &file.path) else { continue };
                match &file.content {
                    Ok(content) => {
                        let files = self.controls.entry(name).or_default();
                        files.insert(file.path.clone(), content.clone());
                    }
                    Err(error) => self.tell(Severity::Error, None, format!("not read: {error}")),
                }
            }
        }
    }

    /// Applies the drop-ins of a unit that is being loaded.
    pub(in crate::manager) fn apply_controls(&mut self, id: UnitId) {
        let unit = self.graph.unit(id);
        if unit.transient || unit.unit_type() > UnitType::Service {
            return;
        }
        let Some(files) = self.controls.get(&unit.name) else { return };
        let (name, files) = (unit.name.clone(), in_order(files, &self.config.unit_paths));
        let mut settings = unit.settings.clone();
        for (file, content) in &files {
            self.read_text(&name, file, content, &mut settings);
        }
        let unit = self.graph.unit_mut(id);
        unit.settings = settings;
        unit.drop_ins = files.into_iter().map(|(file, _)| file).collect();
    }

    /// The settings part of a record.
    pub(super) fn read_settings(&mut self, name: &UnitName, text: &str, settings: &mut Settings) {
        let file = format!("{}/{name}", self.config.unit_paths.transient);
        self.read_text(name, &file, text, settings);
    }

    /// The drop-ins of a transient unit, in their order; those that were read.
    pub(super) fn read_drop_ins(
        &mut self,
        name: &UnitName,
        files: Vec<(Arc<str>, Content)>,
        settings: &mut Settings,
    ) -> Vec<Arc<str>> {
        let mut read = Vec::new();
        for (file, content) in files {
            match content {
                Ok(content) => self.read_text(name, &file, &content, settings),
                Err(error) => self.tell(Severity::Error, None, format!("{name}: not read: {error}")),
            }
            read.push(file);
        }
        read
    }

    fn read_text(&mut self, name: &UnitName, file: &str, text: &str, settings: &mut Settings) {
        let path = format!("{}/{name}", self.config.unit_paths.transient);
        let source = Source { name, path: &path, config: &self.config };
        for warning in unit_file::read(text, &source, settings) {
            let (line, key, text) = (warning.line, &warning.key, &warning.text);
            self.tell(Severity::Warning, None, format!("{name}: {file}:{line}: {key}: {text}"));
        }
    }
}

/// By file name; of two with the same name only the persistent one counts (reference 10.2).
fn in_order(files: &BTreeMap<Arc<str>, String>, paths: &UnitPaths) -> Vec<(Arc<str>, String)> {
    let mut by_name: BTreeMap<&str, (&Arc<str>, &String)> = BTreeMap::new();
    for (file, content) in files {
        let name = file.rsplit('/').next().unwrap_or_default();
        if file.starts_with(&*paths.persistent_control) || !by_name.contains_key(name) {
            by_name.insert(name, (file, content));
        }
    }
    by_name.into_values().map(|(file, content)| (file.clone(), content.clone())).collect()
}
