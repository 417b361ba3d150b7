//! Received descriptors are processes that somebody else keeps hold of.

use std::os::fd::OwnedFd;

/// Takes hold of the processes behind received pidfds.
pub trait Descriptors {
    /// Keeps the descriptor and names it; 0 when it is no pidfd of a live process, and is closed.
    fn adopt(&mut self, descriptor: OwnedFd) -> u64;

    /// Lets go of an adopted one: the request it came with did not reach the core.
    fn release(&mut self, pin: u64);
}

/// Closes every descriptor, as if none were a pidfd.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDescriptors;

impl Descriptors for NoDescriptors {
    fn adopt(&mut self, _: OwnedFd) -> u64 {
        0
    }

    fn release(&mut self, _: u64) {}
}
