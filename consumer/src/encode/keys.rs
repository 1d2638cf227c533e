//! Rows as JSON lines: the messages' text as it is, but for the names of fields, which are the columns'. Readers of JSON
//! match columns by the names of fields, most of them to the letter, and a catalog has names in lower case.
//!
//! The text is one that the decoder has made a row of, so it is valid JSON; whatever it were, this writes one line and ends.

use crate::{
    names::{column_name, field_name},
    schema::{Column, ColumnType},
};

/// Writes an object's text from behind its first brace on, with the names of a table's columns.
pub(super) fn write_fields(text: &str, columns: &[Column], line: &mut Vec<u8>) {
    let mut writer = Writer { text, at: 0, line };
    writer.fields(columns, column_name);
    writer.copy(text.len());
}

struct Writer<'a> {
    text: &'a str,
    at: usize,
    line: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Copies up to an offset. A line break can only be white space: inside of a string it would not be valid JSON.
    fn copy(&mut self, to: usize) {
        let bytes = self.text.as_bytes().get(self.at..to).unwrap_or_default();
        let in_line = bytes
            .iter()
            .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte });
        self.line.extend(in_line);
        self.at = to.max(self.at);
    }

    /// Copies white space, commas and colons.
    fn between(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let next = rest.find(|c: char| !matches!(c, ' ' | '\t' | '\n' | '\r' | ',' | ':'));
        self.copy(self.at + next.unwrap_or(rest.len()));
    }

    /// Where the string ends that begins here: behind its second quote.
    fn string_end(&self) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => return at + 1,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        bytes.len()
    }

    /// An object's fields and its closing brace, from behind the opening one on.
    fn fields(&mut self, columns: &[Column], name_of: fn(&str) -> String) {
        loop {
            self.between();
            if self.peek() != Some(b'"') {
                // The closing brace, if it is what it should be.
                return self.copy((self.at + 1).min(self.text.len()));
            }
            let end = self.string_end();
            let raw = self.text.get(self.at..end).unwrap_or_default();
            let spelled = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
            let column = match columns.iter().find(|column| column.name == spelled) {
                Some(column) => {
                    self.copy(end);
                    Some(column)
                }
                None => self.renamed(end, raw, columns, name_of),
            };
            self.between();
            self.value(column.map(|column| &column.kind));
        }
    }

    /// A field's name that isn't spelled as its column's.
    fn renamed<'c>(
        &mut self,
        end: usize,
        raw: &str,
        columns: &'c [Column],
        name_of: fn(&str) -> String,
    ) -> Option<&'c Column> {
        let Ok(spelling) = serde_json::from_str::<String>(raw) else {
            self.copy(end);
            return None;
        };
        let column = columns.iter().find(|column| column.name == spelling);
        let name = column.map_or_else(|| name_of(&spelling), |column| column.name.clone());
        // Writing to memory can't fail, and a string always has a JSON form.
        let _ = serde_json::to_writer(&mut *self.line, &name);
        self.at = end;
        column.or_else(|| columns.iter().find(|column| column.name == name))
    }

    /// A value. What is text for the table is left as it is.
    fn value(&mut self, kind: Option<&ColumnType>) {
        match (self.peek(), kind) {
            (Some(b'{'), Some(ColumnType::Struct(columns))) => {
                self.copy(self.at + 1);
                self.fields(columns, field_name);
            }
            (Some(b'['), Some(ColumnType::List(item))) => {
                self.copy(self.at + 1);
                loop {
                    self.between();
                    match self.peek() {
                        None => return,
                        Some(b']') => return self.copy(self.at + 1),
                        Some(_) => self.value(Some(item)),
                    }
                }
            }
            _ => self.whole(),
        }
    }

    /// A value as it stands, with all that is in it.
    fn whole(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.copy(self.string_end().min(self.text.len())),
                b'{' | b'[' => {
                    depth += 1;
                    self.copy(self.at + 1);
                }
                b'}' | b']' | b',' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    self.copy(self.at + 1);
                }
                _ => self.copy(self.at + 1),
            }
            if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::{
        decode::{OnNewType, Rules, decode},
        schema::TableSchema,
    };

    fn written(message: &str, others: &[&str]) -> String {
        let rules = Rules {
            on_new_type: OnNewType::Widen,
            time_fields: Vec::new(),
        };
        let all = std::iter::once(message).chain(others.iter().copied());
        let decoded = decode(all, &TableSchema::default(), &rules).unwrap();
        assert_eq!(decoded.rejected, []);
        let mut line = vec![b'{'];
        let rest = message.trim_ascii_start().strip_prefix('{').unwrap().trim_ascii();
        write_fields(rest, &decoded.schema.columns, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn names_are_the_columns_and_values_are_as_they_were() {
        let message = "{ \"userId\" : 1.50,\n\"dt\":\"DT\",\"\":[ {\"In Ner\":{\"X\":\"{\\\"A\\\":[\"}} , 7 ],\
                       \"\\u00c9\":18446744073709551615,\"E\":{},\"N\":null,\"T\":true}\n ";
        assert_eq!(
            written(message.trim_ascii(), &["{\"\":[[1]]}"]),
            message
                .trim_ascii()
                .replacen("{ ", "{", 1)
                .replace("userId", "userid")
                .replace("\"dt\"", "\"dt_\"")
                .replace("\"\":[", "\"_\":[")
                .replace("\\u00c9", "\u{e9}")
                .replace("\"E\"", "\"e\"")
                .replace("\"N\"", "\"n\"")
                .replace("\"T\"", "\"t\"")
                .replace('\n', " "),
            "a column that is text keeps what is inside"
        );
        assert_eq!(
            written(
                r#"{"L":[{"In Ner":{"X":1}},{"In Ner":null}],"O":{"A b":[],"":{"Z":0}}}"#,
                &[]
            ),
            r#"{"l":[{"in_ner":{"x":1}},{"in_ner":null}],"o":{"a_b":[],"_":{"z":0}}}"#
        );
        assert_eq!(written("{}", &[]), "{}");
    }

    fn renamed(value: &Value, name_of: fn(&str) -> String) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| (name_of(name), renamed(value, field_name)));
                fields.collect::<Map<_, _>>().into()
            }
            Value::Array(items) => items.iter().map(|item| renamed(item, field_name)).collect(),
            value => value.clone(),
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            "[A-z{}\\[\\]\\\\\", :]{0,8}".prop_map(Value::from),
            Just(json!(null)),
        ];
        leaf.prop_recursive(3, 16, 3, any_object)
    }

    fn any_object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        let fields = prop::collection::btree_map("[A-C: \"\\\\]{0,3}", inner, 0..3);
        fields.prop_map(|fields| Value::Object(fields.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn an_object_is_the_same_with_other_names(value in any_object(any_value())) {
            let expected = renamed(&value, column_name);
            let rules = Rules { on_new_type: OnNewType::Widen, time_fields: Vec::new() };
            let text = value.to_string();
            let decoded = decode([text.as_str()].into_iter(), &TableSchema::default(), &rules).unwrap();
            // Two names may fall together, and then it is no row.
            prop_assume!(decoded.rejected.is_empty());
            let got: Value = serde_json::from_str(&written(&text, &[])).unwrap();
            prop_assert_eq!(got, expected);
        }
    }
}
