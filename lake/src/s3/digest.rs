//! What S3 computes over the bytes of a body: the MD5 that becomes the ETag, and the checksums that a
//! client may send before (`x-amz-checksum-*`, `Content-MD5`) or after the bytes (aws-chunked trailers).
//!
//! A body is never accepted unless everything its sender said about it is true.

use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::dto::Checksum;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

/// The checksum algorithms of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64nvme, Self::Sha1, Self::Sha256];

    /// As in `x-amz-checksum-algorithm`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header or trailer that carries it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The algorithm that a client names.
    pub(crate) fn parse(name: &str) -> S3Result<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| s3_error!(InvalidRequest, "Checksum algorithm provided is unsupported: {name}"))
    }

    fn length_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(s3s::crypto::Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(s3s::crypto::Crc32c::new()),
            Self::Crc64nvme => hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(s3s::crypto::Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(s3s::crypto::Sha256::new()),
        }
        hasher
    }

    /// The base64 value over `bytes`.
    pub(crate) fn of(self, bytes: &[u8]) -> String {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        self.take(hasher.finalize()).unwrap_or_default()
    }

    /// This algorithm's value among S3's five.
    pub(crate) fn take(self, checksum: Checksum) -> Option<String> {
        match self {
            Self::Crc32 => checksum.checksum_crc32,
            Self::Crc32c => checksum.checksum_crc32c,
            Self::Crc64nvme => checksum.checksum_crc64nvme,
            Self::Sha1 => checksum.checksum_sha1,
            Self::Sha256 => checksum.checksum_sha256,
        }
    }
}

/// What a checksum of an object of parts is computed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ChecksumKind {
    /// The bytes of the object.
    FullObject,
    /// The checksums of the parts; the value ends in `-n`.
    Composite,
}

/// What a multipart upload was announced with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadChecksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: ChecksumKind,
}

/// A checksum that is kept with an object or a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectChecksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: ChecksumKind,
    /// As S3 gives it: base64, with `-n` when composite.
    pub(crate) value: String,
}

/// Sets S3's five checksum fields of `$target` from an `Option<&ObjectChecksum>`.
macro_rules! set_checksum {
    ($target:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            use $crate::s3::digest::Algorithm;
            let value = Some(checksum.value.clone());
            match checksum.algorithm {
                Algorithm::Crc32 => $target.checksum_crc32 = value,
                Algorithm::Crc32c => $target.checksum_crc32c = value,
                Algorithm::Crc64nvme => $target.checksum_crc64nvme = value,
                Algorithm::Sha1 => $target.checksum_sha1 = value,
                Algorithm::Sha256 => $target.checksum_sha256 = value,
            }
        }
    };
}
pub(crate) use set_checksum;

/// Takes S3's five checksum fields of `$source` as one [`Checksum`].
macro_rules! given_checksums {
    ($source:expr) => {
        s3s::dto::Checksum {
            checksum_crc32: $source.checksum_crc32.take(),
            checksum_crc32c: $source.checksum_crc32c.take(),
            checksum_crc64nvme: $source.checksum_crc64nvme.take(),
            checksum_sha1: $source.checksum_sha1.take(),
            checksum_sha256: $source.checksum_sha256.take(),
            ..Default::default()
        }
    };
}
pub(crate) use given_checksums;

/// The one checksum that a request gave, if any.
pub(crate) fn one_given(given: Checksum) -> S3Result<Option<(Algorithm, String)>> {
    let mut found = None;
    for algorithm in Algorithm::ALL {
        if let Some(value) = algorithm.take(given.clone()) {
            if found.is_some() {
                return Err(s3_error!(InvalidRequest, "Expecting a single x-amz-checksum- header"));
            }
            found = Some((algorithm, value));
        }
    }
    Ok(found)
}

/// What a sender says about a body.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// `Content-MD5`, decoded.
    md5: Option<[u8; 16]>,
    /// Which checksum is to be computed and kept.
    algorithm: Option<Algorithm>,
    /// Its value, if it was sent before the body.
    value: Option<String>,
}

impl Claims {
    /// Reads the headers. `announced` is the algorithm named without a value: by `x-amz-trailer`, by
    /// `x-amz-sdk-checksum-algorithm`, or when the upload was begun.
    pub(crate) fn new(content_md5: Option<&str>, given: Checksum, announced: Option<Algorithm>) -> S3Result<Self> {
        let md5 = match content_md5 {
            Some(text) => Some(decode_md5(text)?),
            None => None,
        };
        let (algorithm, value) = match one_given(given)? {
            Some((algorithm, value)) => {
                if decode_base64(&value).is_none_or(|bytes| bytes.len() != algorithm.length_bytes()) {
                    return Err(s3_error!(
                        InvalidRequest,
                        "Value for {} header is invalid.",
                        algorithm.header()
                    ));
                }
                (Some(algorithm), Some(value))
            }
            None => (announced, None),
        };
        Ok(Self { md5, algorithm, value })
    }

    /// Starts computing over the body.
    pub(crate) fn digests(&self) -> Digests {
        Digests {
            md5: s3s::crypto::Md5::new(),
            checksum: self.algorithm.map(|algorithm| (algorithm, algorithm.hasher())),
        }
    }

    /// Compares what was said with what came. `trailer` finds a checksum that was sent after the body.
    pub(crate) fn check(
        self,
        digests: Digests,
        trailer: impl FnOnce(&'static str) -> Option<String>,
    ) -> S3Result<BodyDigest> {
        let md5 = digests.md5.finalize();
        if self.md5.is_some_and(|claimed| claimed != md5) {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        let checksum = match digests.checksum {
            Some((algorithm, hasher)) => {
                let value = algorithm.take(hasher.finalize()).unwrap_or_default();
                let claimed = self.value.or_else(|| trailer(algorithm.header()));
                if claimed.is_some_and(|claimed| claimed != value) {
                    let name = algorithm.name();
                    return Err(s3_error!(
                        BadDigest,
                        "The {name} you specified did not match the calculated checksum."
                    ));
                }
                Some(ObjectChecksum {
                    algorithm,
                    kind: ChecksumKind::FullObject,
                    value,
                })
            }
            None => None,
        };
        Ok(BodyDigest { md5, checksum })
    }
}

/// Computes over a body as it passes.
pub(crate) struct Digests {
    md5: s3s::crypto::Md5,
    checksum: Option<(Algorithm, ChecksumHasher)>,
}

impl Digests {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if let Some((_, hasher)) = &mut self.checksum {
            hasher.update(bytes);
        }
    }
}

/// What was computed over a whole body.
pub(crate) struct BodyDigest {
    pub(crate) md5: [u8; 16],
    pub(crate) checksum: Option<ObjectChecksum>,
}

impl BodyDigest {
    /// The ETag of a body that was sent in one piece, without quotes.
    pub(crate) fn etag(&self) -> String {
        hex(&self.md5)
    }
}

/// The ETag of an object of parts, from the parts' ETags, without quotes.
pub(crate) fn multipart_etag<'a>(part_etags: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = part_etags.len();
    let mut md5 = s3s::crypto::Md5::new();
    for etag in part_etags {
        md5.update(&unhex(etag));
    }
    format!("{}-{count}", hex(&md5.finalize()))
}

/// The composite checksum of an object of parts, from the parts' values.
pub(crate) fn composite<'a>(algorithm: Algorithm, values: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = values.len();
    let raw: Vec<u8> = values.filter_map(decode_base64).flatten().collect();
    format!("{}-{count}", algorithm.of(&raw))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    aws_smithy_types::base64::decode(text).ok()
}

fn decode_md5(text: &str) -> S3Result<[u8; 16]> {
    decode_base64(text)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etag_of_parts_is_the_md5_of_their_md5s() {
        // Amazon's: two parts whose MD5s are those of "a" and "b".
        let parts = ["0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f"];
        let expected = {
            let mut md5 = s3s::crypto::Md5::new();
            for part in parts {
                md5.update(&unhex(part));
            }
            hex(&md5.finalize())
        };
        assert_eq!(multipart_etag(parts.into_iter()), format!("{expected}-2"));
    }

    #[test]
    fn a_false_claim_is_refused() {
        for algorithm in Algorithm::ALL {
            let mut given = Checksum::default();
            let value = Some(algorithm.of(b"other"));
            match algorithm {
                Algorithm::Crc32 => given.checksum_crc32 = value,
                Algorithm::Crc32c => given.checksum_crc32c = value,
                Algorithm::Crc64nvme => given.checksum_crc64nvme = value,
                Algorithm::Sha1 => given.checksum_sha1 = value,
                Algorithm::Sha256 => given.checksum_sha256 = value,
            }
            for (body, accepted) in [(&b"other"[..], true), (b"body", false)] {
                let claims = Claims::new(None, given.clone(), None).unwrap();
                let mut digests = claims.digests();
                digests.update(body);
                assert_eq!(claims.check(digests, |_| None).is_ok(), accepted, "{algorithm:?}");
            }
        }
    }

    #[test]
    fn a_malformed_claim_is_refused_before_the_body() {
        assert!(Claims::new(Some("not base64!"), Checksum::default(), None).is_err());
        assert!(Claims::new(Some("c2hvcnQ="), Checksum::default(), None).is_err());
        let short = Checksum {
            checksum_sha256: Some("AAAA".into()),
            ..Checksum::default()
        };
        assert!(Claims::new(None, short, None).is_err());
    }
}
