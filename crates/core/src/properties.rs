//! The one table of properties: name, type, unit-file key, range, unit kinds, when settable, list semantics; checking
//! what a client sends, applying it to [`Settings`], printing it for unit files, reading it back for the bus.
//! What resource settings mean to the kernel is in `resources.rs`.
//!
//! A request is handled in two passes, so that a refusal leaves everything as it was:
//!
//! ```text
//! let property = properties::parse(name, &value, &context)?;   // pass 1, for all of them
//! property.apply(&mut settings);                               // pass 2
//! property.write_transient(&settings, &mut file);              //   at creation, or
//! property.drop_in(unit_type, &settings)                       //   afterwards
//! ```

mod apply;
mod check;
mod context;
mod defaults;
mod devices;
mod exec;
mod kind;
mod limits;
mod markers;
mod print;
mod property;
mod read;
mod signals;
mod spoken;
mod table;
mod text;
mod values;

pub use defaults::default_settings;
pub use print::DropIn;
pub(crate) use print::ranges;
pub use property::{Markers, Property, Setting};
pub use read::read;
pub(crate) use signals::name as signal_name;
pub use spoken::spoken;
pub use table::{Row, Types, When, row, rows};
pub(crate) use text::{Fault, assign, instance_for};

use crate::client::Transport;
use crate::config::Config;
use crate::error::{Refusal, RefusalKind};
use crate::names::UnitType;
use crate::value::Value;
use alloc::format;
use alloc::string::String;

/// What the answer to "may this be set" depends on, beside name and value.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Type of the unit.
    pub unit_type: UnitType,
    /// Whether the unit is just being created by `StartTransientUnit`.
    pub creating: bool,
    /// How the caller reaches us.
    pub transport: &'a Transport,
    /// Facts and choices.
    pub config: &'a Config,
}

/// Pass 1: checks one property without changing anything.
///
/// # Errors
/// What systemd answers: `PropertyReadOnly` for what cannot be set here and now, `WrongType`, or `InvalidArgs`.
pub fn parse(name: &str, value: &Value, context: &Context<'_>) -> Result<Property, Refusal> {
    let Some(row) = row(name) else { return Err(not_settable(name)) };
    if !row.is_settable(context.unit_type, context.creating) {
        return Err(refuse_row(row, context));
    }
    check::check(row, value, context)
}

/// The refusal of a property that is unknown or cannot be set here and now. Clients parse the text.
#[must_use]
pub fn not_settable(name: &str) -> Refusal {
    Refusal::new(RefusalKind::PropertyReadOnly, format!("Cannot set property {name}, or unknown property."))
}

/// Delegation is refused in other words, and two clients (podman, containerd) understand only those.
fn refuse_row(row: &Row, context: &Context<'_>) -> Refusal {
    let would_do = row.when == When::Creation && context.creating;
    match row.refusal_for_other_types() {
        Some(text) if would_do && context.unit_type.is_managed() => invalid(text),
        _ => not_settable(row.name),
    }
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::InvalidArgs, text)
}

/// The refusal of a value whose type is not the property's.
fn wrong_type() -> Refusal {
    Refusal::new(RefusalKind::WrongType, "Failed to set unit properties: Unexpected message contents")
}

/// The refusal of a value where systemd has no better text than that of `EINVAL`.
fn plainly_invalid() -> Refusal {
    invalid("Failed to set unit properties: Invalid argument")
}

#[cfg(test)]
mod tests;
