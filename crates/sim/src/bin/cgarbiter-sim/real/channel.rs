//! Memory shared by the driver and all test processes: a slot for each, in which it finds what to do and leaves what
//! came of it. Nothing has to be opened or passed on, so that a process can be made anywhere.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use rustix::thread::futex;
use rustix::time::Timespec;

/// Slots: more than a scenario has processes and threads.
pub(crate) const SLOTS: usize = 64;
/// Bytes of one question or answer.
const ROOM: usize = 128 << 10;

/// Values of [`Slot::turn`].
const NOBODY: u32 = 0;
const LISTENING: u32 = 1;
const ASKED: u32 = 2;
const ANSWERED: u32 = 3;

#[repr(C)]
struct Slot {
    turn: AtomicU32,
    length: AtomicU32,
    bytes: UnsafeCell<[u8; ROOM]>,
}

// SAFETY: `bytes` is only touched by the side whose turn it is: the asker writes before `ASKED` and reads after
// `ANSWERED`, the other in between.
unsafe impl Sync for Slot {}

/// All slots.
#[derive(Clone, Copy)]
pub(crate) struct Channel(&'static [Slot; SLOTS]);

impl Channel {
    /// Memory that everybody who is forked from here on shares.
    pub(crate) fn new() -> io::Result<Self> {
        let size = size_of::<[Slot; SLOTS]>();
        // SAFETY: a new mapping at an address of the kernel's choice takes nothing from anybody.
        let memory =
            unsafe { mmap_anonymous(ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED) }?;
        // SAFETY: the mapping is large enough, page-aligned, zeroed (all fields may be zero), and never unmapped.
        Ok(Self(unsafe { &*memory.cast::<[Slot; SLOTS]>() }))
    }

    /// Forgets who had the slot.
    pub(crate) fn reset(self, slot: usize) {
        self.0[slot].turn.store(NOBODY, Ordering::SeqCst);
    }

    /// Has the process of this slot begun to listen?
    pub(crate) fn listens(self, slot: usize) -> bool {
        self.0[slot].turn.load(Ordering::SeqCst) != NOBODY
    }

    /// Asks the process of this slot and waits, as long as `patient` says.
    pub(crate) fn ask(self, slot: usize, question: &[u8], patient: impl Fn() -> bool) -> Option<Vec<u8>> {
        let slot = &self.0[slot];
        slot.put(question);
        slot.pass_to(ASKED);
        while slot.turn.load(Ordering::SeqCst) != ANSWERED {
            slot.sleep(ASKED, 2_000_000);
            if slot.turn.load(Ordering::SeqCst) != ANSWERED && !patient() {
                return None;
            }
        }
        let answer = slot.get();
        slot.turn.store(LISTENING, Ordering::SeqCst);
        Some(answer)
    }

    /// Answers for ever; `idle` is called now and then while there is nothing to do.
    pub(crate) fn serve(self, slot: usize, mut answer: impl FnMut(&[u8]) -> Vec<u8>, idle: impl Fn()) -> ! {
        let slot = &self.0[slot];
        slot.turn.compare_exchange(NOBODY, LISTENING, Ordering::SeqCst, Ordering::SeqCst).ok();
        loop {
            let turn = slot.turn.load(Ordering::SeqCst);
            if turn == ASKED {
                let answer = answer(&slot.get());
                slot.put(&answer);
                slot.pass_to(ANSWERED);
            } else {
                slot.sleep(turn, 999_999_999);
                idle();
            }
        }
    }
}

impl Slot {
    fn put(&self, text: &[u8]) {
        assert!(text.len() <= ROOM, "questions and answers are small");
        // SAFETY: it is our turn, and the text fits.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), self.bytes.get().cast::<u8>(), text.len()) };
        self.length.store(u32::try_from(text.len()).expect("it fits"), Ordering::SeqCst);
    }

    fn get(&self) -> Vec<u8> {
        let length = self.length.load(Ordering::SeqCst) as usize;
        // SAFETY: it is our turn, and so many bytes were put there.
        unsafe { std::slice::from_raw_parts(self.bytes.get().cast::<u8>(), length) }.to_vec()
    }

    fn pass_to(&self, turn: u32) {
        self.turn.store(turn, Ordering::SeqCst);
        futex::wake(&self.turn, futex::Flags::empty(), 1).ok();
    }

    /// Until woken, but not for long: who waits also has to look whether the other is still there.
    fn sleep(&self, turn: u32, nanoseconds: i64) {
        let time = Timespec { tv_sec: 0, tv_nsec: nanoseconds };
        futex::wait(&self.turn, futex::Flags::empty(), turn, Some(&time)).ok();
    }
}
