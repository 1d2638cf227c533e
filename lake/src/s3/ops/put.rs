//! PutObject, and how a body is received.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, StdError, TrailingHeaders, s3_error};
use tokio::task::JoinHandle;

use bytes::Bytes;
use futures::StreamExt as _;

use super::tagging::tags_of_header;
use super::{Backend, now_ms};
use crate::s3::blobs::{CHUNK_BYTES, NewBlob};
use crate::s3::condition::WriteCondition;
use crate::s3::digest::{Algorithm, BodyDigest, Claims, Digests, given_checksums, set_checksum};
use crate::s3::error::{StoreError, body_error};
use crate::s3::index::{Batch, keys};
use crate::s3::records::{Content, ObjectHeaders, ObjectRecord};

/// The longest body of one request: S3's own limit.
const BODY_BYTES_MAX: u64 = 5 << 30;
/// User metadata, names and values together: S3's own limit.
const METADATA_BYTES_MAX: usize = 2048;
/// What is still read of a body that will not be stored, so that its sender gets to read the answer.
const DRAIN_BYTES: usize = 1 << 20;

/// The headers of an input that are kept with the object. The inputs have the same fields, but no trait.
macro_rules! object_headers {
    ($input:expr) => {
        $crate::s3::records::ObjectHeaders {
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            content_disposition: $input.content_disposition.take(),
            cache_control: $input.cache_control.take(),
            expires_ms: $input.expires.take().as_ref().map($crate::s3::condition::millis),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(super) use object_headers;

/// A body that arrived whole, as its sender described it; not yet in its place.
pub(super) struct Received {
    pub(super) blob: NewBlob,
    pub(super) digest: BodyDigest,
}

struct Sink {
    blob: NewBlob,
    digests: Digests,
}

enum Turn {
    Idle(Box<Sink>),
    Writing(JoinHandle<std::io::Result<Box<Sink>>>),
}

impl Turn {
    async fn done(self) -> Result<Box<Sink>, StoreError> {
        match self {
            Self::Idle(sink) => Ok(sink),
            Self::Writing(job) => match job.await {
                Ok(result) => Ok(result?),
                Err(_) => Err(StoreError::Stopping),
            },
        }
    }

    /// Hashes and writes in the background, while more is received.
    async fn write(self, chunks: Vec<Bytes>) -> Result<Self, StoreError> {
        let mut sink = self.done().await?;
        Ok(Self::Writing(tokio::task::spawn_blocking(move || {
            for chunk in chunks {
                sink.digests.update(&chunk);
                sink.blob.write(&chunk)?;
            }
            Ok(sink)
        })))
    }
}

impl Backend {
    /// Receives a body into a file. What is in memory of it does not depend on its length.
    pub(super) async fn receive(
        &self,
        body: Option<StreamingBlob>,
        length: Option<i64>,
        claims: Claims,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<Received> {
        if length.is_some_and(|length| u64::try_from(length).is_ok_and(|length| length > BODY_BYTES_MAX)) {
            return Err(s3_error!(
                EntityTooLarge,
                "Your proposed upload exceeds the maximum allowed size"
            ));
        }
        let blob = self.store.blobs.create().map_err(StoreError::from)?;
        let mut turn = Turn::Idle(Box::new(Sink {
            blob,
            digests: claims.digests(),
        }));
        let (mut chunks, mut gathered, mut total) = (Vec::new(), 0, 0_u64);
        if let Some(mut body) = body {
            while let Some(chunk) = body.next().await {
                let chunk = chunk.map_err(|error: StdError| body_error(&*error))?;
                gathered += chunk.len();
                total += chunk.len() as u64;
                if total > BODY_BYTES_MAX {
                    return Err(s3_error!(
                        EntityTooLarge,
                        "Your proposed upload exceeds the maximum allowed size"
                    ));
                }
                chunks.push(chunk);
                if gathered >= CHUNK_BYTES {
                    turn = turn.write(std::mem::take(&mut chunks)).await?;
                    gathered = 0;
                }
            }
        }
        if length.is_some_and(|length| u64::try_from(length) != Ok(total)) {
            return Err(s3_error!(
                IncompleteBody,
                "The body is not as long as its Content-Length says"
            ));
        }
        let sink = turn.write(chunks).await?.done().await?;
        let trailers = trailers.and_then(|trailers| trailers.take());
        let digest = claims.check(sink.digests, |name| {
            trailers
                .as_ref()?
                .get(name)?
                .to_str()
                .ok()
                .map(|value| value.trim().to_owned())
        })?;
        Ok(Received {
            blob: sink.blob,
            digest,
        })
    }

    pub(crate) async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let announced = announced(&request.headers, request.input.checksum_algorithm.as_ref())?;
        let mut input = request.input;
        let condition = WriteCondition::new(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let headers = object_headers!(input);
        check_metadata(&headers)?;
        let tags = tags_of_header(input.tagging.take())?;
        let claims = Claims::new(input.content_md5.as_deref(), given_checksums!(input), announced)?;
        let (bucket, key) = (input.bucket, input.key);
        check_key(&key)?;
        if let Err(refused) = self.foresee(&bucket, &key, &condition) {
            drain(input.body).await;
            return self.settled(Err(refused)).await;
        }
        let received = self
            .receive(input.body, input.content_length, claims, request.trailing_headers)
            .await?;
        let record = self
            .change(move |store| {
                let size_bytes = received.blob.size_bytes();
                let content = received
                    .blob
                    .keep()
                    .map_err(StoreError::from)?
                    .map_or(Content::Empty, Content::Blob);
                let record = ObjectRecord {
                    size_bytes,
                    etag: received.digest.etag(),
                    modified_ms: now_ms(),
                    content,
                    headers,
                    tags,
                    checksum: received.digest.checksum,
                };
                let committed = store
                    .hold_bucket(&bucket)
                    .and_then(|_bucket| store.commit_object(&bucket, &key, &condition, &record, Batch::default()));
                if let (Err(_), Content::Blob(blob)) = (&committed, content) {
                    store.blobs.release(blob, vec![blob]);
                }
                let replaced = committed?;
                Ok((record, vec![replaced]))
            })
            .await?;
        let mut output = PutObjectOutput {
            e_tag: Some(ETag::Strong(record.etag.clone())),
            ..Default::default()
        };
        set_checksum!(output, &record.checksum);
        output.checksum_type = record
            .checksum
            .map(|_| ChecksumType::from_static(ChecksumType::FULL_OBJECT));
        Ok(S3Response::new(output))
    }

    /// What can be refused before the body is received. What is found here is checked again at the commit.
    fn foresee(&self, bucket: &str, key: &str, condition: &WriteCondition) -> Result<(), StoreError> {
        self.store.require_bucket(bucket)?;
        match condition {
            WriteCondition::None => Ok(()),
            _ => condition.check(self.store.index.get(&keys::object(bucket, key))?.as_ref()),
        }
    }
}

/// The algorithm that a request names without giving a value before the body.
pub(super) fn announced(
    headers: &http::HeaderMap,
    algorithm: Option<&ChecksumAlgorithm>,
) -> S3Result<Option<Algorithm>> {
    let trailer = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok());
    let in_trailer = trailer.and_then(|name| {
        Algorithm::ALL
            .into_iter()
            .find(|each| each.header().eq_ignore_ascii_case(name.trim()))
    });
    match (in_trailer, algorithm) {
        (Some(algorithm), _) => Ok(Some(algorithm)),
        (None, Some(algorithm)) => Algorithm::parse(algorithm.as_str()).map(Some),
        (None, None) => Ok(None),
    }
}

pub(super) fn check_key(key: &str) -> S3Result<()> {
    match key.len() {
        0 => Err(s3_error!(InvalidRequest, "A key has at least one character")),
        1..=1024 => Ok(()),
        _ => Err(s3_error!(KeyTooLongError, "Your key is too long")),
    }
}

pub(super) fn check_metadata(headers: &ObjectHeaders) -> S3Result<()> {
    let size: usize = headers
        .metadata
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > METADATA_BYTES_MAX {
        return Err(s3_error!(
            MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size"
        ));
    }
    Ok(())
}

async fn drain(body: Option<StreamingBlob>) {
    let Some(mut body) = body else { return };
    let mut left = DRAIN_BYTES;
    while let Some(Ok(chunk)) = body.next().await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
    }
}
