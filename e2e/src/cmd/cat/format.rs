//! How `tickertape cat` prints a message: kcat's `-f` language and its `-J` envelope.

use std::io::{self, Write};

use rdkafka::Timestamp;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use serde_json::{Value, json};
use tickertape_client::UsageError;

/// One piece of a parsed format.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    Value,
    ValueSize,
    ValueSizeBinary,
    Key,
    KeySize,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
}

/// A parsed `-f` format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pieces: Vec<Piece>,
    null: &'static [u8],
}

impl Format {
    /// Parses kcat's format language. `null_as_text` prints an absent key or value as `NULL` (-Z).
    ///
    /// # Errors
    /// Names the directive that does not exist.
    pub(super) fn parse(text: &str, null_as_text: bool) -> Result<Format, UsageError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            push_literal(&mut pieces, &rest[..at])?;
            let mut directive = rest[at + 1..].chars();
            let letter = directive.next();
            pieces.push(match letter {
                Some('s') => Piece::Value,
                Some('S') => Piece::ValueSize,
                Some('R') => Piece::ValueSizeBinary,
                Some('k') => Piece::Key,
                Some('K') => Piece::KeySize,
                Some('t') => Piece::Topic,
                Some('p') => Piece::Partition,
                Some('o') => Piece::Offset,
                Some('T') => Piece::Timestamp,
                Some('h') => Piece::Headers,
                Some('%') => Piece::Literal(b"%".to_vec()),
                other => {
                    let shown = other.map(String::from).unwrap_or_default();
                    return Err(UsageError::new(format!(
                        "-f: `%{shown}` is not one of %s %S %R %k %K %t %p %o %T %h %%"
                    )));
                }
            });
            rest = directive.as_str();
        }
        push_literal(&mut pieces, rest)?;
        Ok(Format {
            pieces,
            null: if null_as_text { b"NULL" } else { b"" },
        })
    }

    /// Writes `message` by this format.
    pub(super) fn write(&self, out: &mut impl Write, message: &BorrowedMessage<'_>) -> io::Result<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(bytes) => out.write_all(bytes)?,
                Piece::Value => out.write_all(message.payload().unwrap_or(self.null))?,
                Piece::ValueSize => write!(out, "{}", size(message.payload()))?,
                Piece::ValueSizeBinary => out.write_all(&(size(message.payload()) as i32).to_be_bytes())?,
                Piece::Key => out.write_all(message.key().unwrap_or(self.null))?,
                Piece::KeySize => write!(out, "{}", size(message.key()))?,
                Piece::Topic => out.write_all(message.topic().as_bytes())?,
                Piece::Partition => write!(out, "{}", message.partition())?,
                Piece::Offset => write!(out, "{}", message.offset())?,
                Piece::Timestamp => write!(out, "{}", message.timestamp().to_millis().unwrap_or(-1))?,
                Piece::Headers => self.write_headers(out, message)?,
            }
        }
        Ok(())
    }

    fn write_headers(&self, out: &mut impl Write, message: &BorrowedMessage<'_>) -> io::Result<()> {
        let Some(headers) = message.headers() else {
            return Ok(());
        };
        for (index, header) in headers.iter().enumerate() {
            if index > 0 {
                out.write_all(b",")?;
            }
            write!(out, "{}=", header.key)?;
            out.write_all(header.value.unwrap_or(b"NULL"))?;
        }
        Ok(())
    }
}

fn size(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| bytes.len() as i64)
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) -> Result<(), UsageError> {
    if !text.is_empty() {
        pieces.push(Piece::Literal(unescape(text)?));
    }
    Ok(())
}

/// Turns `\n`, `\r`, `\t`, `\0`, `\\` and `\xNN` into their bytes, as kcat does in -f, -D and -K.
///
/// # Errors
/// Names an escape that does not exist.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, UsageError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next() {
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('t') => bytes.push(b'\t'),
            Some('0') => bytes.push(0),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                let byte = u8::from_str_radix(&digits, 16)
                    .map_err(|_| UsageError::new(format!("`\\x{digits}` in `{text}` is not a byte in hexadecimal")))?;
                bytes.push(byte);
            }
            other => {
                let shown = other.map(String::from).unwrap_or_default();
                return Err(UsageError::new(format!(
                    "`\\{shown}` in `{text}` is not one of \\n \\r \\t \\0 \\\\ \\xNN"
                )));
            }
        }
    }
    Ok(bytes)
}

/// The message in kcat's `-J` envelope.
pub(super) fn envelope(message: &BorrowedMessage<'_>) -> Value {
    let (kind, timestamp) = match message.timestamp() {
        Timestamp::CreateTime(ms) => ("create", ms),
        Timestamp::LogAppendTime(ms) => ("logappend", ms),
        Timestamp::NotAvailable => ("unknown", -1),
    };
    let mut envelope = json!({
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "tstype": kind,
        "ts": timestamp,
    });
    if let Some(headers) = message.headers() {
        envelope["headers"] = headers
            .iter()
            .flat_map(|header| [Value::from(header.key), text(header.value)])
            .collect::<Vec<_>>()
            .into();
    }
    envelope["key"] = text(message.key());
    envelope["payload"] = text(message.payload());
    envelope
}

fn text(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::from(String::from_utf8_lossy(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_pieces_and_literals() {
        let format = Format::parse("%p:%o\\t%s%%\\n", false).unwrap();
        assert_eq!(
            format.pieces,
            [
                Piece::Partition,
                Piece::Literal(b":".to_vec()),
                Piece::Offset,
                Piece::Literal(b"\t".to_vec()),
                Piece::Value,
                Piece::Literal(b"%".to_vec()),
                Piece::Literal(b"\n".to_vec()),
            ]
        );
    }

    #[test]
    fn an_unknown_directive_or_escape_is_named() {
        assert!(Format::parse("%y", false).unwrap_err().to_string().contains("%y"));
        assert!(Format::parse("100%", false).is_err());
        assert!(unescape("a\\qb").unwrap_err().to_string().contains("\\q"));
        assert!(unescape("\\xzz").is_err());
    }

    #[test]
    fn escapes_become_bytes() {
        assert_eq!(unescape("a\\x1e\\n\\0ü").unwrap(), [b'a', 0x1e, b'\n', 0, 0xc3, 0xbc]);
    }
}
