//! The client's program against a scripted manager: what it says, how it exits, what it sends.

// Tests may panic: that is how they fail.
#![allow(clippy::unwrap_used)]

mod fake;

use std::process::Output;

use fake::Fake;

/// Exit status, standard output and standard error as one text.
fn text(output: &Output) -> String {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    format!("{}\n{}\n{}", output.status.code().unwrap_or(-1), part(&output.stdout), part(&output.stderr))
}

#[test]
fn the_result_of_a_job_decides() {
    let fake = Fake::start();
    assert_eq!(text(&fake.client(&["stop", "done"])), "0\n\n");
    assert_eq!(text(&fake.client(&["stop", "skipped"])), "0\n\n");
    insta::assert_snapshot!(text(&fake.client(&["stop", "timeout"])), @r"
    1

    cgarbiter: the job of timeout.service timed out
    ");
    assert_eq!(fake.log()[0], "StopUnit: done.service replace");
}

#[test]
fn files_that_have_changed_are_told() {
    let fake = Fake::start();
    insta::assert_snapshot!(text(&fake.client(&["stop", "done.changed.service"])), @r"
    0

    cgarbiter: the unit file or drop-ins of done.changed.service have changed on disk: run `cgarbiter reload`
    ");
}

#[test]
fn one_failure_does_not_keep_the_others_from_their_turn() {
    let fake = Fake::start();
    insta::assert_snapshot!(text(&fake.client(&["stop", "--json", "gone", "done"])), @r#"
    5
    [
      {
        "unit": "done.service",
        "result": "stopped"
      }
    ]
    {"error":{"message":"cannot stop gone.service: Unit gone.service not loaded.","name":"org.freedesktop.systemd1.NoSuchUnit","exit_status":5}}
    "#);
}

#[test]
fn a_connection_that_ends_is_told() {
    let fake = Fake::start();
    insta::assert_snapshot!(text(&fake.client(&["stop", "cut"])), @r"
    1

    cgarbiter: the connection ended while waiting for the job of cut.service
    ");
}

#[test]
fn what_the_server_cannot_do() {
    let fake = Fake::start();
    insta::assert_snapshot!(text(&fake.client(&["freeze", "a.scope"])), @r"
    3

    cgarbiter: cannot freeze a.scope: not in the script
    ");
}

#[test]
fn nobody_answers() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_cgarbiter"))
        .args(["--address", "/nonexistent/socket", "ls"])
        .output()
        .unwrap();
    insta::assert_snapshot!(text(&output), @r"
    7

    cgarbiter: no server of org.freedesktop.systemd1 answers
      /nonexistent/socket: No such file or directory
    ");
}

#[test]
fn a_scope_is_started_and_the_command_takes_over() {
    let fake = Fake::start();
    let output = fake.client(&[
        "run",
        "--scope",
        "--unit",
        "x",
        "-p",
        "MemoryMax=1M",
        "sh",
        "-c",
        "echo $INVOCATION_ID; exit 9",
    ]);
    insta::assert_snapshot!(text(&output), @r"
    9
    abababababababababababababababab
    Running as unit: x.scope
    ");
    insta::assert_snapshot!(fake.log().join("\n"), @r"
    StartTransientUnit: x.scope fail: Description s, MemoryMax t, PIDFDs ah
    StartTransientUnit: x.scope fail: Description s, MemoryMax t, PIDs au
    ");
}

#[test]
fn a_command_that_is_not_there() {
    let fake = Fake::start();
    insta::assert_snapshot!(text(&fake.client(&["run", "--scope", "-q", "/nonexistent/command"])), @r"
    127

    cgarbiter: cannot execute /nonexistent/command: No such file or directory
    ");
    assert_eq!(fake.client(&["run", "--scope", "-q", "--unit", "a.service", "true"]).status.code(), Some(2));
}
