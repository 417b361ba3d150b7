//! `NAME=VALUE` as people write it → the property and value that go over the bus, as systemd-run encodes them.
//!
//! Pure. What a value looks like is in `scalars` and `lists`; which name takes which form is in `table`; the rest of
//! what services can be told is in `spoken`.

mod lists;
pub(crate) mod scalars;
mod spoken;
mod table;

use zbus::Variant;

pub(crate) use scalars::signal;
use table::Form;

/// Limit, weight or time that is not set, on the wire.
pub(crate) const INFINITY: u64 = u64::MAX;

/// One property, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// The D-Bus types that assignments become.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `b`
    Bool(bool),
    /// `i`
    I32(i32),
    /// `u`
    U32(u32),
    /// `t`
    U64(u64),
    /// `s`
    Text(String),
    /// `as`
    Texts(Vec<String>),
    /// `ay`
    Bytes(Vec<u8>),
    /// `a(st)`
    PathNumbers(Vec<(String, u64)>),
    /// `a(ss)`
    Pairs(Vec<(String, String)>),
    /// `a(iayu)`
    Addresses(Vec<(i32, Vec<u8>, u32)>),
    /// `a(iiqq)`
    Binds(Vec<(i32, i32, u16, u16)>),
    /// `(bas)`
    Names(bool, Vec<String>),
    /// As the server's table has it.
    Spoken(cgarbiter_core::value::Value),
}

impl Value {
    pub(crate) fn to_variant(&self) -> Variant<'static> {
        match self.clone() {
            Self::Bool(v) => Variant::from(v),
            Self::I32(v) => Variant::from(v),
            Self::U32(v) => Variant::from(v),
            Self::U64(v) => Variant::from(v),
            Self::Text(v) => Variant::from(v),
            Self::Texts(v) => Variant::from(v),
            Self::Bytes(v) => Variant::from(v),
            Self::PathNumbers(v) => Variant::new(v),
            Self::Pairs(v) => Variant::new(v),
            Self::Addresses(v) => Variant::new(v),
            Self::Binds(v) => Variant::new(v),
            Self::Names(allow, names) => Variant::new((allow, names)),
            Self::Spoken(value) => spoken::variant(&value),
        }
    }
}

/// Why an assignment was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AssignError {
    #[error("'{0}' is not an assignment: expected NAME=VALUE")]
    NoEquals(String),
    #[error("unknown property {name}{}", suggestion.map(|s| format!(", did you mean {s}?")).unwrap_or_default())]
    Unknown { name: String, suggestion: Option<&'static str> },
    #[error("{name}={value}: {reason}")]
    Value { name: String, value: String, reason: String },
}

/// Parses one assignment, which may become two properties.
pub(crate) fn parse(assignment: &str) -> Result<Vec<Property>, AssignError> {
    let Some((name, value)) = assignment.split_once('=') else {
        return Err(AssignError::NoEquals(assignment.to_owned()));
    };
    let properties = match table::form_of(name) {
        Some(form) => encode(name, form, value).map(|property| vec![property]),
        None => spoken::parse(name, value)
            .ok_or_else(|| AssignError::Unknown { name: name.to_owned(), suggestion: table::nearest(name) })?,
    };
    properties.map_err(|reason| AssignError::Value { name: name.to_owned(), value: value.to_owned(), reason })
}

/// Parses assignments in order; a name may repeat.
pub(crate) fn parse_all<S: AsRef<str>>(assignments: &[S]) -> Result<Vec<Property>, AssignError> {
    let parsed: Result<Vec<_>, _> = assignments.iter().map(|a| parse(a.as_ref())).collect();
    Ok(parsed?.into_iter().flatten().collect())
}

fn encode(name: &str, form: Form, text: &str) -> Result<Property, String> {
    if let Some((suffix, scale)) = percentage(form, text)? {
        return Ok(Property { name: format!("{name}{suffix}"), value: Value::U32(scale) });
    }
    let value = match form {
        Form::Text => Value::Text(text.to_owned()),
        Form::Bool => Value::Bool(scalars::boolean(text)?),
        Form::I32 => Value::I32(scalars::integer(text)?),
        Form::U32 => Value::U32(scalars::integer(text)?),
        Form::Weight => Value::U64(scalars::weight(text)?),
        Form::CpuWeight => Value::U64(if text == "idle" { 0 } else { scalars::weight(text)? }),
        Form::Protection => Value::U64(if text.is_empty() { 0 } else { scalars::size_limit(text)? }),
        Form::SizeLimit => Value::U64(scalars::size_limit(text)?),
        Form::CountLimit => Value::U64(scalars::count_limit(text)?),
        Form::Fraction => Value::U32(scalars::scale(scalars::permyriad(text)?)?),
        Form::Quota => Value::U64(scalars::quota(text)?),
        Form::Span => Value::U64(scalars::span(text)?),
        Form::SpanLimit => Value::U64(if text.is_empty() { INFINITY } else { scalars::span(text)? }),
        Form::Signal => Value::I32(signal(text)?),
        Form::CpuSet => Value::Bytes(lists::bitmap(text)?),
        Form::Words | Form::Delegate => words_or_switch(form, text),
        Form::Paths => Value::Texts(if text.is_empty() { vec![] } else { vec![text.to_owned()] }),
        Form::DeviceAllow => Value::Pairs(lists::device(text)),
        Form::Program => Value::Pairs(lists::program(text)?),
        Form::PathSize => Value::PathNumbers(lists::path_and(text, scalars::bandwidth)?),
        Form::PathWeight => Value::PathNumbers(lists::path_and(text, scalars::integer)?),
        Form::PathSpan => Value::PathNumbers(lists::path_and(text, scalars::span)?),
        Form::Addresses => Value::Addresses(lists::addresses(text)?),
        Form::Binds => Value::Binds(lists::bind(text)?),
        Form::Interfaces => lists::interfaces(text),
    };
    Ok(Property { name: wire_name(name, form, &value), value })
}

/// A percentage goes out under another name, as a fraction of 2^32-1.
fn percentage(form: Form, text: &str) -> Result<Option<(&'static str, u32)>, String> {
    let relative = matches!(form, Form::Protection | Form::SizeLimit | Form::CountLimit);
    if !relative || !scalars::is_percentage(text) {
        return Ok(None);
    }
    Ok(Some(("Scale", scalars::scale(scalars::permyriad(text)?)?)))
}

fn words_or_switch(form: Form, text: &str) -> Value {
    match scalars::boolean(text) {
        Ok(switch) if form == Form::Delegate => Value::Bool(switch),
        _ => Value::Texts(lists::words(text)),
    }
}

/// The name on the bus, where it is not the one people write.
fn wire_name(name: &str, form: Form, value: &Value) -> String {
    match form {
        Form::Quota => "CPUQuotaPerSecUSec".to_owned(),
        Form::Delegate if matches!(value, Value::Texts(_)) => "DelegateControllers".to_owned(),
        Form::Span | Form::SpanLimit | Form::PathSpan => match name.strip_suffix("Sec") {
            Some(stem) => format!("{stem}USec"),
            None => name.to_owned(),
        },
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
