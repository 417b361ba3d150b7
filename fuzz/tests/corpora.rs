//! Every known input, on any compiler: no target complains.

use cgarbiter_fuzz::explore::complaint;
use cgarbiter_fuzz::{TARGETS, corpus};
use cgarbiter_trace::Records;

/// Longest input that is kept.
const LENGTH_MAX: usize = 1024;

#[test]
fn no_target_complains_about_its_corpus() {
    for (name, target) in TARGETS {
        let files = corpus(name).expect("the corpus can be read");
        assert!(files.len() >= 20, "{name} has only {} inputs", files.len());
        for (file, bytes) in files {
            assert!(bytes.len() <= LENGTH_MAX, "corpus/{name}/{file} is longer than {LENGTH_MAX} bytes");
            let complaint = complaint(target, &bytes);
            assert!(complaint.is_none(), "corpus/{name}/{file}: {}", complaint.unwrap_or_default());
        }
    }
}

/// Those that were written as traces are, so that a change of a field does not leave them behind as noise.
#[test]
fn what_was_written_as_a_trace_is_read() {
    for (file, bytes) in corpus("trace").expect("the corpus can be read") {
        if file.starts_with("session-") || file.starts_with("recovery-") {
            let whole = [b"cgarbiter-trace 1\n", &bytes[..]].concat();
            let wrong = Records::new(&whole).expect("a first line").find_map(Result::err);
            assert_eq!(wrong, None, "corpus/trace/{file}");
        }
    }
}

#[test]
fn targets_are_content_with_nothing_and_with_much() {
    for (_, target) in TARGETS {
        target(&[]);
        target(&[0xff; LENGTH_MAX]);
        target(&(0..=255).collect::<Vec<u8>>());
    }
}
