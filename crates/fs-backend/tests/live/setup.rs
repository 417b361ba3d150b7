//! Steps that a child takes before it becomes its program, seen by the program.

use crate::world::{World, cgroup};
use cgarbiter_core::event::ExitStatus;
use cgarbiter_core::exec::{DirectoryKind, EXIT_EXEC, ExecStep, FileMode, Mounts, Stream};
use cgarbiter_core::plan::Spawn;
use cgarbiter_core::{Errno, Op, Outcome};

/// What the script prints after these steps.
fn seen(world: &mut World, setup: Vec<ExecStep>, script: &str) -> String {
    let (pid, file) = begin(world, setup, script);
    assert_eq!(world.exit_of(pid), ExitStatus::Code(0), "{script}");
    std::fs::read_to_string(file).expect("written").trim_end().to_owned()
}

/// The status, the subject and the error of a step that cannot be taken.
fn failure(world: &mut World, step: ExecStep) -> (i32, String, Errno) {
    let (pid, _) = begin(world, vec![step], "true");
    let failure = world.failure_of(pid);
    (failure.status, failure.what, failure.errno)
}

fn begin(world: &mut World, mut setup: Vec<ExecStep>, script: &str) -> (u32, String) {
    let file = world.files.path().join("out").to_str().expect("text").to_owned();
    let stream = Stream::File { path: file.clone(), mode: FileMode::Truncate };
    setup.insert(0, ExecStep::Stream { number: 1, stream });
    let environment = vec!["PATH=/usr/bin:/bin".into(), "A=given".into()];
    let command = Spawn { setup, environment, no_env_expand: true, ..Spawn::new("/bin/sh", ["sh", "-c", script]) };
    match world.run([Op::Spawn { cgroup: cgroup("s"), command: Box::new(command) }])[..] {
        [Outcome::Spawned { pid }] => (pid, file),
        ref other => panic!("{other:?}"),
    }
}

fn directory(path: &str, optional: bool) -> ExecStep {
    ExecStep::WorkingDirectory { path: path.into(), optional }
}

fn identity(user: Option<&str>, group: Option<&str>) -> ExecStep {
    ExecStep::Identity { user: user.map(Into::into), group: group.map(Into::into), supplementary: vec![] }
}

#[test]
fn what_needs_no_rights() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let world = &mut world;
    assert_eq!(seen(world, vec![], "pwd; umask"), "/\n0022");
    assert_eq!(seen(world, vec![directory("/usr", false)], "pwd"), "/usr");
    assert_eq!(seen(world, vec![directory("/none", true)], "pwd"), "/");
    assert_eq!(seen(world, vec![ExecStep::UMask(0o77)], "umask"), "0077");
    assert_eq!(seen(world, vec![ExecStep::Nice(7)], "nice"), "7");
    let limit = ExecStep::Limit { limit: 7, soft: 50, hard: 60 };
    assert_eq!(seen(world, vec![limit], "ulimit -Sn; ulimit -Hn"), "50\n60");
    let error = ExecStep::Stream { number: 2, stream: Stream::Same(1) };
    assert_eq!(seen(world, vec![error], "echo x >&2"), "x");
    let status = "grep -E '^(SigIgn|NoNewPrivs)' /proc/self/status | tr -d '\\t\\n'";
    let both = vec![ExecStep::NoNewPrivileges, ExecStep::IgnoreSigpipe];
    assert_eq!(seen(world, both, status), "SigIgn:0000000000001000NoNewPrivs:1");
}

#[test]
fn variables_come_from_all_sides() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let file = world.files.path().join("variables");
    std::fs::write(&file, "B='from the file'\nC=c\n").expect("written");
    let file = (file.to_str().expect("text").to_owned(), false);
    let step = |files| ExecStep::Environment {
        pass: vec!["CARGO_MANIFEST_DIR".into(), "NONE".into()],
        set: vec!["A=set".into(), "C=set".into()],
        files,
        unset: vec!["PATH".into()],
    };
    let script = "echo \"$A $B $C ${NONE-none}\"; /usr/bin/env | /usr/bin/grep -c -E '^(PATH|CARGO_MANIFEST_DIR)='";
    let optional = ("/none".to_owned(), true);
    assert_eq!(seen(&mut world, vec![step(vec![optional, file])], script), "set from the file c none\n1");
    let (status, what, errno) = failure(&mut world, step(vec![("/none".into(), false)]));
    assert_eq!((status, what.as_str(), errno), (204, "/none", Errno::NoEnt));
}

#[test]
fn a_step_that_fails_is_named() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    for (step, expected) in [
        (directory("/none", false), (200, "/none", Errno::NoEnt)),
        (identity(Some("nosuchuser"), None), (217, "nosuchuser", Errno::Srch)),
        (identity(None, Some("nosuchgroup")), (216, "group nosuchgroup", Errno::Srch)),
        (ExecStep::RootDirectory("/none".into()), (210, "/none", Errno::NoEnt)),
        (ExecStep::Stream { number: 0, stream: Stream::Handle(7) }, (208, "descriptor", Errno::BadF)),
    ] {
        if matches!(step, ExecStep::Stream { .. }) {
            // A handle that is not held is refused before anybody is born.
            let command = Spawn { setup: vec![step], ..Spawn::new("/bin/true", ["true"]) };
            let refused = world.refused(Op::Spawn { cgroup: cgroup("s"), command: Box::new(command) });
            assert_eq!((refused.file.as_str(), refused.errno), (expected.1, expected.2));
            continue;
        }
        let (status, what, errno) = failure(&mut world, step);
        assert_eq!((status, what.as_str(), errno), expected);
    }
    assert_eq!(EXIT_EXEC, 203);
}

#[test]
fn rights_are_given_up() {
    let Some(mut world) = World::new() else { return };
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    world.mkdir(&["s"]);
    let name = format!("cgarbiter-test-{}", std::process::id());
    let steps = |more: Vec<ExecStep>| {
        let become_it = [ExecStep::Groups, ExecStep::Become { ambient: 0 }];
        [identity(Some("nobody"), None)].into_iter().chain(more).chain(become_it).collect::<Vec<_>>()
    };
    let script = "id -un; echo $USER; grep CapEff /proc/self/status | tr -d '\\t'";
    assert_eq!(seen(&mut world, steps(vec![]), script), "nobody\nnobody\nCapEff:0000000000000000");
    let ambient = vec![identity(Some("nobody"), None), ExecStep::Groups, ExecStep::Become { ambient: 1 << 5 }];
    assert_eq!(seen(&mut world, ambient, "grep -c 'CapEff.*20$' /proc/self/status"), "1");
    let made = ExecStep::Directories { kind: DirectoryKind::Runtime, names: vec![name.clone()], mode: 0o750 };
    let script = "stat -c '%U %a' \"$RUNTIME_DIRECTORY\"";
    assert_eq!(seen(&mut world, steps(vec![made]), script), "nobody 750");
    std::fs::remove_dir(format!("/run/{name}")).expect("it was made");
    let bounded = vec![ExecStep::BoundingSet(1 << 5)];
    assert_eq!(seen(&mut world, bounded, "grep -c 'CapBnd.*0000000020$' /proc/self/status"), "1");
}

#[test]
fn the_file_system_looks_otherwise() {
    let Some(mut world) = World::new() else { return };
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    world.mkdir(&["s"]);
    let place = world.files.path().join("place");
    std::fs::create_dir_all(place.join("inner")).expect("made");
    std::fs::write(place.join("file"), "secret").expect("written");
    let path = |name: &str| place.join(name).to_str().expect("text").to_owned();
    let mounts = Mounts {
        private_tmp: false,
        read_only: vec![path(""), "-/none".into()],
        read_write: vec![path("inner")],
        inaccessible: vec![path("file")],
        ..Mounts::default()
    };
    let script = format!(
        "touch {0}/x 2>/dev/null || echo no; touch {0}/inner/x && echo yes; cat {0}/file 2>/dev/null || echo no",
        path("").trim_end_matches('/')
    );
    assert_eq!(seen(&mut world, vec![ExecStep::Mounts(mounts)], &script), "no\nyes\nno");
    assert!(place.join("inner/x").exists() && !place.join("x").exists());
    let strict = Mounts { private_tmp: true, read_only: vec!["/".into()], ..Mounts::default() };
    let script = "touch /tmp/x && touch /usr/x 2>/dev/null || echo no";
    let null = ExecStep::Stream { number: 2, stream: Stream::Null };
    assert_eq!(seen(&mut world, vec![null, ExecStep::Mounts(strict)], &format!("{script}; ls /tmp")), "no\nx");
    let private = Mounts { private_tmp: true, private_devices: true, ..Mounts::default() };
    let script = "ls -A /tmp | wc -l; test -c /dev/null && ! test -e /dev/kmsg && echo yes";
    assert_eq!(seen(&mut world, vec![ExecStep::Mounts(private)], script), "0\nyes");
}
