//! CompleteMultipartUpload: the parts that the client lists become the object, in one change of the index.

use std::collections::HashSet;
use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::super::{Backend, now_ms};
use super::{UploadName, checksum_type, part_number};
use crate::s3::blobs::BlobReader;
use crate::s3::condition::WriteCondition;
use crate::s3::digest::{
    Algorithm, ChecksumKind, Claims, ObjectChecksum, composite, given_checksums, multipart_etag, one_given,
    set_checksum,
};
use crate::s3::error::StoreError;
use crate::s3::index::{Batch, keys};
use crate::s3::records::{BlobId, CompletedRecord, Content, ObjectRecord, PartRecord, Segment, UploadRecord};
use crate::s3::store::{Released, Store, extents};

/// Every part but the last has at least this many bytes.
const PART_BYTES_MIN: u64 = 5 << 20;

/// A part as the client lists it.
struct Listed {
    number: u16,
    etag: String,
    checksum: Option<(Algorithm, String)>,
}

/// What the client says of the object.
struct Claimed {
    parts: Vec<Listed>,
    checksum: Option<(Algorithm, String)>,
    size_bytes: Option<i64>,
    condition: WriteCondition,
}

impl Backend {
    pub(crate) async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let mut input = request.input;
        let claimed = Claimed {
            condition: WriteCondition::new(input.if_match.as_ref(), input.if_none_match.as_ref())?,
            parts: listed(
                input
                    .multipart_upload
                    .take()
                    .and_then(|upload| upload.parts)
                    .unwrap_or_default(),
            )?,
            checksum: one_given(given_checksums!(input))?,
            size_bytes: input.mpu_object_size,
        };
        let upload = UploadName {
            bucket: input.bucket,
            key: input.key,
            id: input.upload_id,
        };
        let name = upload.clone();
        let record = self.change(move |store| complete(store, &name, &claimed)).await?;
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", upload.bucket, upload.key)),
            bucket: Some(upload.bucket),
            key: Some(upload.key),
            e_tag: Some(ETag::Strong(record.etag.clone())),
            ..Default::default()
        };
        set_checksum!(output, &record.checksum);
        output.checksum_type = record.checksum.map(|checksum| checksum_type(checksum.kind));
        Ok(S3Response::new(output))
    }
}

fn listed(parts: CompletedPartList) -> S3Result<Vec<Listed>> {
    if parts.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    let mut listed: Vec<Listed> = Vec::with_capacity(parts.len());
    for mut part in parts {
        let number = part_number(part.part_number.unwrap_or_default())?;
        if listed.last().is_some_and(|last| last.number >= number) {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. The parts list must be specified in order by part number."
            ));
        }
        let etag = part.e_tag.take().map(ETag::into_value).unwrap_or_default();
        listed.push(Listed {
            number,
            etag,
            checksum: one_given(given_checksums!(part))?,
        });
    }
    Ok(listed)
}

fn complete(store: &Arc<Store>, upload: &UploadName, claimed: &Claimed) -> S3Result<(ObjectRecord, Vec<Released>)> {
    let _bucket = store.hold_bucket(&upload.bucket)?;
    let _upload = store.hold_upload(&upload.id);
    let begun = match upload.find(store) {
        Err(StoreError::NoSuchUpload) => return Ok((completed_before(store, upload, claimed)?, Vec::new())),
        found => found?,
    };
    let parts = chosen(store, upload, &claimed.parts)?;
    let size_bytes = parts.iter().map(|(_, part)| part.size_bytes).sum();
    if claimed
        .size_bytes
        .is_some_and(|claimed| u64::try_from(claimed) != Ok(size_bytes))
    {
        return Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header does not match what was computed"
        ));
    }
    let segments: Vec<Segment> = parts
        .iter()
        .map(|(number, part)| Segment {
            number: *number,
            blob: part.blob,
            size_bytes: part.size_bytes,
        })
        .collect();
    let checksum = checksum(store, &begun, &parts, &segments, size_bytes)?;
    if let (Some((algorithm, value)), Some(computed)) = (&claimed.checksum, &checksum)
        && (*algorithm != computed.algorithm || *value != computed.value)
    {
        let name = algorithm.name();
        return Err(s3_error!(
            BadDigest,
            "The {name} you specified did not match the calculated checksum."
        ));
    }
    let manifest = BlobId::random();
    let record = ObjectRecord {
        size_bytes,
        etag: multipart_etag(parts.iter().map(|(_, part)| part.etag.as_str())),
        modified_ms: now_ms(),
        content: Content::Parts(manifest),
        headers: begun.headers,
        tags: begun.tags,
        checksum,
    };
    let mut batch = Batch::default();
    let used: HashSet<BlobId> = segments.iter().filter_map(|segment| segment.blob).collect();
    let mut unused = store.drop_parts(&upload.id, &mut batch)?;
    unused.retain(|blob| !used.contains(blob));
    batch.remove(upload.index_key());
    let completed = CompletedRecord {
        bucket: upload.bucket.clone(),
        key: upload.key.clone(),
        object: record.clone(),
    };
    batch
        .put(keys::completed(&upload.id), &completed)
        .map_err(StoreError::from)?;
    batch
        .put(keys::manifest(manifest), &segments)
        .map_err(StoreError::from)?;
    let replaced = store.commit_object(&upload.bucket, &upload.key, &claimed.condition, &record, batch)?;
    let mut released = Released::files(unused);
    released.push(replaced);
    Ok((record, released))
}

/// The answer that a client did not get: the same upload was completed with the same parts.
fn completed_before(store: &Store, upload: &UploadName, claimed: &Claimed) -> Result<ObjectRecord, StoreError> {
    let before: Option<CompletedRecord> = store.index.get(&keys::completed(&upload.id))?;
    let etag = multipart_etag(claimed.parts.iter().map(|part| part.etag.as_str()));
    before
        .filter(|before| (&before.bucket, &before.key) == (&upload.bucket, &upload.key) && before.object.etag == etag)
        .map(|before| before.object)
        .ok_or(StoreError::NoSuchUpload)
}

/// The parts that the client lists, each as it was uploaded.
fn chosen(store: &Store, upload: &UploadName, listed: &[Listed]) -> S3Result<Vec<(u16, PartRecord)>> {
    let invalid = || -> S3Error {
        s3_error!(
            InvalidPart,
            "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
        )
    };
    let mut parts = Vec::with_capacity(listed.len());
    for (at, claim) in listed.iter().enumerate() {
        let found: Option<PartRecord> = store
            .index
            .get(&keys::part(&upload.id, claim.number))
            .map_err(StoreError::from)?;
        let part = found.filter(|part| part.etag == claim.etag).ok_or_else(invalid)?;
        if let (Some((algorithm, value)), Some(kept)) = (&claim.checksum, &part.checksum)
            && (*algorithm != kept.algorithm || *value != kept.value)
        {
            return Err(invalid());
        }
        if at + 1 < listed.len() && part.size_bytes < PART_BYTES_MIN {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            ));
        }
        parts.push((claim.number, part));
    }
    Ok(parts)
}

/// The object's checksum: from the parts' where it is composite, else over all of the bytes once more.
fn checksum(
    store: &Arc<Store>,
    begun: &UploadRecord,
    parts: &[(u16, PartRecord)],
    segments: &[Segment],
    size_bytes: u64,
) -> S3Result<Option<ObjectChecksum>> {
    let Some(wanted) = begun.checksum else { return Ok(None) };
    let algorithm = wanted.algorithm;
    if wanted.kind == ChecksumKind::FullObject {
        let claims = Claims::new(None, Checksum::default(), Some(algorithm))?;
        let mut digests = claims.digests();
        let mut reader = BlobReader::new(Arc::clone(&store.blobs), extents(segments, 0..size_bytes), None);
        while let Some(chunk) = reader.next_chunk().map_err(StoreError::from)? {
            digests.update(&chunk);
        }
        return Ok(claims.check(digests, |_| None)?.checksum);
    }
    let values: Vec<&str> = parts
        .iter()
        .filter_map(|(_, part)| part.checksum.as_ref())
        .filter(|checksum| checksum.algorithm == algorithm)
        .map(|checksum| checksum.value.as_str())
        .collect();
    if values.len() < parts.len() {
        let name = algorithm.name();
        return Err(s3_error!(
            InvalidRequest,
            "The upload was created using a {name} checksum. The complete request must include the checksum for each part."
        ));
    }
    let value = composite(algorithm, values.into_iter());
    Ok(Some(ObjectChecksum {
        algorithm,
        kind: ChecksumKind::Composite,
        value,
    }))
}
