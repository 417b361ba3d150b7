//! Properties of services that have no form of their own in `table`: the server's own reading of unit files says what
//! they become on the bus.

use std::str::FromStr;

use cgarbiter_core::properties;
use cgarbiter_core::value::Value as Spoken;
use zbus::wire::{Array, Structure, StructureBuilder};
use zbus::{Signature, Variant};

use super::{Property, Value};

/// None if there is no such key.
pub(super) fn parse(name: &str, text: &str) -> Option<Result<Vec<Property>, String>> {
    let property = |(name, value): (&str, Spoken)| Property { name: name.to_owned(), value: Value::Spoken(value) };
    let spoken = properties::spoken(name, text)?;
    Some(match spoken {
        Ok(all) => Ok(all.into_iter().map(property).collect()),
        Err(why) => Err(why.trim_end_matches(", ignoring.").to_owned()),
    })
}

/// The keys that are known this way.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    properties::rows().map(|row| row.key).filter(|key| !key.is_empty())
}

pub(super) fn variant(value: &Spoken) -> Variant<'static> {
    match value {
        Spoken::Bool(v) => Variant::from(*v),
        Spoken::I32(v) => Variant::from(*v),
        Spoken::U32(v) => Variant::from(*v),
        Spoken::U64(v) => Variant::from(*v),
        Spoken::Str(v) => Variant::from(v.clone()),
        Spoken::Bytes(v) => Variant::from(v.clone()),
        Spoken::Array(element, items) => array(element, items),
        Spoken::Struct(fields) => Variant::Structure(structure(fields)),
        other => unreachable!("no property that can be written has this type: {other:?}"),
    }
}

fn array(element: &str, items: &[Spoken]) -> Variant<'static> {
    let signature = Signature::from_str(element).expect("the table's signatures are signatures");
    let mut array = Array::new(&signature);
    for item in items {
        array.append(variant(item)).expect("the items of a list have its type");
    }
    Variant::Array(array)
}

fn structure(fields: &[Spoken]) -> Structure<'static> {
    let builder = fields.iter().fold(StructureBuilder::new(), |builder, field| builder.append_field(variant(field)));
    builder.build().expect("no structure is empty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_what_the_table_says() {
        for assignment in [
            ("ExecStartPre", "-/bin/a b"),
            ("SuccessExitStatus", "5 SIGHUP"),
            ("EnvironmentFile", "-/x"),
            ("LimitNOFILE", "5:6"),
            ("CPUAffinity", "0"),
            ("Nice", "5"),
            ("UMask", "022"),
            ("User", "nobody"),
            ("NoNewPrivileges", "yes"),
        ] {
            for Property { name, value } in parse(assignment.0, assignment.1).unwrap().unwrap() {
                let row = properties::row(&name).unwrap();
                assert_eq!(value.to_variant().value_signature().to_string(), row.signature(), "{name}");
            }
        }
        assert_eq!(parse("Restart", "often").unwrap().unwrap_err(), "Invalid value 'often' in Restart=");
        assert!(parse("Colour", "red").is_none());
    }
}
