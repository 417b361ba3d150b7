//! Directories, files, watches.

use crate::world::{Sleeper, World, cgroup};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::event::{CgroupEvents, Event};
use cgarbiter_core::plan::{OnError, WatchId};
use cgarbiter_core::{Answer, Errno, Op, Outcome, Question};
use cgarbiter_fs_backend::{Root, RootChoice, machine};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::{fs, io};

#[test]
fn a_cgroup_is_made_seen_and_removed() {
    let Some(mut world) = World::new() else { return };
    let made = world.run([Op::Mkdir { cgroup: cgroup("a.slice") }]);
    let metadata = fs::metadata(world.directory.join("a.slice")).expect("there");
    assert_eq!(made, [Outcome::Made { id: metadata.ino() }]);
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o755);
    let again = world.refused(Op::Mkdir { cgroup: cgroup("a.slice") });
    assert_eq!(
        (again.errno, again.file.as_str()),
        (Errno::Exist, world.directory.join("a.slice").to_str().unwrap_or(""))
    );
    let seen = world.run([Op::Observe { cgroup: cgroup("a.slice") }]);
    assert_eq!(seen, [Outcome::Seen { id: metadata.ino(), enabled: ControllerMask::empty() }]);
    let removal = || Op::Rmdir { cgroup: cgroup("a.slice"), watch: None };
    world.run([removal(), removal()]);
    assert!(!world.directory.join("a.slice").exists());
    assert_eq!(world.refused(Op::Observe { cgroup: cgroup("a.slice") }).errno, Errno::NoEnt);
    assert_eq!(world.refused(Op::Mkdir { cgroup: cgroup("x/y") }).errno, Errno::NoEnt);
    assert_eq!(
        world.refused(Op::Rmdir { cgroup: cgarbiter_core::names::CgroupPath::root(), watch: None }).errno,
        Errno::Busy
    );
}

#[test]
fn what_is_empty_below_goes_first_and_what_is_not_is_busy() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["u", "u/a", "u/a/b", "u/a/c", "u/d"]);
    let sleeper = Sleeper::new();
    world.attach("u/a/b", sleeper.pid());
    world.watch("u", 1);
    let removal = || Op::Rmdir { cgroup: cgroup("u"), watch: Some(WatchId(1)) };
    assert_eq!(world.refused(removal()).errno, Errno::Busy);
    assert!(world.directory.join("u/a/b").exists() && !world.directory.join("u/d").exists());
    // The watch has outlived the refusal.
    drop(sleeper);
    let notice = Event::CgroupChanged { watch: WatchId(1) };
    world.until("the end", |world, seen| seen.contains(&notice) && !world.is_populated("u"));
    world.run([removal()]);
    assert!(!world.directory.join("u").exists());
}

#[test]
fn a_limit_on_descendants_is_named() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s", "s/t"]);
    world.run([Op::Write { cgroup: cgroup("s"), file: "cgroup.max.descendants", value: "1".into() }]);
    let error = world.refused(Op::Mkdir { cgroup: cgroup("s/t/u") });
    assert_eq!(error.errno, Errno::Again);
    assert!(error.file.ends_with("/s/cgroup.max.descendants"), "{error}");
    world.run([Op::Write { cgroup: cgroup("s"), file: "cgroup.max.descendants", value: "max".into() }]);
    world.run([Op::Write { cgroup: cgroup("s"), file: "cgroup.max.depth", value: "1".into() }]);
    let error = world.refused(Op::Mkdir { cgroup: cgroup("s/t/u") });
    assert!(error.file.ends_with("/s/cgroup.max.depth"), "{error}");
}

#[test]
fn files_are_written_and_refusals_name_them() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let write = |file, value: &str| Op::Write { cgroup: cgroup("s"), file, value: value.into() };
    world.run([write("cgroup.max.depth", "5")]);
    assert_eq!(world.read("s/cgroup.max.depth"), "5\n");
    let error = world.refused(write("cgroup.max.depth", "-1"));
    assert_eq!((error.errno, error.file.ends_with("/s/cgroup.max.depth")), (Errno::Range, true));
    assert_eq!(world.refused(write("no.such.file", "1")).errno, Errno::NoEnt);
    let plan = || [write("cgroup.max.depth", "x"), write("cgroup.max.depth", "6")];
    let report = world.report(plan(), OnError::Report);
    assert!(matches!(&report.outcomes[..], [Outcome::Refused(error), Outcome::Done] if error.errno == Errno::Inval));
    let report = world.report(plan(), OnError::Stop);
    assert!(report.outcomes.is_empty() && report.failed.is_some_and(|error| error.errno == Errno::Inval));
}

#[test]
fn another_cgroup_under_the_same_name_is_noticed() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let directory = world.directory.join("s");
    fs::remove_dir(&directory).and_then(|()| fs::create_dir(&directory)).expect("replaced");
    world.run([Op::Write { cgroup: cgroup("s"), file: "cgroup.max.depth", value: "3".into() }]);
    assert_eq!(world.read("s/cgroup.max.depth"), "3\n");
    fs::remove_dir(&directory).expect("removed");
    for question in [Question::Events(cgroup("s")), Question::Readings(cgroup("s")), Question::Members(cgroup("s"))] {
        let answer = world.executor.answer(&question);
        assert!(matches!(answer, Answer::Events(None) | Answer::Readings(None) | Answer::Members(None)), "{answer:?}");
    }
}

#[test]
fn controllers_are_switched_one_by_one() {
    let Some(mut world) = World::new() else { return };
    let supported = world.executor.root().supported().expect("readable");
    let enable = ControllerMask::PIDS | ControllerMask::MEMORY;
    let control = Op::SubtreeControl { cgroup: cgroup(""), enable, disable: ControllerMask::empty() };
    let outcomes = world.run([control]);
    let [Outcome::Controllers { enabled, refused }] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(*enabled, supported & enable);
    assert_eq!(world.executor.root().enabled().expect("readable"), *enabled);
    match refused {
        Some(error) => assert_eq!((error.errno, supported.contains(enable)), (Errno::NoEnt, false)),
        None => assert!(supported.contains(enable)),
    }
    let disable = Op::SubtreeControl { cgroup: cgroup(""), enable: ControllerMask::empty(), disable: enable };
    let none = Outcome::Controllers { enabled: ControllerMask::empty(), refused: None };
    assert_eq!(world.run([disable]), [none]);
}

#[test]
fn edges_of_a_watch() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s", "quiet"]);
    world.watch("s", 1);
    world.watch("quiet", 2);
    let present: Vec<_> = [1, 2].map(|n| Event::CgroupChanged { watch: WatchId(n) }).into();
    assert_eq!(world.until("the present state", |_, seen| seen.len() >= 2), present);
    let mut sleeper = Sleeper::new();
    world.attach("s", sleeper.pid());
    let populated = CgroupEvents { populated: true, frozen: false, oom_kills: None };
    let seen = world.until("a first edge", |_, seen| !seen.is_empty());
    assert_eq!(seen, [Event::CgroupChanged { watch: WatchId(1) }]);
    match world.executor.answer(&Question::Events(cgroup("s"))) {
        Answer::Events(Some(events)) => assert_eq!(CgroupEvents { oom_kills: None, ..events }, populated),
        other => panic!("{other:?}"),
    }
    sleeper.kill();
    let notice = Event::CgroupChanged { watch: WatchId(1) };
    world.until("emptiness", |world, seen| seen.contains(&notice) && !world.is_populated("s"));
    // Frozen while empty: one more edge.
    world.run([Op::Write { cgroup: cgroup("s"), file: "cgroup.freeze", value: "1".into() }]);
    world.until_changed(1);
    world.run([Op::Rmdir { cgroup: cgroup("s"), watch: Some(WatchId(1)) }]);
    assert_eq!(world.refused(Op::Watch { cgroup: cgroup("s"), watch: WatchId(3), memory: false }).errno, Errno::NoEnt);
}

#[test]
fn the_descriptor_wakes_a_sleeper() {
    use nix::poll::{PollFd, PollFlags, poll};
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let is_readable = |world: &World, msec: u16| {
        let mut fds = [PollFd::new(world.executor.notices(), PollFlags::POLLIN)];
        poll(&mut fds, msec).expect("polled") > 0
    };
    assert!(!is_readable(&world, 0));
    world.watch("s", 1);
    assert!(is_readable(&world, 0), "the present state waits");
    assert!(world.executor.drain(&mut |_| {}));
    assert!(!is_readable(&world, 0));
    let sleeper = Sleeper::new();
    world.attach("s", sleeper.pid());
    assert!(is_readable(&world, 5000), "an edge has come");
}

#[test]
fn attributes_are_set_and_removed() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let xattr = |value: Option<&str>| {
        let (name, value) = ("user.invocation_id", value.map(str::to_owned));
        Op::Xattr { cgroup: cgroup("s"), name, value }
    };
    if world.executor.kernel().user_xattr == Some(false) {
        assert_eq!(world.refused(xattr(Some("0a"))).errno, Errno::NotSup);
        return;
    }
    world.run([xattr(Some("0a")), xattr(Some("0b")), xattr(None), xattr(None)]);
    assert_eq!(world.refused(Op::Xattr { cgroup: cgroup("gone"), name: "user.x", value: None }).errno, Errno::NoEnt);
}

#[test]
fn a_delegated_cgroup_belongs_to_its_user() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let delegate = |user: &str, group: Option<&str>| Op::Delegate {
        cgroup: cgroup("s"),
        user: user.into(),
        group: group.map(Into::into),
    };
    world.run([delegate("4242", Some("4343"))]);
    let owner = |file: &str| fs::metadata(world.directory.join("s").join(file)).map(|m| (m.uid(), m.gid()));
    for file in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
        assert_eq!(owner(file).expect("there"), (4242, 4343), "{file}");
    }
    assert_eq!(owner("cgroup.max.depth").expect("there"), (0, 0));
    world.run([delegate("4242", None)]);
    assert_eq!(world.refused(delegate("no-such-user", None)).errno, Errno::Srch);
}

#[test]
fn a_tree_deeper_than_any_path_may_be_long_is_removed() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let name = "d".repeat(200);
    let mut here: std::os::fd::OwnedFd = fs::File::open(world.directory.join("s")).expect("opens").into();
    for _ in 0..30 {
        nix::sys::stat::mkdirat(&here, name.as_str(), nix::sys::stat::Mode::S_IRWXU).expect("made");
        let flags = nix::fcntl::OFlag::O_DIRECTORY;
        here = nix::fcntl::openat(&here, name.as_str(), flags, nix::sys::stat::Mode::empty()).expect("opens");
    }
    drop(here);
    world.run([Op::Rmdir { cgroup: cgroup("s"), watch: None }]);
    assert!(!world.directory.join("s").exists());
}

#[test]
fn the_root_knows_itself() {
    let Some(world) = World::new() else { return };
    let root = world.executor.root();
    assert_eq!(root.directory(), world.directory.to_str().expect("text"));
    assert!(root.directory().ends_with(root.path()) && root.path().starts_with('/'));
    assert!(!root.is_top());
    assert_eq!(root.internal_processes(), Ok(Vec::new()));
    let sleeper = Sleeper::new();
    fs::write(world.directory.join("cgroup.procs"), sleeper.pid().to_string()).expect("moved");
    let inside = root.internal_processes().expect("readable");
    assert_eq!(inside, [sleeper.pid()]);
    assert_eq!(root.move_to_leaf("init.scope", &inside), Ok(1));
    assert_eq!(root.internal_processes(), Ok(Vec::new()));
    assert_eq!(world.read("init.scope/cgroup.procs"), format!("{}\n", sleeper.pid()));
    let facts = machine(root);
    assert!(facts.memory_bytes > 0 && facts.tasks_max > 0 && facts.page_size.is_power_of_two());
    let file = RootChoice { path: Some(world.directory.join("cgroup.procs")), beside_systemd: true };
    assert!(Root::find(&file).is_err());
}

#[test]
fn records_stand_below_their_prefix() {
    let Some(mut world) = World::new() else { return };
    let file: std::sync::Arc<str> = "/run/cgarbiter/transient/x.scope".into();
    world.run([Op::WriteFile { file: file.clone(), content: "[Scope]\n".into(), spares_others: false }]);
    let path = world.files.path().join("run/cgarbiter/transient/x.scope");
    assert_eq!(fs::read_to_string(&path).expect("there"), "[Scope]\n");
    world.run([Op::RemoveFile { file: file.clone(), directory: false }, Op::RemoveFile { file, directory: false }]);
    assert_eq!(fs::metadata(&path).map_err(|e| e.kind()).err(), Some(io::ErrorKind::NotFound));
}
