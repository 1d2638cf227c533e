//! ListMultipartUploads.

use std::ops::Bound;
use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};

use super::super::Backend;
use super::super::bucket::owner;
use super::super::list::{Encoding, common_prefixes, delimiter, page_size};
use crate::s3::condition::timestamp;
use crate::s3::error::StoreError;
use crate::s3::index::{keys, successor};
use crate::s3::records::UploadRecord;
use crate::s3::store::{Store, upload_id_at_end};

impl Backend {
    pub(crate) async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let max_uploads = page_size(input.max_uploads, "max-uploads")?;
        let delimiter = delimiter(input.delimiter);
        let query = UploadsQuery {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: delimiter.clone(),
            after: input
                .key_marker
                .clone()
                .filter(|marker| !marker.is_empty())
                .map(|key| (key, input.upload_id_marker.clone().filter(|id| !id.is_empty()))),
            most: usize::try_from(max_uploads).unwrap_or_default(),
        };
        let listed = self.blocking(move |store| list_uploads(store, &query)).await;
        let page = self.settled(listed).await?;
        let (next_key_marker, next_upload_id_marker) = page.next.unzip();
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix.map(|prefix| encoding.write(prefix)),
            delimiter: delimiter.map(|delimiter| encoding.write(delimiter)),
            key_marker: Some(encoding.write(input.key_marker.unwrap_or_default())),
            upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
            encoding_type: input.encoding_type,
            max_uploads: Some(max_uploads),
            is_truncated: Some(next_key_marker.is_some()),
            next_key_marker: next_key_marker.map(|key| encoding.write(key)),
            next_upload_id_marker,
            uploads: Some(
                page.uploads
                    .into_iter()
                    .map(|(key, id, record)| MultipartUpload {
                        key: Some(encoding.write(key)),
                        upload_id: Some(id),
                        initiated: Some(timestamp(record.initiated_ms)),
                        owner: Some(owner()),
                        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
                        ..Default::default()
                    })
                    .collect(),
            ),
            common_prefixes: common_prefixes(page.common_prefixes, encoding),
            ..Default::default()
        }))
    }
}

struct UploadsQuery {
    bucket: String,
    prefix: String,
    delimiter: Option<String>,
    /// A key, and an upload id of that key: both are before the page.
    after: Option<(String, Option<String>)>,
    most: usize,
}

#[derive(Default)]
struct UploadsPage {
    uploads: Vec<(String, String, UploadRecord)>,
    common_prefixes: Vec<String>,
    next: Option<(String, String)>,
}

/// Uploads in progress are few: they are walked from the first key of the prefix.
fn list_uploads(store: &Arc<Store>, query: &UploadsQuery) -> Result<UploadsPage, StoreError> {
    store.require_bucket(&query.bucket)?;
    let mut page = UploadsPage::default();
    let mut last = (String::new(), String::new());
    let space = [keys::uploads(&query.bucket), query.prefix.as_bytes().to_vec()].concat();
    for item in store.index.scan(space, Bound::Unbounded) {
        let (rest, raw) = item?;
        let Some(id) = upload_id_at_end(&rest) else { continue };
        let Ok(tail) = std::str::from_utf8(&rest[..rest.len() - id.len() - 1]) else {
            continue;
        };
        let key = format!("{}{tail}", query.prefix);
        let common = query
            .delimiter
            .as_deref()
            .and_then(|delimiter| tail.find(delimiter).map(|at| at + delimiter.len()))
            .map(|len| format!("{}{}", query.prefix, &tail[..len]));
        let passed = query.after.as_ref().is_some_and(|(marker, id_marker)| match &common {
            Some(common) => {
                successor(common.as_bytes()).is_some_and(|end| marker.as_bytes() < end.as_slice()) && common <= marker
            }
            None => match (key.cmp(marker), id_marker) {
                (std::cmp::Ordering::Less, _) => true,
                (std::cmp::Ordering::Equal, Some(id_marker)) => id <= id_marker.as_str(),
                (std::cmp::Ordering::Equal, None) => true,
                (std::cmp::Ordering::Greater, _) => false,
            },
        });
        if passed || (common.is_some() && common.as_ref() == page.common_prefixes.last()) {
            continue;
        }
        if page.uploads.len() + page.common_prefixes.len() == query.most {
            page.next = (query.most > 0).then_some(last);
            return Ok(page);
        }
        match common {
            Some(common) => {
                last = (common.clone(), String::new());
                page.common_prefixes.push(common);
            }
            None => {
                last = (key.clone(), id.to_owned());
                page.uploads.push((key, id.to_owned(), raw.decode()?));
            }
        }
    }
    Ok(page)
}
