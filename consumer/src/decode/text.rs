//! JSON values as JSON text, for columns in which values of different types have met.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Writes a value's JSON text, without spaces, to the end of a buffer.
pub(super) struct WriteText<'a>(pub(super) &'a mut Vec<u8>);

impl WriteText<'_> {
    fn string(self, text: &str) {
        // Writing to memory can't fail, and a string always has a JSON form.
        let _ = serde_json::to_writer(self.0, text);
    }
}

impl<'de> DeserializeSeed<'de> for WriteText<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for WriteText<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.extend_from_slice(format!("{value:?}").as_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.string(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        let mut start = self.0.len();
        while seq.next_element_seed(WriteText(self.0))?.is_some() {
            start = self.0.len();
            self.0.push(b',');
        }
        self.0.truncate(start);
        self.0.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.push(b'{');
        let mut start = self.0.len();
        while map.next_key_seed(WriteText(self.0))?.is_some() {
            self.0.push(b':');
            map.next_value_seed(WriteText(self.0))?;
            start = self.0.len();
            self.0.push(b',');
        }
        self.0.truncate(start);
        self.0.push(b'}');
        Ok(())
    }
}
