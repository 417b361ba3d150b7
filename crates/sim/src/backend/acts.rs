//! Programs go on: what each does when its time has come.

use super::programs::Act;
use super::{SimBackend, number};
use crate::kernel::{Caller, Disposition, Fork, Pid, State};
use cgarbiter_core::event::Handed;
use cgarbiter_core::{Event, Instant};

impl SimBackend {
    /// In: time goes on; programs that end by themselves until `now` have ended.
    pub fn pass_time(&mut self, now: Instant) {
        self.programs.set_time(now);
        while let Some((pid, act)) = self.programs.take_due(&self.kernel) {
            self.act(pid, act);
        }
    }

    /// Out: when a program will end by itself.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.programs.next_end(&self.kernel)
    }

    /// A program does something. One that was killed meanwhile does nothing any more.
    fn act(&mut self, pid: Pid, act: Act) {
        if self.kernel.state(pid) != Some(State::Alive) {
            return;
        }
        let itself = Caller::root(pid);
        match act {
            Act::Become { failure } => self.exits.push_back(Event::Executed { pid: number(pid), failure }),
            Act::Sleep { .. } | Act::Live => {}
            Act::Ignore { signal } => drop(self.kernel.set_disposition(pid, signal, Disposition::Ignore)),
            Act::Raise { signal } => drop(self.kernel.kill(&itself, pid, signal)),
            Act::End { code } => drop(self.kernel.exit(pid, code)),
            Act::Notify { message } if self.programs.notifies(pid) => {
                let (uid, cgroup) = (self.kernel.caller(pid).map_or(0, |caller| caller.uid), self.place(pid));
                // One descriptor goes with what asks for it to be kept.
                let stores = message.lines().any(|line| line == "FDSTORE=1");
                let descriptors =
                    stores.then(|| Handed { pin: self.pins.hold_other(), same: Vec::new() }).into_iter().collect();
                self.exits.push_back(Event::Notified { pid: number(pid), uid, cgroup, message, descriptors });
            }
            Act::Notify { .. } => {}
            Act::Fork { acts } => {
                if let Ok(child) = self.kernel.fork(&itself, &Fork::default()) {
                    self.programs.forked(pid, child, acts);
                }
            }
            Act::WriteChild { file } => {
                let child = self.programs.child_of(pid);
                self.store.write(file, child.to_string());
            }
        }
    }
}
