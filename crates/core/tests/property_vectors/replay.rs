//! One scenario: settings by unit, changed by the calls, compared with the recorded outcomes.

use crate::expected;
use crate::wire::{decode, items, variant};
use cgarbiter_core::Config;
use cgarbiter_core::Refusal;
use cgarbiter_core::attribute::Inherited;
use cgarbiter_core::client::Transport;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::names::{UnitName, UnitType, label_unescape};
use cgarbiter_core::properties::{self, Context, Property};
use cgarbiter_core::resources::attributes;
use cgarbiter_core::settings::Settings;
use cgarbiter_core::unit_file::TransientFile;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// What was compared, and what differed.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) arrays: usize,
    pub(crate) values: usize,
    pub(crate) files: usize,
    pub(crate) attributes: usize,
    pub(crate) differences: Vec<String>,
}

struct Known {
    settings: Settings,
    /// Drop-ins outlived it: its settings are no longer known here.
    vague: bool,
    /// The transient file's lines, then drop-ins by stem.
    files: BTreeMap<String, Vec<String>>,
}

pub(crate) struct Replay<'a> {
    scenario: &'a Json,
    tally: &'a mut Tally,
    config: Config,
    units: BTreeMap<String, Known>,
    /// Units without a file of their own that have drop-ins, which outlive them.
    configured: BTreeSet<String>,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(scenario: &'a Json, tally: &'a mut Tally) -> Self {
        Self { scenario, tally, config: Config::example(), units: BTreeMap::new(), configured: BTreeSet::new() }
    }

    pub(crate) fn run(mut self) {
        for step in items(&self.scenario["steps"]) {
            match step["op"].as_str().expect("op") {
                "call" => self.call(step),
                "get" => self.compare_values(step),
                "files" => self.compare_files(step),
                "cgroup" => self.compare_attributes(step),
                "settle" => self.forget(step),
                "write_unit_file" => return,
                _ => {}
            }
        }
    }

    fn differ(&mut self, what: &str) {
        let name = self.scenario["name"].as_str().expect("name");
        self.tally.differences.push(format!("{name}: {what}"));
    }

    fn call(&mut self, step: &Json) {
        let arguments = items(&step["args"]);
        match step["member"].as_str().expect("member") {
            "StartTransientUnit" => self.change(step, arguments[0].as_str().expect("name"), &arguments[2], true),
            "SetUnitProperties" => self.change(step, arguments[0].as_str().expect("name"), &arguments[2], false),
            "SetProperties" => {
                let object = step["path"].as_str().expect("path").rsplit('/').next().expect("component");
                let name = label_unescape(object).expect("label");
                self.change(step, &name, &arguments[1], false);
            }
            "Reload" => self.units.clear(),
            _ => {}
        }
    }

    fn change(&mut self, step: &Json, name: &str, properties: &Json, creating: bool) {
        let Some(unit_type) = UnitName::parse(name).ok().map(|name| name.unit_type()) else { return };
        let parsed = parse_all(&self.config, unit_type, creating, properties);
        if !self.compare_errors(step, &parsed) {
            return;
        }
        let Ok(parsed) = parsed else { return };
        if creating || !self.units.contains_key(name) {
            let settings = properties::default_settings(unit_type, &self.config);
            let vague = self.configured.contains(name);
            self.units.insert(name.into(), Known { settings, vague, files: BTreeMap::new() });
        }
        let known = self.units.get_mut(name).expect("just made");
        apply_all(known, unit_type, creating, &parsed);
        if creating {
            self.auxiliary(step);
        }
    }

    fn auxiliary(&mut self, step: &Json) {
        for unit in items(&step["args"][3]) {
            let fake = serde_json::json!({ "reply": {}, "args": [] });
            self.change(&fake, unit[0].as_str().expect("name"), &unit[1], true);
        }
    }

    /// Whether the call succeeded on both sides.
    fn compare_errors(&mut self, step: &Json, parsed: &Result<Vec<Property>, Refusal>) -> bool {
        let (error, message) = (step["error"].as_str(), step["message"].as_str().unwrap_or(""));
        if error.is_some_and(|error| !expected::is_about_properties(error, message)) {
            return false;
        }
        self.tally.arrays += 1;
        let ours = parsed.as_ref().err().map(|refusal| (refusal.kind.bus_name(), refusal.message.as_str()));
        let theirs = error.map(|error| (error, message));
        let arguments = step["args"].to_string();
        if ours != theirs && !expected::differs_on_purpose(theirs, ours) {
            self.differ(&format!("{arguments}: {ours:?} instead of {theirs:?}"));
        }
        ours.is_none() && theirs.is_none()
    }

    fn compare_values(&mut self, step: &Json) {
        let name = step["unit"].as_str().expect("unit");
        let Some(known) = self.units.get(name).filter(|known| step["loaded"] == true && !known.vague) else { return };
        let unit_type = UnitName::parse(name).expect("valid").unit_type();
        let mut found = Vec::new();
        for (property, json) in step["props"].as_object().expect("props") {
            let Some(ours) = properties::read(property, &known.settings, &self.config, unit_type) else { continue };
            if json.get("any").is_some() || json.get("error").is_some() || json.is_null() {
                continue;
            }
            let (signature, value) = variant(json);
            self.tally.values += 1;
            if ours != decode(signature, value) {
                found.push(format!("{name} {property} is {ours:?} instead of {json}"));
            }
        }
        found.iter().for_each(|text| self.differ(text));
    }

    fn compare_files(&mut self, step: &Json) {
        let quirk = step["quirk"].as_str().unwrap_or("");
        let mut found = Vec::new();
        for (path, content) in step["content"].as_object().expect("content") {
            let Some(ours) = self.our_file(path) else { continue };
            let theirs: Vec<&str> = items(content).iter().filter_map(Json::as_str).collect();
            self.tally.files += 1;
            if ours != theirs && !expected::is_other_file(quirk, path) {
                found.push(format!("{path} is {ours:?} instead of {theirs:?}"));
            }
        }
        found.iter().for_each(|text| self.differ(text));
    }

    /// What the kernel shows for the values we would write.
    fn compare_attributes(&mut self, step: &Json) {
        let (Some(files), Some(path)) = (step["files"].as_object(), step["path"].as_str()) else { return };
        let Some(wanted) = self.our_attributes(path) else { return };
        let mut found = Vec::new();
        for (file, json) in files {
            let (Some(theirs), Some(ours)) = (json.as_str(), wanted.get(file.as_str())) else { continue };
            self.tally.attributes += 1;
            if !expected::kernel_shows(file, ours, theirs) {
                found.push(format!("{path} {file} is {ours:?} instead of {theirs:?}"));
            }
        }
        found.iter().for_each(|text| self.differ(text));
    }

    fn our_attributes(&self, path: &str) -> Option<BTreeMap<&'static str, String>> {
        let (above, name) = path.rsplit_once('/')?;
        let known = self.units.get(name).filter(|known| !known.vague)?;
        let mut inherited = Inherited::default();
        for slice in above.rsplit('/').filter_map(|name| self.units.get(name)) {
            let resources = &slice.settings.resources;
            let (min, low) = (resources.default_memory_min, resources.default_memory_low);
            inherited.memory_min = inherited.memory_min.or(resources.default_memory_min_set.then_some(min));
            inherited.memory_low = inherited.memory_low.or(resources.default_memory_low_set.then_some(low));
        }
        let mut wanted = BTreeMap::new();
        let mask = ControllerMask::all();
        attributes(&known.settings.resources, &inherited, mask, &self.config, &mut |attribute| {
            if attribute.device.is_empty() {
                wanted.insert(attribute.file, attribute.value.into_owned());
            }
        });
        Some(wanted)
    }

    fn our_file(&self, path: &str) -> Option<Vec<String>> {
        let (dir, file) = path.rsplit_once('/')?;
        let (unit, key) = match file.strip_suffix(".conf") {
            Some(stem) => (dir.rsplit('/').next()?.strip_suffix(".d")?, stem),
            None => (file, ""),
        };
        // Persistent and runtime drop-ins of one name: only the last one written is known here.
        let known = self.units.get(unit).filter(|_| !path.contains("/system.control/"))?;
        Some(known.files.get(key).cloned().unwrap_or_default())
    }

    /// Units that have gone begin anew.
    fn forget(&mut self, step: &Json) {
        for name in items(&step["unit_removed"]).iter().filter_map(Json::as_str) {
            if self.units.remove(name).is_some_and(|known| known.vague || !known.files.contains_key("")) {
                self.configured.insert(name.into());
            }
        }
    }
}

fn parse_all(
    config: &Config,
    unit_type: UnitType,
    creating: bool,
    properties: &Json,
) -> Result<Vec<Property>, Refusal> {
    let transport = Transport::Bus(":1.5".into());
    let context = Context { unit_type, creating, transport: &transport, config };
    let parse = |entry: &Json| {
        let (signature, value) = variant(&entry[1]);
        properties::parse(entry[0].as_str().expect("name"), &decode(signature, value), &context)
    };
    items(properties).iter().map(parse).collect()
}

fn apply_all(known: &mut Known, unit_type: UnitType, creating: bool, properties: &[Property]) {
    let mut file = TransientFile::new(unit_type);
    for property in properties {
        property.apply(&mut known.settings);
        if creating {
            property.write_transient(&known.settings, &mut file);
        } else if let Some(drop_in) = property.drop_in(unit_type, &known.settings) {
            known.files.insert(drop_in.stem, plain_lines(&drop_in.content));
        }
    }
    if creating {
        known.files.insert(String::new(), plain_lines(&file.into_text()));
    }
}

fn plain_lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(String::from).collect()
}
