//! Listings, of both versions.

use std::collections::BTreeSet;

use super::{BUCKET, Fixture, refusal};

const KEYS: [&str; 9] = [
    "a",
    "a/1",
    "a/2",
    "b/x/1",
    "b/x/2",
    "b/y",
    "dt=2012-06-01/part 1.parquet",
    "z",
    "ö/ü",
];

async fn filled() -> Fixture {
    let fixture = Fixture::start().await;
    for key in KEYS {
        fixture.put(key, key).await;
    }
    fixture
}

/// All keys and common prefixes, by version 2.
async fn list_v2(fixture: &Fixture, prefix: &str, delimiter: &str, max_keys: i32) -> BTreeSet<String> {
    let request = fixture
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix(prefix)
        .delimiter(delimiter);
    let mut pages = request.max_keys(max_keys).into_paginator().send();
    let mut found = BTreeSet::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.key_count().unwrap() <= max_keys);
        for object in page.contents() {
            assert!(found.insert(object.key().unwrap().to_owned()), "twice: {object:?}");
        }
        for common in page.common_prefixes() {
            assert!(found.insert(common.prefix().unwrap().to_owned()), "twice: {common:?}");
        }
    }
    found
}

/// The same by version 1: by NextMarker where there is one, else by the last key.
async fn list_v1(fixture: &Fixture, prefix: &str, delimiter: &str, max_keys: i32) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut marker = None;
    loop {
        let request = fixture
            .client
            .list_objects()
            .bucket(BUCKET)
            .prefix(prefix)
            .delimiter(delimiter);
        let page = request.max_keys(max_keys).set_marker(marker).send().await.unwrap();
        let keys = page.contents().iter().map(|object| object.key().unwrap().to_owned());
        let prefixes = page
            .common_prefixes()
            .iter()
            .map(|common| common.prefix().unwrap().to_owned());
        for name in keys.chain(prefixes) {
            assert!(found.insert(name.clone()), "twice: {name}");
        }
        if page.is_truncated() != Some(true) {
            return found;
        }
        marker = page
            .next_marker()
            .or(page.contents().last().and_then(|object| object.key()))
            .map(str::to_owned);
    }
}

fn expected(prefix: &str, delimiter: &str) -> BTreeSet<String> {
    let names = KEYS.into_iter().filter_map(|key| {
        let rest = key.strip_prefix(prefix)?;
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => Some(format!("{prefix}{}", &rest[..at + delimiter.len()])),
            None => Some(key.to_owned()),
        }
    });
    names.collect()
}

#[tokio::test]
async fn every_page_size_gives_the_same() {
    let fixture = filled().await;
    for (prefix, delimiter) in [
        ("", ""),
        ("", "/"),
        ("b/", "/"),
        ("b/x", ""),
        ("a", "/"),
        ("", "x/"),
        ("none", "/"),
    ] {
        for max_keys in [1, 2, 3, 1000] {
            let names = expected(prefix, delimiter);
            assert_eq!(
                list_v2(&fixture, prefix, delimiter, max_keys).await,
                names,
                "{prefix} {delimiter} {max_keys}"
            );
            assert_eq!(
                list_v1(&fixture, prefix, delimiter, max_keys).await,
                names,
                "{prefix} {delimiter} {max_keys}"
            );
        }
    }
}

#[tokio::test]
async fn order_start_and_what_is_said_of_each() {
    let fixture = filled().await;
    let listed = fixture
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .fetch_owner(true)
        .send()
        .await
        .unwrap();
    let keys: Vec<_> = listed.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!(keys, KEYS);
    let first = &listed.contents()[0];
    assert_eq!(
        (first.size(), first.e_tag()),
        (Some(1), Some("\"0cc175b9c0f1b6a831c399e269772661\""))
    );
    assert!(first.last_modified().is_some() && first.owner().is_some());
    let after = fixture
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .start_after("b/x/1")
        .send()
        .await
        .unwrap();
    assert_eq!(after.contents()[0].key(), Some("b/x/2"));
    let none = fixture
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .max_keys(0)
        .send()
        .await
        .unwrap();
    assert_eq!((none.key_count(), none.is_truncated()), (Some(0), Some(false)));
}

#[tokio::test]
async fn odd_requests() {
    let fixture = filled().await;
    let client = &fixture.client;
    let refused = client
        .list_objects_v2()
        .bucket(BUCKET)
        .continuation_token("nonsense!")
        .send()
        .await;
    assert_eq!(refusal(refused), (400, "InvalidArgument".into()));
    let refused = client.list_objects_v2().bucket(BUCKET).max_keys(-1).send().await;
    assert_eq!(refusal(refused), (400, "InvalidArgument".into()));
    let page = client
        .list_objects_v2()
        .bucket(BUCKET)
        .max_keys(5000)
        .send()
        .await
        .unwrap();
    assert_eq!(page.max_keys(), Some(1000));
}

#[tokio::test]
async fn a_listing_goes_on_while_keys_come_and_go() {
    let fixture = filled().await;
    let page = fixture
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .max_keys(2)
        .send()
        .await
        .unwrap();
    let token = page.next_continuation_token().unwrap();
    fixture
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("a/1")
        .send()
        .await
        .unwrap();
    fixture.put("a/11", "new").await;
    fixture.put("A", "before").await;
    let rest = fixture
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .continuation_token(token)
        .send()
        .await
        .unwrap();
    let keys: Vec<_> = rest.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!(keys, [&["a/11"], &KEYS[2..]].concat());
}
