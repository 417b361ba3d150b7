//! What a service writes to `$NOTIFY_SOCKET`: lines of `NAME=VALUE`. Who wrote it is told by the kernel, never by the
//! text.

use alloc::string::String;

/// Longest message that is looked at, in bytes.
pub const MESSAGE_MAX: usize = 4096;

/// A message, taken apart. What makes no sense is left out, as are names that nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the lines")]
pub struct Notification {
    /// The last of `READY=1`, `RELOADING=1`, `STOPPING=1`.
    pub phase: Option<Phase>,
    /// Nothing at all takes the text away.
    pub status: Option<String>,
    pub errno: Option<i32>,
    pub main_pid: Option<u32>,
    pub monotonic_usec: Option<u64>,
    pub extend_timeout_usec: Option<u64>,
    pub watchdog: Option<Watchdog>,
    pub watchdog_usec: Option<u64>,
    /// The descriptors that come along are to be kept.
    pub stores_descriptors: bool,
    /// Those of the name are not to be kept any longer.
    pub removes_descriptors: bool,
    /// The first of the names told.
    pub descriptor_name: Option<String>,
    /// They are to be let go of when their other end has gone.
    pub polls_descriptors: bool,
}

/// What a service says it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the lines")]
pub enum Phase {
    Ready,
    Reloading,
    Stopping,
}

/// `WATCHDOG=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watchdog {
    /// It lives.
    Alive,
    /// It is to be treated as if it did not.
    Trigger,
}

impl Notification {
    /// Takes a message apart.
    #[must_use]
    pub fn parse(message: &str) -> Self {
        let mut found = Self { polls_descriptors: true, ..Self::default() };
        if message.len() > MESSAGE_MAX || message.contains('\0') {
            return found;
        }
        for (name, value) in message.lines().filter_map(|line| line.split_once('=')) {
            found.take(name, value);
        }
        found
    }

    fn take(&mut self, name: &str, value: &str) {
        match (name, value) {
            ("READY", "1") => self.phase = Some(Phase::Ready),
            ("RELOADING", "1") => self.phase = Some(Phase::Reloading),
            ("STOPPING", "1") => self.phase = Some(Phase::Stopping),
            ("STATUS", text) => self.status = Some(text.into()),
            ("ERRNO", number) => self.errno = number.parse().ok().filter(|errno| *errno >= 0).or(self.errno),
            ("MAINPID", pid) => self.main_pid = pid.parse().ok().filter(|pid| *pid > 0).or(self.main_pid),
            ("MONOTONIC_USEC", usec) => self.monotonic_usec = usec.parse().ok(),
            ("EXTEND_TIMEOUT_USEC", usec) => self.extend_timeout_usec = usec.parse().ok(),
            ("WATCHDOG", "1") => self.watchdog = Some(Watchdog::Alive),
            ("WATCHDOG", "trigger") => self.watchdog = Some(Watchdog::Trigger),
            ("WATCHDOG_USEC", usec) => self.watchdog_usec = usec.parse().ok(),
            ("FDSTORE", "1") => self.stores_descriptors = true,
            ("FDSTOREREMOVE", "1") => self.removes_descriptors = true,
            ("FDNAME", name) => drop(self.descriptor_name.get_or_insert_with(|| name.into())),
            ("FDPOLL", "0") => self.polls_descriptors = false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_nonsense_does_not() {
        let message = "READY=1\nSTATUS=up\nERRNO=-4\nMAINPID=0\nSTOPPING=1\nREADY=0\nnonsense\nWATCHDOG=trigger\nX=1\n";
        let found = Notification::parse(message);
        assert_eq!(found.phase, Some(Phase::Stopping));
        assert_eq!(found.status.as_deref(), Some("up"));
        assert_eq!((found.errno, found.main_pid, found.watchdog), (None, None, Some(Watchdog::Trigger)));
        let numbers = Notification::parse("ERRNO=2\nMAINPID=77\nEXTEND_TIMEOUT_USEC=5\nWATCHDOG_USEC=x\nFDSTORE=1");
        assert_eq!((numbers.errno, numbers.main_pid, numbers.extend_timeout_usec), (Some(2), Some(77), Some(5)));
        assert!(numbers.stores_descriptors && numbers.watchdog_usec.is_none());
        assert!(numbers.polls_descriptors && numbers.descriptor_name.is_none());
        let removal = Notification::parse("FDSTOREREMOVE=1\nFDNAME=a=b\nFDNAME=c\nFDPOLL=0");
        assert!(removal.removes_descriptors && !removal.stores_descriptors && !removal.polls_descriptors);
        assert_eq!(removal.descriptor_name.as_deref(), Some("a=b"));
    }

    #[test]
    fn what_is_too_long_or_not_text_says_nothing() {
        let long = alloc::format!("READY=1\n{}", "x".repeat(MESSAGE_MAX));
        let nothing = Notification { polls_descriptors: true, ..Notification::default() };
        assert_eq!(Notification::parse(&long), nothing);
        assert_eq!(Notification::parse("READY=1\0"), nothing);
    }
}
