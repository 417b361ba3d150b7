//! Symbols of the vectors: put in where a step names a pid, a job or a device; taken out of replies, where the numbers
//! of one run mean nothing to another.

use super::compare::Object;
use super::player::Player;
use serde_json::Value as Json;
use std::cmp::Ordering;

const JOB_PREFIX: &str = "/org/freedesktop/systemd1/job/";

/// Lists without an order: kept sorted.
const UNORDERED: [&str; 34] = [
    "Names",
    "Requires",
    "Requisite",
    "Wants",
    "BindsTo",
    "PartOf",
    "Upholds",
    "RequiredBy",
    "RequisiteOf",
    "WantedBy",
    "BoundBy",
    "UpheldBy",
    "ConsistsOf",
    "Conflicts",
    "ConflictedBy",
    "Before",
    "After",
    "OnFailure",
    "OnFailureOf",
    "OnSuccess",
    "OnSuccessOf",
    "Triggers",
    "TriggeredBy",
    "PropagatesReloadTo",
    "ReloadPropagatedFrom",
    "PropagatesStopTo",
    "StopPropagatedFrom",
    "JoinsNamespaceOf",
    "SliceOf",
    "RequiresMountsFor",
    "DelegateControllers",
    "DisableControllers",
    "IPAddressAllow",
    "IPAddressDeny",
];

const ACCOUNTING: [&str; 13] = [
    "MemoryCurrent",
    "MemoryPeak",
    "CPUUsageNSec",
    "TasksCurrent",
    "MemoryAvailable",
    "IPIngressBytes",
    "IPIngressPackets",
    "IPEgressBytes",
    "IPEgressPackets",
    "IOReadBytes",
    "IOReadOperations",
    "IOWriteBytes",
    "IOWriteOperations",
];

impl Player {
    /// Puts in what the symbols of a step stand for.
    pub(super) fn substitute(&mut self, json: &Json) -> Result<Json, String> {
        Ok(match json {
            Json::String(text) if text.starts_with('$') => self.resolve(text)?,
            Json::Array(items) => {
                Json::Array(items.iter().map(|item| self.substitute(item)).collect::<Result<_, _>>()?)
            }
            Json::Object(object) => {
                let entries = object.iter().map(|(key, value)| Ok((key.clone(), self.substitute(value)?)));
                Json::Object(entries.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    fn resolve(&mut self, symbol: &str) -> Result<Json, String> {
        let unbound = || format!("the symbol {symbol} is not bound");
        if let Some(name) = symbol.strip_prefix("$pid:") {
            return self.procs.get(name).map(|process| Json::from(process.pid)).ok_or_else(unbound);
        }
        if let Some(unit) = symbol.strip_prefix("$main:") {
            return Ok(Json::from(self.main_pid(unit)));
        }
        let job = |text: &str| text.parse::<usize>().ok().and_then(|n| self.jobs.get(n.checked_sub(1)?)).copied();
        if let Some(text) = symbol.strip_prefix("$jobid") {
            return job(text).map(Json::from).ok_or_else(unbound);
        }
        if let Some(text) = symbol.strip_prefix("$job") {
            return job(text).map(|id| Json::from(format!("{JOB_PREFIX}{id}"))).ok_or_else(unbound);
        }
        match symbol {
            "$blockdev" => Ok(Json::from(self.facts.block_device.as_str())),
            "$busname" => Ok(Json::from(self.bus_name())),
            _ => Err(unbound()),
        }
    }

    fn job_symbol(&mut self, id: u64) -> usize {
        if let Some(place) = self.jobs.iter().position(|known| *known == id) {
            return place + 1;
        }
        self.jobs.push(id);
        self.jobs.len()
    }

    /// Takes the numbers of this run out of a value.
    pub(super) fn normalize(&mut self, json: Json) -> Json {
        match json {
            Json::String(text) => Json::String(self.normalize_text(text)),
            Json::Array(items) => self.normalize_list(items),
            Json::Object(object) => {
                Json::Object(object.into_iter().map(|(key, value)| (key, self.normalize(value))).collect())
            }
            other => other,
        }
    }

    fn normalize_text(&mut self, text: String) -> String {
        if let Some(id) = job_of(&text) {
            return format!("$job{}", self.job_symbol(id));
        }
        match text {
            text if text == self.facts.origin_unit => "$origin_unit".to_owned(),
            text if text == self.bus_name() => "$busname".to_owned(),
            text if text == self.facts.block_device => "$blockdev".to_owned(),
            text => text,
        }
    }

    /// A number that stands beside the path of the job with that number is the job's.
    fn normalize_list(&mut self, items: Vec<Json>) -> Json {
        let ids: Vec<u64> = items.iter().filter_map(|item| job_of(item.as_str()?)).collect();
        let normal = items.into_iter().map(|item| match item.as_u64().filter(|number| ids.contains(number)) {
            Some(id) => Json::from(format!("$jobid{}", self.job_symbol(id))),
            None => self.normalize(item),
        });
        Json::Array(normal.collect())
    }

    /// The same for the value of a property, given as `{signature: value}`.
    pub(super) fn normalize_property(&mut self, name: &str, variant: Json) -> Json {
        let Json::Object(object) = variant else { return variant };
        let entry = |(signature, value)| (signature, self.normalize_value(name, value));
        Json::Object(object.into_iter().map(entry).collect())
    }

    fn normalize_value(&mut self, name: &str, value: Json) -> Json {
        let some = |word: &str| Json::from(word);
        let zero = value.as_u64() == Some(0);
        match (name, value) {
            (_, Json::Array(mut items)) if UNORDERED.contains(&name) => {
                items.sort_by(in_order);
                Json::Array(items)
            }
            (_, value) if ACCOUNTING.contains(&name) => {
                some(if value.as_u64() == Some(u64::MAX) { "max" } else { "number" })
            }
            ("MainPID" | "ControlPID" | "ExecMainPID", value) if !zero => self.process_name(&value),
            (_, value)
                if name.ends_with("Timestamp") || name.ends_with("TimestampMonotonic") || name == "ControlGroupId" =>
            {
                if zero {
                    value
                } else {
                    some("nonzero")
                }
            }
            ("InvocationID", Json::Array(bytes)) => Json::from(format!("len:{}", bytes.len())),
            ("TasksMax", value) if value.as_u64() == Some(self.facts.default_tasks_max) => some("$default_tasks_max"),
            (_, value) if name.starts_with("EffectiveCPUs") || name == "EffectiveMemoryNodes" => value,
            (_, value) => self.normalize(value),
        }
    }

    pub(super) fn process_name(&self, pid: &Json) -> Json {
        let name = pid.as_u64().and_then(|pid| i32::try_from(pid).ok()).map(|pid| self.pid_name(pid));
        Json::from(name.unwrap_or("?"))
    }

    /// A reply as vectors record it: some methods list units of everybody, or in no order.
    pub(super) fn normalize_reply(&mut self, step: &Object, body: Vec<Json>) -> Json {
        let text = |key: &str| step.get(key).and_then(Json::as_str).unwrap_or_default();
        let properties = text("iface") == "org.freedesktop.DBus.Properties";
        let first = || body.first().cloned().unwrap_or_default();
        let list = match text("member") {
            "Get" if properties => {
                let name = step.get("args").and_then(|args| args.get(1)).and_then(Json::as_str).unwrap_or_default();
                self.normalize_property(name, first())
            }
            "GetAll" if properties => self.selected(step, &first()),
            "GetUnitProcesses" | "GetProcesses" => self.processes(&first()),
            "ListUnits" | "ListUnitsFiltered" | "ListUnitsByPatterns" | "ListUnitsByNames" => {
                self.rows(first(), 0, &[0])
            }
            "ListJobs" => self.rows(first(), 1, &[1, 2]),
            "ListUnitFiles" | "ListUnitFilesByPatterns" => self.files_of_scenario(first()),
            "EnqueueJob" if body.len() == 6 => return self.enqueued(body),
            _ => return self.normalize(Json::Array(body)),
        };
        Json::Array(vec![list])
    }

    fn selected(&mut self, step: &Object, all: &Json) -> Json {
        let names = step.get("select").and_then(Json::as_array).cloned().unwrap_or_default();
        let pick = |name: &Json| {
            let name = name.as_str()?;
            let value = all.get(name).map_or(Json::Null, |value| self.normalize_property(name, value.clone()));
            Some((name.to_owned(), value))
        };
        Json::Object(names.iter().filter_map(pick).collect())
    }

    fn processes(&self, rows: &Json) -> Json {
        let rows = rows.as_array().into_iter().flatten();
        let mut rows: Vec<Json> =
            rows.map(|row| Json::from(vec![row[0].clone(), self.process_name(&row[1])])).collect();
        rows.sort_by_cached_key(Json::to_string);
        Json::Array(rows)
    }

    /// The rows of units of the scenario, sorted by these columns.
    fn rows(&mut self, rows: Json, unit: usize, by: &[usize]) -> Json {
        let Json::Array(mut rows) = rows else { return rows };
        rows.retain(|row| row[unit].as_str().is_some_and(|name| self.mine(name)));
        rows.sort_by_cached_key(|row| by.iter().map(|column| row[*column].to_string()).collect::<Vec<_>>());
        self.normalize(Json::Array(rows))
    }

    fn files_of_scenario(&self, rows: Json) -> Json {
        let Json::Array(mut rows) = rows else { return rows };
        rows.retain(|row| row[0].as_str().is_some_and(|file| self.mine(file.rsplit('/').next().unwrap_or(file))));
        rows.sort_by_cached_key(Json::to_string);
        Json::Array(rows)
    }

    fn enqueued(&mut self, body: Vec<Json>) -> Json {
        let job = self.normalize(Json::Array(body[..2].to_vec()));
        let mut out = vec![job[0].clone()];
        out.extend(body[1..5].iter().map(|item| self.normalize(item.clone())));
        let mut others: Vec<Json> =
            body[5].as_array().into_iter().flatten().map(|row| self.normalize(row.clone())).collect();
        others.sort_by_cached_key(Json::to_string);
        out.push(Json::Array(others));
        Json::Array(out)
    }
}

fn job_of(text: &str) -> Option<u64> {
    text.strip_prefix(JOB_PREFIX)?.parse().ok()
}

/// The order of lists as they were recorded: numbers by size, texts by letters, lists by their entries.
fn in_order(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => {
            let differs = a.iter().zip(b).map(|(a, b)| in_order(a, b)).find(|order| order.is_ne());
            differs.unwrap_or(a.len().cmp(&b.len()))
        }
        _ => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.to_string().cmp(&b.to_string()),
        },
    }
}
