//! Descriptors and watches that the driver keeps open.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

use cgarbiter_sim::vectors::kernel::Object;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, inotify};
use rustix::io;

use super::operations::{Answer, Mount, bytes, errno_name, latin, read_again, text, write_again};

/// Longer than the kernel holds notices back.
const NOTICES_TAKE: Duration = Duration::from_millis(40);

/// What is open, by name.
#[derive(Default)]
pub(crate) struct Handles {
    descriptors: BTreeMap<String, OwnedFd>,
    watches: BTreeMap<String, Watch>,
}

struct Watch {
    file: OwnedFd,
    inotify: OwnedFd,
}

impl Handles {
    pub(crate) fn perform(&mut self, mount: &Mount, operation: &str, step: &Object, pid: i32) -> Answer {
        if operation == "watch" || operation == "check" {
            return self.watch(mount, operation, step);
        }
        let name = text(step, "h").unwrap_or("").to_owned();
        if operation == "open" {
            let flags = match text(step, "m") {
                Some("w") => OFlags::WRONLY,
                Some("d") => OFlags::PATH | OFlags::DIRECTORY,
                _ => OFlags::RDONLY,
            };
            let file = rustix::fs::open(mount.node(step), flags | OFlags::CLOEXEC, Mode::empty())?;
            self.descriptors.insert(name, file);
            return Ok(Vec::new());
        }
        let descriptor = self.descriptors.get(&name).ok_or(io::Errno::BADF)?;
        match operation {
            "fdread" => return Ok(vec![("v", latin(&read_again(descriptor)?))]),
            "fdclose" => drop(self.descriptors.remove(&name)),
            "fdmove" => write_again(descriptor, pid.to_string().as_bytes())?,
            _ => write_again(descriptor, &bytes(text(step, "d").unwrap_or("")))?,
        }
        Ok(Vec::new())
    }

    fn watch(&mut self, mount: &Mount, operation: &str, step: &Object) -> Answer {
        let name = text(step, "w").unwrap_or("").to_owned();
        if operation == "check" {
            return self.watches.get(&name).ok_or(io::Errno::BADF)?.check();
        }
        // Notices of what was before must not count as news.
        sleep(NOTICES_TAKE);
        let path = mount.node(step);
        let file = rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let inotify = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let kinds = inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::DELETE_SELF;
        inotify::add_watch(&inotify, &path, kinds)?;
        read_again(&file)?;
        self.watches.insert(name, Watch { file, inotify });
        Ok(Vec::new())
    }
}

impl Watch {
    fn check(&self) -> Answer {
        sleep(NOTICES_TAKE);
        let mut polled = [PollFd::new(&self.file, PollFlags::PRI)];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        let seen = polled[0].revents();
        let (priority, error) = (seen.contains(PollFlags::PRI), seen.contains(PollFlags::ERR));
        let text = match read_again(self.file.as_fd()) {
            Ok(text) => latin(&text),
            Err(errno) => errno_name(errno).into(),
        };
        Ok(vec![("pri", priority.into()), ("err", error.into()), ("in", self.kinds().into()), ("v", text)])
    }

    /// Kinds of events since the last time, each once.
    fn kinds(&self) -> Vec<&'static str> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut kinds = Vec::new();
        while let Ok(event) = reader.next() {
            let names = [
                (inotify::ReadFlags::CREATE, "CREATE"),
                (inotify::ReadFlags::DELETE, "DELETE"),
                (inotify::ReadFlags::DELETE_SELF, "DELETE_SELF"),
                (inotify::ReadFlags::IGNORED, "IGNORED"),
                (inotify::ReadFlags::MODIFY, "MODIFY"),
            ];
            kinds.extend(names.into_iter().filter(|(flag, _)| event.events().contains(*flag)).map(|(_, name)| name));
        }
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}
