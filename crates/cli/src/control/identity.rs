//! The user and group a command is to run as.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, geteuid, initgroups, setgid, setgroups, setuid};

use super::error::{Error, Result};

/// What to become; nothing at all if neither user nor group was given.
#[derive(Debug, Default)]
pub(super) struct Identity {
    user: Option<User>,
    /// A user known by number only.
    uid: Option<Uid>,
    gid: Option<Gid>,
}

/// By name or by number.
pub(super) fn look_up(user: Option<&str>, group: Option<&str>) -> Result<Identity> {
    let mut identity = Identity::default();
    if let Some(name) = user {
        let number = name.parse::<u32>().ok().map(Uid::from_raw);
        let found =
            number.map_or_else(|| User::from_name(name), User::from_uid).map_err(|e| failed("look up", name, e))?;
        if found.is_none() && number.is_none() {
            return Err(Error::Usage(format!("there is no user {name}")));
        }
        identity.uid = found.as_ref().map(|user| user.uid).or(number);
        identity.gid = found.as_ref().map(|user| user.gid);
        identity.user = found;
    }
    if let Some(name) = group {
        let number = name.parse::<u32>().ok().map(Gid::from_raw);
        let found = Group::from_name(name).map_err(|e| failed("look up", name, e))?.map(|group| group.gid);
        identity.gid = Some(found.or(number).ok_or_else(|| Error::Usage(format!("there is no group {name}")))?);
    }
    Ok(identity)
}

impl Identity {
    /// What login would set.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let Some(user) = &self.user else { return vec![] };
        vec![
            ("USER", user.name.clone()),
            ("LOGNAME", user.name.clone()),
            ("HOME", user.dir.to_string_lossy().into_owned()),
            ("SHELL", user.shell.to_string_lossy().into_owned()),
        ]
    }

    /// Groups first: without the user's rights they could not be changed any more.
    pub(super) fn assume(&self) -> Result<()> {
        if let Some(gid) = self.gid {
            self.assume_groups(gid)?;
        }
        match self.uid {
            Some(uid) => setuid(uid).map_err(|e| failed("become user", &uid.to_string(), e)),
            None => Ok(()),
        }
    }

    fn assume_groups(&self, gid: Gid) -> Result<()> {
        let name = gid.to_string();
        if geteuid().is_root() {
            let outcome = match self.user.as_ref().map(|user| CString::new(user.name.as_str())) {
                Some(Ok(user)) => initgroups(&user, gid),
                _ => setgroups(&[gid]),
            };
            outcome.map_err(|e| failed("take the groups of", &name, e))?;
        }
        setgid(gid).map_err(|e| failed("become group", &name, e))
    }
}

/// Sets the nice level of this process.
pub(super) fn set_nice(nice: i32) -> Result<()> {
    // SAFETY: setpriority takes numbers only.
    let outcome = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    Errno::result(outcome).map(drop).map_err(|e| failed("set the nice level to", &nice.to_string(), e))
}

fn failed(verb: &str, object: &str, error: Errno) -> Error {
    Error::io(format!("cannot {verb} {object}"), error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_and_by_number() {
        let root = look_up(Some("root"), None).unwrap();
        assert_eq!((root.uid, root.gid), (Some(Uid::from_raw(0)), Some(Gid::from_raw(0))));
        assert_eq!(root.environment()[0], ("USER", "root".to_owned()));
        let unnamed = look_up(Some("54321"), Some("0")).unwrap();
        assert_eq!((unnamed.uid, unnamed.gid), (Some(Uid::from_raw(54_321)), Some(Gid::from_raw(0))));
        assert!(unnamed.environment().is_empty());
        assert!(matches!(look_up(Some("no such user"), None), Err(Error::Usage(_))));
        assert!(matches!(look_up(None, Some("no such group")), Err(Error::Usage(_))));
    }
}
