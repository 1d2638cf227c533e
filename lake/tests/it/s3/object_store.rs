//! The suite that `object_store` holds every implementation to, with its own client of S3.

use std::time::Duration;

use http::Method;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3CopyIfNotExists};
use object_store::integration::{
    copy_if_not_exists, copy_rename_nonexistent_object, get_nonexistent_object, get_opts, list_paginated,
    list_uses_directories_correctly, list_with_delimiter, list_with_offset_exclusivity, multipart,
    multipart_out_of_order, multipart_race_condition, put_get_attributes, put_get_delete_list, put_opts,
    rename_and_copy, stream_get,
};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{Error, ObjectStoreExt as _, PutPayload};

use super::{BUCKET, Fixture};

fn builder(fixture: &Fixture, bucket: &str) -> AmazonS3Builder {
    AmazonS3Builder::new()
        .with_endpoint(fixture.handle.endpoint_url())
        .with_allow_http(true)
        .with_region("eu-central-1")
        .with_bucket_name(bucket)
        .with_access_key_id(fixture.handle.access_key_id())
        .with_secret_access_key(fixture.handle.secret_access_key())
        // It tags objects in the suite where it can; tags are refused here.
        .with_disable_tagging(true)
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
}

fn store(fixture: &Fixture) -> AmazonS3 {
    builder(fixture, BUCKET).build().unwrap()
}

#[tokio::test]
async fn objects_and_listings() {
    let fixture = Fixture::start().await;
    let store = store(&fixture);
    put_get_delete_list(&store).await;
    list_with_offset_exclusivity(&store).await;
    list_uses_directories_correctly(&store).await;
    list_with_delimiter(&store).await;
    list_paginated(&store, &store).await;
}

#[tokio::test]
async fn reads_and_attributes() {
    let fixture = Fixture::start().await;
    let store = store(&fixture);
    // This one wants an empty bucket.
    stream_get(&store).await;
    get_opts(&store).await;
    put_get_attributes(&store).await;
}

#[tokio::test]
async fn copies() {
    let fixture = Fixture::start().await;
    let store = store(&fixture);
    rename_and_copy(&store).await;
    copy_if_not_exists(&store).await;
    copy_rename_nonexistent_object(&store).await;
}

#[tokio::test]
async fn conditional_puts() {
    let fixture = Fixture::start().await;
    put_opts(&store(&fixture), true).await;
}

#[tokio::test]
async fn uploads_in_parts() {
    let fixture = Fixture::start().await;
    let store = store(&fixture);
    multipart(&store, &store).await;
    multipart_race_condition(&store, true).await;
    multipart_out_of_order(&store).await;
}

#[tokio::test]
async fn every_way_to_sign_and_to_sum() {
    let fixture = Fixture::start().await;
    let with = |builder: AmazonS3Builder| builder.build().unwrap();
    put_get_delete_list(&with(builder(&fixture, BUCKET).with_unsigned_payload(true))).await;
    put_get_delete_list(&with(
        builder(&fixture, BUCKET).with_checksum_algorithm(Checksum::SHA256),
    ))
    .await;
    let store = store(&fixture);
    let path = Path::from("signed/a b");
    store.put(&path, PutPayload::from_static(b"by url")).await.unwrap();
    let url = store
        .signed_url(Method::GET, &path, Duration::from_secs(60))
        .await
        .unwrap();
    let (status, body) = super::signing::ask("GET", url.as_str(), "").await;
    assert_eq!((status, body.as_str()), (200, "by url"));
}

#[tokio::test]
async fn what_is_not_there() {
    let fixture = Fixture::start().await;
    let (here, nowhere) = (store(&fixture), builder(&fixture, "nowhere").build().unwrap());
    let path = Path::from("not/there");
    let error = get_nonexistent_object(&here, Some(path.clone())).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    // A deletion of nothing is no error, as on Amazon S3; one in no bucket is.
    here.delete(&path).await.unwrap();
    assert!(matches!(nowhere.get(&path).await, Err(Error::NotFound { .. })));
    let put = nowhere.put(&path, PutPayload::from_static(b"x")).await;
    assert!(matches!(put, Err(Error::NotFound { .. })));
    assert!(matches!(nowhere.delete(&path).await, Err(Error::NotFound { .. })));
}
