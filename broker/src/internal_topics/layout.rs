//! How Kafka lays fields out in the keys and values of its own topics: a version of two bytes, then the fields one after
//! another, big endian. Older versions have lengths of a fixed size; "compact" ones, in flexible versions, are varints.

use uuid::Uuid;

use crate::wire::varint;

/// A key or value that is being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout(Vec<u8>);

impl Layout {
    /// Begins with a version; in keys it says what kind of record it is.
    pub(super) fn of_version(version: i16) -> Layout {
        Layout(version.to_be_bytes().to_vec())
    }

    /// Without a version: what is put inside another.
    pub(super) fn nested() -> Layout {
        Layout::default()
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn i8(mut self, number: i8) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn i16(mut self, number: i16) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn i32(mut self, number: i32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn i64(mut self, number: i64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn uuid(mut self, id: &Uuid) -> Self {
        self.0.extend(id.as_bytes());
        self
    }

    /// A text of at most 32,767 bytes, which is what any request can carry.
    pub(super) fn string(self, text: &str) -> Self {
        let mut out = self.i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        out.0.extend(text.as_bytes());
        out
    }

    pub(super) fn nullable_string(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.string(text),
            None => self.i16(-1),
        }
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let mut out = self.count(bytes.len());
        out.0.extend(bytes);
        out
    }

    /// The length of an array.
    pub(super) fn count(self, count: usize) -> Self {
        self.i32(i32::try_from(count).unwrap_or(i32::MAX))
    }

    pub(super) fn compact_string(self, text: &str) -> Self {
        self.compact_bytes(text.as_bytes())
    }

    pub(super) fn compact_nullable_string(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.compact_string(text),
            None => self.compact_null(),
        }
    }

    pub(super) fn compact_bytes(self, bytes: &[u8]) -> Self {
        let mut out = self.compact_count(bytes.len());
        out.0.extend(bytes);
        out
    }

    /// The length of an array in flexible versions.
    pub(super) fn compact_count(mut self, count: usize) -> Self {
        varint::write_u32(u32::try_from(count).unwrap_or(u32::MAX - 1) + 1, &mut self.0);
        self
    }

    /// An array or text that is not there.
    pub(super) fn compact_null(mut self) -> Self {
        varint::write_u32(0, &mut self.0);
        self
    }

    pub(super) fn compact_strings<'a>(self, texts: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let out = self.compact_count(texts.len());
        texts.fold(out, Layout::compact_string)
    }

    pub(super) fn compact_i32s(self, numbers: impl ExactSizeIterator<Item = i32>) -> Self {
        let out = self.compact_count(numbers.len());
        numbers.fold(out, Layout::i32)
    }

    /// The end of a structure without tagged fields.
    pub(super) fn no_tags(mut self) -> Self {
        varint::write_u32(0, &mut self.0);
        self
    }

    /// The end of a structure with at most one tagged field.
    pub(super) fn tag(mut self, tag: u32, field: Option<Layout>) -> Self {
        let Some(field) = field else {
            return self.no_tags();
        };
        varint::write_u32(1, &mut self.0);
        varint::write_u32(tag, &mut self.0);
        self.compact_len(field.0.len());
        self.0.extend(field.0);
        self
    }

    fn compact_len(&mut self, len: usize) {
        varint::write_u32(u32::try_from(len).unwrap_or(u32::MAX), &mut self.0);
    }
}
