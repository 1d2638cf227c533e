//! The words in which the generated table is written.

pub(super) use super::Message;
use super::{Field, Kind, Versions};
pub(super) use super::{Struct, Type};

/// A structure's type.
macro_rules! structure {
    ($name:literal, $fields:expr) => {
        Type::Struct(&Struct {
            name: $name,
            fields: $fields,
        })
    };
}

/// The type of an array of structures.
macro_rules! structures {
    ($name:literal, $fields:expr) => {
        Type::Array(&structure!($name, $fields))
    };
}

pub(super) use {structure, structures};

pub(super) const REQUEST: Kind = Kind::Request;
pub(super) const RESPONSE: Kind = Kind::Response;
pub(super) const HEADER: Kind = Kind::Header;
pub(super) const DATA: Kind = Kind::Data;

pub(super) const BOOL: Type = Type::Bool;
pub(super) const INT8: Type = Type::Int8;
pub(super) const INT16: Type = Type::Int16;
pub(super) const UINT16: Type = Type::Uint16;
pub(super) const INT32: Type = Type::Int32;
pub(super) const INT64: Type = Type::Int64;
pub(super) const FLOAT64: Type = Type::Float64;
pub(super) const UUID: Type = Type::Uuid;
pub(super) const STRING: Type = Type::String;
pub(super) const BYTES: Type = Type::Bytes;
pub(super) const RECORDS: Type = Type::Records;

pub(super) const NONE: Versions = from_to(0, -1);

pub(super) const fn from_to(min: i16, max: i16) -> Versions {
    Versions { min, max }
}

pub(super) const fn since(min: i16) -> Versions {
    from_to(min, i16::MAX)
}

pub(super) const fn array(element: &'static Type) -> Type {
    Type::Array(element)
}

pub(super) const fn message(
    name: &'static str,
    kind: Kind,
    api_key: i16,
    versions: Versions,
    flexible: Versions,
    fields: &'static [Field],
) -> Message {
    Message {
        name,
        kind,
        api_key,
        versions,
        flexible,
        on_broker: false,
        latest_unstable: false,
        fields,
    }
}

pub(super) const fn field(name: &'static str, ty: Type, versions: Versions) -> Field {
    Field {
        name,
        ty,
        versions,
        nullable: NONE,
        tagged: NONE,
        tag: 0,
        default: "",
        map_key: false,
        entity: "",
        inflexible: false,
    }
}

impl Field {
    pub(super) const fn nullable(mut self, versions: Versions) -> Self {
        self.nullable = versions;
        self
    }

    pub(super) const fn tagged(mut self, tag: u32, versions: Versions) -> Self {
        self.tagged = versions;
        self.tag = tag;
        self
    }

    pub(super) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    pub(super) const fn entity(mut self, entity: &'static str) -> Self {
        self.entity = entity;
        self
    }

    pub(super) const fn map_key(mut self) -> Self {
        self.map_key = true;
        self
    }

    pub(super) const fn inflexible(mut self) -> Self {
        self.inflexible = true;
        self
    }
}

impl Message {
    pub(super) const fn on_broker(mut self) -> Self {
        self.on_broker = true;
        self
    }

    pub(super) const fn latest_unstable(mut self) -> Self {
        self.latest_unstable = true;
        self
    }
}
