//! Core values to and from the wire, for every signature there is, without the detour over zbus's own `Variant`.
//!
//! zbus's deserializer checks what the format says (bounds, padding, UTF-8, nesting); it does not look at the content
//! of object paths, nor whether anything follows the last argument, so both are looked at here. One thing cannot be
//! told apart with its parsed signatures: a body of one struct, `(ss)`, reads as two arguments, `ss`. No method takes
//! that.

use cgarbiter_core::value::Value;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use zbus::wire::signature::{Child, Signature};
use zbus::{DynamicType, ObjectPath};

/// The arguments of an outgoing message, with their signature.
pub(crate) struct Body<'a> {
    values: &'a [Value],
    signature: Signature,
}

impl<'a> Body<'a> {
    /// Fails when a value is not what its own type says, which is our mistake and no client's.
    pub(crate) fn new(values: &'a [Value]) -> zbus::Result<Self> {
        let signature = match values {
            [] => Signature::Unit,
            _ => Signature::structure(values.iter().map(signature_of).collect::<zbus::Result<Vec<_>>>()?),
        };
        Ok(Self { values, signature })
    }
}

impl DynamicType for Body<'_> {
    fn signature(&self) -> Signature {
        self.signature.clone()
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.values {
            [] => serializer.serialize_unit(),
            fields => serialize_fields(fields, serializer),
        }
    }
}

fn serialize_fields<S: Serializer>(fields: &[Value], serializer: S) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(fields.len())?;
    fields.iter().try_for_each(|field| tuple.serialize_element(&Wire(field)))?;
    tuple.end()
}

fn signature_of(value: &Value) -> zbus::Result<Signature> {
    Ok(match value {
        Value::Bool(_) => Signature::Bool,
        Value::U8(_) => Signature::U8,
        Value::I16(_) => Signature::I16,
        Value::U16(_) => Signature::U16,
        Value::I32(_) => Signature::I32,
        Value::U32(_) => Signature::U32,
        Value::I64(_) => Signature::I64,
        Value::U64(_) => Signature::U64,
        Value::F64(_) => Signature::F64,
        Value::Str(_) => Signature::Str,
        Value::Path(_) => Signature::ObjectPath,
        Value::Signature(_) => Signature::Signature,
        Value::Handle(_) => Signature::Fd,
        Value::Variant(_) => Signature::Variant,
        Value::Bytes(_) => Signature::Array(Child::Static { child: &Signature::U8 }),
        Value::Array(element, _) => match element.as_str() {
            "s" => Signature::Array(Child::Static { child: &Signature::Str }),
            "{sv}" => Signature::Dict {
                key: Child::Static { child: &Signature::Str },
                value: Child::Static { child: &Signature::Variant },
            },
            _ => Signature::from_str(&format!("a{element}"))?,
        },
        Value::Struct(fields) if !fields.is_empty() => {
            Signature::structure(fields.iter().map(signature_of).collect::<zbus::Result<Vec<_>>>()?)
        }
        Value::Struct(_) | Value::Entry(..) => return Err(zbus::Error::Failure("no such type on the wire".into())),
    })
}

/// One value on its way out.
struct Wire<'a>(&'a Value);

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(v) => serializer.serialize_bool(*v),
            Value::U8(v) => serializer.serialize_u8(*v),
            Value::I16(v) => serializer.serialize_i16(*v),
            Value::U16(v) => serializer.serialize_u16(*v),
            Value::I32(v) => serializer.serialize_i32(*v),
            Value::U32(v) => serializer.serialize_u32(*v),
            Value::I64(v) => serializer.serialize_i64(*v),
            Value::U64(v) => serializer.serialize_u64(*v),
            Value::F64(v) => serializer.serialize_f64(*v),
            Value::Str(v) => serialize_text(v, serializer),
            Value::Path(v) => {
                ObjectPath::try_from(v.as_str()).map_err(S::Error::custom)?;
                serializer.serialize_str(v)
            }
            Value::Signature(v) => {
                Signature::from_str(v).map_err(S::Error::custom)?;
                serializer.serialize_str(v)
            }
            Value::Bytes(v) => serializer.serialize_bytes(v),
            Value::Struct(fields) => serialize_fields(fields, serializer),
            Value::Array(element, items) => serialize_array(element, items, serializer),
            Value::Variant(inner) => {
                let mut variant = serializer.serialize_struct("Variant", 2)?;
                variant.serialize_field("signature", &signature_of(inner).map_err(S::Error::custom)?)?;
                variant.serialize_field("value", &Wire(inner))?;
                variant.end()
            }
            Value::Handle(_) => Err(S::Error::custom("descriptors are only received")),
            Value::Entry(..) => Err(S::Error::custom("a dictionary entry stands in an array")),
        }
    }
}

/// The format forbids the zero byte, and a peer that meets one hangs up.
fn serialize_text<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if text.bytes().any(|byte| byte == 0) {
        return Err(S::Error::custom("a string holds a zero byte"));
    }
    serializer.serialize_str(text)
}

fn serialize_array<S: Serializer>(element: &str, items: &[Value], serializer: S) -> Result<S::Ok, S::Error> {
    // The serializer trusts the signature it was given; a wrong element would spoil the message unseen.
    if let Some(odd) = items.iter().find(|item| !item.has_signature(element)) {
        return Err(S::Error::custom(format_args!("{} in an array of {element}", odd.signature())));
    }
    if !element.starts_with('{') {
        let mut seq = serializer.serialize_seq(Some(items.len()))?;
        items.iter().try_for_each(|item| seq.serialize_element(&Wire(item)))?;
        return seq.end();
    }
    let mut map = serializer.serialize_map(Some(items.len()))?;
    for item in items {
        let Value::Entry(key, value) = item else { return Err(S::Error::custom("not an entry")) };
        map.serialize_entry(&Wire(key), &Wire(value))?;
    }
    map.end()
}

/// Takes the body of a received message apart. Descriptors come out as `Value::Handle` of the raw number.
pub(crate) fn arguments(body: &zbus::message::Body) -> zbus::Result<Vec<Value>> {
    let signature = body.signature();
    if matches!(signature, Signature::Unit) {
        return if body.is_empty() { Ok(Vec::new()) } else { Err(zbus::Error::ExcessData) };
    }
    let (values, used) = body.data().deserialize_with_seed(ArgumentsSeed(signature))?;
    if used == body.len() { Ok(values) } else { Err(zbus::Error::ExcessData) }
}

struct ArgumentsSeed<'s>(&'s Signature);

impl DynamicType for ArgumentsSeed<'_> {
    fn signature(&self) -> Signature {
        self.0.clone()
    }
}

impl<'de> DeserializeSeed<'de> for ArgumentsSeed<'_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            Signature::Structure(fields) => {
                let fields: Vec<_> = fields.iter().collect();
                deserializer.deserialize_tuple(fields.len(), FieldsVisitor(&fields))
            }
            single => Ok(vec![ValueSeed(single).deserialize(deserializer)?]),
        }
    }
}

/// A value of a signature that is known beforehand.
struct ValueSeed<'s>(&'s Signature);

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Value, D::Error> {
        Ok(match self.0 {
            Signature::Bool => Value::Bool(bool::deserialize(de)?),
            Signature::U8 => Value::U8(u8::deserialize(de)?),
            Signature::I16 => Value::I16(i16::deserialize(de)?),
            Signature::U16 => Value::U16(u16::deserialize(de)?),
            Signature::I32 => Value::I32(i32::deserialize(de)?),
            Signature::U32 => Value::U32(u32::deserialize(de)?),
            Signature::I64 => Value::I64(i64::deserialize(de)?),
            Signature::U64 => Value::U64(u64::deserialize(de)?),
            Signature::F64 => Value::F64(f64::deserialize(de)?),
            Signature::Str => Value::Str(String::deserialize(de)?),
            Signature::Signature => Value::Signature(String::deserialize(de)?),
            Signature::ObjectPath => {
                let path = <&str>::deserialize(de)?;
                ObjectPath::try_from(path).map_err(D::Error::custom)?;
                Value::Path(path.to_owned())
            }
            // The deserializer turns the index into the descriptor itself, which is never negative.
            Signature::Fd => Value::Handle(i32::deserialize(de)?.unsigned_abs().into()),
            Signature::Variant => de.deserialize_seq(VariantVisitor)?,
            Signature::Array(child) if matches!(child.signature(), Signature::U8) => {
                de.deserialize_byte_buf(BytesVisitor)?
            }
            Signature::Array(child) => de.deserialize_seq(ArrayVisitor(child.signature()))?,
            Signature::Dict { key, value } => de.deserialize_map(DictVisitor(key.signature(), value.signature()))?,
            Signature::Structure(fields) => {
                let fields: Vec<_> = fields.iter().collect();
                Value::Struct(de.deserialize_tuple(fields.len(), FieldsVisitor(&fields))?)
            }
            _ => return Err(D::Error::custom("no such type on the wire")),
        })
    }
}

struct FieldsVisitor<'s>(&'s [&'s Signature]);

impl<'de> Visitor<'de> for FieldsVisitor<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of a struct")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let field = |signature: &&Signature| {
            seq.next_element_seed(ValueSeed(signature))?.ok_or_else(|| A::Error::custom("a field is missing"))
        };
        self.0.iter().map(field).collect()
    }
}

struct ArrayVisitor<'s>(&'s Signature);

impl<'de> Visitor<'de> for ArrayVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(ValueSeed(self.0))? {
            items.push(item);
        }
        Ok(Value::Array(self.0.to_string(), items))
    }
}

struct DictVisitor<'s>(&'s Signature, &'s Signature);

impl<'de> Visitor<'de> for DictVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(ValueSeed(self.0))? {
            let value = map.next_value_seed(ValueSeed(self.1))?;
            entries.push(Value::Entry(Box::new(key), Box::new(value)));
        }
        Ok(Value::Array(format!("{{{}{}}}", self.0, self.1), entries))
    }
}

struct VariantVisitor;

impl<'de> Visitor<'de> for VariantVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a variant")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let missing = || A::Error::custom("an empty variant");
        let signature: &str = seq.next_element()?.ok_or_else(missing)?;
        let signature = Signature::from_str(signature).map_err(A::Error::custom)?;
        let value = seq.next_element_seed(ValueSeed(&signature))?.ok_or_else(missing)?;
        Ok(Value::Variant(Box::new(value)))
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::bus_call;
    use proptest::prelude::*;

    fn round_trip(values: &[Value]) -> Vec<Value> {
        let message = bus_call("Test", values).expect("a message");
        arguments(&message.body()).expect("the same values")
    }

    #[test]
    fn the_shapes_that_clients_send() {
        let strings = || Value::strings(["a", "b"]);
        let exec = Value::Array(
            "(sasb)".into(),
            vec![Value::Struct(vec![Value::str("/bin/true"), strings(), Value::Bool(false)])],
        );
        let property = |name, value| Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))]);
        let properties = Value::Array("(sv)".into(), vec![property("ExecStart", exec), property("Slice", strings())]);
        let auxiliary = Value::Array("(sa(sv))".into(), vec![Value::Struct(vec![Value::str("x"), properties.clone()])]);
        let values = [Value::str("a.scope"), Value::str("fail"), properties, auxiliary];
        assert_eq!(round_trip(&values), values);
        assert_eq!(round_trip(&[]), []);
        let empty = [Value::Array("(sv)".into(), Vec::new()), Value::Bytes(Vec::new()), Value::U64(u64::MAX)];
        assert_eq!(round_trip(&empty), empty);
    }

    #[test]
    fn what_follows_the_last_argument_is_an_error() {
        let builder = zbus::Message::method_call("/", "Test");
        // SAFETY: made to be wrong; it is read through the checking deserializer.
        let message = unsafe { builder.build_raw_body(&[1, 0, 0, 0, 2], "u", Vec::new()) }.expect("a message");
        arguments(&message.body()).expect_err("a byte too many");
    }

    fn basic() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<u8>().prop_map(Value::U8),
            any::<i16>().prop_map(Value::I16),
            any::<u16>().prop_map(Value::U16),
            any::<i32>().prop_map(Value::I32),
            any::<u32>().prop_map(Value::U32),
            any::<i64>().prop_map(Value::I64),
            any::<u64>().prop_map(Value::U64),
            (-1e300..1e300).prop_map(Value::F64),
            "[^\\x00]{0,20}".prop_map(Value::Str),
            "(/[A-Za-z0-9_]{1,5}){1,3}".prop_map(Value::Path),
            prop::collection::vec(any::<u8>(), 0..9).prop_map(Value::Bytes),
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        basic().prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|value| Value::Variant(Box::new(value))),
                prop::collection::vec(inner.clone(), 1..4).prop_map(Value::Struct),
                (inner.clone(), 0usize..4).prop_map(|(value, count)| array_of(value, count)),
                prop::collection::vec(("[a-z]{1,5}", inner), 0..4).prop_map(Value::dict),
            ]
        })
    }

    /// Byte arrays have a shape of their own.
    fn array_of(value: Value, count: usize) -> Value {
        match value {
            Value::U8(byte) => Value::Bytes(vec![byte; count]),
            value => Value::Array(value.signature(), vec![value; count]),
        }
    }

    proptest! {
        #[test]
        fn values_survive_the_wire(first in any_value(), second in any_value()) {
            let values = [first, second];
            prop_assert_eq!(round_trip(&values), values);
        }
    }
}
