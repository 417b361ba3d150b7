//! libFuzzer's way into `cgarbiter_fuzz::names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cgarbiter_fuzz::names(data));
