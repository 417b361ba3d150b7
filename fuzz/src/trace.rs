//! Traces: whatever stands in a file, it is read or refused with its place, and what was read is written and read again
//! as it was.

use cgarbiter_core::value::Value;
use cgarbiter_core::{Config, Event, Found, Now, Request};
use cgarbiter_trace::{Input, Parse, Print, Records, Writer, parse, print};

/// The lines of a trace after the first one, and each of them as an item alone.
pub fn trace(data: &[u8]) {
    let whole = [b"cgarbiter-trace 1\n", data].concat();
    let records = Records::new(&whole).expect("the first line is as it must be");
    for record in records.flatten() {
        again(record.now, &record.input);
    }
    for line in String::from_utf8_lossy(data).lines() {
        item::<Event>(line);
        item::<Request>(line);
        item::<Value>(line);
        item::<Config>(line);
        item::<Found>(line);
        item::<String>(line);
    }
}

/// Written, read and written again: the same text. Numbers that are none are not equal to themselves, texts are.
fn item<T: Parse + Print>(line: &str) {
    let Ok(item) = parse::<T>(line) else { return };
    let text = print(&item);
    assert!(!text.contains('\n'), "{text:?} has an end of a line in it");
    match parse::<T>(&text) {
        Ok(back) => assert_eq!(print(&back), text),
        Err(error) => panic!("{text}: {error}"),
    }
}

fn again(now: Now, input: &Input) {
    let mut writer = Writer::begin(&[], now, &Config::example(), &Found::default());
    match input {
        Input::Start { config, found } => writer = Writer::begin(&[], now, config, found),
        Input::Event(event) => writer.event(now, event),
        Input::Timeout => writer.timeout(now),
        Input::End(why) => writer.end(now, why),
    }
    let records = Records::new(writer.text().as_bytes()).expect("it was written so");
    let last = records.last().expect("a record").unwrap_or_else(|error| panic!("{}: {error}", writer.text()));
    assert_eq!(now, last.now);
    match (input, &last.input) {
        (Input::Event(event), Input::Event(back)) => assert_eq!(print(event), print(back)),
        (input, back) => assert_eq!(input, back),
    }
}
