//! libFuzzer's way into `cgarbiter_fuzz::cgroup_files`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cgarbiter_fuzz::cgroup_files(data));
