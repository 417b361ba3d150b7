//! Command lines as people read them: arguments quoted the way `systemctl status` shows them.

/// Bytes that a shell would take for something else, beside white space.
const NEED_QUOTES: &[u8] = b"\"\\`$*?['()<>|&;!";
/// Those that need a backslash within double quotes.
const NEED_ESCAPE: &[u8] = b"\"\\`$";

/// `/proc/PID/cmdline` as one line; `[comm]` where it is empty.
#[must_use]
pub(crate) fn command_line(cmdline: &[u8], comm: &[u8]) -> String {
    let end = cmdline.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut line = String::new();
    if end == 0 {
        line.push('[');
        escape(comm.trim_ascii_end(), b"", &mut line);
        line.push(']');
        return line;
    }
    for (i, argument) in cmdline[..end].split(|byte| *byte == 0).enumerate() {
        if i > 0 {
            line.push(' ');
        }
        quote(argument, &mut line);
    }
    line
}

fn quote(argument: &[u8], line: &mut String) {
    let plain = |byte: u8| !byte.is_ascii_control() && byte != b' ' && !NEED_QUOTES.contains(&byte);
    match std::str::from_utf8(argument) {
        Ok(text) if !text.is_empty() && argument.iter().all(|byte| plain(*byte)) => line.push_str(text),
        _ => {
            line.push('"');
            escape(argument, NEED_ESCAPE, line);
            line.push('"');
        }
    }
}

fn escape(bytes: &[u8], bad: &[u8], line: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match u8::try_from(c) {
                Ok(byte) if byte.is_ascii_control() => escape_byte(byte, line),
                Ok(byte) if byte == b'\\' || bad.contains(&byte) => line.extend(['\\', c]),
                _ => line.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| escape_byte(*byte, line));
    }
}

fn escape_byte(byte: u8, line: &mut String) {
    match byte {
        7 => line.push_str("\\a"),
        8 => line.push_str("\\b"),
        9 => line.push_str("\\t"),
        10 => line.push_str("\\n"),
        11 => line.push_str("\\v"),
        12 => line.push_str("\\f"),
        13 => line.push_str("\\r"),
        _ => {
            let digit = |shift: u8| char::from(b'0' + ((byte >> shift) & 7));
            line.extend(['\\', digit(6), digit(3), digit(0)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        for (cmdline, want) in [
            (&b"sleep\x00100\x00"[..], "sleep 100"),
            (b"sh\0-c\0echo \"$X\" | cat\0", "sh -c \"echo \\\"\\$X\\\" | cat\""),
            (b"a\0\0b\0", "a \"\" b"),
            (b"a\0\0\0", "a"),
            (b"two words\0it's\0", "\"two words\" \"it's\""),
            (b"tab\there\0\xff\xfe\0", "\"tab\\there\" \"\\377\\376\""),
            ("grün\0".as_bytes(), "grün"),
            (b"\x1b[0m\0", "\"\\033[0m\""),
            (b"", "[kworker/0:1]"),
            (b"\0\0", "[kworker/0:1]"),
        ] {
            assert_eq!(command_line(cmdline, b"kworker/0:1\n"), want);
        }
    }
}
