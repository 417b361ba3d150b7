//! The world: bytes as the choices of a run of the simulator, under all its oracles.

use cgarbiter_sim::choice::Bytes;
use cgarbiter_sim::run::{Options, run};

/// Each byte is a choice (two where there are more than 256 ways); after the last one the plainest is taken. The more
/// bytes, the more happens.
pub fn world(data: &[u8]) {
    let steps = 20 + data.len() as u64 / 2;
    let ended = run(&mut Bytes::new(data), &Options { steps, ..Options::default() });
    assert!(ended.failure.is_none(), "{:?}", ended.failure);
}
