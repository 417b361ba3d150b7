//! libFuzzer's way into `cgarbiter_fuzz::trace`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cgarbiter_fuzz::trace(data));
