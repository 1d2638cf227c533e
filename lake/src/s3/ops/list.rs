//! ListObjects (version 1) and ListObjectsV2.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::Backend;
use super::bucket::owner;
use crate::s3::condition::timestamp;
use crate::s3::index::keys;
use crate::s3::listing::{Page, PageQuery, Position, page, url_encode};
use crate::s3::records::ObjectRecord;

/// The most that S3 gives in a page.
const PAGE_ENTRIES_MAX: i32 = 1000;

/// How keys are written in an answer.
#[derive(Clone, Copy)]
pub(super) struct Encoding(bool);

impl Encoding {
    pub(super) fn new(asked: Option<&EncodingType>) -> S3Result<Self> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self(false)),
            Some(EncodingType::URL) => Ok(Self(true)),
            Some(_) => Err(s3_error!(
                InvalidArgument,
                "Invalid Encoding Method specified in Request"
            )),
        }
    }

    pub(super) fn write(self, text: String) -> String {
        if self.0 { url_encode(&text) } else { text }
    }
}

/// The size of a page that was asked for.
pub(super) fn page_size(asked: Option<i32>, name: &str) -> S3Result<i32> {
    match asked {
        None => Ok(PAGE_ENTRIES_MAX),
        Some(entries) if entries >= 0 => Ok(entries.min(PAGE_ENTRIES_MAX)),
        Some(_) => Err(s3_error!(
            InvalidArgument,
            "Argument {name} must be an integer between 0 and 2147483647"
        )),
    }
}

/// An empty delimiter is none.
pub(super) fn delimiter(asked: Option<String>) -> Option<String> {
    asked.filter(|delimiter| !delimiter.is_empty())
}

pub(super) fn common_prefixes(prefixes: Vec<String>, encoding: Encoding) -> Option<CommonPrefixList> {
    let list: CommonPrefixList = prefixes
        .into_iter()
        .map(|prefix| CommonPrefix {
            prefix: Some(encoding.write(prefix)),
        })
        .collect();
    (!list.is_empty()).then_some(list)
}

type Listed = (Vec<(String, ObjectRecord)>, Vec<String>, Option<Position>);

impl Backend {
    async fn list(&self, bucket: String, query: PageQuery) -> S3Result<Listed> {
        let listed = self
            .blocking(move |store| {
                store.require_bucket(&bucket)?;
                let Page {
                    entries,
                    common_prefixes,
                    next,
                } = page(&store.index, &query)?;
                let mut objects = Vec::with_capacity(entries.len());
                for (key, raw) in entries {
                    objects.push((key, raw.decode()?));
                }
                Ok((objects, common_prefixes, next))
            })
            .await;
        self.settled(listed).await
    }

    pub(crate) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys, "max-keys")?;
        let from = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => Position::parse(token)
                .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))?,
            (None, Some(key)) => Position::AfterKey(key.clone()),
            (None, None) => Position::Start,
        };
        let delimiter = delimiter(input.delimiter);
        let query = PageQuery {
            space: keys::objects(&input.bucket),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: delimiter.clone(),
            from,
            max_entries: usize::try_from(max_keys).unwrap_or_default(),
        };
        let (objects, prefixes, next) = self.list(input.bucket.clone(), query).await?;
        let with_owner = input.fetch_owner.unwrap_or_default();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encoding.write(input.prefix.unwrap_or_default())),
            delimiter: delimiter.map(|delimiter| encoding.write(delimiter)),
            start_after: input.start_after.map(|key| encoding.write(key)),
            continuation_token: input.continuation_token,
            encoding_type: input.encoding_type,
            max_keys: Some(max_keys),
            key_count: i32::try_from(objects.len() + prefixes.len()).ok(),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next.and_then(|next| next.token()),
            contents: contents(objects, encoding, with_owner),
            common_prefixes: common_prefixes(prefixes, encoding),
            ..Default::default()
        }))
    }

    pub(crate) async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys, "max-keys")?;
        let delimiter = delimiter(input.delimiter);
        let prefix = input.prefix.clone().unwrap_or_default();
        let from = match &input.marker {
            Some(marker) if !marker.is_empty() => Position::from_marker(marker, &prefix, delimiter.as_deref()),
            _ => Position::Start,
        };
        let query = PageQuery {
            space: keys::objects(&input.bucket),
            prefix: prefix.clone(),
            delimiter: delimiter.clone(),
            from,
            max_entries: usize::try_from(max_keys).unwrap_or_default(),
        };
        let (objects, prefixes, next) = self.list(input.bucket.clone(), query).await?;
        let next_marker = match next.clone() {
            // Without a delimiter S3 gives none: the last key of the page serves.
            Some(Position::AfterKey(last) | Position::AfterPrefix(last)) if delimiter.is_some() => {
                Some(encoding.write(last))
            }
            _ => None,
        };
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.write(prefix)),
            marker: Some(encoding.write(input.marker.unwrap_or_default())),
            delimiter: delimiter.map(|delimiter| encoding.write(delimiter)),
            encoding_type: input.encoding_type,
            max_keys: Some(max_keys),
            is_truncated: Some(next.is_some()),
            next_marker,
            contents: contents(objects, encoding, true),
            common_prefixes: common_prefixes(prefixes, encoding),
            ..Default::default()
        }))
    }
}

fn contents(objects: Vec<(String, ObjectRecord)>, encoding: Encoding, with_owner: bool) -> Option<ObjectList> {
    let list: ObjectList = objects
        .into_iter()
        .map(|(key, record)| Object {
            key: Some(encoding.write(key)),
            e_tag: Some(ETag::Strong(record.etag)),
            last_modified: Some(timestamp(record.modified_ms)),
            size: i64::try_from(record.size_bytes).ok(),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            checksum_algorithm: record
                .checksum
                .map(|checksum| vec![ChecksumAlgorithm::from_static(checksum.algorithm.name())]),
            owner: with_owner.then(owner),
            ..Default::default()
        })
        .collect();
    (!list.is_empty()).then_some(list)
}
