//! Values of the bus: the signature, a blank, the content. What is in a container needs no signature of its own, but
//! for what is in a variant.

use crate::cursor::{Cursor, ParseError};
use crate::text::{Parse, Print, parse_list, parse_word};
use cgarbiter_core::value::Value;
use std::fmt::Write;

/// How deep a signature may go, as on the bus: as many arrays, and as many structs in each other.
const SIGNATURE_DEPTH_MAX: usize = 64;

impl Print for Value {
    fn print(&self, out: &mut String) {
        match self {
            // The common ones without a text of their own.
            Self::Bool(_) => out.push('b'),
            Self::U32(_) => out.push('u'),
            Self::U64(_) => out.push('t'),
            Self::Str(_) => out.push('s'),
            Self::Bytes(_) => out.push_str("ay"),
            Self::Array(element, _) => {
                out.push('a');
                out.push_str(element);
            }
            other => out.push_str(&other.signature()),
        }
        out.push(' ');
        Content(self).print(out);
    }
}

impl Parse for Value {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let signature = signature(cursor)?;
        content(cursor, signature)
    }
}

/// A value whose signature is known.
struct Content<'a>(&'a Value);

impl Print for Content<'_> {
    fn print(&self, out: &mut String) {
        // Writing into a String cannot fail.
        let _ = match self.0 {
            Value::Bool(flag) => write!(out, "{flag}"),
            Value::U8(number) => write!(out, "{number}"),
            Value::I16(number) => write!(out, "{number}"),
            Value::U16(number) => write!(out, "{number}"),
            Value::I32(number) => write!(out, "{number}"),
            Value::U32(number) => write!(out, "{number}"),
            Value::I64(number) => write!(out, "{number}"),
            Value::U64(number) | Value::Handle(number) => write!(out, "{number}"),
            Value::F64(number) if number.is_nan() => write!(out, "nan({:016x})", number.to_bits()),
            Value::F64(number) => write!(out, "{number:?}"),
            Value::Str(text) | Value::Path(text) | Value::Signature(text) => return text.print(out),
            Value::Bytes(bytes) => return bytes.print(out),
            Value::Variant(value) => return value.print(out),
            Value::Array(_, items) => return print_contents('[', items, ']', out),
            Value::Struct(fields) => return print_contents('(', fields, ')', out),
            Value::Entry(key, value) => {
                Content(key).print(out);
                out.push('=');
                return Content(value).print(out);
            }
        };
    }
}

fn print_contents(open: char, values: &[Value], close: char, out: &mut String) {
    out.push(open);
    for (index, value) in values.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        Content(value).print(out);
    }
    out.push(close);
}

/// Takes one complete type.
fn signature<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, ParseError> {
    let rest = cursor.rest();
    let length = complete(rest).filter(|length| rest[*length..].starts_with(' '));
    let length = length.ok_or_else(|| cursor.wrong("the signature of a value"))?;
    cursor.skip(length);
    Ok(&rest[..length])
}

/// How long the first complete type is; none when there is none.
fn complete(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    let mut depth = 0;
    for (at, sign) in text.bytes().enumerate() {
        match sign {
            b'a' => depth += 1,
            b'(' | b'{' => open.push(sign),
            b')' if open.pop() == Some(b'(') => {}
            b'}' if open.pop() == Some(b'{') => {}
            b'b' | b'y' | b'n' | b'q' | b'i' | b'u' | b'x' | b't' | b'd' | b's' | b'o' | b'g' | b'h' | b'v' => {}
            _ => return None,
        }
        if depth > SIGNATURE_DEPTH_MAX || open.len() > SIGNATURE_DEPTH_MAX {
            return None;
        }
        if sign != b'a' && open.is_empty() {
            return Some(at + 1);
        }
        depth = if sign == b'a' { depth } else { 0 };
    }
    None
}

/// Takes the content that belongs to one complete type.
fn content(cursor: &mut Cursor<'_>, signature: &str) -> Result<Value, ParseError> {
    match signature.as_bytes() {
        b"b" => Ok(Value::Bool(bool::parse(cursor)?)),
        b"y" => Ok(Value::U8(parse_word(cursor, "a number below 256")?)),
        b"n" => Ok(Value::I16(parse_word(cursor, "a signed number of 16 bits")?)),
        b"q" => Ok(Value::U16(parse_word(cursor, "a number of 16 bits")?)),
        b"i" => Ok(Value::I32(i32::parse(cursor)?)),
        b"u" => Ok(Value::U32(u32::parse(cursor)?)),
        b"x" => Ok(Value::I64(parse_word(cursor, "a signed number of 64 bits")?)),
        b"t" => Ok(Value::U64(u64::parse(cursor)?)),
        b"h" => Ok(Value::Handle(u64::parse(cursor)?)),
        b"d" => number(cursor).map(Value::F64),
        b"s" => Ok(Value::Str(String::parse(cursor)?)),
        b"o" => Ok(Value::Path(String::parse(cursor)?)),
        b"g" => Ok(Value::Signature(String::parse(cursor)?)),
        b"v" => {
            let value = cursor.deeper(Value::parse)?;
            Ok(Value::Variant(Box::new(value)))
        }
        b"ay" if cursor.sees('<') => Ok(Value::Bytes(Parse::parse(cursor)?)),
        [b'a', ..] => {
            let element = &signature[1..];
            let items = parse_list(cursor, |cursor| content(cursor, element))?;
            Ok(Value::Array(element.into(), items))
        }
        [b'(', ..] => structure(cursor, &signature[1..signature.len() - 1]),
        [b'{', ..] => entry(cursor, &signature[1..signature.len() - 1]),
        _ => Err(cursor.wrong("a value of the bus")),
    }
}

fn structure(cursor: &mut Cursor<'_>, mut signatures: &str) -> Result<Value, ParseError> {
    cursor.inside('(', ')', |cursor| {
        let mut fields = Vec::new();
        while let Some(length) = complete(signatures) {
            if !fields.is_empty() {
                cursor.expect(',')?;
            }
            let (first, rest) = signatures.split_at(length);
            fields.push(content(cursor, first)?);
            signatures = rest;
        }
        Ok(Value::Struct(fields))
    })
}

/// `key=value`; the two types of a signature like `{sv}` are known to be there only now.
fn entry(cursor: &mut Cursor<'_>, signatures: &str) -> Result<Value, ParseError> {
    let of_key = complete(signatures).unwrap_or(0);
    let (of_key, of_value) = signatures.split_at(of_key);
    if complete(of_key).is_none() || complete(of_value) != Some(of_value.len()) {
        return Err(cursor.wrong("two types in the braces of a signature"));
    }
    cursor.deeper(|cursor| {
        let key = content(cursor, of_key)?;
        cursor.expect('=')?;
        Ok(Value::Entry(Box::new(key), Box::new(content(cursor, of_value)?)))
    })
}

fn number(cursor: &mut Cursor<'_>) -> Result<f64, ParseError> {
    let at = cursor.place();
    let word = cursor.word("a number")?;
    if word != "nan" {
        return word
            .parse()
            .ok()
            .filter(|number: &f64| !number.is_nan())
            .ok_or_else(|| cursor.wrong_at(at, "a number"));
    }
    cursor.inside('(', ')', |cursor| {
        let at = cursor.place();
        let bits = u64::from_str_radix(cursor.word("16 digits")?, 16).map(f64::from_bits);
        bits.ok().filter(|number| number.is_nan()).ok_or_else(|| cursor.wrong_at(at, "the bits of what is no number"))
    })
}
