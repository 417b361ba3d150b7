//! Users, groups and what is left of root's rights.

use super::{Done, Fault, about, called};
use cgarbiter_core::exec::ExecStep;
use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist, setgid, setgroups, setresgid, setresuid};
use std::ffi::CString;

/// `EXIT_GROUP`
pub(super) const EXIT_GROUP: i32 = 216;
/// What faults about groups begin with, since their status differs from that of users.
const GROUP: &str = "group ";
/// The kernel's version of the capability calls: two words.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Who the program is to run as.
#[derive(Default)]
pub(super) struct Identity {
    user: Option<User>,
    uid: Option<Uid>,
    gid: Option<Gid>,
    supplementary: Vec<Gid>,
}

/// The kernel's `struct __user_cap_header_struct`.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

/// The kernel's `struct __user_cap_data_struct`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapabilityWords {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

impl Identity {
    pub(super) fn look_up(user: Option<&str>, group: Option<&str>, supplementary: &[String]) -> Result<Self, Fault> {
        let mut identity = Self::default();
        if let Some(name) = user {
            let known = find_user(name).map_err(about(name))?;
            identity.uid = known.as_ref().map(|user| user.uid).or_else(|| name.parse().ok().map(Uid::from_raw));
            if identity.uid.is_none() {
                return Err(about(name)(Errno::ESRCH));
            }
            identity.gid = known.as_ref().map(|user| user.gid);
            identity.user = known;
        }
        if let Some(name) = group {
            identity.gid = Some(find_group(name)?);
        }
        for name in supplementary {
            identity.supplementary.push(find_group(name)?);
        }
        Ok(identity)
    }

    /// What a user finds in the environment.
    pub(super) fn variables(&self) -> Vec<String> {
        let Some(user) = &self.user else { return Vec::new() };
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        vec![
            format!("HOME={}", path(&user.dir)),
            format!("LOGNAME={}", user.name),
            format!("USER={}", user.name),
            format!("SHELL={}", path(&user.shell)),
        ]
    }

    /// Where the user is at home.
    pub(super) fn home(&self) -> String {
        self.user.as_ref().map_or_else(|| "/root".to_owned(), |user| user.dir.to_string_lossy().into_owned())
    }

    /// Owner of what is made for the program.
    pub(super) fn owner(&self) -> (Option<Uid>, Option<Gid>) {
        (self.uid, self.gid)
    }

    pub(super) fn take_groups(&self) -> Done {
        let mut groups = match (&self.user, self.gid) {
            (Some(user), Some(gid)) => {
                let name = CString::new(user.name.as_str()).map_err(|_| about(GROUP)(Errno::EINVAL))?;
                getgrouplist(&name, gid).map_err(about(GROUP))?
            }
            (None, Some(gid)) => vec![gid],
            (_, None) => Vec::new(),
        };
        groups.extend(&self.supplementary);
        groups.sort_unstable_by_key(|gid| gid.as_raw());
        groups.dedup();
        setgroups(&groups).map_err(about("groups"))?;
        match self.gid {
            Some(gid) => setgid(gid).and_then(|()| setresgid(gid, gid, gid)).map_err(about(format!("{GROUP}{gid}"))),
            None => Ok(()),
        }
    }

    /// From here on there are no rights of root's but these.
    pub(super) fn take_user(&self, ambient: u64) -> Done {
        if ambient != 0 {
            // SAFETY: takes numbers.
            called(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) }, "keep capabilities")?;
        }
        if let Some(uid) = self.uid {
            setresuid(uid, uid, uid).map_err(about(format!("user {uid}")))?;
        }
        if ambient == 0 { Ok(()) } else { raise_ambient(ambient) }
    }
}

/// Whether a fault of this step has the status of groups.
pub(super) fn is_about_group(step: &ExecStep, what: &str) -> bool {
    matches!(step, ExecStep::Identity { .. }) && what.starts_with(GROUP)
}

fn find_user(name: &str) -> nix::Result<Option<User>> {
    match name.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_) => User::from_name(name),
    }
}

fn find_group(name: &str) -> Result<Gid, Fault> {
    let what = || format!("{GROUP}{name}");
    if let Ok(number) = name.parse() {
        return Ok(Gid::from_raw(number));
    }
    let found = Group::from_name(name).map_err(about(what()))?;
    found.map(|group| group.gid).ok_or_else(|| about(what())(Errno::ESRCH))
}

/// Takes everything that is not in the set out of the bounding set.
pub(super) fn bound(set: u64) -> Done {
    for capability in 0..64_u32 {
        // SAFETY: takes numbers. The first that the kernel does not know ends the list.
        let known = unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) };
        if known < 0 {
            break;
        }
        if known == 1 && set & (1 << capability) == 0 {
            // SAFETY: takes numbers.
            let done = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
            called(done, format!("capability {capability}"))?;
        }
    }
    Ok(())
}

/// Puts capabilities where a program that knows nothing of them keeps them.
fn raise_ambient(set: u64) -> Done {
    let header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
    let mut words = [CapabilityWords::default(); 2];
    // SAFETY: both are live, and of the layout that this version means.
    let got = unsafe { libc::syscall(libc::SYS_capget, &raw const header, words.as_mut_ptr()) };
    called(got as i32, "capabilities")?;
    for (half, words) in words.iter_mut().enumerate() {
        let wanted = (set >> (32 * half)) as u32;
        words.inheritable |= wanted & words.permitted;
        words.effective |= wanted & words.permitted;
    }
    // SAFETY: as above; they are only read.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw const header, words.as_ptr()) };
    called(done as i32, "capabilities")?;
    for capability in (0..64_u32).filter(|capability| set & (1 << capability) != 0) {
        // SAFETY: takes numbers.
        let done = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, capability, 0, 0) };
        called(done, format!("capability {capability}"))?;
    }
    Ok(())
}
