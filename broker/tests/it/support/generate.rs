//! Made-up messages: bytes that follow a shape, with the places of every length that they declare.
//!
//! What a field says is random, unless [`Words`] know better: names of topics that are there lead further than letters.

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

/// What a length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// Bytes of text or of anything.
    Bytes,
    /// Elements of an array.
    Elements,
    /// Tagged fields.
    Tags,
    /// Bytes of one tagged field.
    Tag,
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
    /// What it counts.
    pub(crate) of: Of,
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
    /// Every byte that says whether a structure is there.
    pub(crate) presences: Vec<usize>,
}

/// What fields say. Each answer may be `None`: anything at all.
pub(crate) trait Words {
    /// A text, or an element of an array of texts.
    fn text(&self, _field: &Field, _rng: &mut ChaCha8Rng) -> Option<String> {
        None
    }
    /// Bytes or records.
    fn bytes(&self, _field: &Field, _rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
        None
    }
    /// A whole number, of which as many of the lowest bytes are written as the field has.
    fn number(&self, _field: &Field, _rng: &mut ChaCha8Rng) -> Option<i64> {
        None
    }
    /// An id.
    fn uuid(&self, _field: &Field, _rng: &mut ChaCha8Rng) -> Option<[u8; 16]> {
        None
    }
    /// How many elements an array has. Not asked of arrays within one of which it was told: their sizes would multiply.
    fn elements(&self, _field: &Field, _rng: &mut ChaCha8Rng) -> Option<usize> {
        None
    }
}

/// No words: everything is random.
struct Noise;

impl Words for Noise {}

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
    make_of(message, version, &Noise, rng)
}

/// Makes a message up of words.
pub(crate) fn make_of(message: &Message, version: i16, words: &dyn Words, rng: &mut ChaCha8Rng) -> Made {
    let flexible = message.flexible.contains(version);
    let mut maker = Maker {
        version,
        flexible,
        words,
        rng,
        sized: false,
        made: Made::default(),
    };
    maker.fields(message.fields, false);
    maker.made
}

struct Maker<'a> {
    version: i16,
    flexible: bool,
    words: &'a dyn Words,
    rng: &'a mut ChaCha8Rng,
    /// Within an array of which it was told how many elements it has.
    sized: bool,
    made: Made,
}

impl Maker<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.made.bytes.extend_from_slice(bytes);
    }

    fn put_length(&mut self, form: Form, of: Of, value: i64) {
        let at = self.made.bytes.len();
        match form {
            Form::Compact => varint::write_u32(value as u32, &mut self.made.bytes),
            Form::Int16 => self.put(&(value as i16).to_be_bytes()),
            Form::Int32 => self.put(&(value as i32).to_be_bytes()),
        }
        let len = self.made.bytes.len() - at;
        self.made.lengths.push(Length {
            at,
            len,
            form,
            of,
            value,
        });
    }

    fn length(&mut self, length: Option<usize>, of: Of, compact: bool, otherwise: Form) {
        let value = length.map_or(-1, |length| length as i64);
        if compact {
            self.put_length(Form::Compact, of, value + 1);
        } else {
            self.put_length(otherwise, of, value);
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
            self.value(field, &field.ty, field.nullable.contains(self.version), compact, set);
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
        self.put_length(Form::Compact, Of::Tags, tagged.len() as i64 + unknown);
        for field in tagged {
            varint::write_u32(field.tag, &mut self.made.bytes);
            // The size goes before the content, so the content is made apart.
            let before = std::mem::take(&mut self.made);
            self.value(field, &field.ty, false, true, true);
            let content = std::mem::replace(&mut self.made, before);
            self.put_length(Form::Compact, Of::Tag, content.bytes.len() as i64);
            let base = self.made.bytes.len();
            self.put(&content.bytes);
            let moved = content.lengths.into_iter().map(|length| Length {
                at: length.at + base,
                ..length
            });
            self.made.lengths.extend(moved);
            let presences = content.presences.into_iter().map(|at| at + base);
            self.made.presences.extend(presences);
        }
        for index in 0..unknown {
            varint::write_u32(1000 + index as u32 * 500, &mut self.made.bytes);
            let content: Vec<u8> = (0..self.rng.random_range(0..5)).map(|_| self.rng.random()).collect();
            self.put_length(Form::Compact, Of::Tag, content.len() as i64);
            self.put(&content);
        }
    }

    /// A value of a field, or of an element of it; never a default one where `set` is asked for.
    fn value(&mut self, field: &Field, ty: &Type, nullable: bool, compact: bool, set: bool) {
        let null = nullable && !set && self.rng.random_bool(0.25);
        match ty {
            Type::Bool => {
                let value = set || self.rng.random();
                self.put(&[value.into()]);
            }
            Type::Int8 => self.number::<1>(field, set),
            Type::Int16 | Type::Uint16 => self.number::<2>(field, set),
            Type::Int32 | Type::Uint32 => self.number::<4>(field, set),
            Type::Int64 | Type::Float64 => self.number::<8>(field, set),
            Type::Uuid => match self.words.uuid(field, self.rng) {
                Some(id) => self.put(&id),
                None => self.random_number::<16>(set),
            },
            Type::String if null => self.length(None, Of::Bytes, compact, Form::Int16),
            Type::Bytes | Type::Records if null => self.length(None, Of::Bytes, compact, Form::Int32),
            Type::Array(_) if null => self.length(None, Of::Elements, compact, Form::Int32),
            Type::String => {
                let text = self.words.text(field, self.rng).unwrap_or_else(|| {
                    let chars = self.rng.random_range(usize::from(set)..8);
                    (0..chars).map(|_| self.char()).collect()
                });
                self.length(Some(text.len()), Of::Bytes, compact, Form::Int16);
                self.put(text.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let bytes = self
                    .words
                    .bytes(field, self.rng)
                    .unwrap_or_else(|| (0..self.rng.random_range(0..20)).map(|_| self.rng.random()).collect());
                self.length(Some(bytes.len()), Of::Bytes, compact, Form::Int32);
                self.put(&bytes);
            }
            Type::Struct(structure) => {
                if nullable {
                    self.made.presences.push(self.made.bytes.len());
                    self.put(&[if null { 0xff } else { 1 }]);
                }
                if !null {
                    self.fields(structure.fields, set);
                }
            }
            Type::Array(element) => {
                let outer = self.sized;
                let told = if outer {
                    None
                } else {
                    self.words.elements(field, self.rng)
                };
                self.sized |= told.is_some();
                let count = told.unwrap_or_else(|| self.rng.random_range(usize::from(set)..4));
                self.length(Some(count), Of::Elements, compact, Form::Int32);
                for _ in 0..count {
                    self.value(field, element, false, self.flexible, false);
                }
                self.sized = outer;
            }
        }
    }

    fn number<const N: usize>(&mut self, field: &Field, set: bool) {
        match self.words.number(field, self.rng) {
            Some(number) => self.put(&number.to_be_bytes()[8 - N..]),
            None => self.random_number::<N>(set),
        }
    }

    fn random_number<const N: usize>(&mut self, set: bool) {
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
