//! What the crawler asks of the store: listings, and beginnings or ends of objects.

use anyhow::Context;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use bytes::Bytes;
use tickertape_client::UsageError;
use tickertape_client::s3::S3Url;

/// An object as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) bytes: u64,
    pub(super) etag: String,
}

/// All objects under a prefix, by key.
pub(super) async fn list(client: &Client, lake: &S3Url) -> anyhow::Result<Vec<Object>> {
    let prefix = match lake.prefix.as_str() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let mut pages = client
        .list_objects_v2()
        .bucket(&lake.bucket)
        .prefix(prefix)
        .into_paginator()
        .send();
    let mut objects = Vec::new();
    while let Some(page) = pages.next().await {
        let page = match page {
            Err(error) if error.code() == Some("NoSuchBucket") => {
                return Err(UsageError::new(format!("no such bucket \"{}\"", lake.bucket)).into());
            }
            page => page.with_context(|| format!("listing {lake}"))?,
        };
        objects.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            Some(Object {
                key: object.key?,
                bytes: object.size.unwrap_or(0).max(0) as u64,
                etag: object.e_tag.unwrap_or_default(),
            })
        }));
    }
    Ok(objects)
}

/// Whether an object is there.
pub(super) async fn is_there(client: &Client, bucket: &str, key: &str) -> anyhow::Result<bool> {
    match client.head_object().bucket(bucket).key(key).send().await {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .raw_response()
                .is_some_and(|answer| answer.status().as_u16() == 404) =>
        {
            Ok(false)
        }
        Err(error) => Err(error).with_context(|| format!("looking for s3://{bucket}/{key}")),
    }
}

/// Bytes `from..to` of an object.
pub(super) async fn range(client: &Client, bucket: &str, key: &str, from: u64, to: u64) -> anyhow::Result<Bytes> {
    let answer = client
        .get_object()
        .bucket(bucket)
        .key(key)
        .range(format!("bytes={from}-{}", to.saturating_sub(1)))
        .send()
        .await
        .with_context(|| format!("reading s3://{bucket}/{key}"))?;
    let body = answer.body.collect().await;
    Ok(body
        .with_context(|| format!("reading s3://{bucket}/{key}"))?
        .into_bytes())
}
