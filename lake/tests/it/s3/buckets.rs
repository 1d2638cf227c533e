//! Buckets.

use super::{BUCKET, Fixture, refusal};

#[tokio::test]
async fn buckets_are_created_listed_and_deleted() {
    let fixture = Fixture::start().await;
    let client = &fixture.client;
    client.create_bucket().bucket("another.one").send().await.unwrap();
    let again = client.create_bucket().bucket("another.one").send().await;
    assert_eq!(refusal(again), (409, "BucketAlreadyOwnedByYou".into()));
    let invalid = client.create_bucket().bucket("No").send().await;
    assert_eq!(refusal(invalid), (400, "InvalidBucketName".into()));
    let listed = client.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().map(|bucket| bucket.name().unwrap()).collect();
    assert_eq!(names, ["another.one", BUCKET]);
    assert!(listed.buckets()[0].creation_date().unwrap().secs() > 1_700_000_000);
    client.head_bucket().bucket(BUCKET).send().await.unwrap();
    let located = client.get_bucket_location().bucket(BUCKET).send().await.unwrap();
    assert_eq!(located.location_constraint().map_or("", |region| region.as_str()), "");

    fixture.put("k", "v").await;
    let full = client.delete_bucket().bucket(BUCKET).send().await;
    assert_eq!(refusal(full), (409, "BucketNotEmpty".into()));
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    client.delete_bucket().bucket(BUCKET).send().await.unwrap();
    let gone = client.head_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert!(gone.into_service_error().is_not_found());
    let gone = client.delete_bucket().bucket(BUCKET).send().await;
    assert_eq!(refusal(gone), (404, "NoSuchBucket".into()));
}

#[tokio::test]
async fn a_bucket_with_unfinished_uploads_leaves_nothing_behind() {
    let fixture = Fixture::start().await;
    let client = &fixture.client;
    let begun = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    let id = begun.upload_id().unwrap();
    let part = client
        .upload_part()
        .bucket(BUCKET)
        .key("k")
        .upload_id(id)
        .part_number(1)
        .body(vec![1].into());
    part.send().await.unwrap();
    client.delete_bucket().bucket(BUCKET).send().await.unwrap();
    fixture.files_become(0).await;
    client.create_bucket().bucket(BUCKET).send().await.unwrap();
    let uploads = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert!(uploads.uploads().is_empty());
}
