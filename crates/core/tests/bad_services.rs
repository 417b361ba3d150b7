//! Services that cannot become their programs, end in each of their phases, or say of themselves what is not so.

mod support;

use cgarbiter_core::event::ExitStatus;
use cgarbiter_core::exec::{EXIT_EXEC, ExecFailure};
use cgarbiter_core::request::JobVerb;
use cgarbiter_core::service::ServiceState;
use cgarbiter_core::value::Value;
use cgarbiter_core::{Errno, Event};
use support::{Machine, job, property, root, transient};

const NAME: &str = "a.service";

fn command(path: &str) -> Value {
    let arguments = Value::Array("s".into(), vec![Value::str(path)]);
    Value::Array("(sasb)".into(), vec![Value::Struct(vec![Value::str(path), arguments, Value::Bool(false)])])
}

/// A service with these commands that has been told to start.
fn begun(commands: &[&str], more: &[(&str, Value)]) -> Machine {
    let mut properties: Vec<_> = commands.iter().map(|key| property(key, command("/bin/x"))).collect();
    properties.extend(more.iter().map(|(name, value)| property(name, value.clone())));
    properties.push(property("AddRef", Value::Bool(true)));
    let mut machine = Machine::checked();
    machine.ask(root(), transient(NAME, properties));
    machine.settle();
    machine
}

fn service(machine: &Machine) -> ServiceState {
    let graph = machine.manager.graph();
    let unit = graph.unit(graph.find(NAME).expect("it is referred to"));
    unit.service.as_deref().cloned().unwrap_or_default()
}

/// State, sub-state and result.
fn shown(machine: &Machine) -> String {
    let graph = machine.manager.graph();
    let unit = graph.unit(graph.find(NAME).expect("it is referred to"));
    format!("{} {} {}", unit.active().as_str(), unit.state.sub(), unit.result.as_str())
}

/// The process of the command that runs, or the main process, ends.
fn end(machine: &mut Machine, code: i32) {
    let state = service(machine);
    let pid = state.control_pid.or(state.main_pid).expect("a process");
    machine.hand_in(Event::Exited { pid, status: ExitStatus::Code(code) });
    machine.settle();
}

/// Whoever is left goes.
fn end_all(machine: &mut Machine) {
    for _ in 0..4 {
        let state = service(machine);
        for pid in state.control_pid.into_iter().chain(state.main_pid) {
            machine.hand_in(Event::Exited { pid, status: ExitStatus::Signal(15) });
        }
        machine.empty(NAME);
        machine.settle();
    }
}

#[test]
fn a_program_that_cannot_be_run_ends_with_the_status_for_that() {
    for errno in [Errno::NoEnt, Errno::Access] {
        let mut machine = begun(&["ExecStart"], &[("Type", Value::str("exec"))]);
        assert_eq!(shown(&machine), "activating start success");
        let pid = service(&machine).main_pid.expect("a process");
        let failure = ExecFailure { status: EXIT_EXEC, what: "/bin/x".into(), errno };
        machine.hand_in(Event::Executed { pid, failure: Some(failure) });
        end(&mut machine, EXIT_EXEC);
        end_all(&mut machine);
        assert_eq!(shown(&machine), "failed failed exit-code", "{errno:?}");
        assert_eq!(service(&machine).exec_main_status, 203);
    }
}

#[test]
fn who_ends_in_a_phase_of_the_start_has_failed() {
    let rows = [
        ("ExecCondition", 1, "inactive dead exec-condition"),
        ("ExecCondition", 255, "failed failed exit-code"),
        ("ExecStartPre", 1, "failed failed exit-code"),
        ("ExecStartPost", 1, "failed failed exit-code"),
    ];
    for (phase, code, want) in rows {
        let mut machine = begun(&["ExecStart", phase], &[]);
        end(&mut machine, code);
        end_all(&mut machine);
        assert_eq!(shown(&machine), want, "{phase} with {code}");
    }
}

#[test]
fn who_ends_in_a_phase_of_the_stop_has_failed_and_is_down() {
    for phase in ["ExecStop", "ExecStopPost"] {
        let mut machine = begun(&["ExecStart", phase], &[]);
        machine.ask(root(), job(NAME, JobVerb::Stop));
        machine.settle();
        while service(&machine).control_pid.is_none() {
            end_all_but_control(&mut machine);
        }
        end(&mut machine, 1);
        end_all(&mut machine);
        assert_eq!(shown(&machine), "failed failed exit-code", "{phase}");
    }
}

/// The main process goes, which lets the command for afterwards begin.
fn end_all_but_control(machine: &mut Machine) {
    let pid = service(machine).main_pid.expect("it is not down before its command has run");
    machine.hand_in(Event::Exited { pid, status: ExitStatus::Signal(15) });
    machine.settle();
}

#[test]
fn a_reload_that_fails_leaves_the_service_up() {
    let mut machine = begun(&["ExecStart", "ExecReload"], &[]);
    machine.ask(root(), job(NAME, JobVerb::Reload));
    machine.settle();
    end(&mut machine, 1);
    assert_eq!(shown(&machine), "active running success");
    assert_eq!(service(&machine).reload_result.as_str(), "exit-code");
}

#[test]
fn who_says_much_is_known_by_the_last_of_it() {
    let notify = [("Type", Value::str("notify"))];
    let mut machine = begun(&["ExecStart"], &notify);
    let pid = service(&machine).main_pid.expect("a process");
    let mut say =
        |message: String| machine.hand_in(Event::Notified { pid, uid: 0, cgroup: None, message, descriptors: vec![] });
    (0..10_000).for_each(|number| say(format!("STATUS={number}\nREADY=1\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC={number}")));
    say(format!("STATUS={}", "x".repeat(100_000)));
    say("\0\n=\nREADY\nMAINPID=x\nERRNO=99999999999999".into());
    assert_eq!(shown(&machine), "active running success");
    assert_eq!(service(&machine).notified.text.as_deref(), Some("9999"), "what is too long to be a status is none");
}

#[test]
fn nobody_makes_a_process_of_somebody_else_its_main_process() {
    let mut machine = begun(&["ExecStart"], &[("Type", Value::str("notify")), ("NotifyAccess", Value::str("all"))]);
    let pid = service(&machine).main_pid.expect("a process");
    for foreign in ["1", "0", "-1", "4294967295", "4711"] {
        let message = format!("MAINPID={foreign}\nREADY=1");
        machine.hand_in(Event::Notified { pid, uid: 0, cgroup: None, message, descriptors: vec![] });
        machine.settle();
        assert_eq!(service(&machine).main_pid, Some(pid), "{foreign}");
    }
    assert_eq!(shown(&machine), "active running success");
}
