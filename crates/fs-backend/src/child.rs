//! The child's half: takes leave of the arbiter, takes its steps in their order, becomes the program. It runs in a copy
//! of the spawner, which has one thread, so that all of the library is at hand; what it cannot do it tells by the
//! report and by its exit status.

mod directories;
mod identity;
mod mounts;
mod stored;
mod streams;

use crate::errno::word;
use crate::spawner::handles;
use cgarbiter_core::exec::{
    DirectoryKind, EXIT_EXEC, ExecFailure, ExecStep, expand_arguments, merge_variables, read_environment_file,
    unset_variables,
};
use cgarbiter_core::plan::Spawn;
use cgarbiter_core::settings::CpuSet;
use identity::Identity;
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{AccessFlags, access, chdir, chroot, execve, setsid, write};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Signals there are, and the bytes of a set of them, as the kernel counts.
const SIGNALS: i32 = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 128 } else { 64 };
const SIGSET_SIZE: usize = SIGNALS as usize / 8;

/// What a child tells first of all: that it lives.
const BORN: u8 = 0;
/// `EXIT_CGROUP`
const EXIT_CGROUP: i32 = 219;
/// `EXIT_FDS`
const EXIT_FDS: i32 = 202;
/// Where programs without a path are looked for.
const SEARCH_PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// What a child is born with, beside the command.
pub(crate) struct Birth {
    /// Where it tells what becomes of it.
    pub(crate) report: OwnedFd,
    /// The `cgroup.procs` to move to, unless it was born where it belongs.
    pub(crate) procs: Option<OwnedFd>,
    /// Limit of open files.
    pub(crate) open_files: (u64, u64),
    /// Descriptors for standard streams.
    pub(crate) handles: Vec<OwnedFd>,
}

/// What could not be done: to what, and why.
struct Fault {
    what: String,
    errno: Errno,
}

type Done = Result<(), Fault>;

/// An error about this.
fn about(what: impl Into<String>) -> impl FnOnce(Errno) -> Fault {
    move |errno| Fault { what: what.into(), errno }
}

/// The same for an error of the standard library.
fn about_io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Fault {
    move |error| Fault { what: what.into(), errno: Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)) }
}

/// The child as it comes along.
struct Child {
    identity: Identity,
    environment: Vec<String>,
    /// Handles by their numbers.
    handles: Vec<(u64, OwnedFd)>,
    ignore_sigpipe: bool,
}

/// Everything from birth to the program. Only for a freshly forked child of a process with one thread.
pub(crate) fn become_program(birth: Birth, spawn: Spawn) -> ! {
    let _ = write(&birth.report, &[BORN]);
    let Birth { mut report, procs, open_files, handles: mut descriptors } = birth;
    let room = stored::make_room(spawn.stored.len(), std::iter::once(&mut report).chain(&mut descriptors));
    let fail = |status: i32, fault: Fault| -> ! {
        let mut told = vec![status as u8];
        told.extend((fault.errno as i32).to_ne_bytes());
        told.extend(fault.what.as_bytes());
        let _ = write(&report, &told);
        // SAFETY: takes a number and runs no handlers; what the spawner had is not ours to clean up.
        unsafe { libc::_exit(status) }
    };
    if let Some(procs) = procs
        && let Err(errno) = write(&procs, b"0")
    {
        fail(EXIT_CGROUP, about("cgroup.procs")(errno));
    }
    if let Err(fault) = room.map_err(about("descriptors")).and_then(|()| leave_the_arbiter(open_files)) {
        fail(EXIT_FDS, fault);
    }
    let handles = handles(&spawn).zip(descriptors).collect();
    let environment = spawn.environment.clone();
    let mut child = Child { identity: Identity::default(), environment, handles, ignore_sigpipe: false };
    for step in &spawn.setup {
        if let Err(fault) = child.take(step) {
            let status =
                if identity::is_about_group(step, &fault.what) { identity::EXIT_GROUP } else { step.exit_status() };
            fail(status, fault);
        }
    }
    if let Err(fault) = child.place_stored(&spawn) {
        fail(EXIT_FDS, fault);
    }
    let fault = child.execute(&spawn);
    fail(EXIT_EXEC, fault)
}

/// What a report that has come to its end says. That it was born may have been read before.
pub(crate) fn failure_told(told: &[u8]) -> Option<ExecFailure> {
    let told = told.strip_prefix(&[BORN]).unwrap_or(told);
    let (status, rest) = told.split_first()?;
    let (errno, what) = rest.split_first_chunk()?;
    let errno = word(Errno::from_raw(i32::from_ne_bytes(*errno)));
    Some(ExecFailure { status: i32::from(*status), what: String::from_utf8_lossy(what).into_owned(), errno })
}

/// What whoever started us has had ignored is not ignored in what we start. Children have it from the spawner. The C
/// library would refuse the two signals that it keeps to itself, and they may be ignored like any other.
pub(crate) fn heed_all_signals() {
    (1..=SIGNALS).for_each(|signal| set_disposition(signal, libc::SIG_DFL));
}

fn leave_the_arbiter((soft, hard): (u64, u64)) -> Done {
    limit(libc::RLIMIT_NOFILE, soft, hard).map_err(about("RLIMIT_NOFILE"))?;
    let _ = setsid();
    umask(Mode::from_bits_truncate(0o022));
    chdir("/").map_err(about("/"))
}

/// To the default action, or to be ignored.
fn set_disposition(signal: i32, action: libc::sighandler_t) {
    // The kernel's `struct sigaction`, of which the first word is the handler.
    let kernel_action = [action as u64, 0, 0, 0, 0, 0, 0, 0];
    let none = std::ptr::null::<u64>();
    // SAFETY: the action is longer than what the kernel reads, and nothing is written. That some signals cannot be
    // changed is fine.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, kernel_action.as_ptr(), none, SIGSET_SIZE) };
}

fn limit(limit: libc::__rlimit_resource_t, soft: u64, hard: u64) -> nix::Result<()> {
    let values = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the values are live and are only read.
    Errno::result(unsafe { libc::setrlimit(limit, &raw const values) }).map(drop)
}

impl Child {
    fn take(&mut self, step: &ExecStep) -> Done {
        match step {
            ExecStep::Identity { user, group, supplementary } => {
                self.identity = Identity::look_up(user.as_deref(), group.as_deref(), supplementary)?;
                merge_variables(&mut self.environment, self.identity.variables());
                Ok(())
            }
            ExecStep::Stream { number, stream } => self.open_stream(*number, stream),
            ExecStep::Directories { kind, names, mode } => self.make_directories(*kind, names, *mode),
            ExecStep::UMask(mask) => {
                umask(Mode::from_bits_truncate(*mask));
                Ok(())
            }
            ExecStep::Environment { pass, set, files, unset } => self.add_variables(pass, set, files, unset),
            ExecStep::Groups => self.identity.take_groups(),
            ExecStep::Become { ambient } => self.identity.take_user(*ambient),
            ExecStep::Mounts(mounts) => mounts::arrange(mounts),
            ExecStep::RootDirectory(path) => {
                chroot(path.as_str()).and_then(|()| chdir("/")).map_err(about(path.as_str()))
            }
            ExecStep::IgnoreSigpipe => {
                self.ignore_sigpipe = true;
                Ok(())
            }
            ExecStep::WorkingDirectory { path, optional } => self.change_directory(path, *optional),
            _ => take_number(step),
        }
    }

    fn add_variables(&mut self, pass: &[String], set: &[String], files: &[(String, bool)], unset: &[String]) -> Done {
        let own = pass.iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
        merge_variables(&mut self.environment, own);
        merge_variables(&mut self.environment, set.iter().cloned());
        for (path, optional) in files {
            for text in read_files(path, *optional)? {
                merge_variables(&mut self.environment, read_environment_file(&text));
            }
        }
        unset_variables(&mut self.environment, unset);
        Ok(())
    }

    fn change_directory(&self, path: &str, optional: bool) -> Done {
        let home = self.identity.home();
        let path = if path == "~" { home.as_str() } else { path };
        match chdir(path) {
            Err(errno) if !optional => Err(about(path)(errno)),
            _ => Ok(()),
        }
    }

    /// Comes back only when that fails.
    fn execute(mut self, spawn: &Spawn) -> Fault {
        let arguments = if spawn.no_env_expand {
            spawn.arguments.clone()
        } else {
            expand_arguments(&spawn.arguments, &self.environment)
        };
        let path = match find_program(&spawn.path) {
            Ok(path) => path,
            Err(fault) => return fault,
        };
        let texts = |list: Vec<String>| list.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>();
        let environment = std::mem::take(&mut self.environment);
        let (Ok(program), Ok(arguments), Ok(environment)) =
            (CString::new(path.as_str()), texts(arguments), texts(environment))
        else {
            return about(path)(Errno::EINVAL);
        };
        if self.ignore_sigpipe {
            set_disposition(libc::SIGPIPE, libc::SIG_IGN);
        }
        let first = stored::FIRST + spawn.stored.len() as i32;
        // SAFETY: takes numbers. Older kernels refuse; every descriptor that we have is marked already.
        unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        let none = nix::sys::signal::SigSet::empty();
        let _ = none.thread_set_mask();
        match execve(&program, &arguments, &environment) {
            Err(errno) => about(path)(errno),
        }
    }
}

/// Steps that are one call about numbers.
fn take_number(step: &ExecStep) -> Done {
    match step {
        ExecStep::OomScoreAdjust(value) => {
            let file = "/proc/self/oom_score_adj";
            fs::write(file, value.to_string()).map_err(about_io(file))
        }
        ExecStep::Nice(nice) => {
            // SAFETY: takes numbers.
            called(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, *nice) }, format!("nice {nice}"))
        }
        ExecStep::Scheduler { policy, priority, reset_on_fork } => {
            let parameters = libc::sched_param { sched_priority: *priority };
            let policy = policy | if *reset_on_fork { libc::SCHED_RESET_ON_FORK } else { 0 };
            // SAFETY: the parameters are live and are only read.
            called(unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) }, "scheduling policy")
        }
        ExecStep::CpuAffinity(set) => take_cpus(set),
        ExecStep::IoPriority { class, level } => {
            // SAFETY: takes numbers: this process, the class in the upper bits.
            let done = unsafe { libc::syscall(libc::SYS_ioprio_set, 1, 0, class << 13 | level) };
            called(done as i32, "I/O priority")
        }
        ExecStep::Limit { limit: which, soft, hard } => set_limit(*which, *soft, *hard),
        ExecStep::BoundingSet(set) => identity::bound(*set),
        // SAFETY: takes numbers.
        ExecStep::SecureBits(bits) => called(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, *bits) }, "secure bits"),
        ExecStep::NoNewPrivileges => {
            // SAFETY: takes numbers.
            called(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, "no new privileges")
        }
        other => unreachable!("{other:?} is taken elsewhere"),
    }
}

fn called(result: i32, what: impl Into<String>) -> Done {
    Errno::result(result).map(drop).map_err(about(what))
}

/// One who may not raise a limit gets as much of it as he may.
fn set_limit(which: u32, soft: u64, hard: u64) -> Done {
    let name = format!("resource limit {which}");
    match limit(which, soft, hard) {
        Err(Errno::EPERM) => {
            let mut have = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: the values are live and writable.
            called(unsafe { libc::getrlimit(which, &raw mut have) }, name.as_str())?;
            limit(which, soft.min(have.rlim_max), hard.min(have.rlim_max)).map_err(about(name))
        }
        done => done.map_err(about(name)),
    }
}

fn take_cpus(set: &CpuSet) -> Done {
    // SAFETY: the set is live for its length, and is only read.
    let done = unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, set.0.len() * 8, set.0.as_ptr()) };
    called(done as i32, "CPU affinity")
}

/// The texts of the files that a path with wildcards in its last part means; a plain one has to be there.
fn read_files(path: &str, optional: bool) -> Result<Vec<String>, Fault> {
    let (directory, pattern) = path.rsplit_once('/').unwrap_or(("", path));
    if !pattern.contains(['*', '?', '[']) {
        return match fs::read_to_string(path) {
            Ok(text) => Ok(vec![text]),
            Err(_) if optional => Ok(vec![]),
            Err(error) => Err(about_io(path)(error)),
        };
    }
    let entries = fs::read_dir(format!("{directory}/")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| cgarbiter_core::glob::matches(pattern, name));
    names.sort();
    if names.is_empty() && !optional {
        return Err(about(path)(Errno::ENOENT));
    }
    let read = |name: &String| fs::read_to_string(format!("{directory}/{name}"));
    Ok(names.iter().filter_map(|name| read(name).ok()).collect())
}

/// An absolute path as it is; a name in the first place of the search path that has it.
fn find_program(name: &str) -> Result<String, Fault> {
    if name.contains('/') {
        return Ok(name.to_owned());
    }
    let candidates = SEARCH_PATH.iter().map(|place| format!("{place}/{name}"));
    let found = candidates.into_iter().find(|path| access(path.as_str(), AccessFlags::X_OK).is_ok());
    found.ok_or_else(|| about(name)(Errno::ENOENT))
}

/// The number behind a descriptor.
fn raw(descriptor: &OwnedFd) -> i32 {
    descriptor.as_raw_fd()
}
