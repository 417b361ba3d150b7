//! Our side of the conversation before the first message: `EXTERNAL` only, since the kernel says who the peer is.
//!
//! Clients differ in how much they send before they listen (reference: sd-bus everything at once, godbus asks for the
//! mechanisms first, libdbus and others in between), so this takes whatever bytes are there and answers line by line.
//! zbus has the same conversation, but only inside its `Connection`.

/// A peer that has not got to the point by then has no intention to.
const BYTES_MAX: usize = 16 * 1024;
/// Attempts before we hang up.
const REJECTIONS_MAX: u32 = 8;

/// How far a conversation has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing yet, not even the zero byte.
    Start,
    Auth,
    /// The peer has chosen EXTERNAL without saying who it is.
    Data,
    Begin,
}

/// One conversation.
#[derive(Debug)]
pub(crate) struct Server {
    stage: Stage,
    /// The peer's uid, as the kernel says.
    uid: u32,
    /// May it come in at all?
    welcome: bool,
    guid: String,
    bytes: usize,
    rejections: u32,
}

/// What came of it so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More has to come.
    Waiting,
    /// Messages follow.
    Done,
    /// Hang up, once the answer is out.
    Failed,
}

impl Server {
    pub(crate) fn new(uid: u32, welcome: bool, guid: String) -> Self {
        Self { stage: Stage::Start, uid, welcome, guid, bytes: 0, rejections: 0 }
    }

    /// Takes lines from the front of `input`, appends the answers to `output`. Says how many bytes were used up; what
    /// is left after `Done` are messages.
    pub(crate) fn feed(&mut self, input: &[u8], output: &mut Vec<u8>) -> (usize, Progress) {
        let mut used = 0;
        if self.stage == Stage::Start {
            match input.first() {
                None => return (0, Progress::Waiting),
                Some(0) => (used, self.stage) = (1, Stage::Auth),
                Some(_) => return (0, Progress::Failed),
            }
        }
        while let Some(length) = input[used..].iter().position(|byte| *byte == b'\n') {
            let line = &input[used..used + length];
            used += length + 1;
            self.bytes += length + 1;
            let line = line.strip_suffix(b"\r").and_then(|line| std::str::from_utf8(line).ok());
            let Some(line) = line else { return (used, Progress::Failed) };
            let progress = self.line(line, output);
            if progress != Progress::Waiting {
                return (used, progress);
            }
        }
        let too_much = self.bytes + (input.len() - used) > BYTES_MAX;
        (used, if too_much { Progress::Failed } else { Progress::Waiting })
    }

    fn line(&mut self, line: &str, output: &mut Vec<u8>) -> Progress {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (command, self.stage) {
            ("AUTH", Stage::Auth) => self.auth(rest.trim(), output),
            ("DATA", Stage::Data) => self.identity(rest.trim(), output),
            // Descriptors are taken from those, too, who send them without asking.
            ("NEGOTIATE_UNIX_FD", Stage::Begin) => say(output, "AGREE_UNIX_FD"),
            ("BEGIN", Stage::Begin) => Progress::Done,
            ("BEGIN", _) => Progress::Failed,
            ("CANCEL" | "ERROR", _) => self.reject(output),
            _ => say(output, "ERROR \"Unknown or misplaced command\""),
        }
    }

    fn auth(&mut self, rest: &str, output: &mut Vec<u8>) -> Progress {
        match rest.split_once(' ').unwrap_or((rest, "")) {
            ("EXTERNAL", "") => {
                self.stage = Stage::Data;
                say(output, "DATA")
            }
            ("EXTERNAL", identity) => self.identity(identity.trim(), output),
            _ => self.reject(output),
        }
    }

    /// The identity is the decimal uid, each digit in hexadecimal; empty means "whoever the kernel says".
    fn identity(&mut self, hex: &str, output: &mut Vec<u8>) -> Progress {
        let own: String = self.uid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        if !self.welcome || !(hex.is_empty() || hex.eq_ignore_ascii_case(&own)) {
            return self.reject(output);
        }
        self.stage = Stage::Begin;
        say(output, &format!("OK {}", self.guid))
    }

    fn reject(&mut self, output: &mut Vec<u8>) -> Progress {
        self.stage = Stage::Auth;
        self.rejections += 1;
        say(output, "REJECTED EXTERNAL");
        if self.rejections < REJECTIONS_MAX { Progress::Waiting } else { Progress::Failed }
    }
}

fn say(output: &mut Vec<u8>, line: &str) -> Progress {
    output.extend_from_slice(line.as_bytes());
    output.extend_from_slice(b"\r\n");
    Progress::Waiting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(input: &str) -> (String, Progress) {
        let mut output = Vec::new();
        let (_, progress) = Server::new(0, true, "g".repeat(32)).feed(input.as_bytes(), &mut output);
        (String::from_utf8(output).expect("ASCII").replace("\r\n", "|"), progress)
    }

    const OK: &str = "OK gggggggggggggggggggggggggggggggg|";

    #[test]
    fn the_dialects() {
        for (who, input, wanted, end) in [
            (
                "sd-bus",
                "\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n",
                format!("DATA|{OK}AGREE_UNIX_FD|"),
                Progress::Done,
            ),
            (
                "godbus",
                "\0AUTH\r\nAUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n",
                format!("REJECTED EXTERNAL|DATA|{OK}AGREE_UNIX_FD|"),
                Progress::Done,
            ),
            ("youki", "\0AUTH EXTERNAL 30\r\nBEGIN\r\n", OK.into(), Progress::Done),
            (
                "libdbus",
                "\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n",
                format!("{OK}AGREE_UNIX_FD|"),
                Progress::Done,
            ),
            ("another's uid", "\0AUTH EXTERNAL 31303030\r\n", "REJECTED EXTERNAL|".into(), Progress::Waiting),
            ("cookies", "\0AUTH DBUS_COOKIE_SHA1 30\r\n", "REJECTED EXTERNAL|".into(), Progress::Waiting),
            ("too early", "\0BEGIN\r\n", String::new(), Progress::Failed),
            ("no zero byte", "AUTH EXTERNAL 30\r\n", String::new(), Progress::Failed),
            ("bare line feed", "\0AUTH EXTERNAL 30\n", String::new(), Progress::Failed),
            ("HTTP", "\0GET / HTTP/1.1\r\n", "ERROR \"Unknown or misplaced command\"|".into(), Progress::Waiting),
        ] {
            assert_eq!(talk(input), (wanted, end), "{who}");
        }
    }

    #[test]
    fn strangers_are_told_no() {
        let mut output = Vec::new();
        let mut server = Server::new(1000, false, String::new());
        let (_, progress) = server.feed(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", &mut output);
        assert_eq!(output, b"DATA\r\nREJECTED EXTERNAL\r\n");
        assert_eq!(progress, Progress::Failed);
    }

    #[test]
    fn messages_after_begin_are_left_alone() {
        let mut server = Server::new(0, true, String::new());
        let (used, progress) = server.feed(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\nl\x01\n", &mut Vec::new());
        assert_eq!((used, progress), (26, Progress::Done));
    }

    #[test]
    fn endless_talk_ends() {
        let mut server = Server::new(0, true, String::new());
        assert_eq!(server.feed(&[&[0][..], &[b'x'; BYTES_MAX + 1]].concat(), &mut Vec::new()).1, Progress::Failed);
        let (_, progress) = talk(&format!("\0{}", "AUTH\r\n".repeat(20)));
        assert_eq!(progress, Progress::Failed);
    }
}
