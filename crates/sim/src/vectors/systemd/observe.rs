//! Steps that look: at units and their properties, at cgroups and their files, at processes, at unit files.

use super::act::sorted;
use super::compare::Object;
use super::json;
use super::player::{PROPERTIES, Player};
use crate::kernel::{CgroupId, Errno, File, State};
use crate::store::Entry;
use cgarbiter_core::names::label_escape;
use cgarbiter_core::value::Value;
use serde_json::{Value as Json, json};

/// The object path of a unit.
pub(super) fn unit_path(unit: &str) -> String {
    format!("/org/freedesktop/systemd1/unit/{}", label_escape(unit))
}

/// The interface of a unit's type.
fn interface_of(unit: &str) -> String {
    let kind = unit.rsplit('.').next().unwrap_or_default();
    let (first, rest) = kind.split_at_checked(1).unwrap_or_default();
    format!("org.freedesktop.systemd1.{}{rest}", first.to_uppercase())
}

fn text<'a>(step: &'a Object, key: &str) -> &'a str {
    step.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// Names that a step asks for: the keys of an object, or the items of a list.
fn names(json: Option<&Json>) -> Option<Vec<String>> {
    match json? {
        Json::Object(object) => Some(object.keys().cloned().collect()),
        Json::Array(items) => Some(items.iter().filter_map(Json::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

impl Player {
    pub(super) fn get(&mut self, step: &Object) -> Result<Object, String> {
        let unit = text(step, "unit").to_owned();
        let names = names(step.get("props")).unwrap_or_default();
        let loaded = self.ask("GetUnit", vec![Value::str(&unit)]).is_some();
        let mut props = Object::new();
        for name in names {
            let value = if loaded { self.property(&unit, step, &name) } else { Json::Null };
            props.insert(name, value);
        }
        Ok(Object::from_iter([("loaded".to_owned(), Json::from(loaded)), ("props".to_owned(), Json::Object(props))]))
    }

    /// From the interface that the step names, or that of all units, or that of the unit's type.
    fn property(&mut self, unit: &str, step: &Object, name: &str) -> Json {
        let interfaces = match text(step, "iface") {
            "" => vec!["org.freedesktop.systemd1.Unit".to_owned(), interface_of(unit)],
            interface => vec![interface.to_owned()],
        };
        let mut value = Json::Null;
        for interface in interfaces {
            let args = vec![Value::str(interface), Value::str(name)];
            match self.ask_object(&unit_path(unit), PROPERTIES, "Get", args) {
                Ok(body) => {
                    let variant = body.first().map_or(Json::Null, json::from_value);
                    return self.normalize_property(name, variant);
                }
                Err(error) => value = json!({"error": error}),
            }
        }
        value
    }

    pub(super) fn listing(&mut self) -> Result<Object, String> {
        let rows = self.unit_states();
        let units = rows.iter().map(|row| json!([row[0], row[2], row[3], row[4]])).collect();
        Ok(Object::from_iter([("units".to_owned(), Json::Array(sorted(units)))]))
    }

    fn cgroup_at(&self, path: &str) -> Option<CgroupId> {
        self.world.backend().kernel().lookup(&self.caller(0), path.as_bytes()).ok()
    }

    fn read(&self, cgroup: CgroupId, name: &str) -> Result<String, Errno> {
        let file = File::from_name(name.as_bytes()).ok_or(Errno::ENOENT)?;
        self.world.backend().kernel().read(&self.caller(0), cgroup, file)
    }

    fn normal_file(&self, name: &str, content: &str) -> Json {
        let content = content.trim_end_matches('\n');
        let joined = |mut words: Vec<&str>| {
            words.sort_unstable();
            Json::from(words.join(" "))
        };
        match name {
            "cgroup.controllers" | "cgroup.subtree_control" => joined(content.split_whitespace().collect()),
            "cgroup.events" => joined(content.split('\n').collect()),
            "pids.max" if content == self.facts.default_tasks_max.to_string() => Json::from("$default_tasks_max"),
            "memory.current" | "pids.current" => Json::from("number"),
            _ if name.ends_with(".stat") => Json::from("number"),
            _ if name.starts_with("io.") => {
                Json::from(content.replace(&format!("{} ", self.facts.block_numbers), "$blockdev "))
            }
            _ => Json::from(content),
        }
    }

    pub(super) fn cgroup(&mut self, step: &Object) -> Result<Object, String> {
        let path = text(step, "path");
        let Some(id) = self.cgroup_at(path) else {
            return Ok(Object::from_iter([("exists".to_owned(), Json::from(false))]));
        };
        let wanted = step.get("wanted").and_then(Json::as_object);
        let ask = |key: &str| step.get(key).or_else(|| wanted.and_then(|wanted| wanted.get(key)));
        let mut out = Object::from_iter([("exists".to_owned(), Json::from(true))]);
        if let Some(files) = names(ask("files")) {
            let entry = |name: String| {
                let value = match self.read(id, &name) {
                    Ok(content) => self.normal_file(&name, &content),
                    Err(Errno::ENOENT) => Json::Null,
                    Err(errno) => json!({"errno": errno.name()}),
                };
                (name, value)
            };
            out.insert("files".to_owned(), Json::Object(files.into_iter().map(entry).collect()));
        }
        if let Some(files) = names(ask("owner")) {
            let owners = files.into_iter().map(|name| (name.clone(), self.owner(id, &name)));
            out.insert("owner".to_owned(), Json::Object(owners.collect()));
        }
        if ask("procs").is_some() {
            let procs = self.procs_in(id, path);
            out.insert("procs".to_owned(), procs.unwrap_or_else(|errno| json!({"errno": errno.name()})));
        }
        Ok(out)
    }

    fn owner(&self, id: CgroupId, name: &str) -> Json {
        let file = File::from_name(name.as_bytes());
        if file.is_none() && name != "." {
            return Json::Null;
        }
        let stat = self.world.backend().kernel().stat(id, file);
        stat.map_or(Json::Null, |owner| Json::from(format!("{}:{}", owner.uid, owner.gid)))
    }

    /// The names of the processes in a cgroup; those of a service are named after its unit.
    fn procs_in(&mut self, id: CgroupId, path: &str) -> Result<Json, Errno> {
        let text = self.read(id, "cgroup.procs")?;
        let service = path.rsplit('/').find(|part| part.ends_with(".service")).map(str::to_owned);
        let mut out = Vec::new();
        for pid in text.lines().filter_map(|line| line.parse::<i32>().ok()) {
            let known = self.pid_name(pid).to_owned();
            out.push(match &service {
                Some(unit) if known == "?" => {
                    let main = u64::try_from(pid).is_ok_and(|pid| self.main_pid(unit) == pid);
                    format!("{}:{unit}", if main { "main" } else { "other" })
                }
                _ => known,
            });
        }
        out.sort();
        Ok(json!(out))
    }

    /// The cgroup and all below it, with their paths.
    fn walk(&self, top: CgroupId) -> Vec<(String, CgroupId)> {
        let kernel = self.world.backend().kernel();
        let mut found = vec![top];
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            found.extend(kernel.children(id).map(|(_, child)| child));
            next += 1;
        }
        let path = |id| String::from_utf8_lossy(&kernel.path(id)).into_owned();
        found.into_iter().map(|id| (path(id), id)).collect()
    }

    pub(super) fn tree(&mut self, step: &Object) -> Result<Object, String> {
        let dirs = self.cgroup_at(text(step, "under")).map_or(Json::Null, |top| {
            let mut dirs: Vec<String> = self.walk(top).into_iter().skip(1).map(|(path, _)| path).collect();
            dirs.sort();
            json!(dirs)
        });
        Ok(Object::from_iter([("dirs".to_owned(), dirs)]))
    }

    /// Every cgroup at and below a place: the wanted attributes that exist, and the processes.
    pub(super) fn cgtree(&mut self, step: &Object) -> Result<Object, String> {
        let want = names(step.get("want")).unwrap_or_default();
        let Some(top) = self.cgroup_at(text(step, "under")) else {
            return Ok(Object::from_iter([("cgroups".to_owned(), Json::Null)]));
        };
        let mut cgroups = Object::new();
        for (path, id) in self.walk(top) {
            let mut entry = Object::new();
            for name in &want {
                if let Ok(content) = self.read(id, name) {
                    entry.insert(name.clone(), self.normal_file(name, &content));
                }
            }
            if let Ok(Json::Array(procs)) = self.procs_in(id, &path)
                && !procs.is_empty()
            {
                entry.insert("procs".to_owned(), Json::Array(procs));
            }
            cgroups.insert(path, Json::Object(entry));
        }
        Ok(Object::from_iter([("cgroups".to_owned(), Json::Object(cgroups))]))
    }

    pub(super) fn proc(&mut self, step: &Object) -> Result<Object, String> {
        let name = text(step, "proc");
        self.world.run_until_quiet();
        self.poll_processes();
        if let Some(ms) = step.get("within_ms").and_then(Json::as_u64)
            && self.procs.get(name).is_some_and(|process| process.status.is_none())
        {
            self.world.advance(ms * 1000);
            self.poll_processes();
        }
        let process = self.procs.get(name).ok_or("no such process")?;
        let (state, cgroup) = match &process.status {
            Some(status) => (Json::from(status.as_str()), Json::Null),
            None => (Json::from("alive"), self.place_of(process.pid)),
        };
        Ok(Object::from_iter([("state".to_owned(), state), ("cgroup".to_owned(), cgroup)]))
    }

    fn place_of(&self, pid: i32) -> Json {
        let kernel = self.world.backend().kernel();
        if kernel.state(pid) != Some(State::Alive) {
            return Json::Null;
        }
        let path = kernel.cgroup_of(pid).map(|id| String::from_utf8_lossy(&kernel.path(id)).into_owned());
        match path {
            Some(path) if path == self.facts.origin => Json::from("$origin"),
            other => json!(other),
        }
    }

    pub(super) fn files(&mut self, step: &Object) -> Result<Object, String> {
        let under = text(step, "under");
        let prefix = under.strip_suffix('*').unwrap_or(under);
        let mut content = Object::new();
        for (path, entry) in self.world.backend().store().below(prefix) {
            let value = match entry {
                Entry::Link(target) => json!(format!("-> {target}")),
                Entry::Text(text) => {
                    let text = text.replace(&format!("={} ", self.facts.block_device), "=$blockdev ");
                    // Sections of others say nothing to systemd: the state in our records is one.
                    let text = text.split("\n[X-").next().unwrap_or_default();
                    let lines = text.lines().map(str::trim_end);
                    json!(lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])).collect::<Vec<_>>())
                }
            };
            content.insert(path.to_owned(), value);
        }
        Ok(Object::from_iter([("content".to_owned(), Json::Object(content))]))
    }
}
