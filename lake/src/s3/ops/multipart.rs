//! Uploads in parts: CreateMultipartUpload, UploadPart, UploadPartCopy, ListParts, AbortMultipartUpload;
//! CompleteMultipartUpload in [`complete`], ListMultipartUploads in [`uploads`].
//!
//! Each part is a file. Completing an upload writes down their order and moves no bytes.

mod complete;
mod uploads;

use std::ops::Bound;
use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::bucket::owner;
use super::copy::{source, source_condition};
use super::list::page_size;
use super::put::{announced, check_key, check_metadata, object_headers};
use super::tagging::tags_of_header;
use super::{Backend, now_ms};
use crate::s3::blobs::{BlobReader, NewBlob};
use crate::s3::condition::timestamp;
use crate::s3::digest::{Algorithm, ChecksumKind, Claims, UploadChecksum, given_checksums, set_checksum};
use crate::s3::error::StoreError;
use crate::s3::index::{Batch, keys};
use crate::s3::records::{BlobId, PartRecord, UploadRecord};
use crate::s3::store::{Released, Store, extents};

/// S3's own limits.
const PARTS_MAX: u16 = 10_000;

/// An upload: where it goes and its id.
#[derive(Clone)]
struct UploadName {
    bucket: String,
    key: String,
    id: String,
}

impl UploadName {
    fn index_key(&self) -> Vec<u8> {
        keys::upload(&self.bucket, &self.key, &self.id)
    }

    fn find(&self, store: &Store) -> Result<UploadRecord, StoreError> {
        store.require_bucket(&self.bucket)?;
        store.index.get(&self.index_key())?.ok_or(StoreError::NoSuchUpload)
    }
}

fn part_number(number: i32) -> S3Result<u16> {
    match u16::try_from(number) {
        Ok(number @ 1..=PARTS_MAX) => Ok(number),
        _ => Err(s3_error!(
            InvalidArgument,
            "Part number must be an integer between 1 and {PARTS_MAX}, inclusive"
        )),
    }
}

/// The checksum that an upload is begun with. S3's defaults: of CRC64NVME the whole object's, else composite.
fn upload_checksum(
    algorithm: Option<&ChecksumAlgorithm>,
    kind: Option<&ChecksumType>,
) -> S3Result<Option<UploadChecksum>> {
    let Some(algorithm) = algorithm else { return Ok(None) };
    let algorithm = Algorithm::parse(algorithm.as_str())?;
    let kind = match kind.map(ChecksumType::as_str) {
        Some(ChecksumType::FULL_OBJECT) => ChecksumKind::FullObject,
        Some(ChecksumType::COMPOSITE) => ChecksumKind::Composite,
        None if algorithm == Algorithm::Crc64nvme => ChecksumKind::FullObject,
        None => ChecksumKind::Composite,
        Some(other) => return Err(s3_error!(InvalidRequest, "Unknown checksum type {other}")),
    };
    let impossible = matches!(
        (algorithm, kind),
        (Algorithm::Crc64nvme, ChecksumKind::Composite)
            | (Algorithm::Sha1 | Algorithm::Sha256, ChecksumKind::FullObject)
    );
    if impossible {
        let name = algorithm.name();
        return Err(s3_error!(
            InvalidRequest,
            "The checksum type is not possible with the {name} checksum algorithm."
        ));
    }
    Ok(Some(UploadChecksum { algorithm, kind }))
}

/// The bytes of a source that become a part. A range that goes beyond its end is refused, other than that of a reader.
fn source_span(range: Range, size: u64) -> S3Result<std::ops::Range<u64>> {
    match range {
        Range::Int {
            first,
            last: Some(last),
        } if first <= last && last < size => Ok(first..last + 1),
        _ => Err(s3_error!(
            InvalidArgument,
            "Range specified is not valid for source object of size: {size}"
        )),
    }
}

impl Backend {
    pub(crate) async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut input = request.input;
        check_key(&input.key)?;
        let headers = object_headers!(input);
        check_metadata(&headers)?;
        let tags = tags_of_header(input.tagging.take())?;
        let checksum = upload_checksum(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
        let record = UploadRecord {
            initiated_ms: now_ms(),
            headers,
            tags,
            checksum,
        };
        let upload = UploadName {
            bucket: input.bucket,
            key: input.key,
            id: BlobId::random().to_string(),
        };
        let name = upload.clone();
        self.change(move |store| {
            begin(store, &name, &record)?;
            Ok(((), Vec::new()))
        })
        .await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(upload.bucket),
            key: Some(upload.key),
            upload_id: Some(upload.id),
            checksum_algorithm: checksum.map(|checksum| ChecksumAlgorithm::from_static(checksum.algorithm.name())),
            checksum_type: checksum.map(|checksum| checksum_type(checksum.kind)),
            ..Default::default()
        }))
    }

    pub(crate) async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let announced = announced(&request.headers, request.input.checksum_algorithm.as_ref())?;
        let mut input = request.input;
        let number = part_number(input.part_number)?;
        let upload = UploadName {
            bucket: input.bucket,
            key: input.key,
            id: input.upload_id,
        };
        let begun = self.settled(upload.find(&self.store)).await?;
        let expected = begun.checksum.map(|checksum| checksum.algorithm);
        let claims = Claims::new(
            input.content_md5.as_deref(),
            given_checksums!(input),
            announced.or(expected),
        )?;
        let received = self
            .receive(input.body, input.content_length, claims, request.trailing_headers)
            .await?;
        let part = PartRecord {
            size_bytes: received.blob.size_bytes(),
            etag: received.digest.etag(),
            modified_ms: now_ms(),
            blob: None,
            checksum: received.digest.checksum,
        };
        let part = self.keep_part(upload, number, received.blob, part).await?;
        let mut output = UploadPartOutput {
            e_tag: Some(ETag::Strong(part.etag.clone())),
            ..Default::default()
        };
        set_checksum!(output, &part.checksum);
        Ok(S3Response::new(output))
    }

    pub(crate) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let mut input = request.input;
        let number = part_number(input.part_number)?;
        let (from_bucket, from_key) = source(&input.copy_source)?;
        let upload = UploadName {
            bucket: input.bucket,
            key: input.key,
            id: input.upload_id,
        };
        let begun = self.settled(upload.find(&self.store)).await?;
        let range = match input.copy_source_range.take() {
            Some(text) => Some(Range::parse(&text).map_err(|_| {
                s3_error!(
                    InvalidArgument,
                    "The x-amz-copy-source-range value must be of the form bytes=first-last"
                )
            })?),
            None => None,
        };
        let wanted = source_condition!(input);
        let found = self
            .blocking(move |store| {
                let (record, pin) = store.pinned_object(&from_bucket, &from_key)?;
                let segments = store.segments(&record)?;
                Ok((record, pin, segments))
            })
            .await;
        let (record, pin, segments) = self.settled(found).await?;
        wanted.check_source(&record)?;
        let span = match range {
            Some(range) => source_span(range, record.size_bytes)?,
            None => 0..record.size_bytes,
        };
        let claims = Claims::new(
            None,
            Checksum::default(),
            begun.checksum.map(|checksum| checksum.algorithm),
        )?;
        let copied = self
            .blocking(move |store| {
                let mut reader = BlobReader::new(store.blobs.clone(), extents(&segments, span), pin);
                let (mut blob, mut digests) = (store.blobs.create()?, claims.digests());
                while let Some(chunk) = reader.next_chunk()? {
                    digests.update(&chunk);
                    blob.write(&chunk)?;
                }
                Ok((blob, claims.check(digests, |_| None)))
            })
            .await;
        let (blob, digest) = copied?;
        let digest = digest?;
        let part = PartRecord {
            size_bytes: blob.size_bytes(),
            etag: digest.etag(),
            modified_ms: now_ms(),
            blob: None,
            checksum: digest.checksum,
        };
        let part = self.keep_part(upload, number, blob, part).await?;
        let mut result = CopyPartResult {
            e_tag: Some(ETag::Strong(part.etag.clone())),
            last_modified: Some(timestamp(part.modified_ms)),
            ..Default::default()
        };
        set_checksum!(result, &part.checksum);
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..Default::default()
        }))
    }

    /// Makes a received body a part of its upload, in place of one of the same number.
    async fn keep_part(
        &self,
        upload: UploadName,
        number: u16,
        blob: NewBlob,
        mut part: PartRecord,
    ) -> S3Result<PartRecord> {
        self.change(move |store| {
            part.blob = blob.keep().map_err(StoreError::from)?;
            let kept = put_part(store, &upload, number, &part);
            if let (Err(_), Some(blob)) = (&kept, part.blob) {
                store.blobs.release(blob, vec![blob]);
            }
            let replaced = kept?;
            Ok((part, Released::files(replaced.into_iter().collect())))
        })
        .await
    }

    pub(crate) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        let upload = UploadName {
            bucket: input.bucket,
            key: input.key,
            id: input.upload_id,
        };
        self.change(move |store| {
            let files = abort(store, &upload)?;
            Ok(((), Released::files(files)))
        })
        .await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub(crate) async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let max_parts = page_size(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or_default().max(0);
        let upload = UploadName {
            bucket: input.bucket,
            key: input.key,
            id: input.upload_id,
        };
        let name = upload.clone();
        let listed = self
            .blocking(move |store| {
                let record = name.find(store)?;
                let after = u16::try_from(marker).unwrap_or(u16::MAX).to_be_bytes().to_vec();
                let most = usize::try_from(max_parts).unwrap_or_default();
                let mut parts = Vec::new();
                for item in store
                    .index
                    .scan(keys::parts(&name.id), Bound::Excluded(after))
                    .take(most + 1)
                {
                    let (number, raw) = item?;
                    parts.push((number_of(&number), raw.decode::<PartRecord>()?));
                }
                let more = parts.len() > most;
                parts.truncate(most);
                Ok((record, parts, more))
            })
            .await;
        let (record, parts, more) = self.settled(listed).await?;
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(upload.bucket),
            key: Some(upload.key),
            upload_id: Some(upload.id),
            part_number_marker: Some(marker),
            next_part_number_marker: parts.last().map(|(number, _)| i32::from(*number)),
            max_parts: Some(max_parts),
            is_truncated: Some(more),
            parts: Some(
                parts
                    .into_iter()
                    .map(|(number, part)| described(number, part))
                    .collect(),
            ),
            owner: Some(owner()),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            checksum_algorithm: record
                .checksum
                .map(|checksum| ChecksumAlgorithm::from_static(checksum.algorithm.name())),
            checksum_type: record.checksum.map(|checksum| checksum_type(checksum.kind)),
            ..Default::default()
        }))
    }
}

fn begin(store: &Store, upload: &UploadName, record: &UploadRecord) -> Result<(), StoreError> {
    let _bucket = store.hold_bucket(&upload.bucket)?;
    let mut batch = Batch::default();
    batch.put(upload.index_key(), record)?;
    Ok(store.index.apply(batch)?)
}

/// Gives the files of the parts.
fn abort(store: &Store, upload: &UploadName) -> Result<Vec<BlobId>, StoreError> {
    let _bucket = store.hold_bucket(&upload.bucket)?;
    let _upload = store.hold_upload(&upload.id);
    upload.find(store)?;
    let mut batch = Batch::default();
    let files = store.drop_parts(&upload.id, &mut batch)?;
    batch.remove(upload.index_key());
    store.index.apply(batch)?;
    Ok(files)
}

/// Gives the file of the part that was replaced.
fn put_part(
    store: &Arc<Store>,
    upload: &UploadName,
    number: u16,
    part: &PartRecord,
) -> Result<Option<BlobId>, StoreError> {
    let _bucket = store.hold_bucket(&upload.bucket)?;
    let _upload = store.hold_upload(&upload.id);
    upload.find(store)?;
    let name = keys::part(&upload.id, number);
    let replaced: Option<PartRecord> = store.index.get(&name)?;
    let mut batch = Batch::default();
    batch.put(name, part)?;
    store.index.apply(batch)?;
    Ok(replaced.and_then(|part| part.blob))
}

fn number_of(key: &[u8]) -> u16 {
    key.try_into().map_or(0, u16::from_be_bytes)
}

fn checksum_type(kind: ChecksumKind) -> ChecksumType {
    ChecksumType::from_static(match kind {
        ChecksumKind::FullObject => ChecksumType::FULL_OBJECT,
        ChecksumKind::Composite => ChecksumType::COMPOSITE,
    })
}

fn described(number: u16, part: PartRecord) -> Part {
    let mut output = Part {
        part_number: Some(i32::from(number)),
        e_tag: Some(ETag::Strong(part.etag)),
        size: i64::try_from(part.size_bytes).ok(),
        last_modified: Some(timestamp(part.modified_ms)),
        ..Default::default()
    };
    set_checksum!(output, &part.checksum);
    output
}
