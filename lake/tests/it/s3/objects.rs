//! Objects: put, get, head, delete, and what is kept with them.

use aws_sdk_s3::primitives::ByteStream;

use super::{BUCKET, Fixture};

#[tokio::test]
async fn what_was_put_is_got_also_after_a_restart() {
    let fixture = Fixture::start().await;
    let put = fixture
        .client
        .put_object()
        .bucket(BUCKET)
        .key("folder/a key")
        .content_type("text/plain")
        .metadata("colour", "blue")
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let fixture = fixture.restart().await;
    let got = fixture
        .client
        .get_object()
        .bucket(BUCKET)
        .key("folder/a key")
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_type(), Some("text/plain"));
    assert_eq!(got.metadata().unwrap()["colour"], "blue");
    assert_eq!(got.e_tag(), put.e_tag());
    assert_eq!(got.body.collect().await.unwrap().into_bytes().as_ref(), b"hello");
    let listed = fixture.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.contents()[0].key(), Some("folder/a key"));
    assert_eq!(listed.contents()[0].size(), Some(5));
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
    fixture.handle.shutdown().await.unwrap();
}
