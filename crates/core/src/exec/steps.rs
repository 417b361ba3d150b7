//! From settings to steps, in the order in which they have to be taken: what needs rights comes before they are given
//! up, what is the user's comes after.

use super::{DIRECTORY_KINDS, ExecStep, LIMITS, Mounts, Stream};
use crate::settings::{CommandRights, ExecSettings, ProtectHome, ProtectSystem, Settings, StreamKind, StreamSettings};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The terminal that is meant when none is named.
const CONSOLE: &str = "/dev/console";
/// Capabilities that go with the devices.
const DEVICE_CAPABILITIES: u64 = (1 << 27) | (1 << 17);

/// What a child of this unit does before it becomes its program. Whoever keeps the arbiter's rights is still told who
/// the service's user is, by its variables and directories.
pub(crate) fn setup(settings: &Settings, rights: CommandRights) -> Vec<ExecStep> {
    let exec = settings.exec();
    let (keeps_all, keeps_user) = (rights == CommandRights::Full, rights >= CommandRights::NoSetuid);
    let mut steps = Vec::new();
    let has_identity = settings.user.is_some() || settings.group.is_some() || !exec.supplementary_groups.is_empty();
    if has_identity {
        let (user, group) = (settings.user.clone(), settings.group.clone());
        steps.push(ExecStep::Identity { user, group, supplementary: exec.supplementary_groups.clone() });
    }
    streams(exec, &mut steps);
    scheduling(exec, &mut steps);
    directories(exec, &mut steps);
    steps.extend((exec.umask != 0o022).then_some(ExecStep::UMask(exec.umask)));
    environment(settings, &mut steps);
    steps.extend((has_identity && !keeps_user).then_some(ExecStep::Groups));
    steps.extend(mounts(exec).filter(|_| !keeps_all).map(ExecStep::Mounts));
    steps.extend(exec.root_directory.clone().filter(|path| path != "/").map(ExecStep::RootDirectory));
    if !keeps_all {
        limits(exec, &mut steps);
        give_up_rights(exec, settings.user.is_some(), keeps_user, &mut steps);
    }
    steps.extend(exec.ignore_sigpipe.then_some(ExecStep::IgnoreSigpipe));
    steps.extend(exec.working_directory.as_deref().map(working_directory));
    steps
}

fn streams(exec: &ExecSettings, steps: &mut Vec<ExecStep>) {
    for (number, settings) in (0_u32..).zip(&exec.streams) {
        let stream = stream(number, settings, exec);
        let usual = if number == 0 { Stream::Null } else { Stream::Arbiter };
        steps.extend((stream != usual).then_some(ExecStep::Stream { number, stream }));
    }
}

/// Output follows input to a terminal or a socket, and error follows output, unless something else was said.
fn stream(number: u32, settings: &StreamSettings, exec: &ExecSettings) -> Stream {
    if let Some(handle) = settings.handle {
        return Stream::Handle(handle);
    }
    let terminal = |force| {
        let path = exec.tty_path.as_deref().unwrap_or(CONSOLE).to_string();
        Stream::Terminal { path, force }
    };
    match settings.kind {
        StreamKind::Default if number == 2 && exec.streams[1] != StreamSettings::default() => Stream::Same(1),
        StreamKind::Inherit if number == 2 => Stream::Same(1),
        StreamKind::Inherit if number == 1 && exec.streams[0] != StreamSettings::default() => Stream::Same(0),
        StreamKind::Inherit if number == 0 => Stream::Null,
        StreamKind::Default if number == 0 => Stream::Null,
        StreamKind::Default | StreamKind::Inherit | StreamKind::Log(_) => Stream::Arbiter,
        StreamKind::Null => Stream::Null,
        StreamKind::Tty | StreamKind::TtyFail => terminal(false),
        StreamKind::TtyForce => terminal(true),
        StreamKind::File(mode) => {
            let path = settings.file.clone().unwrap_or_default();
            let other = exec.streams[..number as usize].iter().position(|other| other == settings);
            match other.and_then(|other| u32::try_from(other).ok()) {
                Some(other) if other > 0 => Stream::Same(other),
                _ => Stream::File { path, mode },
            }
        }
    }
}

fn scheduling(exec: &ExecSettings, steps: &mut Vec<ExecStep>) {
    steps.extend(exec.oom_score_adjust.map(ExecStep::OomScoreAdjust));
    steps.extend(exec.nice.map(ExecStep::Nice));
    if exec.cpu_scheduling_policy.is_some() || exec.cpu_scheduling_reset_on_fork {
        let (policy, priority) = (exec.cpu_scheduling_policy.unwrap_or(0), exec.cpu_scheduling_priority);
        let reset_on_fork = exec.cpu_scheduling_reset_on_fork;
        steps.push(ExecStep::Scheduler { policy, priority, reset_on_fork });
    }
    if exec.cpu_affinity.0.iter().any(|word| *word != 0) {
        steps.push(ExecStep::CpuAffinity(exec.cpu_affinity.clone()));
    }
    if exec.io_scheduling_class.is_some() || exec.io_scheduling_priority.is_some() {
        let (class, level) = (exec.io_scheduling_class.unwrap_or(2), exec.io_scheduling_priority.unwrap_or(4));
        steps.push(ExecStep::IoPriority { class, level });
    }
}

fn directories(exec: &ExecSettings, steps: &mut Vec<ExecStep>) {
    for ((kind, ..), directory) in DIRECTORY_KINDS.into_iter().zip(&exec.directories) {
        if !directory.names.is_empty() {
            steps.push(ExecStep::Directories { kind, names: directory.names.clone(), mode: directory.mode });
        }
    }
}

fn environment(settings: &Settings, steps: &mut Vec<ExecStep>) {
    let exec = settings.exec();
    let step = ExecStep::Environment {
        pass: exec.pass_environment.clone(),
        set: settings.service().environment.clone(),
        files: exec.environment_files.clone(),
        unset: exec.unset_environment.clone(),
    };
    let nothing = ExecStep::Environment { pass: Vec::new(), set: Vec::new(), files: Vec::new(), unset: Vec::new() };
    steps.extend((step != nothing).then_some(step));
}

fn mounts(exec: &ExecSettings) -> Option<Mounts> {
    let owned = |paths: &[&str]| paths.iter().map(|path| String::from(*path)).collect::<Vec<_>>();
    let homes = ["-/home", "-/root", "-/run/user"];
    let mut read_only = match exec.protect_system {
        ProtectSystem::No => Vec::new(),
        ProtectSystem::Yes => owned(&["-/usr", "-/boot", "-/efi"]),
        ProtectSystem::Full => owned(&["-/usr", "-/boot", "-/efi", "-/etc"]),
        ProtectSystem::Strict => owned(&["/"]),
    };
    let mut inaccessible = exec.inaccessible_paths.clone();
    let (mut read_write, mut empty) = (exec.read_write_paths.clone(), Vec::new());
    if exec.protect_system == ProtectSystem::Strict {
        read_write.extend(owned(&["-/dev", "-/proc", "-/sys"]));
        for ((.., place, _), directory) in DIRECTORY_KINDS.into_iter().zip(&exec.directories) {
            read_write.extend(directory.names.iter().map(|name| [place, "/", name].concat()));
        }
    }
    match exec.protect_home {
        ProtectHome::No => {}
        ProtectHome::Yes => inaccessible.extend(owned(&homes)),
        ProtectHome::ReadOnly => read_only.extend(owned(&homes)),
        ProtectHome::Tmpfs => empty.extend(owned(&homes)),
    }
    read_only.extend(exec.read_only_paths.iter().cloned());
    let (private_tmp, private_devices) = (exec.private_tmp, exec.private_devices);
    let mounts = Mounts { private_tmp, private_devices, read_only, read_write, inaccessible, empty };
    let is_needed = Mounts { read_write: Vec::new(), ..mounts.clone() } != Mounts::default();
    is_needed.then_some(mounts)
}

fn limits(exec: &ExecSettings, steps: &mut Vec<ExecStep>) {
    for ((_, limit), values) in LIMITS.into_iter().zip(exec.limits) {
        steps.extend(values.map(|(soft, hard)| ExecStep::Limit { limit, soft, hard }));
    }
}

fn give_up_rights(exec: &ExecSettings, has_user: bool, keeps_user: bool, steps: &mut Vec<ExecStep>) {
    let lost = if exec.private_devices { DEVICE_CAPABILITIES } else { 0 };
    let bounding = exec.capability_bounding_set & !lost;
    steps.extend((bounding != u64::MAX).then_some(ExecStep::BoundingSet(bounding)));
    if !keeps_user && (has_user || exec.ambient_capabilities != 0) {
        steps.push(ExecStep::Become { ambient: exec.ambient_capabilities });
    }
    steps.extend((exec.secure_bits != 0).then_some(ExecStep::SecureBits(exec.secure_bits)));
    steps.extend(exec.no_new_privileges.then_some(ExecStep::NoNewPrivileges));
}

fn working_directory(text: &str) -> ExecStep {
    let path = text.strip_prefix('-').unwrap_or(text);
    ExecStep::WorkingDirectory { path: path.into(), optional: path.len() < text.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::names::UnitName;
    use crate::properties::default_settings;
    use crate::settings::ServiceCommand;
    use crate::unit_file::{self, Source};
    use alloc::format;
    use insta::assert_snapshot;

    /// The steps of a service with these lines in its file.
    fn steps(lines: &str) -> String {
        let (name, config) = (UnitName::parse("a.service").expect("a name"), Config::example());
        let mut settings = default_settings(name.unit_type(), &config);
        let text = format!("[Service]\n{lines}");
        assert_eq!(unit_file::read(&text, &Source { name: &name, path: "", config: &config }, &mut settings), []);
        let rights = settings.service().commands(ServiceCommand::Start).first().map(|command| command.rights);
        setup(&settings, rights.unwrap_or_default()).iter().map(|step| format!("{step:?}\n")).collect()
    }

    #[test]
    fn a_command_may_keep_rights() {
        let lines = |prefix: &str| {
            let rights = "User=nobody\nNoNewPrivileges=yes\nLimitNOFILE=9\nPrivateTmp=yes\n";
            format!("IgnoreSIGPIPE=no\n{rights}ExecStart={prefix}/x\n")
        };
        assert_eq!(steps(&lines("!!")), steps(&lines("")));
        let words = |prefix: &str| {
            let text = steps(&lines(prefix));
            let word = |line: &str| line.split([' ', '(']).next().unwrap_or_default().to_string();
            text.lines().map(word).collect::<Vec<String>>().join(" ")
        };
        assert_eq!(words(""), "Identity Groups Mounts Limit Become NoNewPrivileges");
        assert_eq!(words("!"), "Identity Mounts Limit NoNewPrivileges");
        assert_eq!(words("+"), "Identity");
    }

    #[test]
    fn a_plain_service_only_ignores_broken_pipes() {
        assert_snapshot!(steps(""), @"IgnoreSigpipe");
        assert_snapshot!(steps("IgnoreSIGPIPE=no\n"), @"");
    }

    #[test]
    fn rights_are_given_up_before_the_directory_is_entered() {
        let lines = "WorkingDirectory=-~\nUser=nobody\nNoNewPrivileges=yes\nLimitNOFILE=1024:4096\nNice=5\n\
                     Environment=A=1\nAmbientCapabilities=CAP_KILL\nUMask=077\nRuntimeDirectory=a\n";
        assert_snapshot!(steps(lines), @r#"
        Identity { user: Some("nobody"), group: None, supplementary: [] }
        Nice(5)
        Directories { kind: Runtime, names: ["a"], mode: 493 }
        UMask(63)
        Environment { pass: [], set: ["A=1"], files: [], unset: [] }
        Groups
        Limit { limit: 7, soft: 1024, hard: 4096 }
        Become { ambient: 32 }
        NoNewPrivileges
        IgnoreSigpipe
        WorkingDirectory { path: "~", optional: true }
        "#);
    }

    #[test]
    fn error_follows_output() {
        assert_snapshot!(steps("IgnoreSIGPIPE=no\nStandardOutput=append:/x\n"), @r#"
        Stream { number: 1, stream: File { path: "/x", mode: Append } }
        Stream { number: 2, stream: Same(1) }
        "#);
        assert_snapshot!(steps("IgnoreSIGPIPE=no\nStandardInput=tty\nTTYPath=/dev/tty9\nStandardOutput=inherit\n"), @r#"
        Stream { number: 0, stream: Terminal { path: "/dev/tty9", force: false } }
        Stream { number: 1, stream: Same(0) }
        Stream { number: 2, stream: Same(1) }
        "#);
    }

    #[test]
    fn strict_protection_leaves_what_the_service_has_been_given() {
        let lines =
            "IgnoreSIGPIPE=no\nProtectSystem=strict\nProtectHome=true\nReadWritePaths=-/srv\nStateDirectory=a\n";
        assert_snapshot!(steps(lines), @r#"
        Directories { kind: State, names: ["a"], mode: 493 }
        Mounts(Mounts { private_tmp: false, private_devices: false, read_only: ["/"], read_write: ["-/srv", "-/dev", "-/proc", "-/sys", "/var/lib/a"], inaccessible: ["-/home", "-/root", "-/run/user"], empty: [] })
        "#);
    }
}
