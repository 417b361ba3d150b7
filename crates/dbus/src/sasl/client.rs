//! Our side of the conversation with a message bus, where we are the client.

/// What to send first: everything, since the answers are known.
pub(crate) fn greeting(uid: u32) -> Vec<u8> {
    let identity: String = uid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
    format!("\0AUTH EXTERNAL {identity}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n").into_bytes()
}

/// Reads the two answers, and says how many bytes they are; messages follow. None while they are not complete.
///
/// # Errors
/// The line with which the bus refused.
pub(crate) fn admission(input: &[u8]) -> Result<Option<usize>, String> {
    let mut lines = input.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let Some(first) = lines.next() else { return Ok(None) };
    if !first.starts_with(b"OK ") {
        return Err(String::from_utf8_lossy(first).trim().to_owned());
    }
    // Whether descriptors are agreed to shows in the second line; a bus without them simply never sends any.
    let Some(second) = lines.next() else { return Ok(None) };
    Ok(Some(first.len() + second.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_answers_are_awaited() {
        assert_eq!(greeting(0), b"\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n");
        assert_eq!(admission(b"OK abc\r\nAGREE"), Ok(None));
        assert_eq!(admission(b"OK abc\r\nAGREE_UNIX_FD\r\nl"), Ok(Some(23)));
        assert_eq!(admission(b"REJECTED EXTERNAL\r\n"), Err("REJECTED EXTERNAL".into()));
    }
}
