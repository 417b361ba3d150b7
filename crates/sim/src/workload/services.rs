//! Services that clients ask for: which programs they run, what is done when these end, and to whom they are tied.

use super::calls;
use super::requests::Asker;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;

/// What a service runs, as [`crate::backend`] knows programs. The last word says whether it goes on by itself.
const PROGRAMS: [&[&str]; 9] = [
    &["/bin/sleep", "infinity"],
    &["/bin/sleep", "0.5"],
    &["/bin/true"],
    &["/bin/false"],
    &["/bin/sh", "-c", "trap \"\" TERM; exec /bin/sleep infinity"],
    &["/bin/sh", "-c", "exit 3"],
    &["/bin/sh", "-c", "(sleep infinity) &; sleep 0.3"],
    &["/bin/sh", "-c", "(sleep 0.4) &; exec sleep infinity"],
    &["/nonexistent"],
];
const TELLS: &[&str] = &["/bin/sh", "-c", "systemd-notify --ready; exec sleep infinity"];
const FORKS: &[&str] = &["/bin/sh", "-c", "(sleep infinity) &; exit 0"];

/// How one unit may be tied to another; first by their order alone.
const TIES: [&str; 8] = ["After", "Before", "Wants", "Requires", "BindsTo", "PartOf", "Conflicts", "OnFailure"];

pub(super) const TIES_OF_ORDER: u32 = 2;
pub(super) const TIES_ALL: u32 = 8;

impl Asker<'_> {
    pub(super) fn start_service(&mut self) -> MethodCall {
        let name = self.service();
        let mut list = self.limits();
        self.main_program(&name, &mut list);
        match self.choice.below(18) {
            16 | 17 => {
                let mode = ["mixed", "process", "none"][self.choice.below(3) as usize];
                list.push(calls::property("KillMode", Value::str(mode)));
            }
            8 => list.push(calls::property("RemainAfterExit", Value::Bool(true))),
            9 | 10 => list.push(calls::property("Slice", Value::str(self.slice()))),
            11 => list.push(calls::property("CollectMode", Value::str("inactive-or-failed"))),
            12 => self.restart(&mut list),
            13 => self.other_program(&mut list),
            14 => self.owner(&mut list),
            15 => list.push(calls::property("RuntimeDirectory", Value::strings(vec!["v"]))),
            _ => {}
        }
        if self.ties > 0 && self.choice.below(2) == 1 {
            self.tie(&mut list);
        }
        self.spoil(&mut list);
        calls::start_transient(&name, self.mode(), list)
    }

    fn main_program(&mut self, name: &str, list: &mut Vec<Value>) {
        let (kind, program) = match self.choice.below(16) {
            13 => ("notify", TELLS),
            14 => ("forking", FORKS),
            15 => return forks_and_writes(name, list),
            _ => {
                let program = PROGRAMS[self.choice.below(9) as usize];
                (["simple", "oneshot", "exec"][self.choice.below(3) as usize], program)
            }
        };
        list.push(command("ExecStart", program));
        list.push(calls::property("Type", Value::str(kind)));
        if kind == "oneshot" {
            // Others may wait for it, which would be for ever.
            list.push(calls::property("TimeoutStartUSec", Value::U64(1_000_000)));
        }
    }

    /// What is run before, and after.
    fn other_program(&mut self, list: &mut Vec<Value>) {
        let name = ["ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost"][self.choice.below(4) as usize];
        let program = PROGRAMS[1 + self.choice.below(3) as usize];
        list.push(command(name, program));
    }

    fn restart(&mut self, list: &mut Vec<Value>) {
        let when = ["always", "on-failure", "on-success", "on-abnormal"][self.choice.below(4) as usize];
        list.push(calls::property("Restart", Value::str(when)));
        // Five of them in ten seconds come to an end; otherwise there is none.
        list.push(calls::property("TimeoutStartUSec", Value::U64(1_000_000)));
        list.push(calls::property("TimeoutStopUSec", Value::U64(300_000)));
        list.push(calls::property("RestartUSec", Value::U64([100_000, 0, 400_000][self.choice.below(3) as usize])));
    }

    /// Somebody else is to have what is below.
    fn owner(&mut self, list: &mut Vec<Value>) {
        list.push(calls::property("Delegate", Value::Bool(true)));
        list.push(calls::property("User", Value::str("1000")));
    }

    /// To another unit, of which nobody knows whether it is there.
    pub(super) fn tie(&mut self, list: &mut Vec<Value>) {
        let tie = TIES[self.choice.below(self.ties) as usize];
        let other = if self.choice.below(4) == 3 { self.scope() } else { self.service() };
        if matches!(tie, "Requires" | "BindsTo") && self.choice.below(2) == 1 {
            list.push(calls::property("After", Value::strings(vec![other.clone()])));
        }
        list.push(calls::property(tie, Value::strings(vec![other])));
    }
}

/// A program that leaves its main process behind, and writes down which that is.
fn forks_and_writes(name: &str, list: &mut Vec<Value>) {
    let file = format!("/run/{name}.pid");
    let script = format!("(sleep infinity) &; echo $! > {file}; exit 0");
    list.push(command("ExecStart", &["/bin/sh", "-c", &script]));
    list.push(calls::property("Type", Value::str("forking")));
    list.push(calls::property("PIDFile", Value::str(file)));
    list.push(calls::property("TimeoutStartUSec", Value::U64(1_000_000)));
}

fn command(name: &str, argv: &[&str]) -> Value {
    let one = Value::Struct(vec![Value::str(argv[0]), Value::strings(argv.to_vec()), Value::Bool(false)]);
    calls::property(name, Value::Array("(sasb)".into(), vec![one]))
}
