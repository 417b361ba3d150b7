//! Lists of properties: checked, applied, printed, read back, for units of every type.

use crate::input::Input;
use crate::values;
use cgarbiter_core::Config;
use cgarbiter_core::attribute::Inherited;
use cgarbiter_core::client::Transport;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::names::UnitType;
use cgarbiter_core::properties::{self, Context, Property, Row, default_settings};
use cgarbiter_core::resources::attributes;
use cgarbiter_core::settings::Settings;
use cgarbiter_core::unit_file::{DROP_IN_HEADER, TRANSIENT_HEADER, TransientFile};

/// Type, whether it is being created, who asks; then names and values.
pub fn properties(data: &[u8]) {
    let mut input = Input::new(data);
    let unit_type = if input.once_in(8) {
        input.of(&UnitType::ALL)
    } else {
        input.of(&[UnitType::Scope, UnitType::Service, UnitType::Slice])
    };
    let config = Config::example();
    let transport = if input.once_in(4) { Transport::Private } else { Transport::Bus(":1.2".into()) };
    let context = Context { unit_type, creating: !input.once_in(3), transport: &transport, config: &config };
    let mut settings = default_settings(unit_type, &config);
    let mut file = TransientFile::new(unit_type);
    while !input.is_empty() {
        let row = values::row(&mut input);
        let name = if input.once_in(40) { input.text() } else { row.name.into() };
        let value = values::property_value(&mut input, row);
        let Ok(property) = properties::parse(&name, &value, &context) else { continue };
        // Some names are other spellings, and become the property that they mean.
        assert!(
            property.name() == name || row_of(property.name()).key == row_of(&name).key,
            "{name} became {property:?}"
        );
        property.apply(&mut settings);
        property.write_transient(&settings, &mut file);
        check_drop_in(&property, unit_type, &settings);
        check_reading(&name, &settings, &context);
    }
    check_lines(file.into_text().strip_prefix(TRANSIENT_HEADER).expect("the first line"));
    if unit_type.is_managed() {
        check_attributes(&settings, &config);
    }
}

fn row_of(name: &str) -> &'static Row {
    properties::row(name).expect("a property of the table")
}

/// No value gets out of its line: there are lines of this property's key only, and none goes on in the next one.
fn check_drop_in(property: &Property, unit_type: UnitType, settings: &Settings) {
    let Some(drop_in) = property.drop_in(unit_type, settings) else { return };
    assert!(drop_in.stem.strip_prefix("50-").is_some_and(|stem| stem.bytes().all(|b| b.is_ascii_alphanumeric())));
    let text = drop_in.content.strip_prefix(DROP_IN_HEADER).expect("the first lines");
    check_lines(text);
    let row = row_of(property.name());
    // Properties without a key of their own are written under that of another, which their name begins with.
    let is_key = |key: &str| if row.key.is_empty() { property.name().starts_with(key) } else { key == row.key };
    let is_own = |line: &str| line.split_once('=').is_some_and(|(key, _)| is_key(key));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(format!("[{}]", row.section.name(unit_type)).as_str()));
    assert!(lines.all(|line| line.is_empty() || is_own(line)), "{text}");
}

fn check_lines(text: &str) {
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.lines().filter(|line| !line.is_empty()) {
        let is_header = line.starts_with('[') && line.ends_with(']');
        let is_setting = line.split_once('=').is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert!(is_header || is_setting, "{line:?} in {text:?}");
        assert!(!line.ends_with('\\') && !line.contains(['\0', '\r']), "{line:?} goes on");
    }
}

/// What is shown has the type of the property, is accepted, and is shown again.
fn check_reading(name: &str, settings: &Settings, context: &Context<'_>) {
    let Some(shown) = properties::read(name, settings, context.config, context.unit_type) else { return };
    let row = row_of(name);
    assert!(shown.has_signature(row.signature()), "{name} is shown as {shown:?}");
    let accepted = match properties::parse(name, &shown, context) {
        Ok(accepted) => accepted,
        Err(refusal) => panic!("{name} shows {shown:?}: {refusal}"),
    };
    let mut fresh = default_settings(context.unit_type, context.config);
    accepted.apply(&mut fresh);
    let again = properties::read(name, &fresh, context.config, context.unit_type);
    assert_eq!(again.as_ref(), Some(&shown), "{name}");
}

/// What the kernel gets is one line, each file once per device.
fn check_attributes(settings: &Settings, config: &Config) {
    let inherited = Inherited { memory_min: Some(4096), memory_low: None };
    let mut seen = Vec::new();
    attributes(&settings.resources, &inherited, ControllerMask::all(), config, &mut |attribute| {
        let one_line = !attribute.value.is_empty() && !attribute.value.contains(['\n', '\0']);
        assert!(one_line || attribute.file.starts_with("cpuset."), "{attribute:?}");
        let place = (attribute.file, attribute.device);
        assert!(!seen.contains(&place), "{place:?} twice");
        seen.push(place);
    });
}
