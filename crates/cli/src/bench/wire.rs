//! The part of the D-Bus wire format that the load needs: method calls out, replies and signals in.

/// The body of a message, or an array or variant in it. Little-endian; positions count from the body's start.
#[derive(Debug, Default)]
pub(super) struct Body(Vec<u8>);

impl Body {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub(super) fn u32(&mut self, v: u32) -> &mut Self {
        self.align(4);
        self.0.extend(v.to_le_bytes());
        self
    }

    pub(super) fn u64(&mut self, v: u64) -> &mut Self {
        self.align(8);
        self.0.extend(v.to_le_bytes());
        self
    }

    pub(super) fn string(&mut self, v: &str) -> &mut Self {
        self.u32(v.len() as u32);
        self.0.extend(v.as_bytes());
        self.0.push(0);
        self
    }

    pub(super) fn signature(&mut self, v: &str) -> &mut Self {
        self.0.push(v.len() as u8);
        self.0.extend(v.as_bytes());
        self.0.push(0);
        self
    }

    /// An array whose elements are aligned like `element`.
    pub(super) fn array(&mut self, element: usize, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.u32(0);
        let at = self.0.len() - 4;
        self.align(element);
        let start = self.0.len();
        fill(self);
        let len = (self.0.len() - start) as u32;
        self.0[at..at + 4].copy_from_slice(&len.to_le_bytes());
        self
    }

    /// One `(sv)`.
    pub(super) fn property(&mut self, name: &str, value: Value<'_>) -> &mut Self {
        self.align(8);
        self.string(name);
        match value {
            Value::Text(text) => self.signature("s").string(text),
            Value::Number(number) => self.signature("t").u64(number),
            Value::Pid(pid) => self.signature("au").array(4, |pids| {
                pids.u32(pid);
            }),
            Value::Command(path) => self.signature("a(sasb)").array(8, |commands| {
                commands.string(path).array(4, |arguments| {
                    arguments.string(path);
                });
                commands.u32(0);
            }),
        }
    }
}

/// A property's value: `s`, `t`, `au` with one element, or one command without arguments, whose failure counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(u64),
    Pid(u32),
    Command(&'a str),
}

/// Where a call goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method {
    pub(super) destination: &'static str,
    pub(super) path: &'static str,
    pub(super) interface: &'static str,
    pub(super) member: &'static str,
    pub(super) signature: &'static str,
}

/// Appends a method call to the bytes to be sent.
pub(super) fn call(out: &mut Vec<u8>, serial: u32, method: Method, fill: impl FnOnce(&mut Body)) {
    let mut body = Body::default();
    fill(&mut body);
    let mut header = Body(vec![b'l', 1, 0, 1]);
    header.u32(body.0.len() as u32).u32(serial).array(8, |fields| {
        for (code, kind, text) in [
            (1, b'o', method.path),
            (2, b's', method.interface),
            (3, b's', method.member),
            (6, b's', method.destination),
        ] {
            fields.align(8);
            fields.0.extend([code, 1, kind, 0]);
            fields.string(text);
        }
        fields.align(8);
        fields.0.extend([8, 1, b'g', 0]);
        fields.signature(method.signature);
    });
    header.align(8);
    out.extend(header.0);
    out.extend(body.0);
}

/// What the load looks at in a message received.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Incoming<'a> {
    pub(super) kind: Kind,
    pub(super) reply_serial: u32,
    pub(super) member: &'a str,
    pub(super) error: &'a str,
    body: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Return,
    Error,
    Signal,
    Other,
}

impl<'a> Incoming<'a> {
    /// The strings (or paths) of the body from `at` on; bodies of strings only, after leading numbers.
    pub(super) fn strings(&self, mut at: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let body = self.body;
        std::iter::from_fn(move || {
            let len = number(body, at)?;
            let text = std::str::from_utf8(body.get(at + 4..at + 4 + len)?).ok()?;
            at = (at + 4 + len + 1).next_multiple_of(4);
            Some(text)
        })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(four) as usize)
}

/// The length of the message at the front, when its first 16 bytes are there.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let (body, fields) = (number(bytes, 4)?, number(bytes, 12)?);
    Some((16 + fields).next_multiple_of(8) + body)
}

/// A whole message, or none if it is malformed or big-endian.
pub(super) fn parse(message: &[u8]) -> Option<Incoming<'_>> {
    let fields_end = 16 + number(message, 12)?;
    let kind = match (message[0], message[1]) {
        (b'l', 2) => Kind::Return,
        (b'l', 3) => Kind::Error,
        (b'l', 4) => Kind::Signal,
        (b'l', _) => Kind::Other,
        _ => return None,
    };
    let body = message.get(fields_end.next_multiple_of(8)..)?;
    let mut incoming = Incoming { kind, reply_serial: 0, member: "", error: "", body };
    let mut at = 16;
    while at + 4 < fields_end {
        let value = at + 4;
        let len = match message[at + 2] {
            b's' | b'o' => 4 + number(message, value)? + 1,
            b'g' => 1 + usize::from(message[value]) + 1,
            _ => 4,
        };
        let text = || std::str::from_utf8(message.get(value + 4..value + len - 1)?).ok();
        match message[at] {
            3 => incoming.member = text()?,
            4 => incoming.error = text()?,
            5 => incoming.reply_serial = number(message, value)? as u32,
            _ => {}
        }
        at = (value + len).next_multiple_of(8);
    }
    Some(incoming)
}

#[cfg(test)]
mod tests {
    use zbus::wire::{LE, serialized::Context};

    use super::*;

    const METHOD: Method = Method {
        destination: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "StartTransientUnit",
        signature: "ssa(sv)a(sa(sv))",
    };

    /// What zbus reads from our bytes.
    fn read(bytes: Vec<u8>) -> zbus::Message {
        let data = zbus::wire::serialized::Data::new(bytes, Context::new(LE, 0));
        // SAFETY: the message carries no file descriptors.
        unsafe { zbus::Message::from_bytes(data) }.unwrap()
    }

    #[test]
    fn zbus_understands_the_calls() {
        let mut bytes = Vec::new();
        call(&mut bytes, 7, METHOD, |body| {
            body.string("a.scope").string("fail").array(8, |properties| {
                properties.property("Slice", Value::Text("bench.slice"));
                properties.property("PIDs", Value::Pid(42));
                properties.property("TasksMax", Value::Number(1000));
                properties.property("ExecStart", Value::Command("/bin/true"));
            });
            body.array(8, |_| {});
        });
        assert_eq!(length(&bytes), Some(bytes.len()));
        let message = read(bytes);
        assert_eq!(message.header().member().unwrap().as_str(), "StartTransientUnit");
        let body = message.body();
        type Properties<'a> = Vec<(&'a str, zbus::Variant<'a>)>;
        let (unit, mode, properties, aux): (&str, &str, Properties<'_>, Vec<(&str, Properties<'_>)>) =
            body.deserialize().unwrap();
        assert_eq!((unit, mode, aux.len()), ("a.scope", "fail", 0));
        assert_eq!(properties[0], ("Slice", "bench.slice".into()));
        assert_eq!(properties[1], ("PIDs", vec![42_u32].into()));
        assert_eq!(properties[2], ("TasksMax", 1000_u64.into()));
        let commands = vec![("/bin/true", vec!["/bin/true"], false)];
        assert_eq!(properties[3], ("ExecStart", zbus::Variant::new(commands)));
    }

    #[test]
    fn we_understand_zbus() {
        let mut bytes = Vec::new();
        call(&mut bytes, 9, METHOD, |_| {});
        let call = read(bytes);
        let header = call.header();
        let reply = zbus::Message::method_return(&header).build(&zbus::ObjectPath::try_from("/a/b").unwrap()).unwrap();
        let reply = parse(reply.data()).unwrap();
        assert_eq!((reply.kind, reply.reply_serial), (Kind::Return, 9));
        assert_eq!(reply.strings(0).collect::<Vec<_>>(), ["/a/b"]);

        let error = zbus::Message::error(&header, "a.b.C").build(&("text",)).unwrap();
        let error = parse(error.data()).unwrap();
        assert_eq!((error.kind, error.error, error.strings(0).next()), (Kind::Error, "a.b.C", Some("text")));

        let body = (5_u32, zbus::ObjectPath::try_from("/j").unwrap(), "u.scope", "done");
        let signal = zbus::Message::signal("/a", "b.c", "JobRemoved").build(&body).unwrap();
        let signal = parse(signal.data()).unwrap();
        assert_eq!((signal.kind, signal.member), (Kind::Signal, "JobRemoved"));
        assert_eq!(signal.strings(4).collect::<Vec<_>>(), ["/j", "u.scope", "done"]);
        assert_eq!(parse(&[0; 16]), None);
    }
}
