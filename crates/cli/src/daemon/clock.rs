//! The two clocks, and the kernel's randomness.

use cgarbiter_core::{Instant, Now};
use nix::time::{ClockId, clock_gettime};

/// Reads both clocks.
pub(super) fn now() -> Now {
    let read = |clock| {
        let time = clock_gettime(clock).expect("the kernel has both clocks");
        let part = |n: i64| u64::try_from(n).unwrap_or(0);
        part(time.tv_sec()) * 1_000_000 + part(time.tv_nsec()) / 1000
    };
    Now { monotonic: Instant(read(ClockId::CLOCK_MONOTONIC)), realtime: read(ClockId::CLOCK_REALTIME) }
}

/// 32 random bytes, for the ids of activations.
///
/// # Errors
/// The kernel gives none, which it does only very early at boot.
pub(super) fn seed() -> std::io::Result<[u64; 4]> {
    use std::io::Read;
    let mut bytes = [0_u8; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut seed = [0_u64; 4];
    for (word, chunk) in seed.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
    }
    Ok(seed)
}
