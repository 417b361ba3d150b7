//! How a service ended: what its properties say, in words for people, as JSON, and as an exit status of ours.

use cgarbiter_core::exec::exit_name;
use nix::sys::signal::Signal;
use serde::Serialize;
use zbus::Variant;

use crate::control::client::PropertyMap;
use crate::control::error::FAILURE;
use crate::control::human;
use crate::control::output;

/// `si_code` of a child that exited by itself.
const EXITED: i32 = 1;
/// What a shell adds to the number of a signal.
const SIGNALED: i32 = 128;
/// A figure that is not known.
const UNKNOWN: u64 = u64::MAX;

/// How a service ended; the shape on standard error with `--json`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Ending {
    unit: String,
    invocation_id: String,
    result: String,
    /// `exited`, `killed` or `dumped`; none if there was no main process.
    code: Option<&'static str>,
    status: i32,
    exit_status: u8,
    runtime_usec: Option<u64>,
    cpu_nsec: Option<u64>,
    memory_peak_bytes: Option<u64>,
}

impl Ending {
    /// None while the service has not ended.
    pub(super) fn of(unit: &str, properties: &PropertyMap) -> Option<Self> {
        let is_over = matches!(text(properties, "ActiveState").as_str(), "inactive" | "failed");
        if !is_over || has_job(properties) {
            return None;
        }
        let (number, status) = (integer(properties, "ExecMainCode"), integer(properties, "ExecMainStatus"));
        let code = ["exited", "killed", "dumped"].into_iter().zip(EXITED..).find(|(_, known)| *known == number);
        let result = text(properties, "Result");
        let (began, ended) =
            (known(properties, "InactiveExitTimestampMonotonic"), known(properties, "InactiveEnterTimestampMonotonic"));
        Some(Self {
            unit: unit.to_owned(),
            invocation_id: properties
                .get("InvocationID")
                .map_or_else(String::new, |id| crate::control::value::text("InvocationID", id)),
            exit_status: exit_status(&result, number, status),
            result,
            code: code.map(|(word, _)| word),
            status,
            runtime_usec: began.zip(ended).and_then(|(began, ended)| ended.checked_sub(began)),
            cpu_nsec: known(properties, "CPUUsageNSec"),
            memory_peak_bytes: known(properties, "MemoryPeak"),
        })
    }

    /// To us, what a signal ended that we have passed on has not succeeded, whatever the unit makes of it.
    pub(super) fn of_interrupted(self) -> Self {
        match self.code {
            Some("killed" | "dumped") => Self { exit_status: exit_status("signal", 2, self.status), ..self },
            _ => self,
        }
    }

    pub(super) fn exit_status(&self) -> u8 {
        self.exit_status
    }

    pub(super) fn tell(&self, json: bool) {
        match serde_json::to_string(self) {
            Ok(text) if json => output::note(text),
            _ => self.lines().iter().for_each(output::note),
        }
    }

    /// As systemd-run has them.
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("Finished with result: {}", self.result)];
        if let Some(code) = self.code {
            lines.push(format!("Main processes terminated with: code={code}/status={}", self.status_text(code)));
        }
        lines.extend(self.runtime_usec.map(|usec| format!("Service runtime: {}", human::span(usec))));
        lines.extend(self.cpu_nsec.map(|nsec| format!("CPU time consumed: {}", human::span(nsec / 1_000))));
        lines.extend(self.memory_peak_bytes.map(|bytes| format!("Memory peak: {}", human::size(bytes))));
        lines
    }

    fn status_text(&self, code: &str) -> String {
        match (code, Signal::try_from(self.status), exit_name(self.status)) {
            ("exited", _, Some(name)) => format!("{} ({name})", self.status),
            ("exited", ..) | (_, Err(_), _) => self.status.to_string(),
            (_, Ok(signal), _) => signal.as_str().trim_start_matches("SIG").to_owned(),
        }
    }
}

/// Why a service did not come up, if its process says so.
pub(super) fn reason(properties: &PropertyMap) -> Option<String> {
    let ending = Ending::of("", properties)?;
    let code = ending.code.filter(|_| ending.result != "success")?;
    Some(format!("{}, code={code}/status={}", ending.result, ending.status_text(code)))
}

/// What was agreed to be success is success; else as a shell has it.
fn exit_status(result: &str, code: i32, status: i32) -> u8 {
    let number = match (result, code) {
        ("success", _) => 0,
        (_, EXITED) if status != 0 => status,
        (_, 2 | 3) => SIGNALED + status,
        _ => return FAILURE,
    };
    u8::try_from(number).unwrap_or(FAILURE)
}

fn has_job(properties: &PropertyMap) -> bool {
    let id = |structure: &zbus::Structure<'_>| structure.fields().first().and_then(|id| u32::try_from(id).ok());
    match properties.get("Job").map(|job| &**job) {
        Some(Variant::Structure(job)) => id(job).is_some_and(|id| id != 0),
        _ => false,
    }
}

fn text(properties: &PropertyMap, name: &str) -> String {
    properties.get(name).and_then(|value| <&str>::try_from(&**value).ok()).unwrap_or_default().to_owned()
}

fn integer(properties: &PropertyMap, name: &str) -> i32 {
    properties.get(name).and_then(|value| i32::try_from(&**value).ok()).unwrap_or_default()
}

/// A figure, unless it is that for "not known" or "never".
fn known(properties: &PropertyMap, name: &str) -> Option<u64> {
    let number = properties.get(name).and_then(|value| u64::try_from(&**value).ok());
    number.filter(|number| *number != UNKNOWN && *number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, Variant<'static>)]) -> PropertyMap {
        entries.iter().map(|(name, value)| ((*name).to_owned(), value.try_to_owned().unwrap())).collect()
    }

    fn ended(result: &'static str, code: i32, status: i32) -> PropertyMap {
        map(&[
            ("ActiveState", Variant::from("failed")),
            ("Job", Variant::new((0_u32, zbus::ObjectPath::try_from("/").unwrap()))),
            ("Result", Variant::from(result)),
            ("ExecMainCode", Variant::from(code)),
            ("ExecMainStatus", Variant::from(status)),
            ("InactiveExitTimestampMonotonic", Variant::from(1_000_000_u64)),
            ("InactiveEnterTimestampMonotonic", Variant::from(2_500_000_u64)),
            ("CPUUsageNSec", Variant::from(4_000_000_u64)),
            ("MemoryPeak", Variant::from(UNKNOWN)),
        ])
    }

    #[test]
    fn the_status_is_that_of_the_command() {
        for (result, code, status, want) in [
            ("success", 1, 0, 0),
            ("success", 1, 7, 0),
            ("exit-code", 1, 7, 7),
            ("exit-code", 1, 203, 203),
            ("signal", 2, 15, 143),
            ("oom-kill", 2, 9, 137),
            ("resources", 0, 0, 1),
            ("start-limit-hit", 1, 0, 1),
        ] {
            let ending = Ending::of("a.service", &ended(result, code, status)).unwrap();
            assert_eq!(ending.exit_status(), want, "{result} {code} {status}");
        }
    }

    #[test]
    fn an_interrupt_is_no_success() {
        let ending = |code, status| Ending::of("a.service", &ended("success", code, status)).unwrap();
        assert_eq!((ending(2, 2).exit_status(), ending(2, 2).of_interrupted().exit_status()), (0, 130));
        assert_eq!(ending(1, 0).of_interrupted().exit_status(), 0);
    }

    #[test]
    fn words() {
        let lines =
            |result, code, status| Ending::of("a.service", &ended(result, code, status)).unwrap().lines().join("\n");
        insta::assert_snapshot!(lines("signal", 2, 15), @r"
        Finished with result: signal
        Main processes terminated with: code=killed/status=TERM
        Service runtime: 1.5s
        CPU time consumed: 4ms
        ");
        assert!(lines("exit-code", 1, 217).contains("code=exited/status=217 (USER)"));
        assert_eq!(reason(&ended("exit-code", 1, 217)).unwrap(), "exit-code, code=exited/status=217 (USER)");
        assert_eq!(reason(&ended("resources", 0, 0)), None);
    }

    #[test]
    fn what_runs_or_has_a_job_has_not_ended() {
        let mut running = ended("success", 0, 0);
        running.extend(map(&[("ActiveState", Variant::from("active"))]));
        assert_eq!(Ending::of("a.service", &running), None);
        let mut restarting = ended("success", 0, 0);
        restarting.extend(map(&[("Job", Variant::new((5_u32, zbus::ObjectPath::try_from("/x").unwrap())))]));
        assert_eq!(Ending::of("a.service", &restarting), None);
    }
}
