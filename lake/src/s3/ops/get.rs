//! GetObject, HeadObject, GetObjectAttributes.

use std::ops::Range as Span;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::Backend;
use crate::s3::blobs::{BlobReader, BlobStream, Pin};
use crate::s3::condition::{ReadCondition, Verdict, timestamp};
use crate::s3::digest::{ChecksumKind, set_checksum};
use crate::s3::error::StoreError;
use crate::s3::records::{Content, ObjectRecord, Segment};
use crate::s3::store::extents;

/// What a reader asked for, found.
struct Found {
    record: ObjectRecord,
    pin: Option<Pin>,
    segments: Vec<Segment>,
    span: Span<u64>,
    /// Whether a part of the bytes was asked for.
    partial: bool,
    parts_count: Option<i32>,
}

/// The description that GetObject and HeadObject share. Their outputs have the same fields, but no trait.
macro_rules! describe {
    ($output:ident, $found:expr, $checksum_mode:expr) => {{
        let found: &Found = $found;
        let (record, headers) = (&found.record, &found.record.headers);
        let whole = !found.partial;
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(found.span.end - found.span.start).ok(),
            content_range: found.partial.then(|| {
                format!(
                    "bytes {}-{}/{}",
                    found.span.start,
                    found.span.end.max(1) - 1,
                    record.size_bytes
                )
            }),
            content_type: Some(
                headers
                    .content_type
                    .clone()
                    .unwrap_or_else(|| "binary/octet-stream".to_owned()),
            ),
            content_encoding: headers.content_encoding.clone(),
            content_language: headers.content_language.clone(),
            content_disposition: headers.content_disposition.clone(),
            cache_control: headers.cache_control.clone(),
            expires: headers.expires_ms.map(timestamp),
            e_tag: Some(ETag::Strong(record.etag.clone())),
            last_modified: Some(timestamp(record.modified_ms)),
            metadata: (!headers.metadata.is_empty()).then(|| headers.metadata.clone().into_iter().collect()),
            parts_count: found.parts_count,
            ..Default::default()
        };
        if whole && $checksum_mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED) {
            set_checksum!(output, &record.checksum);
            output.checksum_type = checksum_type(record);
        }
        output
    }};
}

impl Backend {
    pub(crate) async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        let condition = ReadCondition {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let mut found = self
            .find(input.bucket, input.key, condition, input.range, input.part_number)
            .await?;
        let mut output = describe!(GetObjectOutput, &found, input.checksum_mode);
        let tags = found.record.tags.len();
        output.tag_count = i32::try_from(tags).ok().filter(|tags| *tags > 0);
        let extents = extents(&found.segments, found.span.clone());
        let reader = BlobReader::new(self.store.blobs.clone(), extents, found.pin.take());
        let stream = BlobStream::open(reader).await.map_err(StoreError::from)?;
        output.body = Some(StreamingBlob::new(stream));
        Ok(with_status(output, found.partial))
    }

    pub(crate) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        let condition = ReadCondition {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let found = self
            .find(input.bucket, input.key, condition, input.range, input.part_number)
            .await?;
        Ok(with_status(
            describe!(HeadObjectOutput, &found, input.checksum_mode),
            found.partial,
        ))
    }

    async fn find(
        &self,
        bucket: String,
        key: String,
        condition: ReadCondition,
        range: Option<Range>,
        part_number: Option<i32>,
    ) -> S3Result<Found> {
        if range.is_some() && part_number.is_some() {
            return Err(s3_error!(
                InvalidRequest,
                "Cannot specify both Range header and partNumber query parameter"
            ));
        }
        let found = self
            .blocking(move |store| {
                let (record, pin) = store.pinned_object(&bucket, &key)?;
                let segments = store.segments(&record)?;
                Ok((record, pin, segments))
            })
            .await;
        let (record, pin, segments) = self.settled(found).await?;
        match condition.check(&record) {
            Verdict::Send => {}
            Verdict::NotModified => return Err(not_modified(&record)),
            Verdict::Failed => return Err(StoreError::PreconditionFailed.into()),
        }
        let size = record.size_bytes;
        let (span, parts_count) = match (range, part_number) {
            (Some(_), _) if size == 0 => return Err(unsatisfiable(size)),
            (Some(range), _) => (range.check(size).map_err(|_| unsatisfiable(size))?, None),
            (None, Some(number)) => part_span(&record, &segments, number)?,
            (None, None) => (0..size, None),
        };
        let partial = range.is_some() || (part_number.is_some() && size > 0);
        Ok(Found {
            record,
            pin,
            segments,
            span,
            partial,
            parts_count,
        })
    }

    pub(crate) async fn get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let input = request.input;
        let (bucket, key) = (input.bucket, input.key);
        let found = self
            .blocking(move |store| {
                let record = store.object(&bucket, &key)?;
                let segments = store.segments(&record)?;
                Ok((record, segments))
            })
            .await;
        let (record, segments) = self.settled(found).await?;
        // Some clients send a header for each, others one with all of them.
        let asked = input.object_attributes.iter();
        let asked: Vec<&str> = asked.flat_map(|some| some.as_str().split(',')).map(str::trim).collect();
        let wants = |name: &str| asked.contains(&name);
        let mut output = GetObjectAttributesOutput {
            last_modified: Some(timestamp(record.modified_ms)),
            ..Default::default()
        };
        if wants(ObjectAttributes::ETAG) {
            output.e_tag = Some(ETag::Strong(record.etag.clone()));
        }
        if wants(ObjectAttributes::OBJECT_SIZE) {
            output.object_size = i64::try_from(record.size_bytes).ok();
        }
        if wants(ObjectAttributes::STORAGE_CLASS) {
            output.storage_class = Some(StorageClass::from_static(StorageClass::STANDARD));
        }
        if wants(ObjectAttributes::CHECKSUM) && record.checksum.is_some() {
            let mut checksum = Checksum {
                checksum_type: checksum_type(&record),
                ..Default::default()
            };
            set_checksum!(checksum, &record.checksum);
            output.checksum = Some(checksum);
        }
        if wants(ObjectAttributes::OBJECT_PARTS) && matches!(record.content, Content::Parts(_)) {
            output.object_parts = Some(GetObjectAttributesParts {
                total_parts_count: i32::try_from(segments.len()).ok(),
                ..Default::default()
            });
        }
        Ok(S3Response::new(output))
    }
}

fn with_status<T>(output: T, partial: bool) -> S3Response<T> {
    match partial {
        true => S3Response::with_status(output, StatusCode::PARTIAL_CONTENT),
        false => S3Response::new(output),
    }
}

/// The bytes of one part, and how many parts there are.
fn part_span(record: &ObjectRecord, segments: &[Segment], number: i32) -> S3Result<(Span<u64>, Option<i32>)> {
    let in_parts = matches!(record.content, Content::Parts(_));
    if !in_parts {
        return match number {
            1 => Ok((0..record.size_bytes, None)),
            _ => Err(unsatisfiable(record.size_bytes)),
        };
    }
    let mut start = 0;
    for segment in segments {
        if i32::from(segment.number) == number {
            return Ok((start..start + segment.size_bytes, i32::try_from(segments.len()).ok()));
        }
        start += segment.size_bytes;
    }
    Err(unsatisfiable(record.size_bytes))
}

fn checksum_type(record: &ObjectRecord) -> Option<ChecksumType> {
    record.checksum.as_ref().map(|checksum| {
        ChecksumType::from_static(match checksum.kind {
            ChecksumKind::FullObject => ChecksumType::FULL_OBJECT,
            ChecksumKind::Composite => ChecksumType::COMPOSITE,
        })
    })
}

/// Objects have one version here, which S3 calls `null`.
pub(super) fn check_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("" | "null") => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion, "The specified version does not exist.")),
    }
}

fn not_modified(record: &ObjectRecord) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_status_code(StatusCode::NOT_MODIFIED);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", record.etag)) {
        headers.insert(header::ETAG, value);
    }
    let mut text = Vec::new();
    if timestamp(record.modified_ms)
        .format(TimestampFormat::HttpDate, &mut text)
        .is_ok()
        && let Ok(value) = HeaderValue::from_bytes(&text)
    {
        headers.insert(header::LAST_MODIFIED, value);
    }
    error.set_headers(headers);
    error
}

/// 416, which also says how long the object is.
fn unsatisfiable(size: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        headers.insert(header::CONTENT_RANGE, value);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    error.set_headers(headers);
    error
}
