//! What a sender says of a body is checked before the body is kept.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};

use super::{BUCKET, Fixture, refusal};

#[tokio::test]
async fn a_false_digest_leaves_the_object_as_it_was() {
    let fixture = Fixture::start().await;
    fixture.put("k", "before").await;
    let put = || {
        fixture
            .client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .body(ByteStream::from_static(b"after"))
    };
    let of_nothing = "1B2M2Y8AsgTpgAmY7PhCfg==";
    assert_eq!(
        refusal(put().content_md5(of_nothing).send().await),
        (400, "BadDigest".into())
    );
    assert_eq!(
        refusal(put().content_md5("short").send().await),
        (400, "InvalidDigest".into())
    );
    assert_eq!(
        refusal(put().checksum_crc32("AAAAAA==").send().await),
        (400, "BadDigest".into())
    );
    let sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(
        refusal(put().checksum_sha256(sha256).send().await),
        (400, "BadDigest".into())
    );
    assert_eq!(
        refusal(put().checksum_sha256("AAAA").send().await),
        (400, "InvalidRequest".into())
    );
    assert_eq!(fixture.get("k").await, b"before");
    fixture.files_become(1).await;
}

#[tokio::test]
async fn each_algorithm_is_kept_and_given_back() {
    let fixture = Fixture::start().await;
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        // From a file the SDK sends aws-chunked with the checksum in a trailer; from memory in a header.
        let file = fixture.dir.path().join("body");
        std::fs::write(&file, vec![3; 300_000]).unwrap();
        for body in [
            ByteStream::from(vec![3; 300_000]),
            ByteStream::from_path(&file).await.unwrap(),
        ] {
            let put = fixture
                .client
                .put_object()
                .bucket(BUCKET)
                .key("k")
                .checksum_algorithm(algorithm.clone());
            put.body(body).send().await.unwrap();
            let head = fixture
                .client
                .head_object()
                .bucket(BUCKET)
                .key("k")
                .checksum_mode(ChecksumMode::Enabled);
            let head = head.send().await.unwrap();
            let values = [
                head.checksum_crc32(),
                head.checksum_crc32_c(),
                head.checksum_crc64_nvme(),
                head.checksum_sha1(),
                head.checksum_sha256(),
            ];
            assert_eq!(values.iter().flatten().count(), 1, "{algorithm:?}: {values:?}");
            assert!(fixture.get("k").await == vec![3; 300_000]);
        }
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_nothing() {
    use std::io::{Read as _, Write as _};
    let fixture = Fixture::start().await;
    fixture.put("k", "before").await;
    let presigned = super::signing::presigned_put(&fixture, "k").await;
    let uri: http::Uri = presigned.parse().unwrap();
    let (address, path) = (fixture.handle.address(), uri.path_and_query().unwrap().to_string());
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(
            stream,
            "PUT {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000000\r\n\r\n"
        )
        .unwrap();
        stream.write_all(&[1; 500_000]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    });
    let answer = answer.await.unwrap();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(fixture.get("k").await, b"before");
    fixture.files_become(1).await;
}
