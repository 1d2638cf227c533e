//! The tags of an object: `x-amz-tagging`, GetObjectTagging, PutObjectTagging, DeleteObjectTagging.

use std::collections::BTreeMap;

use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use url::form_urlencoded;

use super::Backend;
use super::get::check_version;
use crate::s3::records::Tags;

/// S3's own limits; lengths are in UTF-16 units.
const TAGS_MAX: usize = 10;
const KEY_UNITS_MAX: usize = 128;
const VALUE_UNITS_MAX: usize = 256;

impl Backend {
    pub(crate) async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        let (bucket, key) = (input.bucket, input.key);
        let found = self.blocking(move |store| store.object(&bucket, &key)).await;
        let tags = self.settled(found).await?.tags.into_iter();
        let tag = |(key, value)| Tag {
            key: Some(key),
            value: Some(value),
        };
        Ok(S3Response::new(GetObjectTaggingOutput {
            tag_set: tags.map(tag).collect(),
            version_id: None,
        }))
    }

    pub(crate) async fn put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        let tags = input.tagging.tag_set.into_iter();
        let tags = checked(tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())))?;
        self.set_tags(input.bucket, input.key, tags).await?;
        Ok(S3Response::new(PutObjectTaggingOutput::default()))
    }

    pub(crate) async fn delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        self.set_tags(input.bucket, input.key, Tags::new()).await?;
        let done = DeleteObjectTaggingOutput::default();
        Ok(S3Response::with_status(done, http::StatusCode::NO_CONTENT))
    }

    async fn set_tags(&self, bucket: String, key: String, tags: Tags) -> S3Result<()> {
        self.change(move |store| Ok((store.set_tags(&bucket, &key, tags)?, Vec::new())))
            .await
    }
}

/// Reads `x-amz-tagging`: `key=value&key=value`, as in a query.
pub(super) fn tags_of_header(header: Option<String>) -> S3Result<Tags> {
    let header = header.unwrap_or_default();
    checked(form_urlencoded::parse(header.as_bytes()).into_owned())
}

/// Within S3's limits, and each key once.
fn checked(given: impl Iterator<Item = (String, String)>) -> S3Result<Tags> {
    let mut tags = BTreeMap::new();
    for (key, value) in given {
        if !(1..=KEY_UNITS_MAX).contains(&key.encode_utf16().count()) {
            return Err(s3_error!(InvalidTag, "The TagKey you have provided is invalid"));
        }
        if value.encode_utf16().count() > VALUE_UNITS_MAX {
            return Err(s3_error!(InvalidTag, "The TagValue you have provided is invalid"));
        }
        if tags.insert(key, value).is_some() {
            return Err(s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key"));
        }
    }
    if tags.len() > TAGS_MAX {
        let code = S3ErrorCode::Custom("BadRequest".into());
        let mut error = s3s::S3Error::with_message(code, "Object tags cannot be greater than 10");
        error.set_status_code(http::StatusCode::BAD_REQUEST);
        return Err(error);
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> S3Result<Tags> {
        tags_of_header(Some(header.to_owned()))
    }

    #[test]
    fn a_header_is_read_as_a_query_within_s3s_limits() {
        assert_eq!(tags_of_header(None).unwrap(), Tags::new());
        let tags = of("a=1&b%20c=%C3%A4&d=").unwrap();
        let read: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(read, [("a", "1"), ("b c", "ä"), ("d", "")]);
        let many: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
        for (header, code) in [
            ("a=1&a=2", "InvalidTag"),
            ("=1", "InvalidTag"),
            (&*format!("{}=1", "k".repeat(129)), "InvalidTag"),
            (&*format!("k={}", "v".repeat(257)), "InvalidTag"),
            (&*many.join("&"), "BadRequest"),
        ] {
            assert_eq!(of(header).unwrap_err().code().as_str(), code, "{header}");
        }
    }
}
