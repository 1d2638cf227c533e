//! Keys of any characters.

use proptest::prelude::*;

use super::{BUCKET, Fixture, refusal};

#[tokio::test]
async fn keys_of_1024_bytes_and_no_more() {
    let fixture = Fixture::start().await;
    for longest in ["k".repeat(1024), "ä".repeat(512), "/".repeat(1024), "👍".repeat(256)] {
        fixture.put(&longest, "v").await;
        assert_eq!(fixture.get(&longest).await, b"v");
    }
    let listed = fixture.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.contents().len(), 4);
    let longer = fixture
        .client
        .put_object()
        .bucket(BUCKET)
        .key("k".repeat(1025))
        .send()
        .await;
    assert_eq!(refusal(longer), (400, "KeyTooLongError".into()));
}

#[test]
fn any_text_is_a_key() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fixture = runtime.block_on(Fixture::start());
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // What a client library or HTTP itself makes of a path that is "." or ".." is theirs to say.
    let keys = any::<String>().prop_filter("not a key", |key| {
        (1..=300).contains(&key.len()) && !key.split('/').any(|piece| piece == "." || piece == "..")
    });
    proptest!(config, |(key in keys)| {
        let listed = runtime.block_on(async {
            fixture.put(&key, key.clone()).await;
            prop_assert_eq!(fixture.get(&key).await, key.as_bytes());
            let client = &fixture.client;
            let listed = client
                .list_objects_v2()
                .bucket(BUCKET)
                .encoding_type(aws_sdk_s3::types::EncodingType::Url)
                .send()
                .await
                .unwrap();
            client.delete_object().bucket(BUCKET).key(&key).send().await.unwrap();
            Ok(listed)
        })?;
        let encoded = listed.contents()[0].key().unwrap();
        prop_assert_eq!(listed.contents().len(), 1);
        prop_assert_eq!(decode(encoded), key.as_bytes());
    });
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    decoded
}
