//! Conditional reads and writes.

use aws_sdk_s3::primitives::DateTime;
use futures::future::join_all;

use super::{BUCKET, Fixture, refusal};

#[tokio::test]
async fn of_many_who_create_a_key_at_once_exactly_one_wins() {
    let fixture = Fixture::start().await;
    for round in 0..8 {
        let key = format!("claim-{round}");
        let attempts = (0..16).map(|n: usize| {
            // Small and large bodies finish at different moments after the condition was first looked at.
            let body = vec![n as u8; if n.is_multiple_of(2) { 10 } else { 400_000 }];
            let request = fixture
                .client
                .put_object()
                .bucket(BUCKET)
                .key(&key)
                .if_none_match("*")
                .body(body.into());
            async move { request.send().await }
        });
        let results = join_all(attempts).await;
        let winners: Vec<usize> = (0..16).filter(|&n| results[n].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        for result in results.into_iter().filter(Result::is_err) {
            assert_eq!(refusal(result), (412, "PreconditionFailed".into()));
        }
        assert_eq!(usize::from(fixture.get(&key).await[0]), winners[0]);
    }
    fixture.files_become(8).await;
}

#[tokio::test]
async fn of_many_who_replace_the_same_state_exactly_one_wins() {
    let fixture = Fixture::start().await;
    let mut etag = fixture.put("k", "0").await;
    for round in 1..8 {
        let attempts = (0..8).map(|n: usize| {
            let body = format!("{round} {n}").into_bytes().into();
            let request = fixture
                .client
                .put_object()
                .bucket(BUCKET)
                .key("k")
                .if_match(&etag)
                .body(body);
            async move { request.send().await }
        });
        let results = join_all(attempts).await;
        let won: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
        assert_eq!(won.len(), 1);
        etag = won[0].e_tag().unwrap().to_owned();
    }
    let absent = fixture
        .client
        .put_object()
        .bucket(BUCKET)
        .key("absent")
        .if_match(&etag)
        .send()
        .await;
    assert_eq!(refusal(absent), (404, "NoSuchKey".into()));
    let unknown = fixture
        .client
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .if_none_match(&etag)
        .send()
        .await;
    assert_eq!(refusal(unknown), (501, "NotImplemented".into()));
}

#[tokio::test]
async fn deletion_by_etag() {
    let fixture = Fixture::start().await;
    let etag = fixture.put("k", "v").await;
    let other = fixture
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .if_match("\"0\"")
        .send()
        .await;
    assert_eq!(refusal(other), (412, "PreconditionFailed".into()));
    fixture
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .if_match(etag)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn reads() {
    let fixture = Fixture::start().await;
    let etag = fixture.put("k", "v").await;
    let get = || fixture.client.get_object().bucket(BUCKET).key("k");
    let head = || fixture.client.head_object().bucket(BUCKET).key("k");
    let (past, future) = (DateTime::from_secs(1_000_000_000), DateTime::from_secs(4_000_000_000));
    get().if_match(&etag).send().await.unwrap();
    get().if_none_match("\"other\"").send().await.unwrap();
    get().if_modified_since(past).send().await.unwrap();
    get().if_unmodified_since(future).send().await.unwrap();
    assert_eq!(refusal(get().if_none_match(&etag).send().await).0, 304);
    assert_eq!(refusal(get().if_none_match("*").send().await).0, 304);
    assert_eq!(refusal(get().if_modified_since(future).send().await).0, 304);
    assert_eq!(
        refusal(get().if_match("\"other\"").send().await),
        (412, "PreconditionFailed".into())
    );
    assert_eq!(
        refusal(get().if_unmodified_since(past).send().await),
        (412, "PreconditionFailed".into())
    );
    assert_eq!(refusal(head().if_none_match(&etag).send().await).0, 304);
    assert_eq!(refusal(head().if_match("\"other\"").send().await).0, 412);
    let copy = fixture
        .client
        .copy_object()
        .bucket(BUCKET)
        .key("copy")
        .copy_source("bucket/k");
    let refused = copy.copy_source_if_none_match(&etag).send().await;
    assert_eq!(refusal(refused), (412, "PreconditionFailed".into()));
}

#[tokio::test]
async fn an_upload_in_parts_can_be_conditional() {
    let fixture = Fixture::start().await;
    fixture.put("k", "first").await;
    let client = &fixture.client;
    let begun = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    let id = begun.upload_id().unwrap();
    let upload = super::multipart::Upload {
        fixture: &fixture,
        key: "k",
        id,
    };
    let part = upload.part(1, b"second".to_vec()).await;
    let refused = upload.complete(vec![part.clone()]).if_none_match("*").send().await;
    assert_eq!(refusal(refused), (412, "PreconditionFailed".into()));
    assert_eq!(fixture.get("k").await, b"first");
    upload.complete(vec![part]).send().await.unwrap();
    assert_eq!(fixture.get("k").await, b"second");
}
