//! CopyObject. The copy names the same bytes (a hard link): it takes no time and no space.
//!
//! The copy of an object of parts keeps its parts and its ETag; Amazon's would get a new ETag.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::get::check_version;
use super::put::{check_key, check_metadata, object_headers};
use super::tagging::tags_of_header;
use super::{Backend, now_ms};
use crate::s3::condition::{WriteCondition, timestamp};
use crate::s3::digest::set_checksum;
use crate::s3::error::StoreError;
use crate::s3::index::{Batch, keys};
use crate::s3::records::{BlobId, Content, ObjectRecord, Segment};
use crate::s3::store::{Released, Store};

/// What `x-amz-copy-source-if-*` says. The inputs have the same fields, but no trait.
macro_rules! source_condition {
    ($input:expr) => {
        $crate::s3::condition::ReadCondition {
            if_match: $input.copy_source_if_match.take(),
            if_none_match: $input.copy_source_if_none_match.take(),
            if_modified_since: $input.copy_source_if_modified_since.take(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.take(),
        }
    };
}
pub(super) use source_condition;

impl Backend {
    pub(crate) async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        // S3 reads these headers; the generated input has no place for them.
        let condition = written(&request.headers)?;
        let mut input = request.input;
        let (from_bucket, from_key) = source(&input.copy_source)?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        check_key(&key)?;
        let replaced = input
            .metadata_directive
            .as_ref()
            .is_some_and(|it| it.as_str() == MetadataDirective::REPLACE);
        if !replaced && (&from_bucket, &from_key) == (&bucket, &key) {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
            ));
        }
        let new_headers = if replaced { Some(object_headers!(input)) } else { None };
        if let Some(headers) = &new_headers {
            check_metadata(headers)?;
        }
        let new_tags = match &input.tagging_directive {
            Some(directive) if directive.as_str() == TaggingDirective::REPLACE => {
                Some(tags_of_header(input.tagging.take())?)
            }
            _ => None,
        };
        let wanted = source_condition!(input);
        let found = self
            .blocking(move |store| store.pinned_object(&from_bucket, &from_key))
            .await;
        let (mut record, pin) = self.settled(found).await?;
        wanted.check_source(&record)?;
        record.headers = new_headers.unwrap_or(record.headers);
        record.tags = new_tags.unwrap_or(record.tags);
        let record = self
            .change(move |store| {
                let copied = copy(store, &bucket, &key, &condition, record);
                drop(pin);
                let (replaced, record) = copied?;
                Ok((record, vec![replaced]))
            })
            .await?;
        let mut result = CopyObjectResult {
            e_tag: Some(ETag::Strong(record.etag.clone())),
            last_modified: Some(timestamp(record.modified_ms)),
            ..Default::default()
        };
        set_checksum!(result, &record.checksum);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            ..Default::default()
        }))
    }
}

/// Puts `record` under the key, with names of its own for the bytes.
fn copy(
    store: &Arc<Store>,
    bucket: &str,
    key: &str,
    condition: &WriteCondition,
    mut record: ObjectRecord,
) -> Result<(Released, ObjectRecord), StoreError> {
    let mut made = Vec::new();
    let committed = (|| {
        let mut batch = Batch::default();
        match record.content {
            Content::Empty => {}
            Content::Blob(blob) => {
                let copy = store.blobs.duplicate(blob)?;
                made.push(copy);
                record.content = Content::Blob(copy);
            }
            Content::Parts(_) => {
                let mut segments: Vec<Segment> = store.segments(&record)?;
                for segment in &mut segments {
                    if let Some(blob) = &mut segment.blob {
                        *blob = store.blobs.duplicate(*blob)?;
                        made.push(*blob);
                    }
                }
                let manifest = BlobId::random();
                batch.put(keys::manifest(manifest), &segments)?;
                record.content = Content::Parts(manifest);
            }
        }
        record.modified_ms = now_ms();
        let _bucket = store.hold_bucket(bucket)?;
        store.commit_object(bucket, key, condition, &record, batch)
    })();
    match committed {
        Ok(released) => Ok((released, record)),
        Err(error) => {
            for blob in made {
                store.blobs.release(blob, vec![blob]);
            }
            Err(error)
        }
    }
}

/// The bucket and the key that `x-amz-copy-source` names.
pub(super) fn source(source: &CopySource) -> S3Result<(String, String)> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => {
            check_version(version_id.as_deref())?;
            Ok((bucket.to_string(), key.to_string()))
        }
        _ => Err(s3_error!(
            NotImplemented,
            "Copying from an access point is not implemented"
        )),
    }
}

/// `If-Match` and `If-None-Match` of a request whose input does not carry them.
fn written(headers: &http::HeaderMap) -> S3Result<WriteCondition> {
    let read = |name: http::HeaderName| -> S3Result<Option<ETagCondition>> {
        let Some(value) = headers.get(&name) else {
            return Ok(None);
        };
        match ETagCondition::parse_http_header(value.as_bytes()) {
            Ok(condition) => Ok(Some(condition)),
            Err(_) => Err(s3_error!(InvalidArgument, "invalid header: {name}")),
        }
    };
    WriteCondition::new(
        read(http::header::IF_MATCH)?.as_ref(),
        read(http::header::IF_NONE_MATCH)?.as_ref(),
    )
}
