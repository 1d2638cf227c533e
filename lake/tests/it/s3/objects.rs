//! Objects: put, get, head, delete, copy, ranges, and what is kept with them.

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{Delete, MetadataDirective, ObjectIdentifier};

use super::{BUCKET, Fixture, refusal};

#[tokio::test]
async fn what_was_put_is_got_also_after_a_restart() {
    let fixture = Fixture::start().await;
    let put = fixture
        .client
        .put_object()
        .bucket(BUCKET)
        .key("folder/a key")
        .content_type("text/plain")
        .content_encoding("identity")
        .content_language("en")
        .content_disposition("attachment")
        .cache_control("no-cache")
        .expires(DateTime::from_secs(2_000_000_000))
        .metadata("colour", "blue")
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let fixture = fixture.restart().await;
    let head = fixture
        .client
        .head_object()
        .bucket(BUCKET)
        .key("folder/a key")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.content_type(), Some("text/plain"));
    assert_eq!(head.content_encoding(), Some("identity"));
    assert_eq!(head.content_language(), Some("en"));
    assert_eq!(head.content_disposition(), Some("attachment"));
    assert_eq!(head.cache_control(), Some("no-cache"));
    assert_eq!(head.expires_string(), Some("Wed, 18 May 2033 03:33:20 GMT"));
    assert_eq!(head.metadata().unwrap()["colour"], "blue");
    assert_eq!(head.e_tag(), put.e_tag());
    assert_eq!(head.accept_ranges(), Some("bytes"));
    assert_eq!(fixture.get("folder/a key").await, b"hello");
    fixture
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("folder/a key")
        .send()
        .await
        .unwrap();
    let gone = fixture
        .client
        .head_object()
        .bucket(BUCKET)
        .key("folder/a key")
        .send()
        .await
        .unwrap_err();
    assert!(gone.into_service_error().is_not_found());
    fixture.files_become(0).await;
    fixture.handle.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let fixture = Fixture::start().await;
    let client = &fixture.client;
    let missing = client.get_object().bucket(BUCKET).key("k").send().await;
    assert_eq!(refusal(missing), (404, "NoSuchKey".into()));
    let missing = client.get_object().bucket("nowhere").key("k").send().await;
    assert_eq!(refusal(missing), (404, "NoSuchBucket".into()));
    let missing = client
        .put_object()
        .bucket("nowhere")
        .key("k")
        .body(vec![7; 3 << 20].into())
        .send()
        .await;
    assert_eq!(refusal(missing), (404, "NoSuchBucket".into()));
    let missing = client.list_objects_v2().bucket("nowhere").send().await;
    assert_eq!(refusal(missing), (404, "NoSuchBucket".into()));
    // To delete what is not there is no error.
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
}

#[tokio::test]
async fn ranges() {
    let fixture = Fixture::start().await;
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    fixture.put("k", body.clone()).await;
    fixture.put("empty", "").await;
    for (range, span) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        ("bytes=262143-262144", 262_143..262_145),
        ("bytes=999990-", 999_990..1_000_000),
        ("bytes=999990-2000000", 999_990..1_000_000),
        ("bytes=-5", 999_995..1_000_000),
        ("bytes=-2000000", 0..1_000_000),
    ] {
        let got = fixture
            .client
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .range(range)
            .send()
            .await
            .unwrap();
        assert_eq!(
            got.content_range(),
            Some(format!("bytes {}-{}/1000000", span.start, span.end - 1).as_str())
        );
        assert_eq!(got.content_length(), i64::try_from(span.len()).ok());
        assert!(got.body.collect().await.unwrap().to_vec() == body[span], "{range}");
    }
    for (key, range) in [("k", "bytes=1000000-"), ("k", "bytes=-0"), ("empty", "bytes=0-")] {
        let refused = fixture
            .client
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .range(range)
            .send()
            .await;
        assert_eq!(refusal(refused), (416, "InvalidRange".into()), "{key} {range}");
    }
    let head = fixture
        .client
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=1-2")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_length(), Some(2));
    assert!(fixture.get("empty").await.is_empty());
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_is_read_to_its_end() {
    let fixture = Fixture::start().await;
    let body = vec![1; 8 << 20];
    fixture.put("k", body.clone()).await;
    let reading = fixture
        .client
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    fixture.put("k", "new").await;
    fixture
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert!(reading.body.collect().await.unwrap().to_vec() == body);
    fixture.files_become(0).await;
}

#[tokio::test]
async fn a_batch_is_deleted() {
    let fixture = Fixture::start().await;
    for key in ["a", "b", "c"] {
        fixture.put(key, key).await;
    }
    let id = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder()
        .objects(id("a"))
        .objects(id("c"))
        .objects(id("absent"))
        .build()
        .unwrap();
    let deleted = fixture
        .client
        .delete_objects()
        .bucket(BUCKET)
        .delete(delete)
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.deleted().len(), 3);
    assert!(deleted.errors().is_empty());
    let left = fixture.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(
        left.contents()
            .iter()
            .map(|object| object.key().unwrap())
            .collect::<Vec<_>>(),
        ["b"]
    );
    fixture.files_become(1).await;
}

#[tokio::test]
async fn a_copy_lives_on_without_its_source() {
    let fixture = Fixture::start().await;
    let client = &fixture.client;
    client
        .put_object()
        .bucket(BUCKET)
        .key("from ä+b")
        .content_type("text/plain")
        .metadata("colour", "blue")
        .body(ByteStream::from_static(b"bytes"))
        .send()
        .await
        .unwrap();
    let copy = |to: &str| {
        client
            .copy_object()
            .bucket(BUCKET)
            .key(to)
            .copy_source("bucket/from%20%C3%A4%2Bb")
    };
    copy("to").send().await.unwrap();
    copy("other")
        .metadata_directive(MetadataDirective::Replace)
        .metadata("size", "big")
        .send()
        .await
        .unwrap();
    client
        .delete_object()
        .bucket(BUCKET)
        .key("from ä+b")
        .send()
        .await
        .unwrap();
    assert_eq!(fixture.get("to").await, b"bytes");
    let head = client.head_object().bucket(BUCKET).key("to").send().await.unwrap();
    assert_eq!(
        (head.content_type(), head.metadata().unwrap()["colour"].as_str()),
        (Some("text/plain"), "blue")
    );
    let head = client.head_object().bucket(BUCKET).key("other").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["size"], "big");
    assert!(!head.metadata().unwrap().contains_key("colour"));
    let gone = copy("to").send().await;
    assert_eq!(refusal(gone), (404, "NoSuchKey".into()));
    let same = client
        .copy_object()
        .bucket(BUCKET)
        .key("to")
        .copy_source("bucket/to")
        .send()
        .await;
    assert_eq!(refusal(same), (400, "InvalidRequest".into()));
    fixture.files_become(2).await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_half_done() {
    let fixture = Fixture::start().await;
    for n in 0..150_usize {
        let body = vec![1; if n.is_multiple_of(3) { 500_000 } else { 50 }];
        let request = fixture.client.put_object().bucket(BUCKET).key("k").body(body.into());
        let sending = tokio::spawn(request.send());
        // The server runs on this thread too: each turn brings the request a little further.
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        sending.abort();
    }
    fixture.put("k", "last").await;
    assert_eq!(fixture.get("k").await, b"last");
    fixture.files_become(1).await;
}
