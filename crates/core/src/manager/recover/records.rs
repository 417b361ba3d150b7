//! Settings read back from records: what stands in transient unit files, and in the drop-ins made for them since.

use super::findings::Content;
use crate::effect::Severity;
use crate::manager::Manager;
use crate::names::UnitName;
use crate::settings::Settings;
use crate::unit_file::{self, Source};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Manager {
    /// The settings part of a record.
    pub(super) fn read_settings(&mut self, name: &UnitName, text: &str, settings: &mut Settings) {
        let file = format!("{}/{name}", self.config.unit_paths.transient);
        self.read_text(name, &file, text, settings);
    }

    /// The drop-ins of a transient unit, in their order; those that were read.
    pub(super) fn read_recorded_drop_ins(
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
