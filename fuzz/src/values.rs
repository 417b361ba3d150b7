//! Values of a D-Bus signature out of bytes, with words that mean something where they stand, most of the time.

use crate::input::Input;
use cgarbiter_core::names::UnitName;
use cgarbiter_core::properties::{Row, rows};
use cgarbiter_core::value::Value;

/// Names of units: few, so that calls meet.
pub const UNITS: [&str; 14] = [
    "x.scope",
    "y.scope",
    "z.scope",
    "s.service",
    "t@1.service",
    "a.slice",
    "a-b.slice",
    "a-b-c.slice",
    "d.slice",
    "system.slice",
    "-.slice",
    "m.mount",
    "cpu.scope",
    "",
];
const SLICES: [&str; 6] = ["a.slice", "a-b.slice", "a-b-c.slice", "d.slice", "-.slice", ""];
const WORDS: [&str; 48] = [
    "",
    "cpu",
    "memory",
    "io",
    "pids",
    "cpuset",
    "devices",
    "/dev/null",
    "/dev/sda",
    "char-*",
    "block-loop",
    "rwm",
    "r",
    "auto",
    "strict",
    "closed",
    "simple",
    "exec",
    "oneshot",
    "control-group",
    "mixed",
    "process",
    "none",
    "root",
    "1000",
    ":1.2",
    ":1.3",
    "org.x.Y",
    "A=b",
    "/bin/x",
    "/",
    "/sub",
    "/a.slice",
    "inactive",
    "inactive-or-failed",
    "kill",
    "stop",
    "continue",
    "needs-reload",
    "+needs-restart",
    "ignore-failure",
    "no-env-expand",
    "50%",
    "%n",
    "a\nMemoryMax=1",
    "back\\",
    "active",
    "*.scope",
];
const MODES: [&str; 9] = [
    "replace",
    "fail",
    "replace-irreversibly",
    "isolate",
    "flush",
    "ignore-dependencies",
    "ignore-requirements",
    "triggering",
    "replace-x",
];
const JOB_TYPES: [&str; 8] =
    ["start", "stop", "restart", "try-restart", "reload", "verify-active", "reload-or-start", "nop"];
const WHOM: [&str; 6] = ["all", "main", "control", "all-fail", "main-fail", ""];
const SIGNATURES: [&str; 12] = ["s", "b", "t", "u", "i", "as", "ay", "a(st)", "v", "d", "(sv)", "ah"];

/// A name of a unit, known or not.
pub fn unit_name(input: &mut Input<'_>) -> String {
    if input.once_in(12) { input.text() } else { input.of(&UNITS).into() }
}

/// The arguments that a signature like `name:s mode:s` describes; now and then one too few, or of another type.
pub fn arguments(input: &mut Input<'_>, described: impl Iterator<Item = (&'static str, &'static str)>) -> Vec<Value> {
    let mut all: Vec<Value> = described.map(|(name, signature)| argument(input, name, signature)).collect();
    if input.once_in(32) {
        all.pop();
    }
    all
}

fn argument(input: &mut Input<'_>, name: &str, signature: &str) -> Value {
    let signature = if input.once_in(48) { input.of(&SIGNATURES) } else { signature };
    match (name, signature) {
        ("name" | "unit_name" | "names", "s") => Value::Str(unit_name(input)),
        ("mode" | "job_mode", "s") => Value::str(input.of(&MODES)),
        ("job_type", "s") => Value::str(input.of(&JOB_TYPES)),
        ("whom", "s") => Value::str(input.of(&WHOM)),
        ("id", "u") => Value::U32(input.below(24) as u32),
        _ => value(input, signature, &word),
    }
}

/// What a transient unit is made of: name, mode, properties, auxiliary units; mostly with what its type cannot do
/// without.
pub fn creation(input: &mut Input<'_>) -> Vec<Value> {
    let name = unit_name(input);
    let mode = if input.once_in(4) { input.of(&MODES) } else { "fail" };
    let properties = unit_properties(input, &name);
    let mut auxiliary = Vec::new();
    if input.once_in(5) {
        let name = unit_name(input);
        let properties = Value::Array("(sv)".into(), unit_properties(input, &name));
        auxiliary.push(Value::Struct(vec![Value::Str(name), properties]));
    }
    let auxiliary = Value::Array("(sa(sv))".into(), auxiliary);
    vec![Value::Str(name), Value::str(mode), Value::Array("(sv)".into(), properties), auxiliary]
}

fn unit_properties(input: &mut Input<'_>, name: &str) -> Vec<Value> {
    let mut list = Vec::new();
    if name.ends_with(".scope") && !input.once_in(10) {
        let pid = Value::U32(100 + input.below(50) as u32);
        list.push(pair("PIDs", Value::Array("u".into(), vec![pid])));
    }
    if name.ends_with(".service") && !input.once_in(10) {
        let command = vec![Value::str("/bin/x"), Value::strings(["/bin/x", "$A"]), Value::Bool(input.once_in(3))];
        list.push(pair("ExecStart", Value::Array("(sasb)".into(), vec![Value::Struct(command)])));
    }
    let unit_type = UnitName::parse(name).ok().map(|name| name.unit_type());
    for _ in 0..input.below(6) {
        let mut row = row(input);
        let fits = |row: &Row| unit_type.is_none_or(|unit_type| row.is_settable(unit_type, true));
        // The next one that this type has: lists that are refused at their first entry teach little.
        if !fits(row) && !input.once_in(8) {
            row = rows().skip_while(|other| *other != row).find(|row| fits(row)).unwrap_or(row);
        }
        list.push(pair(row.name, property_value(input, row)));
    }
    list
}

fn pair(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))])
}

/// A row of the table of properties.
pub fn row(input: &mut Input<'_>) -> &'static Row {
    let wanted = input.below(rows().count());
    rows().nth(wanted).expect("below the count")
}

/// A value for a property, most of the time of its type.
pub fn property_value(input: &mut Input<'_>, row: &Row) -> Value {
    let signature = if input.once_in(24) { input.of(&SIGNATURES) } else { row.signature() };
    match signature {
        "s" if row.name == "Slice" => Value::str(input.of(&SLICES)),
        "as" if row.key == row.name && UNIT_LISTS.contains(&row.name) => value(input, signature, &unit_name),
        _ => value(input, signature, &word),
    }
}

const UNIT_LISTS: [&str; 12] = [
    "Requires",
    "Requisite",
    "Wants",
    "BindsTo",
    "PartOf",
    "Upholds",
    "Conflicts",
    "Before",
    "After",
    "OnSuccess",
    "OnFailure",
    "PropagatesStopTo",
];

fn word(input: &mut Input<'_>) -> String {
    match input.below(10) {
        0 => input.text(),
        1 => input.of(&UNITS).into(),
        _ => input.of(&WORDS).into(),
    }
}

/// A value of one complete type; strings are made by `text`.
pub fn value(input: &mut Input<'_>, signature: &str, text: &dyn Fn(&mut Input<'_>) -> String) -> Value {
    match signature.as_bytes() {
        b"b" => Value::Bool(input.below(2) == 1),
        b"y" => Value::U8(input.byte()),
        b"n" => Value::I16(input.number() as i16),
        b"q" => Value::U16(input.number() as u16),
        b"i" => Value::I32(if input.once_in(4) { input.number() as i32 } else { input.below(20) as i32 }),
        b"u" => Value::U32(input.number() as u32),
        b"x" => Value::I64(input.number().cast_signed()),
        b"t" => Value::U64(input.number()),
        b"d" => Value::F64(f64::from_bits(input.number())),
        b"s" => Value::Str(text(input)),
        b"o" => Value::Path(text(input)),
        b"g" => Value::Signature(text(input)),
        b"h" => Value::Handle(input.below(64) as u64),
        b"ay" => {
            let count = input.below(20);
            Value::Bytes(input.bytes(count).into())
        }
        b"(sv)" => {
            let row = row(input);
            pair(row.name, property_value(input, row))
        }
        b"v" => {
            let inner = input.of(&SIGNATURES);
            Value::Variant(Box::new(value(input, inner, text)))
        }
        [b'a', ..] => {
            let items = (0..input.below(4)).map(|_| value(input, &signature[1..], text)).collect();
            Value::Array(signature[1..].into(), items)
        }
        [b'(', ..] => {
            Value::Struct(fields(&signature[1..signature.len() - 1]).map(|s| value(input, s, text)).collect())
        }
        [b'{', ..] => {
            let mut pair = fields(&signature[1..signature.len() - 1]).map(|s| Box::new(value(input, s, text)));
            let (key, of_key) = (pair.next().expect("a key"), pair.next().expect("a value"));
            Value::Entry(key, of_key)
        }
        other => panic!("{other:?} is no signature"),
    }
}

/// The complete types in a row of them.
fn fields(mut signatures: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (first, rest) = signatures.split_at_checked(length(signatures)).filter(|(first, _)| !first.is_empty())?;
        signatures = rest;
        Some(first)
    })
}

/// How long the first complete type is.
fn length(signatures: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in signatures.bytes().enumerate() {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth -= 1,
            b'a' => continue,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    0
}
