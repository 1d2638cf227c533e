//! The shape of every message of the protocol: fields, types and the versions in which they are there.
//!
//! One generated table (`cargo xtask shapes`) with many readers: the [guard](super::guard) that checks frames before
//! they are decoded, the tests that make messages up or break them, the comparison with Apache Kafka field by field.
//! Facts only; no bytes are read or written here.

mod build;
#[rustfmt::skip]
mod others;
#[rustfmt::skip]
mod requests;
#[rustfmt::skip]
mod responses;

/// A range of versions, both ends included; empty when `min > max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The first.
    pub min: i16,
    /// The last; `i16::MAX` where there is no end.
    pub max: i16,
}

impl Versions {
    /// Whether `version` is among them.
    #[inline]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.min > self.max
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Client to broker.
    Request,
    /// Broker to client.
    Response,
    /// What stands before a request or a response.
    Header,
    /// Nested in a field of bytes, or in a control record.
    Data,
}

/// One message.
#[derive(Debug)]
pub struct Message {
    /// Name, such as `FetchRequest`.
    pub name: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// API key; -1 for headers and data.
    pub api_key: i16,
    /// Versions that Apache Kafka knows.
    pub versions: Versions,
    /// Versions with compact lengths and tagged fields.
    pub flexible: Versions,
    /// Whether a broker's listener serves it (a controller's alone otherwise).
    pub on_broker: bool,
    /// Whether the latest version may still change, so that Apache Kafka does not announce it by default.
    pub latest_unstable: bool,
    /// Fields in order.
    pub fields: &'static [Field],
}

impl Message {
    /// The version of the header that goes before this request or response.
    pub fn header_version(&self, version: i16) -> i16 {
        let flexible = i16::from(self.flexible.contains(version));
        match self.kind {
            // A client that asks for versions cannot know yet which header the broker would write.
            Kind::Response if self.api_key == 18 => 0,
            Kind::Response => flexible,
            _ => flexible + 1,
        }
    }
}

/// One field of a message or of a structure in it.
#[derive(Debug)]
pub struct Field {
    /// Name, such as `TopicId`.
    pub name: &'static str,
    /// Type.
    pub ty: Type,
    /// Versions in which it is there.
    pub versions: Versions,
    /// Versions in which it may be null.
    pub nullable: Versions,
    /// Versions in which it is a tagged field.
    pub tagged: Versions,
    /// Its tag in those.
    pub tag: u32,
    /// Default as Kafka's definitions write it; empty for zero, empty or false.
    pub default: &'static str,
    /// Whether it is (part of) the key of the array of structures that it is in.
    pub map_key: bool,
    /// What its value names (`topicName`, `groupId`, `brokerId`, `producerId`, `transactionalId`), or empty.
    pub entity: &'static str,
    /// Whether its length is never compact (the header's client id).
    pub inflexible: bool,
}

/// A field's type.
#[derive(Debug)]
pub enum Type {
    /// One byte.
    Bool,
    /// One byte.
    Int8,
    /// Two bytes.
    Int16,
    /// Two bytes.
    Uint16,
    /// Four bytes.
    Int32,
    /// Four bytes.
    Uint32,
    /// Eight bytes.
    Int64,
    /// Eight bytes.
    Float64,
    /// Sixteen bytes.
    Uuid,
    /// A length of two bytes or a varint, then UTF-8.
    String,
    /// A length of four bytes or a varint, then bytes.
    Bytes,
    /// As [`Type::Bytes`]; the bytes are record batches.
    Records,
    /// Fields one after the other.
    Struct(&'static Struct),
    /// A count of four bytes or a varint, then that many elements.
    Array(&'static Type),
}

/// A structure in a message.
#[derive(Debug)]
pub struct Struct {
    /// Name, unique within its message.
    pub name: &'static str,
    /// Fields in order.
    pub fields: &'static [Field],
}

/// All requests, in the order of their API keys.
pub fn requests() -> &'static [Message] {
    requests::REQUESTS
}

/// All responses, in the order of their API keys.
pub fn responses() -> &'static [Message] {
    responses::RESPONSES
}

/// Headers and data.
pub fn others() -> &'static [Message] {
    others::OTHERS
}

/// The request with that API key.
pub fn request(api_key: i16) -> Option<&'static Message> {
    by_key(requests(), api_key)
}

/// The response with that API key.
pub fn response(api_key: i16) -> Option<&'static Message> {
    by_key(responses(), api_key)
}

/// The message with that name.
pub fn message(name: &str) -> Option<&'static Message> {
    [requests(), responses(), others()]
        .into_iter()
        .flatten()
        .find(|message| message.name == name)
}

fn by_key(messages: &'static [Message], api_key: i16) -> Option<&'static Message> {
    let at = messages
        .binary_search_by_key(&api_key, |message| message.api_key)
        .ok()?;
    messages.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_key_order_and_each_request_has_its_response() {
        assert!(requests().is_sorted_by(|a, b| a.api_key < b.api_key));
        for request in requests() {
            let response = response(request.api_key).unwrap();
            assert_eq!(request.versions, response.versions, "{}", request.name);
            assert_eq!(
                request.name.trim_end_matches("Request"),
                response.name.trim_end_matches("Response")
            );
        }
        assert_eq!(requests().len(), responses().len());
    }

    #[test]
    fn known_facts_are_there() {
        let join = request(11).unwrap();
        assert_eq!(
            (join.name, join.versions),
            ("JoinGroupRequest", Versions { min: 0, max: 9 })
        );
        assert_eq!((join.header_version(5), join.header_version(6)), (1, 2));
        let instance = join
            .fields
            .iter()
            .find(|field| field.name == "GroupInstanceId")
            .unwrap();
        assert!(instance.nullable.contains(5) && !instance.versions.contains(4));
        assert_eq!(instance.default, "null");
        assert_eq!(response(18).unwrap().header_version(4), 0);
        assert_eq!(response(3).unwrap().header_version(12), 1);
        let fetch = request(1).unwrap();
        let cluster = fetch.fields.iter().find(|field| field.name == "ClusterId").unwrap();
        assert!(cluster.tagged.contains(12) && cluster.tag == 0);
        assert!(message("ConsumerProtocolSubscription").unwrap().flexible.is_empty());
        assert!(request(999).is_none() && request(-1).is_none());
    }
}
