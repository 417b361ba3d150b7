//! Unit files: any text is read, and what was read can be shown, told to the kernel, and read again.

use cgarbiter_core::Config;
use cgarbiter_core::attribute::Inherited;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::names::UnitName;
use cgarbiter_core::properties::{self, default_settings, rows};
use cgarbiter_core::resources::attributes;
use cgarbiter_core::settings::Settings;
use cgarbiter_core::unit_file::{Lexer, Severity, Source, Token, Warning, read};

const NAMES: [&str; 6] =
    ["a-b.slice", "a.scope", "web.service", "web-front@eu.service", "a\\q@\\x2f.service", "x.mount"];

/// A byte that chooses the unit, then the text of its file.
pub fn unit_files(data: &[u8]) {
    let (choice, text) = data.split_first().map_or((0, data), |(choice, text)| (*choice, text));
    let name = UnitName::parse(NAMES[usize::from(choice) % NAMES.len()]).expect("a name");
    let text = String::from_utf8_lossy(text);
    let config = Config::example();
    let source = Source { name: &name, path: "/etc/units/x", config: &config };
    let mut settings = default_settings(name.unit_type(), &config);
    let warnings = read(&text, &source, &mut settings);
    check_warnings(&text, &warnings);
    check_shown(&settings, &name, &config);
    let mut again = default_settings(name.unit_type(), &config);
    assert_eq!(read(&text, &source, &mut again), warnings);
    assert_eq!(again, settings, "the same text means the same");
    if warnings.iter().all(|warning| warning.severity == Severity::Skipped) {
        check_line_ends(&text, &source, &settings);
    }
}

/// They come in the order of the lines, there are no more than there are words, and only the last one ends the reading.
fn check_warnings(text: &str, warnings: &[Warning]) {
    assert!(warnings.windows(2).all(|pair| pair[0].line <= pair[1].line && pair[0].severity == Severity::Skipped));
    let lines = text.split(['\n', '\r', '\0']).count();
    for warning in warnings {
        assert!(1 <= warning.line && warning.line as usize <= lines, "{warning:?}");
        assert!(!warning.text.is_empty());
    }
}

/// What is shown has the type of its property, and what the kernel gets is one line.
fn check_shown(settings: &Settings, name: &UnitName, config: &Config) {
    for row in rows() {
        let shown = properties::read(row.name, settings, config, name.unit_type());
        assert!(shown.is_none_or(|shown| shown.has_signature(row.signature())), "{row:?}");
    }
    attributes(&settings.resources, &Inherited::default(), ControllerMask::all(), config, &mut |attribute| {
        let one_line = !attribute.value.is_empty() && !attribute.value.contains(['\n', '\0']);
        assert!(one_line || attribute.file.starts_with("cpuset."), "{attribute:?}");
    });
}

/// The same assignments, one a line and with the line ends of another system, are the same settings.
fn check_line_ends(text: &str, source: &Source<'_>, settings: &Settings) {
    let mut plain = String::new();
    for line in Lexer::new(text) {
        match line.token {
            Token::Section(name) => plain += &format!("[{name}]\r\n"),
            Token::Assignment(key, value) => plain += &format!("{key} = {value}{}\r\n", guard(&value)),
            Token::NoAssignment | Token::NoKey => plain += "\r\n",
            Token::BadHeader(_) | Token::TooLong => unreachable!("reading would have ended there"),
        }
    }
    let mut again = default_settings(source.name.unit_type(), source.config);
    let _ = read(&plain, source, &mut again);
    assert_eq!(&again, settings, "{text:?} and {plain:?}");
}

/// A backslash at the end does not join the next line to this one.
fn guard(value: &str) -> &'static str {
    if value.ends_with('\\') { " " } else { "" }
}
