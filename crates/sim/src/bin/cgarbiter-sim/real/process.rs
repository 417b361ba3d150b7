//! Test processes: how they come to be, and what they do: nothing but what they are told.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::thread;

use cgarbiter_sim::vectors::kernel::Object;
use rustix::io;
use serde_json::Value;

use super::channel::Channel;
use super::operations::{Answer, Mount, answer_object, as_user, text};

/// `CLONE_INTO_CGROUP`, which does not fit the type that libc gives to these flags.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// What a process knows.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) channel: Channel,
    pub(crate) mount: Mount,
    /// The process that drives all this; without it nobody stays.
    pub(crate) driver: i32,
}

impl Actor {
    /// A new process, listening at `slot`; `sibling`: a child of the caller's own parent.
    pub(crate) fn clone_process(&self, into: Option<BorrowedFd<'_>>, sibling: bool, slot: usize) -> io::Result<i32> {
        // SAFETY: all fields may be zero.
        let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
        if sibling {
            arguments.flags |= libc::CLONE_PARENT as u64;
        } else {
            arguments.exit_signal = libc::SIGCHLD as u64;
        }
        if let Some(into) = into {
            arguments.flags |= INTO_CGROUP;
            arguments.cgroup = into.as_raw_fd() as u64;
        }
        // SAFETY: without CLONE_VM this is a fork. Other threads, if any, sleep in a system call and hold no lock.
        let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
        match pid {
            0 => self.live(slot),
            -1 => Err(io::Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(io::Errno::IO)),
            pid => Ok(i32::try_from(pid).expect("process numbers are small")),
        }
    }

    /// The life of a process: does what it is told until it is killed.
    fn live(&self, slot: usize) -> ! {
        // SAFETY: the descriptors are copies of the creator's, and nothing here uses one of them again.
        unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
        self.channel.serve(slot, |question| self.answer(question), || self.leave_if_alone())
    }

    fn leave_if_alone(&self) {
        // SAFETY: asks for a number, ends the process without unwinding.
        unsafe {
            if libc::getppid() != self.driver {
                libc::syscall(libc::SYS_exit_group, 0);
            }
        }
    }

    fn answer(&self, question: &[u8]) -> Vec<u8> {
        let step: Object = serde_json::from_slice(question).expect("questions are objects");
        let number = |key| step.get(key).and_then(Value::as_i64).unwrap_or(-1);
        let (pid, slot) = (i32::try_from(number("pid")).unwrap_or(-1), usize::try_from(number("slot")).unwrap_or(0));
        let operation = text(&step, "op").unwrap_or("");
        let answer = as_user(&step, || match operation {
            "fork" => self.fork(&step, slot),
            "thread" => self.thread(slot),
            "texit" => exit_thread(),
            "alloc" => {
                touch(usize::try_from(number("mib")).unwrap_or(0) << 20);
                Ok(Vec::new())
            }
            _ => self.mount.perform(operation, &step, pid),
        });
        let answer = answer_object(answer.and_then(|answer| answer));
        serde_json::to_vec(&answer).expect("answers are objects")
    }

    fn fork(&self, step: &Object, slot: usize) -> Answer {
        let into = self.mount.directory_of(step)?;
        let pid = self.clone_process(into.as_ref().map(std::os::fd::AsFd::as_fd), true, slot)?;
        Ok(vec![("pid", pid.into())])
    }

    fn thread(&self, slot: usize) -> Answer {
        let actor = self.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let started = thread::Builder::new().stack_size(64 << 10).spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).ok();
            actor.channel.serve(slot, |_| exit_thread(), || {});
        });
        started.map_err(|error| io::Errno::from_io_error(&error).unwrap_or(io::Errno::AGAIN))?;
        let tid = told.recv().map_err(|_| io::Errno::IO)?;
        Ok(vec![("pid", tid.into())])
    }
}

/// Ends the calling thread, and nothing else.
fn exit_thread() -> ! {
    // SAFETY: nothing of this thread is used afterwards; its stack stays mapped until the process ends.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("the thread has ended")
}

/// Fresh memory that is kept.
fn touch(bytes: usize) {
    let memory = vec![1_u8; bytes];
    std::hint::black_box(&memory);
    std::mem::forget(memory);
}
