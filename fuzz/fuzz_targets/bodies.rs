//! libFuzzer's way into `cgarbiter_fuzz::bodies`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cgarbiter_fuzz::bodies(data));
