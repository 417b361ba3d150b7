//! libFuzzer's way into `cgarbiter_fuzz::records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cgarbiter_fuzz::records(data));
