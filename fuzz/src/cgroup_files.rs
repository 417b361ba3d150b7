//! Texts of the kernel: whatever stands there is read or is not, and what was written like the kernel is read back.

use crate::input::Input;
use cgarbiter_fs_backend::parse;

const KEYS: [&str; 8] = ["populated", "frozen", "oom_kill", "usage_usec", "Pid", "Uid", "", " "];

/// A byte that chooses the key, then the text.
pub fn cgroup_files(data: &[u8]) {
    let mut input = Input::new(data);
    let key = input.of(&KEYS);
    let text = String::from_utf8_lossy(input.bytes(data.len()));
    flat(&text, key);
    proc_texts(&text, key);
    mounts(&text);
    written_like_the_kernel(&mut Input::new(data));
}

fn flat(text: &str, key: &str) {
    let number = parse::keyed(text, key);
    assert!(number.is_none() || text.lines().any(|line| line.starts_with(key)), "{key:?} in {text:?}");
    let events = parse::cgroup_events(text);
    assert_eq!(events.populated, parse::keyed(text, "populated") == Some(1));
    assert_eq!(events.oom_kills, None);
    if let Some(number) = parse::single(text) {
        assert_eq!(parse::single(&format!("{number}\n")), Some(number));
    }
    let sums = parse::io_stat(text);
    let twice = parse::io_stat(&format!("{text}\n{text}"));
    assert!(sums.iter().zip(&twice).all(|(once, twice)| *twice == once.saturating_mul(2)), "{sums:?} {twice:?}");
}

fn proc_texts(text: &str, key: &str) {
    if let Some(path) = parse::proc_cgroup(text) {
        assert!(!path.contains('\n'));
    }
    let _ = parse::proc_stat(text);
    let _ = parse::proc_field(text, key);
}

fn mounts(text: &str) {
    let found = parse::cgroup_mounts(text);
    assert!(found.len() <= text.lines().count());
    assert!(found.iter().all(|mount| !mount.options.is_empty()));
}

/// Names may hold anything: the kernel escapes them, or nothing behind them can be confused with what is in them.
fn written_like_the_kernel(input: &mut Input<'_>) {
    let (name, number) = (input.text(), input.number());
    let stat = format!("12 ({name}) S 1 12 12 0 -1 {number} 89 0\n");
    let read = parse::proc_stat(&stat).expect("a stat");
    assert_eq!((read.ended, read.kernel_thread), (false, number & 0x0020_0000 != 0));
    assert_eq!(parse::keyed(&format!("low 0\noom_kill {number}\n"), "oom_kill"), Some(number));
    assert_eq!(parse::single(&format!("{number}\n")), Some(number));
    let field = i64::from(number as i32);
    assert_eq!(parse::proc_field(&format!("Name:\tx\nPid:\t{field}\n"), "Pid"), Some(field));
    let point: String =
        name.bytes().map(|byte| if needs_octal(byte) { octal(byte) } else { char::from(byte).into() }).collect();
    let line = format!("30 23 0:26 / /{point} rw shared:9 - cgroup2 none rw,nsdelegate\n");
    let mounts = parse::cgroup_mounts(&line);
    assert_eq!(mounts[0].point, format!("/{name}"));
    assert_eq!(mounts[0].options, ["rw", "nsdelegate"]);
}

/// The kernel escapes blanks and the backslash; here also what is not ASCII, so that bytes stay bytes.
fn needs_octal(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\\') || byte < b' ' || !byte.is_ascii()
}

fn octal(byte: u8) -> String {
    format!("\\{byte:03o}")
}
