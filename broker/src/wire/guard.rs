//! Walks a message by its [shape](super::shapes) before it is decoded, so that decoding may trust every length in it.
//!
//! The decoder allocates arrays by the count that a peer declares; a frame of eight bytes could ask it for gigabytes. So
//! each count, length, tag and varint is checked here against the bytes that remain: an array must have room for its
//! elements at their smallest, a string must be UTF-8 and no longer than Apache Kafka takes, null must be allowed, a
//! tagged field must fill exactly the size it declares. What Kafka ignores (unknown tags, bytes after the message) is
//! ignored. What decodes to more than it takes on the wire is bounded by [`ELEMENTS_MAX`].
//!
//! Promises: no input makes it panic, allocate, or take longer than its bytes are long; a message that passes is decoded
//! without an allocation larger than its own bytes and its elements explain. Record bytes are skipped, not read.

use super::shapes::{self, Field, Message, Type};
use super::varint;

/// How many elements of arrays and how many tagged fields one message may have in all.
///
/// A structure can take two bytes on the wire and some hundred once decoded, and the index of a partition takes four in a
/// request and fifty in its answer. Apache Kafka has no such bound, but this is far beyond what a client has reason to
/// ask of one broker.
pub const ELEMENTS_MAX: usize = 1 << 17;

/// Apache Kafka takes no longer string, whatever its length field could say.
pub(crate) const STRING_LEN_MAX: usize = i16::MAX as usize;

/// Where a message is malformed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} version {version}, {field} at byte {at}: {reason}")]
pub struct Malformed {
    /// The message's name.
    pub message: &'static str,
    /// Its version.
    pub version: i16,
    /// The innermost field that was being read; empty before the first.
    pub field: &'static str,
    /// How many bytes of the message had been read.
    pub at: usize,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No such API.
    #[error("API key {0} is unknown")]
    UnknownApiKey(i16),
    /// No such version of it.
    #[error("the version is unknown")]
    UnknownVersion,
    /// The message ends within a field.
    #[error("{needed} bytes are needed and {remaining} remain")]
    Truncated {
        /// Bytes that the field takes.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A count of elements for which there is no room.
    #[error("{count} elements cannot be in the {remaining} bytes that remain")]
    TooManyElements {
        /// The declared count.
        count: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// More than [`ELEMENTS_MAX`] in all.
    #[error("the message has more than {ELEMENTS_MAX} elements")]
    TooManyElementsInAll,
    /// A length below -1.
    #[error("a length of {0}")]
    NegativeLength(i32),
    /// Null where it may not be.
    #[error("null is not allowed")]
    Null,
    /// A varint that is cut off or longer than five bytes.
    #[error("a variable-length integer does not end")]
    Varint,
    /// Longer than Kafka takes.
    #[error("a string of {0} bytes is too long")]
    StringTooLong(usize),
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A byte that says neither that a structure follows nor that it is null.
    #[error("{0} says neither present nor null")]
    Presence(i8),
    /// A known tagged field whose content is shorter or longer than declared.
    #[error("the tagged field does not fill the {0} bytes that it declares")]
    TagSize(usize),
    /// A known tagged field that this version has not.
    #[error("tag {0} is not in this version")]
    TagNotInVersion(u32),
    /// More than the message.
    #[error("{0} bytes follow it")]
    Beyond(usize),
}

/// The header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// API key, which need not be known.
    pub api_key: i16,
    /// Version, which need not be known.
    pub api_version: i16,
    /// Correlation id.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<&'a str>,
    /// Where in the frame the body begins.
    pub body_at: usize,
}

/// Reads the header of a frame (without the length that goes before it). Its version follows from key and version, as
/// in Apache Kafka; a key that is unknown is an error, a version is not, so that the caller can answer it.
pub fn request_head(frame: &[u8]) -> Result<RequestHead<'_>, Malformed> {
    let mut walk = Walk::new("RequestHeader", 1, false, frame);
    let api_key = i16::from_be_bytes(walk.chunk()?);
    let api_version = i16::from_be_bytes(walk.chunk()?);
    let correlation_id = i32::from_be_bytes(walk.chunk()?);
    let Some(request) = shapes::request(api_key) else {
        return Err(walk.fails(Reason::UnknownApiKey(api_key)));
    };
    walk.field = "ClientId";
    // Its length is never compact, so that any broker can read the header of any version.
    let client_id = match i16::from_be_bytes(walk.chunk()?) {
        -1 => None,
        length => {
            let length = usize::try_from(length).map_err(|_| walk.fails(Reason::NegativeLength(length.into())))?;
            Some(walk.utf8(length)?)
        }
    };
    if request.header_version(api_version) >= 2 {
        walk.tagged(&[])?;
    }
    Ok(RequestHead {
        api_key,
        api_version,
        correlation_id,
        client_id,
        body_at: walk.at,
    })
}

/// Checks the body of a request; to be called before it is decoded.
pub fn check_request(api_key: i16, api_version: i16, body: &[u8]) -> Result<(), Malformed> {
    let fails = |message, reason| {
        Err(Malformed {
            message,
            version: api_version,
            field: "",
            at: 0,
            reason,
        })
    };
    let Some(message) = shapes::request(api_key) else {
        return fails("request", Reason::UnknownApiKey(api_key));
    };
    if !message.versions.contains(api_version) {
        return fails(message.name, Reason::UnknownVersion);
    }
    check(message, api_version, body).map(|_| ())
}

/// Checks that `bytes` begin with this version of `message`, and says how many bytes it takes.
///
/// For what is nested in a field of bytes, such as `ConsumerProtocolSubscription`, take its shape by
/// [`shapes::message`] and pass the version that it declares, or the highest known if that is lower.
pub fn check(message: &Message, version: i16, bytes: &[u8]) -> Result<usize, Malformed> {
    let mut walk = Walk::new(message.name, version, message.flexible.contains(version), bytes);
    walk.fields(message.fields)?;
    Ok(walk.at)
}

/// Checks that `bytes` are this version of a response and nothing more, however many elements it has.
///
/// Of our own answers: what a client said can stand in one, and be longer there than any string may be.
pub fn check_response(api_key: i16, version: i16, bytes: &[u8]) -> Result<(), Malformed> {
    let flexible = |message: &Message| message.flexible.contains(version);
    let Some(message) = shapes::response(api_key) else {
        return Err(Walk::new("response", version, false, bytes).fails(Reason::UnknownApiKey(api_key)));
    };
    let mut walk = Walk::new(message.name, version, flexible(message), bytes);
    walk.budget = usize::MAX;
    walk.fields(message.fields)?;
    match walk.remaining() {
        0 => Ok(()),
        left => Err(walk.fails(Reason::Beyond(left))),
    }
}

struct Walk<'a> {
    message: &'static str,
    version: i16,
    flexible: bool,
    field: &'static str,
    bytes: &'a [u8],
    at: usize,
    /// Elements that the message may still have.
    budget: usize,
}

impl<'a> Walk<'a> {
    fn new(message: &'static str, version: i16, flexible: bool, bytes: &'a [u8]) -> Self {
        Self {
            message,
            version,
            flexible,
            field: "",
            bytes,
            at: 0,
            budget: ELEMENTS_MAX,
        }
    }

    #[cold]
    fn fails(&self, reason: Reason) -> Malformed {
        Malformed {
            message: self.message,
            version: self.version,
            field: self.field,
            at: self.at,
            reason,
        }
    }

    fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let remaining = self.remaining();
        if len > remaining {
            return Err(self.fails(Reason::Truncated { needed: len, remaining }));
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut chunk = [0; N];
        chunk.copy_from_slice(self.take(N)?);
        Ok(chunk)
    }

    fn varint(&mut self) -> Result<u32, Malformed> {
        let Some((value, len)) = varint::read_u32(&self.bytes[self.at..]) else {
            return Err(self.fails(Reason::Varint));
        };
        self.at += len;
        Ok(value)
    }

    fn utf8(&mut self, len: usize) -> Result<&'a str, Malformed> {
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map_err(|_| self.fails(Reason::NotUtf8))
    }

    fn spend(&mut self, elements: usize) -> Result<(), Malformed> {
        match self.budget.checked_sub(elements) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(self.fails(Reason::TooManyElementsInAll)),
        }
    }

    fn fields(&mut self, fields: &'static [Field]) -> Result<(), Malformed> {
        for field in fields {
            if field.versions.contains(self.version) && !self.is_tagged(field) {
                self.field(field)?;
            }
        }
        if self.flexible { self.tagged(fields) } else { Ok(()) }
    }

    fn is_tagged(&self, field: &Field) -> bool {
        self.flexible && field.tagged.contains(self.version)
    }

    fn field(&mut self, field: &'static Field) -> Result<(), Malformed> {
        self.field = field.name;
        self.value(
            &field.ty,
            field.nullable.contains(self.version),
            self.flexible && !field.inflexible,
        )
    }

    /// The tagged fields at the end of a structure.
    fn tagged(&mut self, fields: &'static [Field]) -> Result<(), Malformed> {
        let count = self.varint()?;
        for _ in 0..count {
            self.spend(1)?;
            let tag = self.varint()?;
            let size = self.varint()? as usize;
            match fields.iter().find(|field| !field.tagged.is_empty() && field.tag == tag) {
                None => {
                    self.take(size)?;
                }
                Some(field) => {
                    self.field = field.name;
                    if !self.is_tagged(field) {
                        return Err(self.fails(Reason::TagNotInVersion(tag)));
                    }
                    self.known_tag(field, size)?;
                }
            }
        }
        Ok(())
    }

    /// A known tagged field, which sees no byte beyond its declared size.
    fn known_tag(&mut self, field: &'static Field, size: usize) -> Result<(), Malformed> {
        let remaining = self.remaining();
        if size > remaining {
            return Err(self.fails(Reason::Truncated {
                needed: size,
                remaining,
            }));
        }
        let whole = self.bytes;
        self.bytes = &whole[..self.at + size];
        self.field(field)?;
        if self.remaining() > 0 {
            return Err(self.fails(Reason::TagSize(size)));
        }
        self.bytes = whole;
        Ok(())
    }

    fn value(&mut self, ty: &'static Type, nullable: bool, compact: bool) -> Result<(), Malformed> {
        match ty {
            Type::String => {
                if let Some(len) = self.length(nullable, compact, 2)? {
                    if len > STRING_LEN_MAX {
                        return Err(self.fails(Reason::StringTooLong(len)));
                    }
                    self.utf8(len)?;
                }
                Ok(())
            }
            Type::Bytes | Type::Records => {
                if let Some(len) = self.length(nullable, compact, 4)? {
                    self.take(len)?;
                }
                Ok(())
            }
            Type::Struct(structure) => {
                if nullable {
                    match i8::from_be_bytes(self.chunk()?) {
                        1 => {}
                        -1 => return Ok(()),
                        other => return Err(self.fails(Reason::Presence(other))),
                    }
                }
                self.fields(structure.fields)
            }
            Type::Array(element) => match self.length(nullable, compact, 4)? {
                Some(count) => self.elements(element, count),
                None => Ok(()),
            },
            fixed => self.take(fixed_size(fixed)).map(|_| ()),
        }
    }

    /// A length or count: a varint of one more, or an integer of `width` bytes. `None` is null, which must be allowed.
    fn length(&mut self, nullable: bool, compact: bool, width: usize) -> Result<Option<usize>, Malformed> {
        let length = if compact {
            i64::from(self.varint()?) - 1
        } else if width == 2 {
            i64::from(i16::from_be_bytes(self.chunk()?))
        } else {
            i64::from(i32::from_be_bytes(self.chunk()?))
        };
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length < -1 => Err(self.fails(Reason::NegativeLength(length as i32))),
            Err(_) if nullable => Ok(None),
            Err(_) => Err(self.fails(Reason::Null)),
        }
    }

    fn elements(&mut self, element: &'static Type, count: usize) -> Result<(), Malformed> {
        let size_min = self.size_min(element).max(1);
        let remaining = self.remaining();
        if count > remaining / size_min {
            return Err(self.fails(Reason::TooManyElements { count, remaining }));
        }
        self.spend(count)?;
        if fixed_size(element) > 0 {
            return self.take(count * size_min).map(|_| ());
        }
        let field = self.field;
        for _ in 0..count {
            self.value(element, false, self.flexible)?;
            self.field = field;
        }
        Ok(())
    }

    /// The fewest bytes that an element of an array takes.
    fn size_min(&self, ty: &Type) -> usize {
        match ty {
            Type::String if !self.flexible => 2,
            Type::Bytes | Type::Records | Type::Array(_) if !self.flexible => 4,
            Type::String | Type::Bytes | Type::Records | Type::Array(_) => 1,
            Type::Struct(structure) => {
                let fields = structure.fields.iter();
                let present = fields.filter(|field| field.versions.contains(self.version) && !self.is_tagged(field));
                let size = |field: &Field| match field.ty {
                    Type::Struct(_) if field.nullable.contains(self.version) => 1,
                    _ => self.size_min(&field.ty),
                };
                present.map(size).sum::<usize>() + usize::from(self.flexible)
            }
            fixed => fixed_size(fixed),
        }
    }
}

/// Bytes of a type that always takes as many; zero for the others.
fn fixed_size(ty: &Type) -> usize {
    match ty {
        Type::Bool | Type::Int8 => 1,
        Type::Int16 | Type::Uint16 => 2,
        Type::Int32 | Type::Uint32 => 4,
        Type::Int64 | Type::Float64 => 8,
        Type::Uuid => 16,
        Type::String | Type::Bytes | Type::Records | Type::Struct(_) | Type::Array(_) => 0,
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
