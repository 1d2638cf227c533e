//! JSON values as JSON text, for columns in which values of different types have met.

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};
use sonic_rs::LazyValue;

use super::visit::is_number;

/// Writes a value's JSON text, without spaces, to the end of a buffer.
pub(super) struct WriteText<'a> {
    pub(super) text: &'a mut Vec<u8>,
    /// Numbers are written by their own digits. It takes longer.
    pub(super) exact: bool,
    /// Set where a number was written that may have had other digits.
    pub(super) inexact: &'a mut bool,
}

impl WriteText<'_> {
    fn string(self, text: &str) {
        // Writing to memory can't fail, and a string always has a JSON form.
        let _ = serde_json::to_writer(self.text, text);
    }

    /// For a field's name, which is a string.
    fn name(&mut self) -> WriteText<'_> {
        WriteText {
            exact: false,
            ..self.inner()
        }
    }

    fn inner(&mut self) -> WriteText<'_> {
        WriteText {
            text: self.text,
            exact: self.exact,
            inexact: self.inexact,
        }
    }
}

impl<'de> DeserializeSeed<'de> for WriteText<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.exact {
            return deserializer.deserialize_any(self);
        }
        let value = LazyValue::deserialize(deserializer)?;
        let raw = value.as_raw_str().trim_ascii();
        if is_number(raw) {
            self.text.extend_from_slice(raw.as_bytes());
            return Ok(());
        }
        let mut parser = sonic_rs::Deserializer::from_str(raw);
        parser.deserialize_any(self).map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for WriteText<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.text.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.text.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.text.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.text.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        *self.inexact = true;
        self.text.extend_from_slice(format!("{value:?}").as_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.string(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.text.push(b'[');
        let mut start = self.text.len();
        while seq.next_element_seed(self.inner())?.is_some() {
            start = self.text.len();
            self.text.push(b',');
        }
        self.text.truncate(start);
        self.text.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.text.push(b'{');
        let mut start = self.text.len();
        while map.next_key_seed(self.name())?.is_some() {
            self.text.push(b':');
            map.next_value_seed(self.inner())?;
            start = self.text.len();
            self.text.push(b',');
        }
        self.text.truncate(start);
        self.text.push(b'}');
        Ok(())
    }
}
