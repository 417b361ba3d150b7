//! libFuzzer's way into `cgarbiter_fuzz::unit_files`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cgarbiter_fuzz::unit_files(data));
