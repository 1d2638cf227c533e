//! Made-up messages: bytes that follow a shape, with the places of every length that they declare.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tickertape_broker::wire::shapes::{Field, Message, Type};
use tickertape_broker::wire::varint;

/// How a length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An unsigned varint, one more than the length where it may be null, or the count or size of tagged fields.
    Compact,
    /// Two bytes.
    Int16,
    /// Four bytes.
    Int32,
}

/// A declared length in a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    /// Where it begins.
    pub(crate) at: usize,
    /// Bytes it takes.
    pub(crate) len: usize,
    /// How it is written.
    pub(crate) form: Form,
    /// What is written.
    pub(crate) value: i64,
}

/// A made-up message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    /// Its bytes, as an encoder would write them: no tagged field has its default value, varints are the shortest.
    pub(crate) bytes: Vec<u8>,
    /// Every length in it.
    pub(crate) lengths: Vec<Length>,
}

impl Made {
    /// The message with one of its lengths written as another value.
    pub(crate) fn with_length(&self, index: usize, value: i64) -> Vec<u8> {
        let length = self.lengths[index];
        let mut bytes = self.bytes[..length.at].to_vec();
        match length.form {
            Form::Compact => varint::write_u32(value as u32, &mut bytes),
            Form::Int16 => bytes.extend((value as i16).to_be_bytes()),
            Form::Int32 => bytes.extend((value as i32).to_be_bytes()),
        }
        bytes.extend_from_slice(&self.bytes[length.at + length.len..]);
        bytes
    }
}

/// Values worth writing in place of a length.
pub(crate) fn hostile_lengths(length: Length) -> Vec<i64> {
    let mut values = vec![
        0,
        1,
        2,
        127,
        128,
        length.value - 1,
        length.value + 1,
        length.value * 2 + 10,
    ];
    match length.form {
        Form::Compact => values.extend([1 << 14, 1 << 20, i32::MAX.into(), (1 << 31) + 1, u32::MAX.into()]),
        Form::Int16 => values.extend([-1, -2, i16::MIN.into(), i16::MAX.into()]),
        Form::Int32 => values.extend([-1, -2, 1 << 20, 1 << 24, i32::MIN.into(), i32::MAX.into()]),
    }
    values.retain(|value| *value != length.value);
    values
}

/// Makes a message up.
pub(crate) fn make(message: &Message, version: i16, rng: &mut ChaCha8Rng) -> Made {
    let flexible = message.flexible.contains(version);
    let mut maker = Maker {
        version,
        flexible,
        rng,
        made: Made::default(),
    };
    maker.fields(message.fields, false);
    maker.made
}

struct Maker<'a> {
    version: i16,
    flexible: bool,
    rng: &'a mut ChaCha8Rng,
    made: Made,
}

impl Maker<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.made.bytes.extend_from_slice(bytes);
    }

    fn put_length(&mut self, form: Form, value: i64) {
        let at = self.made.bytes.len();
        match form {
            Form::Compact => varint::write_u32(value as u32, &mut self.made.bytes),
            Form::Int16 => self.put(&(value as i16).to_be_bytes()),
            Form::Int32 => self.put(&(value as i32).to_be_bytes()),
        }
        let len = self.made.bytes.len() - at;
        self.made.lengths.push(Length { at, len, form, value });
    }

    fn length(&mut self, length: Option<usize>, compact: bool, otherwise: Form) {
        let value = length.map_or(-1, |length| length as i64);
        if compact {
            self.put_length(Form::Compact, value + 1);
        } else {
            self.put_length(otherwise, value);
        }
    }

    fn fields(&mut self, fields: &[Field], set: bool) {
        let present = |field: &&Field| field.versions.contains(self.version);
        let (tagged, plain): (Vec<_>, Vec<_>) = fields
            .iter()
            .filter(present)
            .partition(|field| self.flexible && field.tagged.contains(self.version));
        for field in plain {
            let compact = self.flexible && !field.inflexible;
            self.value(&field.ty, field.nullable.contains(self.version), compact, set);
        }
        if self.flexible {
            self.tags(tagged);
        }
    }

    fn tags(&mut self, mut tagged: Vec<&Field>) {
        tagged.retain(|_| self.rng.random());
        tagged.sort_by_key(|field| field.tag);
        let unknown = if self.rng.random_bool(0.2) {
            self.rng.random_range(1..3)
        } else {
            0
        };
        self.put_length(Form::Compact, tagged.len() as i64 + unknown);
        for field in tagged {
            varint::write_u32(field.tag, &mut self.made.bytes);
            // The size goes before the content, so the content is made apart.
            let before = std::mem::take(&mut self.made);
            self.value(&field.ty, false, true, true);
            let content = std::mem::replace(&mut self.made, before);
            self.put_length(Form::Compact, content.bytes.len() as i64);
            let base = self.made.bytes.len();
            self.put(&content.bytes);
            let moved = content.lengths.into_iter().map(|length| Length {
                at: length.at + base,
                ..length
            });
            self.made.lengths.extend(moved);
        }
        for index in 0..unknown {
            varint::write_u32(1000 + index as u32 * 500, &mut self.made.bytes);
            let content: Vec<u8> = (0..self.rng.random_range(0..5)).map(|_| self.rng.random()).collect();
            self.put_length(Form::Compact, content.len() as i64);
            self.put(&content);
        }
    }

    /// A value; never a default one where `set` is asked for.
    fn value(&mut self, ty: &Type, nullable: bool, compact: bool, set: bool) {
        let null = nullable && !set && self.rng.random_bool(0.25);
        match ty {
            Type::Bool => {
                let value = set || self.rng.random();
                self.put(&[value.into()]);
            }
            Type::Int8 => self.number::<1>(set),
            Type::Int16 | Type::Uint16 => self.number::<2>(set),
            Type::Int32 | Type::Uint32 => self.number::<4>(set),
            Type::Int64 | Type::Float64 => self.number::<8>(set),
            Type::Uuid => self.number::<16>(set),
            Type::String | Type::Bytes | Type::Records if null => {
                let form = if matches!(ty, Type::String) {
                    Form::Int16
                } else {
                    Form::Int32
                };
                self.length(None, compact, form);
            }
            Type::String => {
                let chars = self.rng.random_range(usize::from(set)..8);
                let text: String = (0..chars).map(|_| self.char()).collect();
                self.length(Some(text.len()), compact, Form::Int16);
                self.put(text.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let bytes: Vec<u8> = (0..self.rng.random_range(0..20)).map(|_| self.rng.random()).collect();
                self.length(Some(bytes.len()), compact, Form::Int32);
                self.put(&bytes);
            }
            Type::Struct(structure) => {
                if nullable {
                    self.put(&[if null { 0xff } else { 1 }]);
                }
                if !null {
                    self.fields(structure.fields, set);
                }
            }
            Type::Array(_) if null => self.length(None, compact, Form::Int32),
            Type::Array(element) => {
                let count = self.rng.random_range(usize::from(set)..4);
                self.length(Some(count), compact, Form::Int32);
                for _ in 0..count {
                    self.value(element, false, self.flexible, false);
                }
            }
        }
    }

    fn number<const N: usize>(&mut self, set: bool) {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes[..]);
        if !set && self.rng.random_bool(0.3) {
            bytes.fill(if self.rng.random() { 0 } else { 0xff });
        }
        if set {
            // Neither 0, nor -1, nor a largest value.
            bytes[N - 1] = bytes[N - 1] & 0x7f | 1;
            bytes[0] &= 0x3f;
            if N == 1 {
                bytes[0] = 3;
            }
        }
        self.put(&bytes);
    }

    fn char(&mut self) -> char {
        if self.rng.random_bool(0.9) {
            self.rng.random_range('a'..='z')
        } else {
            self.rng.random()
        }
    }
}

/// The message whose every field is zero, empty, false or, where it may be, null.
pub(crate) fn plain(message: &Message, version: i16) -> Vec<u8> {
    let mut out = Vec::new();
    plain_fields(message.fields, version, message.flexible.contains(version), &mut out);
    out
}

fn plain_fields(fields: &[Field], version: i16, flexible: bool, out: &mut Vec<u8>) {
    for field in fields {
        if field.versions.contains(version) && !(flexible && field.tagged.contains(version)) {
            let null = field.nullable.contains(version);
            let compact = flexible && !field.inflexible;
            let width = match &field.ty {
                Type::Struct(_) if null => {
                    out.push(0xff);
                    continue;
                }
                Type::Struct(structure) => {
                    plain_fields(structure.fields, version, flexible, out);
                    continue;
                }
                Type::String | Type::Bytes | Type::Records | Type::Array(_) if compact => {
                    out.push(u8::from(!null));
                    continue;
                }
                Type::String | Type::Bytes | Type::Records | Type::Array(_) => {
                    let width = if matches!(field.ty, Type::String) { 2 } else { 4 };
                    out.extend(std::iter::repeat_n(if null { 0xff } else { 0 }, width));
                    continue;
                }
                Type::Bool | Type::Int8 => 1,
                Type::Int16 | Type::Uint16 => 2,
                Type::Int32 | Type::Uint32 => 4,
                Type::Int64 | Type::Float64 => 8,
                Type::Uuid => 16,
            };
            out.extend(std::iter::repeat_n(0, width));
        }
    }
    if flexible {
        out.push(0);
    }
}
