//! What a row of the API's table holds: interfaces with their methods, signals and properties. The rows themselves
//! stand in `methods.rs` and below `read/`; decoding, introspection and the documentation all go by them.

use super::arguments::Call;
use super::read::{JobView, ManagerView, View};
use crate::error::Refusal;
use crate::request::Request;
use crate::value::Value;
use alloc::string::String;

/// One D-Bus interface.
#[derive(Debug)]
pub struct Interface {
    /// Its name.
    pub name: &'static str,
    /// What can be called.
    pub methods: &'static [&'static [Method]],
    /// What it emits.
    pub signals: &'static [SignalRow],
    /// What can be read.
    pub properties: &'static [&'static [Property]],
}

impl Interface {
    /// Every method.
    pub fn methods(&self) -> impl Iterator<Item = &'static Method> {
        self.methods.iter().copied().flatten()
    }

    /// Every property.
    pub fn properties(&self) -> impl Iterator<Item = &'static Property> + use<> {
        self.properties.iter().copied().flatten()
    }

    /// The method of this name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&'static Method> {
        self.methods().find(|method| method.name == name)
    }

    /// The property of this name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties().find(|property| property.name == name)
    }
}

/// One method.
#[derive(Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// What goes in.
    pub input: Arguments,
    /// What comes out.
    pub output: Arguments,
    /// What becomes of a call.
    pub serve: Serve,
}

/// What becomes of a method call.
#[derive(Debug)]
pub enum Serve {
    /// It is a request.
    Request(fn(Call) -> Result<Request, Refusal>),
    /// systemd has it, the arbiter does not: the reason. Those that would change something are refused only after the
    /// caller's rights have been looked at.
    Refuse {
        /// Why not, as a clause.
        why: &'static str,
        /// Whether systemd asks for privilege first.
        privileged: bool,
    },
    /// The front end answers it without asking the core.
    FrontEnd,
}

/// One signal.
#[derive(Debug)]
pub struct SignalRow {
    /// Its name.
    pub name: &'static str,
    /// Its body.
    pub body: Arguments,
}

/// Named, typed arguments as `name:signature name:signature`.
#[derive(Clone, Copy, Debug)]
pub struct Arguments(pub &'static str);

impl Arguments {
    /// Name and signature of each.
    pub fn iter(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.split_ascii_whitespace().filter_map(|argument| argument.split_once(':'))
    }

    /// The signature of all together.
    #[must_use]
    pub fn signature(self) -> String {
        self.iter().map(|(_, signature)| signature).collect()
    }

    /// Whether values have these types.
    #[must_use]
    pub fn fit(self, values: &[Value]) -> bool {
        let mut wanted = self.iter();
        values.iter().all(|value| wanted.next().is_some_and(|(_, s)| value.has_signature(s))) && wanted.next().is_none()
    }
}

/// One property. None can be written through `Properties.Set`.
#[derive(Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub signature: &'static str,
    /// What changes announce.
    pub emits: Emits,
    /// Where its value comes from.
    pub read: Read,
}

/// The values of the annotation `org.freedesktop.DBus.Property.EmitsChangedSignal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emits {
    /// Never changes while the object exists, or so it is declared.
    Const,
    /// Changes without a word.
    False,
    /// A change is announced with the value.
    True,
    /// A change is announced by name only.
    Invalidates,
}

impl Emits {
    /// The annotation's value; none for the default.
    #[must_use]
    pub fn annotation(self) -> Option<&'static str> {
        match self {
            Self::Const => Some("const"),
            Self::False => Some("false"),
            Self::True => None,
            Self::Invalidates => Some("invalidates"),
        }
    }
}

/// Where a property's value comes from.
#[derive(Debug)]
pub enum Read {
    /// The unit and its place in the graph.
    Unit(fn(&View<'_>) -> Value),
    /// What the kernel says at this moment.
    Kernel(fn(&View<'_>) -> Value),
    /// What lies on the disk at this moment.
    Disk(fn(&View<'_>) -> Value),
    /// What the unit is configured to be: the property table knows.
    Setting,
    /// Always this.
    Number(u64),
    /// Always the value that means nothing: none of it is served, or there is never any.
    Nothing,
    /// The manager's facts.
    Manager(fn(&ManagerView<'_>) -> Value),
    /// The job.
    Job(fn(&JobView<'_>) -> Value),
}

/// A method that becomes a request.
pub(super) const fn method(
    name: &'static str,
    input: &'static str,
    output: &'static str,
    request: fn(Call) -> Result<Request, Refusal>,
) -> Method {
    Method { name, input: Arguments(input), output: Arguments(output), serve: Serve::Request(request) }
}

/// A method of systemd's that changes what the arbiter does not manage.
pub(super) const fn refused(
    name: &'static str,
    input: &'static str,
    output: &'static str,
    why: &'static str,
) -> Method {
    let serve = Serve::Refuse { why, privileged: true };
    Method { name, input: Arguments(input), output: Arguments(output), serve }
}

/// A method of systemd's that reads what the arbiter does not manage.
pub(super) const fn absent(name: &'static str, input: &'static str, output: &'static str, why: &'static str) -> Method {
    let serve = Serve::Refuse { why, privileged: false };
    Method { name, input: Arguments(input), output: Arguments(output), serve }
}

/// A property of a unit that its place in the graph tells.
pub(super) const fn unit(
    name: &'static str,
    signature: &'static str,
    emits: Emits,
    read: fn(&View<'_>) -> Value,
) -> Property {
    Property { name, signature, emits, read: Read::Unit(read) }
}

/// A property that the property table tells.
pub(super) const fn setting(name: &'static str, signature: &'static str, emits: Emits) -> Property {
    Property { name, signature, emits, read: Read::Setting }
}

/// A property that never holds anything.
pub(super) const fn nothing(name: &'static str, signature: &'static str, emits: Emits) -> Property {
    Property { name, signature, emits, read: Read::Nothing }
}
