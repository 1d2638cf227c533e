//! What the index says about buckets, objects, uploads and parts.
//!
//! Records are small JSON documents: they are read by people when something went wrong, and a field
//! can be added without a change of format. Bytes of objects never stand in a record; a record only
//! names the files ([`BlobId`]) that hold them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::ObjectChecksum;

/// The name of a file of bytes, or of a manifest that lists such files. Random, never derived from a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BlobId(u128);

impl BlobId {
    /// A new name that no other file has.
    pub(crate) fn random() -> Self {
        Self(uuid::Uuid::new_v4().as_u128())
    }

    /// Reads the name back from 32 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text.len() == 32)
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for BlobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a blob id"))
    }
}

/// A bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BucketRecord {
    /// When it was created, milliseconds since the epoch.
    pub(crate) created_ms: i64,
}

/// Where an object's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    /// There are none.
    Empty,
    /// In one file.
    Blob(BlobId),
    /// In the files that the manifest of this name lists, in order.
    Parts(BlobId),
}

/// One of the files of an object that was uploaded in parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// The part's number, from 1.
    pub(crate) number: u16,
    /// The file; a part without bytes has none.
    pub(crate) blob: Option<BlobId>,
    /// Its length.
    pub(crate) size_bytes: u64,
}

/// The headers that S3 keeps with an object and gives back with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ObjectHeaders {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_ms: Option<i64>,
    /// `x-amz-meta-*`, without the prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// The tags of an object.
pub(crate) type Tags = BTreeMap<String, String>;

/// An object: everything about it but its bucket, its key and its bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ObjectRecord {
    pub(crate) size_bytes: u64,
    /// Without quotes: the MD5 of the bytes, or for an object of n parts the MD5 of the parts' MD5s, `-n`.
    pub(crate) etag: String,
    /// Last modified, milliseconds since the epoch.
    pub(crate) modified_ms: i64,
    pub(crate) content: Content,
    #[serde(default)]
    pub(crate) headers: ObjectHeaders,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: Tags,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<ObjectChecksum>,
}

/// A multipart upload that was neither completed nor aborted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UploadRecord {
    /// When it was begun, milliseconds since the epoch.
    pub(crate) initiated_ms: i64,
    /// What the object will have.
    pub(crate) headers: ObjectHeaders,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: Tags,
    /// The checksum that the parts were announced with, as in `x-amz-checksum-algorithm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<super::digest::UploadChecksum>,
}

/// An upload that became an object: a client that did not get the answer asks again, and gets the same one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CompletedRecord {
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// The object, as it was then.
    pub(crate) object: ObjectRecord,
}

/// A part of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PartRecord {
    pub(crate) size_bytes: u64,
    /// The MD5 of its bytes, hexadecimal.
    pub(crate) etag: String,
    pub(crate) modified_ms: i64,
    /// The file; a part without bytes has none.
    pub(crate) blob: Option<BlobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<ObjectChecksum>,
}
