//! Records: any text is read or refused, what was read is written and read back as it was, and a byte that changed on
//! the disk does not go unnoticed.

use cgarbiter_core::persist::{Damage, read, renew, section, write};

const HEADER: &str = "[X-Cgarbiter]\n";

/// A byte for what the rest is: a whole record; or, as text above and below a line `--`, its settings and its section,
/// with a checksum that is right. Then which byte changes.
pub fn records(data: &[u8]) {
    let [whole, place, change, text @ ..] = data else { return };
    let text = String::from_utf8_lossy(text);
    if whole % 4 == 0 {
        check_read(&text);
        return;
    }
    let (settings, said) = text.split_once("\n--\n").unwrap_or(("", &text));
    let record = write(settings, said);
    check_read(&record);
    check_change(&record, usize::from(*place), *change);
}

/// What is understood is told again in our words, and means the same.
fn check_read(text: &str) {
    let Ok((settings, saved)) = read(text) else { return };
    let said = section(&saved);
    let record = write(settings, &said);
    assert_eq!(read(&record), Ok((settings, saved)), "{text:?}");
    assert_eq!(renew(text, &said), Ok(record), "{text:?}");
}

/// One byte is not what was written: that is never taken for a record.
fn check_change(record: &str, place: usize, change: u8) {
    let mut bytes = record.as_bytes().to_vec();
    // A record is short: all of its last part, and the beginning of what is above it, can be reached.
    let at = bytes.len().saturating_sub(1 + place);
    bytes[at] ^= change % 127 + 1;
    let Ok(changed) = String::from_utf8(bytes) else { return };
    let is_noticed = match read(&changed) {
        // Without the header it is somebody else's file.
        Err(Damage::Foreign) => !changed.contains(&format!("\n{HEADER}")),
        damage => damage.is_err(),
    };
    assert!(is_noticed, "{record:?} and {changed:?}");
    assert!(!changed.is_empty() && record.contains(HEADER));
}
