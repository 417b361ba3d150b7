//! What is written is read back as it was, whatever it is; what was not written so is refused with its place.

mod arbitrary;

use cgarbiter_core::value::Value;
use cgarbiter_core::{Config, Effect, Event, Found, Now, Request};
use cgarbiter_trace::{Input, Records, TraceError, Writer, parse, print};
use proptest::prelude::*;

/// Everything that a trace holds.
fn inputs(text: &str) -> Vec<(Now, Input)> {
    let records = Records::new(text.as_bytes()).expect("a trace");
    records.map(|record| record.map(|record| (record.now, record.input)).expect("a good line")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_event_is_read_back(event in arbitrary::event()) {
        let text = print(&event);
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(parse::<Event>(&text), Ok(event));
    }

    #[test]
    fn any_value_is_read_back(value in arbitrary::value()) {
        prop_assert_eq!(parse::<Value>(&print(&value)), Ok(value));
    }

    #[test]
    fn any_trace_is_read_back(
        config in arbitrary::config(),
        found in arbitrary::found(),
        all in proptest::collection::vec((arbitrary::now(), proptest::option::of(arbitrary::event())), 0..6),
    ) {
        let start = Now::default();
        let mut writer = Writer::begin(&["by nobody"], start, &config, &found);
        let mut wanted = vec![(start, Input::Start { config: Box::new(config), found })];
        for (now, event) in all {
            match event {
                Some(event) => {
                    writer.event(now, &event);
                    wanted.push((now, Input::Event(event)));
                }
                None => {
                    writer.timeout(now);
                    wanted.push((now, Input::Timeout));
                }
            }
            writer.effect(&Effect::Release(Vec::new()));
        }
        writer.end(start, "so be it");
        wanted.push((start, Input::End("so be it".into())));
        prop_assert_eq!(inputs(writer.text()), wanted);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n]{0,60}") {
        let _ = parse::<Event>(&text);
        let whole = format!("cgarbiter-trace 1\n{text}\n");
        let _: Vec<_> = Records::new(whole.as_bytes()).expect("a trace").collect();
    }
}

#[test]
fn what_is_no_number_keeps_its_bits() {
    let odd = f64::from_bits(0x7ff8_0000_0000_002a);
    let text = print(&Value::F64(odd));
    assert_eq!(text, "d nan(7ff800000000002a)");
    let Ok(Value::F64(back)) = parse(&text) else { panic!("{text}") };
    assert_eq!(back.to_bits(), odd.to_bits());
    assert!(parse::<Value>("d nan(0000000000000000)").is_err());
    for text in ["d inf", "d -inf", "d -0.0", "d 1e300"] {
        assert_eq!(print(&parse::<Value>(text).expect(text)), text);
    }
}

#[test]
fn values_look_like_those_of_busctl() {
    for text in [
        "t 67108864",
        "s \"a \\\"b\\\"\\n\"",
        "ay <00ff>",
        "as [\"a\", \"b\"]",
        "a(sv) [(\"x\", u 1), (\"y\", as [])]",
        "a{sv} [\"Key\"=s \"x\"]",
        "a(sasb) [(\"/bin/true\", [\"true\"], false)]",
        "(sst) (\"a\", \"b\", 1)",
    ] {
        assert_eq!(print(&parse::<Value>(text).expect(text)), text);
    }
}

#[test]
fn errors_name_line_and_column() {
    let complaint = |rest: &str| {
        let text = format!("cgarbiter-trace 1\n# by hand\n\n{rest}\n");
        let mut records = Records::new(text.as_bytes()).expect("a trace");
        records.find_map(Result::err).map(|error| error.to_string()).unwrap_or_default()
    };
    for (line, wanted) in [
        ("1.000000 2.000000 gone x", "line 4, column 24: expected a number: ClientId"),
        ("1.0 2.000000 gone 1", "line 4, column 1: expected a time in seconds with six places, such as 36.010203"),
        ("1.000000 2.000000 gone 1 2", "line 4, column 26: expected the end of the line"),
        ("1.000000 2.000000 name-gone \"x", "line 4, column 30: expected a quote at the end of the text"),
        ("  emit All Reloading(true)", "line 4, column 3: expected a time in seconds"),
        ("1.000000 2.000000 vanished 1", "line 4, column 19: expected one of start request connected"),
        ("1.000000 2.000000 exited 3 Code{4}", "line 4, column 32: expected '('"),
        ("18446744073709.551616 2.000000 timeout", "line 4, column 1: expected a time"),
    ] {
        let complaint = complaint(line);
        assert!(complaint.starts_with(wanted), "{line}: {complaint}");
    }
    let deep =
        format!("1.000000 2.000000 request 1 {{id=1 transport=Private uid=0 pid=-}} {}", "Plan(".repeat(100_000));
    assert!(complaint(&deep).contains("items in each other"));
    let mut broken = b"cgarbiter-trace 1\n1.000000 2.000000 name-gone \"".to_vec();
    broken.extend([0xff, b'"', b'\n']);
    let error = Records::new(&broken).expect("a trace").find_map(Result::err).expect("an error");
    assert_eq!(error, TraceError::NotText(2));
}

#[test]
fn a_depth_that_the_bus_allows_can_be_written_and_read() {
    let mut value = Value::U32(1);
    for _ in 0..32 {
        let signature = value.signature();
        value = Value::Array(format!("({signature})"), vec![Value::Struct(vec![value])]);
    }
    for _ in 0..32 {
        value = Value::Variant(Box::new(value));
    }
    let request = Request::SetProperties {
        unit: cgarbiter_core::request::UnitRef::Name("x.scope".into()),
        runtime: true,
        properties: vec![("A".into(), value)],
    };
    assert_eq!(parse(&print(&request)), Ok(request));
}

#[test]
fn the_first_line_tells_what_it_is() {
    let error = |bytes: &[u8]| Records::new(bytes).expect_err("no trace").to_string();
    assert!(error(b"").contains("not a trace"));
    assert!(error(b"[1, 2, 3]\n").contains("not a trace"));
    assert!(error(b"cgarbiter-trace 2\n").contains("version 2"));
    assert!(error(b"cgarbiter-trace 1").contains("version ;"), "a first line that was cut is of no version");
    assert!(Records::new(b"cgarbiter-trace 1\n").expect("an empty trace").next().is_none());
}

#[test]
fn a_line_that_was_cut_counts_as_not_written() {
    let mut writer = Writer::begin(&[], Now::default(), &Config::example(), &Found::default());
    writer.event(Now::default(), &Event::BusNameGone(":1.23".into()));
    writer.event(Now::default(), &Event::BusNameGone(":1.24".into()));
    let text = writer.text().trim_end();
    let records = Records::new(text.as_bytes()).expect("a trace");
    assert_eq!(records.cut(), Some(text.lines().count()));
    assert_eq!(records.filter(Result::is_ok).count(), 2, "the start and one event");
    for end in text.len() / 2..text.len() {
        let records = Records::new(&text.as_bytes()[..end]).expect("a trace");
        let _: Vec<_> = records.collect();
    }
}
