//! The vocabulary of org.cgarbiter1, our own interface beside systemd's: what a request would do, without doing it.
//! Answers are rows (unit, cause, step), in the order in which the steps would be taken.

use crate::error::{Refusal, RefusalKind};
use crate::request::{FileVerb, PropertyList, Request, UnitRef};
use crate::systemd1::MethodCall;
use crate::value::Value;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The one object.
pub const PATH: &str = "/org/cgarbiter1";
/// Its interface.
pub const INTERFACE: &str = "org.cgarbiter1.Manager";

/// What Introspect answers for [`PATH`].
pub const INTROSPECTION: &str = r#"<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
"https://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
<node>
 <interface name="org.freedesktop.DBus.Peer">
  <method name="Ping"/>
  <method name="GetMachineId"><arg type="s" name="machine_uuid" direction="out"/></method>
 </interface>
 <interface name="org.freedesktop.DBus.Introspectable">
  <method name="Introspect"><arg type="s" name="data" direction="out"/></method>
 </interface>
 <interface name="org.cgarbiter1.Manager">
  <method name="PlanTransientUnit">
   <arg type="s" name="name" direction="in"/>
   <arg type="s" name="mode" direction="in"/>
   <arg type="a(sv)" name="properties" direction="in"/>
   <arg type="a(sa(sv))" name="aux" direction="in"/>
   <arg type="a(sss)" name="steps" direction="out"/>
  </method>
  <method name="PlanUnitJob">
   <arg type="s" name="name" direction="in"/>
   <arg type="s" name="type" direction="in"/>
   <arg type="s" name="mode" direction="in"/>
   <arg type="a(sss)" name="steps" direction="out"/>
  </method>
  <method name="PlanSetUnitProperties">
   <arg type="s" name="name" direction="in"/>
   <arg type="b" name="runtime" direction="in"/>
   <arg type="a(sv)" name="properties" direction="in"/>
   <arg type="a(sss)" name="steps" direction="out"/>
  </method>
  <method name="PlanUnitFiles">
   <arg type="s" name="verb" direction="in"/>
   <arg type="as" name="files" direction="in"/>
   <arg type="b" name="runtime" direction="in"/>
   <arg type="b" name="force" direction="in"/>
   <arg type="a(sss)" name="steps" direction="out"/>
  </method>
 </interface>
</node>
"#;

/// Turns a method call into a request.
///
/// # Errors
/// `UnknownObject`, `UnknownInterface`, `UnknownMethod`, or `InvalidArgs` for a wrong signature.
pub fn decode(call: MethodCall) -> Result<Request, Refusal> {
    if call.path != PATH {
        let text = format!("Unknown object '{}'.", call.path);
        return Err(Refusal::new(RefusalKind::UnknownObject, text));
    }
    if let Some(interface) = call.interface.filter(|interface| interface != INTERFACE) {
        return Err(Refusal::new(RefusalKind::UnknownInterface, format!("Unknown interface {interface}.")));
    }
    let mut args = Arguments { member: &call.member, left: call.args.into_iter() };
    let planned = match call.member.as_str() {
        "PlanTransientUnit" => Request::StartTransient {
            name: args.string()?,
            mode: args.string()?,
            properties: args.properties()?,
            auxiliary: args.auxiliary()?,
        },
        "PlanUnitJob" => {
            Request::EnqueueJob { unit: UnitRef::Name(args.string()?), kind: args.string()?, mode: args.string()? }
        }
        "PlanSetUnitProperties" => Request::SetProperties {
            unit: UnitRef::Name(args.string()?),
            runtime: args.boolean()?,
            properties: args.properties()?,
        },
        "PlanUnitFiles" => Request::ChangeUnitFiles {
            verb: args.file_verb()?,
            files: args.strings()?,
            runtime: args.boolean()?,
            force: args.boolean()?,
            with_info: false,
        },
        member => {
            let text = format!("Unknown method {member} or interface {INTERFACE}.");
            return Err(Refusal::new(RefusalKind::UnknownMethod, text));
        }
    };
    args.end()?;
    Ok(Request::Plan(Box::new(planned)))
}

/// What `PlanUnitFiles` calls the methods about unit files.
const VERBS: [(&str, FileVerb); 7] = [
    ("enable", FileVerb::Enable),
    ("disable", FileVerb::Disable),
    ("reenable", FileVerb::Reenable),
    ("link", FileVerb::Link),
    ("mask", FileVerb::Mask),
    ("unmask", FileVerb::Unmask),
    ("revert", FileVerb::Revert),
];

/// Takes arguments one by one, each of the one type it must have.
struct Arguments<'a> {
    member: &'a str,
    left: alloc::vec::IntoIter<Value>,
}

impl Arguments<'_> {
    fn wrong(&self) -> Refusal {
        Refusal::new(RefusalKind::InvalidArgs, format!("Invalid arguments of {}.", self.member))
    }

    fn next<T>(&mut self, take: impl FnOnce(Value) -> Option<T>) -> Result<T, Refusal> {
        self.left.next().and_then(take).ok_or_else(|| self.wrong())
    }

    fn string(&mut self) -> Result<String, Refusal> {
        self.next(string)
    }

    fn boolean(&mut self) -> Result<bool, Refusal> {
        self.next(|value| if let Value::Bool(value) = value { Some(value) } else { None })
    }

    fn strings(&mut self) -> Result<Vec<String>, Refusal> {
        self.next(|value| match value {
            Value::Array(signature, items) if signature == "s" => items.into_iter().map(string).collect(),
            _ => None,
        })
    }

    fn file_verb(&mut self) -> Result<FileVerb, Refusal> {
        let word = self.string()?;
        VERBS.iter().find(|(known, _)| *known == word).map(|(_, verb)| verb.clone()).ok_or_else(|| self.wrong())
    }

    fn properties(&mut self) -> Result<PropertyList, Refusal> {
        self.next(properties)
    }

    fn auxiliary(&mut self) -> Result<Vec<(String, PropertyList)>, Refusal> {
        self.next(|value| {
            pairs(value, "(sa(sv))")?.map(|(name, list)| Some((string(name)?, properties(list)?))).collect()
        })
    }

    fn end(mut self) -> Result<(), Refusal> {
        if self.left.next().is_none() { Ok(()) } else { Err(self.wrong()) }
    }
}

fn string(value: Value) -> Option<String> {
    if let Value::Str(text) = value { Some(text) } else { None }
}

fn properties(value: Value) -> Option<PropertyList> {
    let property = |(name, value)| match value {
        Value::Variant(value) => Some((string(name)?, *value)),
        _ => None,
    };
    pairs(value, "(sv)")?.map(property).collect()
}

/// The elements of an array of two-field structs; none for any other value.
fn pairs(value: Value, element: &str) -> Option<impl Iterator<Item = (Value, Value)>> {
    let Value::Array(signature, items) = value else { return None };
    let pair = |item| match item {
        Value::Struct(fields) => <[Value; 2]>::try_from(fields).ok().map(|[first, second]| (first, second)),
        _ => None,
    };
    (signature == element).then(|| items.into_iter().filter_map(pair))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn call(member: &str, args: Vec<Value>) -> Result<Request, RefusalKind> {
        let call = MethodCall { path: PATH.into(), interface: Some(INTERFACE.into()), member: member.into(), args };
        decode(call).map_err(|refusal| refusal.kind)
    }

    fn list() -> Value {
        let limit = Value::Variant(Box::new(Value::U64(1)));
        Value::Array("(sv)".into(), vec![Value::Struct(vec![Value::str("MemoryMax"), limit])])
    }

    #[test]
    fn each_method_plans_its_request() {
        let properties = vec![("MemoryMax".into(), Value::U64(1))];
        let auxiliary = Value::Array("(sa(sv))".into(), vec![Value::Struct(vec![Value::str("b.slice"), list()])]);
        assert_eq!(
            call("PlanTransientUnit", vec![Value::str("a.scope"), Value::str("fail"), list(), auxiliary]),
            Ok(Request::Plan(Box::new(Request::StartTransient {
                name: "a.scope".into(),
                mode: "fail".into(),
                properties: properties.clone(),
                auxiliary: vec![("b.slice".into(), properties.clone())],
            })))
        );
        let unit = UnitRef::Name("a.slice".into());
        assert_eq!(
            call("PlanUnitJob", ["a.slice", "stop", "replace"].map(Value::str).to_vec()),
            Ok(Request::Plan(Box::new(Request::EnqueueJob {
                unit: unit.clone(),
                kind: "stop".into(),
                mode: "replace".into()
            })))
        );
        assert_eq!(
            call("PlanSetUnitProperties", vec![Value::str("a.slice"), Value::Bool(true), list()]),
            Ok(Request::Plan(Box::new(Request::SetProperties { unit, runtime: true, properties })))
        );
    }

    #[test]
    fn verbs_about_files_go_by_their_words() {
        let arguments =
            |verb: &str| vec![Value::str(verb), Value::strings(["a.service"]), Value::Bool(true), Value::Bool(false)];
        let want = Request::ChangeUnitFiles {
            verb: FileVerb::Mask,
            files: vec!["a.service".into()],
            runtime: true,
            force: false,
            with_info: false,
        };
        assert_eq!(call("PlanUnitFiles", arguments("mask")), Ok(Request::Plan(Box::new(want))));
        assert_eq!(call("PlanUnitFiles", arguments("hide")), Err(RefusalKind::InvalidArgs));
    }

    #[test]
    fn everything_else_is_refused() {
        let wrong = Err(RefusalKind::InvalidArgs);
        assert_eq!(call("PlanUnitJob", vec![Value::str("a.slice")]), wrong);
        assert_eq!(call("PlanUnitJob", ["a", "b", "c", "d"].map(Value::str).to_vec()), wrong);
        assert_eq!(call("PlanUnitJob", vec![Value::U32(1), Value::str("b"), Value::str("c")]), wrong);
        let strings = Value::strings(["MemoryMax"]);
        assert_eq!(call("PlanSetUnitProperties", vec![Value::str("a"), Value::Bool(true), strings]), wrong);
        assert_eq!(call("StartUnit", Vec::new()), Err(RefusalKind::UnknownMethod));
    }
}
