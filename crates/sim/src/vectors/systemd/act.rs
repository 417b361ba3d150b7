//! Steps that do something other than a call: spawn, kill, let time pass, settle, meddle with the tree, write unit
//! files.

use super::compare::Object;
use super::json;
use super::player::{Player, Proc};
use crate::kernel::{Disposition, Errno, File, Fork, Kernel};
use cgarbiter_core::systemd1::SignalMessage;
use cgarbiter_core::value::Value;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

const POLL_USEC: u64 = 8_000;
const KILL_WAIT_USEC: u64 = 3_000_000;

fn text<'a>(step: &'a Object, key: &str) -> &'a str {
    step.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn number(step: &Object, key: &str) -> Option<u64> {
    step.get(key).and_then(Json::as_u64)
}

fn uid(step: &Object, key: &str) -> u32 {
    number(step, key).and_then(|uid| uid.try_into().ok()).unwrap_or(0)
}

impl Player {
    pub(super) fn spawn(&mut self, step: &Object) -> Result<Object, String> {
        let who = self.caller(0);
        let user = uid(step, "uid");
        let kernel = self.world.backend_mut().kernel_mut();
        let wanted = Fork { user: Some((user, user)), ..Fork::default() };
        let pid = kernel.fork(&who, &wanted).map_err(|errno| errno.to_string())?;
        for name in step.get("ignore").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            let signal = signal(name).ok_or("unknown signal")?;
            kernel.set_disposition(pid, signal, Disposition::Ignore).map_err(|errno| errno.to_string())?;
        }
        if let Some(cgroup) = step.get("in").and_then(Json::as_str) {
            move_to(kernel, &who, cgroup, pid).map_err(|errno| errno.to_string())?;
        }
        let agent = step.get("agent").and_then(Json::as_bool).unwrap_or(false);
        let agent = agent.then(|| self.world.connect(user, u32::try_from(pid).ok()));
        self.procs.insert(text(step, "proc").to_owned(), Proc { pid, status: None, agent });
        Ok(Object::new())
    }

    pub(super) fn kill(&mut self, step: &Object) -> Result<Object, String> {
        let name = text(step, "proc");
        let pid = self.procs.get(name).ok_or("no such process")?.pid;
        let signal = number(step, "sig").and_then(|signal| signal.try_into().ok()).unwrap_or(9);
        let who = self.caller(0);
        // The process may be gone already.
        let _ = self.world.backend_mut().kernel_mut().kill(&who, pid, signal);
        self.poll_processes();
        let waits = step.get("wait").and_then(Json::as_bool).unwrap_or(true);
        if waits && self.procs.get(name).is_some_and(|process| process.status.is_none()) {
            self.world.advance(KILL_WAIT_USEC);
            self.poll_processes();
        }
        Ok(Object::new())
    }

    pub(super) fn sleep(&mut self, step: &Object) -> Result<Object, String> {
        self.world.advance(number(step, "ms").unwrap_or(0) * 1000);
        self.poll_processes();
        Ok(Object::new())
    }

    /// Every loaded unit of the scenario, as ListUnits shows it.
    pub(super) fn unit_states(&mut self) -> Vec<Json> {
        let pattern = format!("*{}*", self.prefix);
        let args = vec![Value::strings([""; 0]), Value::strings([pattern])];
        let body = self.ask("ListUnitsByPatterns", args).unwrap_or_default();
        let Some(Json::Array(mut rows)) = body.first().map(json::from_value) else { return Vec::new() };
        rows.retain(|row| row[0].as_str().is_some_and(|name| self.mine(name)));
        rows
    }

    /// Waits until no unit of the scenario has a job or is in between, and nothing changes any more.
    pub(super) fn settle(&mut self, step: &Object) -> Result<Object, String> {
        let end = self.world.now().after(number(step, "max_ms").unwrap_or(6000) * 1000);
        let allowed: Vec<Json> = step.get("allow").and_then(Json::as_array).cloned().unwrap_or_default();
        let (mut signals, mut quiet, mut last) = (Vec::new(), 0, Vec::new());
        let rows = loop {
            self.poll_processes();
            let rows = self.unit_states();
            let new = self.take_signals();
            let busy = rows.iter().any(|row| is_busy(row) && !allowed.contains(&row[0]));
            let state: Vec<[Json; 4]> = rows.iter().map(|row| [0, 2, 3, 4].map(|column| row[column].clone())).collect();
            quiet = if !busy && new.is_empty() && state == last { quiet + 1 } else { 0 };
            let unchanged = new.is_empty() && state == last;
            (signals, last) = (signals.into_iter().chain(new).collect(), state);
            if quiet >= 3 || self.world.now() > end {
                break rows;
            }
            self.wait(busy && unchanged, end);
        };
        Ok(self.settled(&rows, &signals))
    }

    /// One poll's pause; with `long`, as far as the next thing that happens by itself.
    fn wait(&mut self, long: bool, end: cgarbiter_core::Instant) {
        let now = self.world.now();
        let next = self.world.next_deadline().unwrap_or(end).min(end);
        let pause = if long { next.0.saturating_sub(now.0) } else { 0 };
        self.world.advance(pause.max(POLL_USEC));
    }

    fn settled(&self, rows: &[Json], signals: &[SignalMessage]) -> Object {
        let named = |member: &str, unit: usize| -> Vec<&[Value]> {
            let of_manager =
                |signal: &&SignalMessage| signal.interface == super::player::MANAGER && signal.member == member;
            let bodies = signals.iter().filter(of_manager).map(|signal| signal.body.as_slice());
            bodies.filter(|body| body[unit].as_str().is_some_and(|name| self.mine(name))).collect()
        };
        let names = |bodies: Vec<&[Value]>, unit: usize| -> Vec<Json> {
            bodies.iter().map(|body| json::from_value(&body[unit])).collect()
        };
        let mut out = Object::new();
        let job_new = sorted(names(named("JobNew", 2), 2));
        if !job_new.is_empty() {
            out.insert("job_new".to_owned(), Json::Array(job_new));
        }
        let removed = named("JobRemoved", 2);
        let removed: Vec<Json> =
            removed.iter().map(|body| json!([json::from_value(&body[2]), json::from_value(&body[3])])).collect();
        if removed.len() > 1 {
            out.insert("job_removed_order".to_owned(), Json::Array(removed.clone()));
        }
        out.insert("job_removed".to_owned(), Json::Array(sorted(removed)));
        for (key, member) in [("unit_new", "UnitNew"), ("unit_removed", "UnitRemoved")] {
            let set: BTreeSet<String> =
                named(member, 0).iter().filter_map(|body| body[0].as_str().map(str::to_owned)).collect();
            out.insert(key.to_owned(), json!(set));
        }
        let mut stops: Vec<&str> =
            signals.iter().filter(|signal| signal.member == "RequestStop").map(|signal| signal.path.as_str()).collect();
        stops.sort_unstable();
        if !stops.is_empty() {
            out.insert("request_stop".to_owned(), json!(stops));
        }
        out.insert("pending".to_owned(), Json::Array(sorted(rows.iter().filter_map(pending).collect())));
        out
    }

    /// What somebody else than the manager does to the tree.
    pub(super) fn meddle(&mut self, step: &Object) -> Result<Object, String> {
        let who = self.caller(uid(step, "as_uid"));
        let pid = self.procs.get(text(step, "proc")).map(|process| process.pid);
        let path = text(step, "path");
        let kernel = self.world.backend_mut().kernel_mut();
        let result = match text(step, "op") {
            "mkdir" => {
                let (parent, name) = path.rsplit_once('/').ok_or("no path")?;
                let parent = kernel.lookup(&who, parent.as_bytes());
                parent.and_then(|parent| kernel.mkdir(&who, parent, name.as_bytes())).map(drop)
            }
            "rmdir" => kernel.lookup(&who, path.as_bytes()).and_then(|id| kernel.rmdir(&who, id)),
            "move" => move_to(kernel, &who, path, pid.ok_or("no such process")?),
            _ => {
                let file = File::from_name(text(step, "file").as_bytes()).ok_or("no such file")?;
                let id = kernel.lookup(&who, path.as_bytes());
                id.and_then(|id| kernel.write(&who, id, file, text(step, "content").as_bytes()))
            }
        };
        let errno = result.map_or_else(|errno| Json::from(errno.name()), |()| Json::from(0));
        Ok(Object::from_iter([("errno".to_owned(), errno)]))
    }

    pub(super) fn write_unit_file(&mut self, step: &Object) -> Result<Object, String> {
        let content = text(step, "content").replace("$blockdev", &self.facts.block_device);
        let store = self.world.backend_mut().store_mut();
        match text(step, "symlink") {
            "" => store.write(text(step, "path"), content),
            target => store.link(text(step, "path"), target),
        }
        Ok(Object::new())
    }

    pub(super) fn remove_unit_file(&mut self, step: &Object) -> Result<Object, String> {
        self.world.backend_mut().store_mut().remove(text(step, "path"));
        Ok(Object::new())
    }
}

fn move_to(kernel: &mut Kernel, who: &crate::kernel::Caller, cgroup: &str, pid: i32) -> Result<(), Errno> {
    let id = kernel.lookup(who, cgroup.as_bytes())?;
    kernel.write(who, id, File::CgroupProcs, pid.to_string().as_bytes())
}

fn is_busy(row: &Json) -> bool {
    has_job(row) || in_between(row) || row[4] == "final-sigterm"
}

fn has_job(row: &Json) -> bool {
    row[7].as_u64().unwrap_or(0) != 0
}

fn in_between(row: &Json) -> bool {
    matches!(row[3].as_str(), Some("activating" | "deactivating" | "reloading"))
}

fn pending(row: &Json) -> Option<Json> {
    let job = if has_job(row) { row[8].clone() } else { Json::from("") };
    (has_job(row) || in_between(row)).then(|| json!([row[0], row[3], row[4], job]))
}

pub(super) fn sorted(mut items: Vec<Json>) -> Vec<Json> {
    items.sort_by_cached_key(Json::to_string);
    items
}

fn signal(name: &str) -> Option<u8> {
    Some(match name {
        "HUP" => 1,
        "INT" => 2,
        "USR1" => 10,
        "USR2" => 12,
        "TERM" => 15,
        _ => return None,
    })
}
