//! libFuzzer's way into `cgarbiter_fuzz::world`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cgarbiter_fuzz::world(data));
