//! What counts as agreement between a recorded outcome and ours: only what is recorded is checked, `message` never is.

use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// A step, or what came of it.
pub(super) type Object = Map<String, Json>;

/// The keys of a step that are outcomes; everything else is input.
pub(super) fn outcomes(op: &str) -> &'static [&'static str] {
    match op {
        "call" => &["reply", "error", "message"],
        "settle" => {
            &["job_new", "job_removed", "job_removed_order", "unit_new", "unit_removed", "request_stop", "pending"]
        }
        "get" => &["loaded", "props"],
        "cgroup" => &["exists", "files", "procs", "owner"],
        "tree" => &["dirs"],
        "proc" => &["state", "cgroup"],
        "files" => &["content"],
        "mkdir" | "rmdir" | "write" | "move" => &["errno"],
        "listing" => &["units"],
        "cgtree" => &["cgroups"],
        _ => &[],
    }
}

/// Does the step carry an outcome, so that it counts?
pub(super) fn observes(step: &Object) -> bool {
    let op = step.get("op").and_then(Json::as_str).unwrap_or_default();
    outcomes(op).iter().any(|key| step.contains_key(*key))
}

/// Differences between the recorded outcome and the one seen, each as a line; none when they agree.
pub(super) fn differences(step: &Object, got: &Object) -> Vec<String> {
    let op = step.get("op").and_then(Json::as_str).unwrap_or_default();
    let mut out = Vec::new();
    for key in outcomes(op).iter().filter(|key| **key != "message") {
        let Some(want) = step.get(*key) else { continue };
        match (*key, want, got.get(*key)) {
            ("cgroups", _, seen) => cgtree(want, seen.unwrap_or(&Json::Null), &mut out),
            ("files" | "props" | "owner" | "content", Json::Object(want), Some(Json::Object(seen))) => {
                members(key, step, want, seen, &mut out);
            }
            (_, _, Some(seen)) if seen == want => {}
            (_, _, seen) => out.push(format!("{key}: want {want} got {}", instead(seen, got))),
        }
    }
    if op == "call" && step.contains_key("error") && got.contains_key("reply") && out.is_empty() {
        out.push("error expected".to_owned());
    }
    out
}

fn instead(seen: Option<&Json>, got: &Object) -> String {
    seen.map_or_else(|| Json::Object(got.clone()).to_string(), Json::to_string)
}

fn members(key: &str, step: &Object, want: &Object, seen: &Object, out: &mut Vec<String>) {
    let path = step.get("path").and_then(Json::as_str).unwrap_or("//");
    for (name, value) in want {
        let any = value.as_object().is_some_and(|object| object.get("any").is_some_and(|any| any == true));
        let got = seen.get(name);
        if any || got == Some(value) || (key == "files" && same_attribute(path, name, Some(value), got)) {
            continue;
        }
        let got = got.map_or_else(|| "<missing>".to_owned(), Json::to_string);
        out.push(format!("{key}[{name}]: want {value} got {got}"));
    }
    if key == "content" {
        let unexpected = seen.keys().filter(|name| !want.contains_key(*name));
        out.extend(unexpected.map(|name| format!("content: unexpected file {name}")));
    }
}

fn cgtree(want: &Json, got: &Json, out: &mut Vec<String>) {
    let (Json::Object(want), Json::Object(got)) = (want, got) else {
        if want != got {
            out.push(format!("cgroups: want {want} got {got}"));
        }
        return;
    };
    for path in want.keys().chain(got.keys()).collect::<BTreeSet<_>>() {
        match (want.get(path).and_then(Json::as_object), got.get(path).and_then(Json::as_object)) {
            (Some(want), Some(got)) => attributes(path, want, got, out),
            (Some(_), None) => out.push(format!("cgroups[{path}]: does not exist")),
            _ => out.push(format!("cgroups[{path}]: should not exist")),
        }
    }
}

fn attributes(path: &str, want: &Object, got: &Object, out: &mut Vec<String>) {
    for file in want.keys().chain(got.keys()).collect::<BTreeSet<_>>() {
        let (want, got) = (want.get(file), got.get(file));
        if !same_attribute(path, file, want, got) {
            let show = |value: Option<&Json>| value.map_or_else(|| "null".to_owned(), Json::to_string);
            out.push(format!("cgroups[{path}][{file}]: want {} got {}", show(want), show(got)));
        }
    }
}

/// Which controllers the root hands down depends on everything else on the machine. So directly below the root an
/// absent attribute equals one with the kernel's default, and more controllers than recorded may be there.
fn same_attribute(path: &str, file: &str, want: Option<&Json>, got: Option<&Json>) -> bool {
    let (want, got) = (want.filter(|value| !value.is_null()), got.filter(|value| !value.is_null()));
    if want == got {
        return true;
    }
    if path.matches('/').count() != 1 {
        return false;
    }
    if file == "cgroup.controllers"
        && let (Some(Json::String(want)), Some(Json::String(got))) = (want, got)
    {
        return want.split(' ').all(|name| got.split(' ').any(|other| other == name));
    }
    if file.starts_with("cpuset.") && file.ends_with(".effective") {
        return want.is_none() || got.is_none();
    }
    let Some(default) = kernel_default(file) else { return false };
    let or_default = |value: Option<&Json>| value.map_or(Some(default.to_owned()), |v| v.as_str().map(str::to_owned));
    or_default(want).is_some() && or_default(want) == or_default(got)
}

/// What the kernel shows where the controller is enabled and nothing was set.
fn kernel_default(file: &str) -> Option<&'static str> {
    Some(match file {
        "cpu.weight" => "100",
        "cpu.idle" => "0",
        "cpu.max" => "max 100000",
        "io.weight" | "io.bfq.weight" => "default 100",
        "io.max" | "io.latency" | "cpuset.cpus" | "cpuset.mems" => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn diff(step: Json, got: Json) -> Vec<String> {
        let object = |json: Json| json.as_object().cloned().expect("an object");
        differences(&object(step), &object(got))
    }

    #[test]
    fn only_what_is_recorded_counts() {
        let step = json!({"op": "settle", "job_removed": []});
        assert!(diff(step.clone(), json!({"job_removed": [], "pending": [["x"]]})).is_empty());
        assert_eq!(diff(step, json!({"job_removed": [["a", "done"]]})).len(), 1);
        let step = json!({"op": "get", "loaded": true, "props": {"A": {"any": true}, "B": {"b": true}}});
        assert_eq!(
            diff(step, json!({"loaded": true, "props": {"A": 1}})),
            ["props[B]: want {\"b\":true} got <missing>"]
        );
    }

    #[test]
    fn below_the_root_a_default_equals_nothing() {
        let step = |path: &str| json!({"op": "cgroup", "path": path, "exists": true, "files": {"cpu.weight": null}});
        let got = json!({"exists": true, "files": {"cpu.weight": "100"}});
        assert!(diff(step("/a.slice"), got.clone()).is_empty());
        assert_eq!(diff(step("/a.slice/b.scope"), got).len(), 1);
    }

    #[test]
    fn an_error_is_an_error() {
        let step = json!({"op": "call", "error": "X", "message": "m"});
        assert!(diff(step.clone(), json!({"error": "X", "message": "other"})).is_empty());
        assert_eq!(diff(step, json!({"reply": {"sig": "", "values": []}})).len(), 1);
    }
}
