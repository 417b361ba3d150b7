//! libFuzzer's way into `cgarbiter_fuzz::properties`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cgarbiter_fuzz::properties(data));
