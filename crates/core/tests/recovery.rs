//! What a new arbiter does first with what it has found.

mod support;

use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::found::{Found, FoundCgroup, FoundFile};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Op;
use cgarbiter_core::unit_files::{Content, UnitFile};
use cgarbiter_core::{Config, Effect, Errno, Manager, OpError, Outcome, Report, invariants, persist};
use std::collections::BTreeMap;
use std::fmt::Write;
use support::clocks;

const SLICE: &str = "0123456789abcdef0123456789abcdef";
const UNIT: &str = "e13d1192346246b4abd8e480cd81993e";

fn found(path: &str, invocation: Option<&str>, populated: bool) -> FoundCgroup {
    FoundCgroup {
        path: CgroupPath::parse(path).expect("a path"),
        enabled: if invocation.is_some() { ControllerMask::MEMORY } else { ControllerMask::empty() },
        invocation: invocation.map(Into::into),
        populated,
        id: 7,
        delegated: false,
        freeze: false,
        frozen: false,
        pids: Vec::new(),
    }
}

/// A record of this boot, of a unit that was started as [`UNIT`].
fn record(name: &str, settings: &str, more: &str) -> FoundFile {
    let config = Config::example();
    let boot = &config.boot_id;
    let section = format!("Version=1\nBootID={boot}\nInvocationID={UNIT}\nStarted=1790000001000000 1000000\n{more}");
    let path = format!("{}/{name}", config.unit_paths.transient).into();
    FoundFile { path, content: Ok(persist::write(settings, &section)) }
}

/// All that is done after what was found, line by line, and the units that are there in the end.
fn recovered(found: Found) -> String {
    let mut manager = Manager::recover(Config::example(), clocks(60_000_000), found);
    let (mut out, mut on) = (String::new(), BTreeMap::new());
    while let Some(effect) = manager.poll_effect() {
        invariants::check(&manager);
        let Effect::Run(plan) = effect else { continue };
        plan.steps.iter().for_each(|step| writeln!(out, "{step}").expect("memory"));
        let report = Report {
            plan: plan.id,
            outcomes: plan.steps.iter().map(|step| well(&step.op, &mut on)).collect(),
            failed: None,
        };
        manager.handle_event(clocks(61_000_000), cgarbiter_core::Event::PlanDone(report));
    }
    invariants::check(&manager);
    for (_, unit) in manager.graph().iter() {
        writeln!(out, "= {} {} {}", unit.name, unit.load.as_str(), unit.state.sub()).expect("memory");
    }
    out
}

fn well(op: &Op, on: &mut BTreeMap<CgroupPath, ControllerMask>) -> Outcome {
    match op {
        Op::SubtreeControl { cgroup, enable, disable } => {
            let enabled = on.entry(cgroup.clone()).or_insert(ControllerMask::MEMORY);
            *enabled = (*enabled | *enable) - *disable;
            Outcome::Controllers { enabled: *enabled, refused: None }
        }
        Op::SignalAll { .. } => Outcome::Signalled { count: 2 },
        _ => Outcome::Done,
    }
}

fn unit_file(name: &str, text: &str) -> UnitFile {
    UnitFile::text(format!("{}/{name}", Config::example().unit_paths.files()[0]), text)
}

fn unreadable(name: &str) -> UnitFile {
    UnitFile { content: Content::Unreadable(OpError::new("x", Errno::Access)), ..unit_file(name, "") }
}

#[test]
fn a_slice_whose_file_is_unfit_keeps_its_members_and_its_limits() {
    for file in [unit_file("web.slice", "[Slice\n"), unit_file("web.slice", ""), unreadable("web.slice")] {
        let found = Found {
            descriptors: vec![],
            cgroups: vec![found("/web.slice", Some(SLICE), true), found("/web.slice/x.scope", Some(UNIT), true)],
            files: vec![record("x.scope", "[Scope]\nSlice=web.slice\nMemoryMax=1073741824\n", "")],
            unit_files: vec![file],
        };
        let done = recovered(found);
        assert!(done.contains("= x.scope loaded running"), "{done}");
        assert!(done.contains("web.slice") && !done.contains("= web.slice loaded"), "{done}");
        assert!(done.contains("web.slice/x.scope memory.max 1073741824"), "{done}");
        assert!(!done.contains("web.slice memory") && !done.contains("forget"), "{done}");
    }
}

#[test]
fn a_unit_that_a_drop_in_puts_elsewhere_is_found_where_it_was_made() {
    let found = Found {
        descriptors: vec![],
        cgroups: vec![found("/a.slice", Some(SLICE), true), found("/a.slice/x.scope", Some(UNIT), true)],
        files: vec![record("x.scope", "[Scope]\nSlice=a.slice\n", "")],
        unit_files: vec![unit_file("x.scope.d/place.conf", "[Scope]\nSlice=b.slice\n")],
    };
    let done = recovered(found);
    assert!(done.contains("= x.scope loaded running") && !done.contains("forget"), "{done}");
}

#[test]
fn a_main_process_that_was_found_nowhere_is_asked_for_and_nobody_is_killed() {
    let service = "[Service]\nDelegate=yes\nExecStart=/bin/sleep \"/bin/sleep\" \"9\"\n";
    let found = Found {
        descriptors: vec![],
        cgroups: vec![found("/system.slice", Some(SLICE), true), found("/system.slice/d.service", Some(UNIT), true)],
        files: vec![record("d.service", service, "MainPID=42\nMainStarted=1790000001000000 1000000\n")],
        unit_files: Vec::new(),
    };
    let done = recovered(found);
    assert!(done.contains("watch    system.slice/d.service pid 42"), "{done}");
    assert!(done.contains("= d.service loaded running") && !done.contains("signal"), "{done}");
}

#[test]
fn a_drop_in_that_became_unfit_takes_no_limit_off_a_unit_that_is_up() {
    for unfit in [unreadable("scope.d/20-new.conf"), unit_file("scope.d/20-new.conf", "[Scope\n")] {
        let found = Found {
            descriptors: vec![],
            cgroups: vec![found("/system.slice", Some(SLICE), true), found("/system.slice/t.scope", Some(UNIT), true)],
            files: vec![record("t.scope", "[Scope]\n", "")],
            unit_files: vec![unit_file("scope.d/10-limits.conf", "[Scope]\nMemoryMax=1048576\n"), unfit],
        };
        let done = recovered(found);
        assert!(done.contains("system.slice/t.scope memory.max 1048576"), "{done}");
        assert!(!done.contains("system.slice/t.scope memory.high"), "the other may have set it: {done}");
    }
}

#[test]
fn what_a_delegatee_has_written_stays_and_what_was_set_comes_back() {
    let drop_in = |file: &str, line: &str| FoundFile {
        path: format!("{}/c.scope.d/{file}", Config::example().unit_paths.transient).into(),
        content: Ok(format!("[Scope]\n{line}\n")),
    };
    let scope = record("c.scope", "[Scope]\nDelegate=yes\nMemoryMax=1073741824\n", "");
    let found = Found {
        descriptors: vec![],
        cgroups: vec![found("/system.slice", Some(SLICE), true), found("/system.slice/c.scope", Some(UNIT), true)],
        files: vec![scope, drop_in("50-MemoryHigh.conf", "MemoryHigh=infinity")],
        unit_files: Vec::new(),
    };
    let done = recovered(found);
    assert!(done.contains("system.slice/c.scope memory.max 1073741824"), "{done}");
    assert!(done.contains("system.slice/c.scope memory.high max"), "it was set, and may not have been written: {done}");
    assert!(!done.contains("system.slice/c.scope memory.swap.max"), "nobody has set it: {done}");
}

#[test]
fn a_directory_of_somebody_else_is_not_taken_for_that_of_a_start_that_was_cut() {
    let found = Found {
        descriptors: vec![],
        cgroups: vec![found("/system.slice", Some(SLICE), true), found("/system.slice/f.scope", Some(SLICE), true)],
        files: vec![record("f.scope", "[Scope]\nRuntimeMaxSec=5\n", "")],
        unit_files: Vec::new(),
    };
    let done = recovered(found);
    assert!(!done.contains("= f.scope") && !done.contains("write    system.slice/f.scope"), "{done}");
    assert!(!done.contains("rmdir    system.slice/f.scope"), "{done}");
}

/// The steps of all plans until there are no more, each of them well done.
fn steps(mut manager: Manager) -> Vec<Op> {
    let (mut steps, mut on) = (Vec::new(), BTreeMap::new());
    while let Some(effect) = manager.poll_effect() {
        let Effect::Run(plan) = effect else { continue };
        steps.extend(plan.steps.iter().map(|step| step.op.clone()));
        let outcomes = plan.steps.iter().map(|step| well(&step.op, &mut on));
        let report = Report { plan: plan.id, outcomes: outcomes.collect(), failed: None };
        manager.handle_event(clocks(2_000_000), cgarbiter_core::Event::PlanDone(report));
    }
    steps
}

fn disables(cgroups: Vec<FoundCgroup>) -> bool {
    let manager = Manager::recover(Config::example(), clocks(1_000_000), Found { cgroups, ..Found::default() });
    let switches_off = |op: &Op| matches!(op, Op::SubtreeControl { disable, .. } if !disable.is_empty());
    steps(manager).iter().any(switches_off)
}

#[test]
fn controllers_stay_on_for_somebody_of_whom_nothing_is_known() {
    let slice = || found("/a.slice", Some("0123456789abcdef0123456789abcdef"), true);
    assert!(disables(vec![slice()]), "nobody is left who needs them");
    assert!(!disables(vec![slice(), found("/a.slice/web.service", None, true)]));
    assert!(!disables(vec![slice(), found("/a.slice/other", None, false)]));
}

#[test]
fn a_directory_of_unit_files_that_cannot_be_read_takes_no_limit_off() {
    let search = Config::example().unit_paths.files()[0].to_string();
    for directory in [search.clone(), format!("{search}/web.slice.d")] {
        let content = Content::Unreadable(OpError::new(&*directory, Errno::Access));
        let unread = UnitFile { path: directory.into(), link: None, content };
        let found = Found {
            descriptors: vec![],
            cgroups: vec![found("/web.slice", Some(SLICE), true), found("/web.slice/x.scope", Some(UNIT), true)],
            files: vec![record("x.scope", "[Scope]\nSlice=web.slice\nMemoryAccounting=no\nTasksAccounting=no\n", "")],
            unit_files: vec![unread],
        };
        let done = recovered(found);
        assert!(done.contains("= x.scope loaded running") && done.contains("= web.slice"), "{done}");
        assert!(!done.contains("web.slice memory"), "it may be limited: {done}");
        assert!(!done.contains("-memory"), "whatever it is limited by stays on: {done}");
    }
}

#[test]
fn a_mark_that_is_none_of_ours_adopts_nobody() {
    let found = Found {
        cgroups: vec![found("/web.slice", None, true), found("/web.slice/web-a.slice", Some("mine"), true)],
        ..Found::default()
    };
    let done = recovered(found);
    assert!(!done.contains("web"), "{done}");
}

#[test]
fn a_slice_without_a_mark_is_ours_only_if_somebody_recorded_lies_in_it() {
    let unit_files = vec![
        unit_file("a.service", "[Unit]\nWants=b.service\n[Service]\nExecStart=/bin/true\n"),
        unit_file("b.service", "[Service]\nSlice=web.slice\nExecStart=/bin/true\n"),
    ];
    let cgroups = || vec![found("/web.slice", None, true), found("/system.slice", Some(SLICE), true)];
    let scope = || record("x.scope", "[Unit]\nWants=a.service\n[Scope]\n", "");
    let x = found("/system.slice/x.scope", Some(UNIT), true);
    let found = Found { descriptors: vec![], cgroups: [cgroups(), vec![x]].concat(), files: vec![scope()], unit_files };
    let done = recovered(found);
    assert!(done.contains("= x.scope loaded running"), "{done}");
    assert!(!done.contains("write    web.slice") && !done.contains("= web.slice loaded active"), "{done}");
}

#[test]
fn transient_files_of_another_manager_stay_where_they_are() {
    let transient = Config::example().unit_paths.transient;
    let file =
        |name: &str, text: &str| FoundFile { path: format!("{transient}/{name}").into(), content: Ok(text.into()) };
    let found = Found {
        descriptors: vec![],
        cgroups: vec![found("/user.slice", None, true), found("/user.slice/session-1.scope", Some(UNIT), false)],
        files: vec![
            file("session-1.scope", "# made by somebody\n[Scope]\nSlice=user.slice\n"),
            file("session-1.scope.d/50-TasksMax.conf", "[Scope]\nTasksMax=5\n"),
        ],
        unit_files: Vec::new(),
    };
    let done = recovered(found);
    assert!(!done.contains("session-1"), "{done}");
}

#[test]
fn a_record_of_a_newer_version_stays_for_who_understands_it() {
    let newer = record("x.scope", "[Scope]\n", "");
    let content = newer.content.map(|text| text.replace("Version=1", "Version=2"));
    let found = Found {
        descriptors: vec![],
        cgroups: vec![found("/system.slice", Some(SLICE), true), found("/system.slice/x.scope", Some(UNIT), true)],
        files: vec![FoundFile { content, ..newer }],
        unit_files: Vec::new(),
    };
    let done = recovered(found);
    assert!(done.contains("= x.scope error running"), "{done}");
    assert!(!done.contains("transient/x.scope"), "{done}");
}

#[test]
fn who_runs_by_a_record_that_was_put_aside_is_known_at_each_start() {
    let aside = |name: &str| FoundFile {
        path: format!("{}/{name}", Config::example().unit_paths.quarantine).into(),
        content: Ok("[X-Cgarbiter]\n".into()),
    };
    let found = Found {
        descriptors: vec![],
        cgroups: vec![found("/system.slice", Some(SLICE), true), found("/system.slice/x.scope", Some(UNIT), true)],
        files: vec![aside("x.scope"), aside("gone.scope")],
        unit_files: Vec::new(),
    };
    let done = recovered(found);
    assert!(done.contains("= x.scope error running"), "{done}");
    assert!(!done.contains("gone.scope") && !done.contains("quarantine"), "{done}");
}

#[test]
fn a_oneshot_that_was_cut_between_two_commands_does_not_end_in_success() {
    let service = "[Service]\nType=oneshot\nExecStart=/bin/a \"/bin/a\"\nExecStart=/bin/b \"/bin/b\"\n";
    let start = "State=start\nSince=1790000001000000 1000000\nCommand=1\n";
    let found = Found {
        descriptors: vec![],
        cgroups: vec![found("/system.slice", Some(SLICE), true), found("/system.slice/o.service", Some(UNIT), false)],
        files: vec![record("o.service", service, start)],
        unit_files: Vec::new(),
    };
    let manager = Manager::recover(Config::example(), clocks(60_000_000), found);
    let graph = manager.graph();
    let unit = graph.unit(graph.find("o.service").expect("it is known"));
    assert_eq!((unit.state.sub(), unit.result.as_str()), ("stop-sigterm", "protocol"));
}

fn damaged(name: &str) -> FoundFile {
    let good = record(name, "[Scope]\n", "State=running\n");
    let content = good.content.map(|text| text.replace("Started=1", "Started=2"));
    FoundFile { content, ..good }
}

#[test]
fn who_lost_its_record_is_not_taken_for_a_stranger_of_the_same_name() {
    let marked = |path| found(path, Some(UNIT), true);
    let with = |cgroups: &[FoundCgroup]| {
        recovered(Found { cgroups: cgroups.to_vec(), files: vec![damaged("a.scope")], ..Found::default() })
    };
    let (stranger, own) = (found("/aaa.slice/a.scope", None, true), marked("/app.slice/a.scope"));
    // Where the mark is.
    let done = with(&[found("/aaa.slice", None, true), stranger.clone(), marked("/app.slice"), own]);
    assert!(done.contains("= a.scope error running") && done.contains("= app.slice loaded active"), "{done}");
    assert!(!done.contains("/aaa.slice"), "{done}");
    // Not where a unit cannot lie.
    let done = with(&[found("/docker", None, true), found("/docker/a.scope", None, true), stranger.clone()]);
    assert!(done.contains("= a.scope error running") && !done.contains("docker"), "{done}");
    let done = with(&[found("/b-c.slice", None, true), found("/b-c.slice/a.scope", None, true)]);
    assert!(done.contains("= a.scope error failed"), "{done}");
    // Nowhere, if there are two and no mark tells.
    let done = with(&[stranger, found("/app.slice/a.scope", None, true)]);
    assert!(done.contains("= a.scope error failed"), "{done}");
}

#[test]
fn what_was_put_aside_before_a_crash_stays_aside() {
    let paths = Config::example().unit_paths;
    let drop_in = FoundFile {
        path: format!("{}/a.scope.d/50-TasksMax.conf", paths.transient).into(),
        content: Ok("[Scope]\nTasksMax=7\n".into()),
    };
    let steps = |files| {
        let done = recovered(Found { files, ..Found::default() });
        done.lines().filter(|line| line.contains(&*paths.quarantine)).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let whole = steps(vec![damaged("a.scope"), drop_in]);
    assert_eq!(whole.len(), 3, "{whole:#?}");
    // It was killed when the drop-ins had been moved, and the record had not.
    assert_eq!(steps(vec![damaged("a.scope")]), whole[2..]);
}
