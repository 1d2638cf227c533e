//! Messages as JSON trees, encoded and decoded by the table of shapes in any version of any API.
//!
//! A request is written once, as `json!({ "Topics": [{ "Name": "prices" }] })`, with the names of Kafka's definitions:
//!
//! - a field that is left out has its default,
//! - a field that a version does not have makes the request one that cannot be said in that version
//!   ([`Unsayable::NotInVersion`]), unless its name ends in `?`: then it is left out there,
//! - a number that JSON has no word for is text (`"NaN"`, `"inf"`),
//! - bytes and records are text in hexadecimal ([`hex`]); records that are answered are trees ([`crate::records`]),
//! - a UUID is 22 characters as Kafka prints it, or `id:NAME` for the id that a topic has on the broker that is asked.
//!
//! Answers are decoded into trees of the same form, with every field that the version has, tagged ones included. Decoding
//! is strict: what does not end where the frame ends is an error.

use serde_json::{Map, Value};
use tickertape_broker::wire::shapes::{Field, Message, Type};

/// Why a request cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsayable {
    /// The version has no such field.
    NotInVersion(String),
    /// The case is written wrongly: no version has the field, or the value is not of its type.
    Wrong(String),
}

/// The ids that topics have on one broker.
pub trait TopicIds {
    /// The id of a topic, if it is known.
    fn id_of(&self, topic: &str) -> Option<[u8; 16]>;
    /// The topic with an id, if it is known.
    fn topic_of(&self, id: &[u8; 16]) -> Option<String>;
}

/// Bytes as cases write them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`hex`] wrote.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    digits.len().is_multiple_of(2).then_some(())?;
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A UUID as Kafka prints it.
#[must_use]
pub fn uuid_text(id: &[u8; 16]) -> String {
    let bits = u128::from_be_bytes(*id);
    // Twenty-one characters of six bits, then one with the last two.
    let mut text: String = (0..21)
        .map(|at| char::from(ALPHABET[(bits >> (122 - 6 * at)) as usize & 63]))
        .collect();
    text.push(char::from(ALPHABET[(bits << 4) as usize & 63]));
    text
}

/// What [`uuid_text`] wrote.
#[must_use]
pub fn uuid_from(text: &str) -> Option<[u8; 16]> {
    (text.len() == 22).then_some(())?;
    let mut bits = 0_u128;
    for (at, char) in text.bytes().enumerate() {
        let six = ALPHABET.iter().position(|known| *known == char)? as u128;
        bits = if at < 21 { bits << 6 | six } else { bits << 2 | six >> 4 };
    }
    Some(bits.to_be_bytes())
}

/// Encodes a message's body.
///
/// # Errors
/// The version cannot say it, or it is no such message.
pub fn encode(message: &Message, version: i16, value: &Value, ids: &dyn TopicIds) -> Result<Vec<u8>, Unsayable> {
    let mut encoder = Encoder {
        version,
        flexible: message.flexible.contains(version),
        ids,
        out: Vec::new(),
    };
    encoder.fields(message.fields, value, message.name)?;
    Ok(encoder.out)
}

struct Encoder<'a> {
    version: i16,
    flexible: bool,
    ids: &'a dyn TopicIds,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn fields(&mut self, fields: &[Field], value: &Value, path: &str) -> Result<(), Unsayable> {
        let empty = Map::new();
        let given = match value {
            Value::Object(given) => given,
            Value::Null => &empty,
            _ => return Err(Unsayable::Wrong(format!("{path} is a structure, not {value}"))),
        };
        for name in given.keys() {
            let field = fields.iter().find(|field| field.name == name.trim_end_matches('?'));
            let field = field.ok_or_else(|| Unsayable::Wrong(format!("{path} has no field {name}")))?;
            if !field.versions.contains(self.version) && !name.ends_with('?') {
                return Err(Unsayable::NotInVersion(format!("{path}.{name}")));
            }
        }
        let value_of = |field: &Field| given.get(field.name).or_else(|| given.get(&format!("{}?", field.name)));
        let present = fields.iter().filter(|field| field.versions.contains(self.version));
        let (tagged, plain): (Vec<_>, Vec<_>) =
            present.partition(|field| self.flexible && field.tagged.contains(self.version));
        for field in plain {
            let value = value_of(field).cloned().unwrap_or_else(|| default(field));
            let compact = self.flexible && !field.inflexible;
            let path = format!("{path}.{}", field.name);
            self.value(&field.ty, &value, field.nullable.contains(self.version), compact, &path)?;
        }
        if !self.flexible {
            return Ok(());
        }
        let mut tagged: Vec<_> = tagged
            .iter()
            .filter_map(|field| Some((field, value_of(field)?)))
            .collect();
        tagged.sort_by_key(|(field, _)| field.tag);
        self.varint(tagged.len() as u64);
        for (field, value) in tagged {
            self.varint(field.tag.into());
            let before = std::mem::take(&mut self.out);
            let path = format!("{path}.{}", field.name);
            self.value(&field.ty, value, field.nullable.contains(self.version), true, &path)?;
            let content = std::mem::replace(&mut self.out, before);
            self.varint(content.len() as u64);
            self.out.extend(content);
        }
        Ok(())
    }

    fn value(&mut self, ty: &Type, value: &Value, nullable: bool, compact: bool, path: &str) -> Result<(), Unsayable> {
        let wrong = || Unsayable::Wrong(format!("{path}: {value}"));
        let number = || {
            value
                .as_i64()
                .or_else(|| value.as_u64().map(|value| value as i64))
                .ok_or_else(wrong)
        };
        match ty {
            Type::Bool => self.out.push(value.as_bool().ok_or_else(wrong)?.into()),
            Type::Int8 => self
                .out
                .extend(i8::try_from(number()?).map_err(|_| wrong())?.to_be_bytes()),
            Type::Int16 => self
                .out
                .extend(i16::try_from(number()?).map_err(|_| wrong())?.to_be_bytes()),
            Type::Uint16 => self
                .out
                .extend(u16::try_from(number()?).map_err(|_| wrong())?.to_be_bytes()),
            Type::Int32 => self
                .out
                .extend(i32::try_from(number()?).map_err(|_| wrong())?.to_be_bytes()),
            Type::Uint32 => self
                .out
                .extend(u32::try_from(number()?).map_err(|_| wrong())?.to_be_bytes()),
            Type::Int64 => self.out.extend(number()?.to_be_bytes()),
            Type::Float64 => {
                let number = match value {
                    Value::String(text) => text.parse().ok(),
                    other => other.as_f64(),
                };
                self.out.extend(number.ok_or_else(wrong)?.to_be_bytes());
            }
            Type::Uuid => {
                let text = value.as_str().ok_or_else(wrong)?;
                let id = match text.strip_prefix("id:") {
                    Some(topic) => self.ids.id_of(topic),
                    None => uuid_from(text),
                };
                self.out.extend(id.ok_or_else(wrong)?);
            }
            Type::String | Type::Bytes | Type::Records | Type::Array(_) if value.is_null() => {
                // The field may not be null in this version: an empty one says the nearest thing and is another case.
                if !nullable {
                    return Err(Unsayable::NotInVersion(format!("{path}: null")));
                }
                self.length(None, compact, matches!(ty, Type::String));
            }
            Type::String => {
                let text = value.as_str().ok_or_else(wrong)?;
                self.length(Some(text.len()), compact, true);
                self.out.extend(text.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let bytes = value.as_str().and_then(unhex).ok_or_else(wrong)?;
                self.length(Some(bytes.len()), compact, false);
                self.out.extend(bytes);
            }
            Type::Struct(structure) => {
                if nullable {
                    self.out.push(if value.is_null() { 0xff } else { 1 });
                    if value.is_null() {
                        return Ok(());
                    }
                }
                self.fields(structure.fields, value, path)?;
            }
            Type::Array(element) => {
                let elements = value.as_array().ok_or_else(wrong)?;
                self.length(Some(elements.len()), compact, false);
                for element_value in elements {
                    self.value(element, element_value, false, self.flexible, &format!("{path}[]"))?;
                }
            }
        }
        Ok(())
    }

    fn length(&mut self, length: Option<usize>, compact: bool, short: bool) {
        match (length, compact, short) {
            (length, true, _) => self.varint(length.map_or(0, |length| length as u64 + 1)),
            (length, false, true) => self.out.extend(length.map_or(-1, |length| length as i16).to_be_bytes()),
            (length, false, false) => self.out.extend(length.map_or(-1, |length| length as i32).to_be_bytes()),
        }
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

/// A field's default as Kafka's definitions write it.
fn default(field: &Field) -> Value {
    let text = field.default;
    match &field.ty {
        _ if text == "null" => Value::Null,
        Type::Bool => (text == "true").into(),
        Type::Int8 | Type::Int16 | Type::Uint16 | Type::Int32 | Type::Uint32 | Type::Int64 => {
            match text.strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(digits, 16).unwrap_or_default().into(),
                None => text.parse::<i64>().unwrap_or_default().into(),
            }
        }
        Type::Float64 => text.parse::<f64>().unwrap_or_default().into(),
        Type::Uuid => uuid_text(&[0; 16]).into(),
        Type::String => text.into(),
        Type::Bytes | Type::Records => "".into(),
        Type::Struct(structure) => defaults(structure.fields),
        Type::Array(_) => Value::Array(Vec::new()),
    }
}

fn defaults(fields: &[Field]) -> Value {
    fields
        .iter()
        .map(|field| (field.name.to_owned(), default(field)))
        .collect::<Map<_, _>>()
        .into()
}

/// Decodes a message's body to its last byte.
///
/// # Errors
/// Where the bytes do not follow the shape.
pub fn decode(message: &Message, version: i16, bytes: &[u8], ids: &dyn TopicIds) -> Result<Value, String> {
    let mut decoder = Decoder {
        version,
        flexible: message.flexible.contains(version),
        ids,
        rest: bytes,
    };
    let value = decoder
        .fields(message.fields)
        .map_err(|error| format!("{}: {error}", message.name))?;
    match decoder.rest {
        [] => Ok(value),
        rest => Err(format!("{}: {} bytes follow its end", message.name, rest.len())),
    }
}

struct Decoder<'a> {
    version: i16,
    flexible: bool,
    ids: &'a dyn TopicIds,
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("it is cut short")?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it is cut short".to_owned())
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f)
                .checked_shl(shift)
                .ok_or("a varint without end")?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a varint without end".to_owned())
    }

    fn length(&mut self, compact: bool, short: bool) -> Result<Option<usize>, String> {
        let length = match (compact, short) {
            (true, _) => self.varint()? as i64 - 1,
            (false, true) => i16::from_be_bytes(self.array()?).into(),
            (false, false) => i32::from_be_bytes(self.array()?).into(),
        };
        Ok(usize::try_from(length).ok())
    }

    fn fields(&mut self, fields: &[Field]) -> Result<Value, String> {
        let mut values = Map::new();
        let mut tagged = Vec::new();
        let version = self.version;
        for field in fields.iter().filter(|field| field.versions.contains(version)) {
            if self.flexible && field.tagged.contains(self.version) {
                values.insert(field.name.to_owned(), default(field));
                tagged.push(field);
                continue;
            }
            let compact = self.flexible && !field.inflexible;
            let nullable = field.nullable.contains(self.version);
            let value = self
                .value(&field.ty, nullable, compact)
                .map_err(|error| format!("{}: {error}", field.name))?;
            values.insert(field.name.to_owned(), value);
        }
        if self.flexible {
            for _ in 0..self.varint()? {
                let tag = self.varint()?;
                let size = self.varint()? as usize;
                let Some(field) = tagged.iter().find(|field| u64::from(field.tag) == tag) else {
                    let content = self.take(size)?;
                    values.insert(format!("tag {tag}"), hex(content).into());
                    continue;
                };
                let before = self.rest.len();
                let value = self.value(&field.ty, field.nullable.contains(self.version), true)?;
                if before - self.rest.len() != size {
                    return Err(format!(
                        "{}: a tagged field that is not of the size it declares",
                        field.name
                    ));
                }
                values.insert(field.name.to_owned(), value);
            }
        }
        Ok(values.into())
    }

    fn value(&mut self, ty: &Type, nullable: bool, compact: bool) -> Result<Value, String> {
        Ok(match ty {
            Type::Bool => (self.array::<1>()? != [0]).into(),
            Type::Int8 => i8::from_be_bytes(self.array()?).into(),
            Type::Int16 => i16::from_be_bytes(self.array()?).into(),
            Type::Uint16 => u16::from_be_bytes(self.array()?).into(),
            Type::Int32 => i32::from_be_bytes(self.array()?).into(),
            Type::Uint32 => u32::from_be_bytes(self.array()?).into(),
            Type::Int64 => i64::from_be_bytes(self.array()?).into(),
            Type::Float64 => match f64::from_be_bytes(self.array()?) {
                number if number.is_finite() => number.into(),
                other => other.to_string().into(),
            },
            Type::Uuid => {
                let id = self.array()?;
                match self.ids.topic_of(&id) {
                    Some(topic) => format!("id:{topic}").into(),
                    None => uuid_text(&id).into(),
                }
            }
            Type::String => match self.length(compact, true)? {
                None => Value::Null,
                Some(length) => String::from_utf8_lossy(self.take(length)?).into(),
            },
            Type::Bytes => match self.length(compact, false)? {
                None => Value::Null,
                Some(length) => hex(self.take(length)?).into(),
            },
            Type::Records => match self.length(compact, false)? {
                None => Value::Null,
                Some(length) => crate::records::tree(self.take(length)?),
            },
            Type::Struct(structure) => {
                if nullable && self.array::<1>()? == [0xff] {
                    return Ok(Value::Null);
                }
                self.fields(structure.fields)?
            }
            Type::Array(element) => match self.length(compact, false)? {
                None => Value::Null,
                Some(length) => {
                    let flexible = self.flexible;
                    (0..length)
                        .map(|_| self.value(element, false, flexible))
                        .collect::<Result<Vec<_>, _>>()?
                        .into()
                }
            },
        })
    }
}
