//! Uploads in parts.

use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart};

use super::{BUCKET, Fixture, refusal};

/// An upload that was begun.
pub(crate) struct Upload<'a> {
    pub(crate) fixture: &'a Fixture,
    pub(crate) key: &'a str,
    pub(crate) id: &'a str,
}

impl Upload<'_> {
    pub(crate) async fn part(&self, number: i32, body: Vec<u8>) -> CompletedPart {
        let request = self
            .fixture
            .client
            .upload_part()
            .bucket(BUCKET)
            .key(self.key)
            .upload_id(self.id);
        let sent = request.part_number(number).body(body.into()).send().await.unwrap();
        CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .set_checksum_sha256(sent.checksum_sha256)
            .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
            .build()
    }

    pub(crate) fn complete(&self, parts: Vec<CompletedPart>) -> CompleteMultipartUploadFluentBuilder {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self
            .fixture
            .client
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key(self.key);
        request.upload_id(self.id).multipart_upload(parts)
    }
}

const MIB: usize = 1 << 20;

async fn begin(fixture: &Fixture, key: &str) -> String {
    let begun = fixture
        .client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key(key)
        .content_type("text/x")
        .send();
    begun.await.unwrap().upload_id.unwrap()
}

#[tokio::test]
async fn parts_become_an_object_without_moving() {
    let fixture = Fixture::start().await;
    let id = begin(&fixture, "k").await;
    let upload = Upload {
        fixture: &fixture,
        key: "k",
        id: &id,
    };
    // Out of order, one replaced, one left out at the end.
    let last = upload.part(7, vec![7; 10]).await;
    upload.part(2, b"replaced".to_vec()).await;
    let second = upload.part(2, vec![2; 5 * MIB + 1]).await;
    let first = upload.part(1, vec![1; 5 * MIB]).await;
    upload.part(9, b"not listed".to_vec()).await;
    let missing = fixture.client.head_object().bucket(BUCKET).key("k").send().await;
    assert_eq!(refusal(missing).0, 404);
    let done = upload.complete(vec![first, second, last]).send().await.unwrap();
    let etag = done.e_tag().unwrap();
    assert!(etag.ends_with("-3\""), "{etag}");
    fixture.files_become(3).await;

    let fixture = fixture.restart().await;
    let body: Vec<u8> = [vec![1; 5 * MIB], vec![2; 5 * MIB + 1], vec![7; 10]].concat();
    assert!(fixture.get("k").await == body);
    let get = || fixture.client.get_object().bucket(BUCKET).key("k");
    let got = get()
        .range(format!("bytes={}-{}", 5 * MIB - 2, 5 * MIB + 1))
        .send()
        .await
        .unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), [1, 1, 2, 2]);
    let part = get().part_number(7).send().await.unwrap();
    assert_eq!((part.content_length(), part.parts_count()), (Some(10), Some(3)));
    let head = fixture
        .client
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!((head.content_type(), head.e_tag()), (Some("text/x"), Some(etag)));
    let copy = fixture
        .client
        .copy_object()
        .bucket(BUCKET)
        .key("copy")
        .copy_source("bucket/k");
    copy.send().await.unwrap();
    fixture
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert!(fixture.get("copy").await == body);
    fixture.files_become(3).await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let fixture = Fixture::start().await;
    let id = begin(&fixture, "k").await;
    let upload = Upload {
        fixture: &fixture,
        key: "k",
        id: &id,
    };
    let (small, last) = (upload.part(1, vec![1; 10]).await, upload.part(2, vec![2; 10]).await);
    let refused = upload.complete(vec![small.clone(), last.clone()]).send().await;
    assert_eq!(refusal(refused), (400, "EntityTooSmall".into()));
    let refused = upload.complete(vec![last.clone(), small.clone()]).send().await;
    assert_eq!(refusal(refused), (400, "InvalidPartOrder".into()));
    let wrong = CompletedPart::builder()
        .part_number(1)
        .e_tag("\"0cc175b9c0f1b6a831c399e269772661\"")
        .build();
    let refused = upload.complete(vec![wrong]).send().await;
    assert_eq!(refusal(refused), (400, "InvalidPart".into()));
    let absent = CompletedPart::builder()
        .part_number(3)
        .e_tag(last.e_tag().unwrap())
        .build();
    let refused = upload.complete(vec![absent]).send().await;
    assert_eq!(refusal(refused), (400, "InvalidPart".into()));
    let refused = upload.complete(vec![]).send().await;
    assert_eq!(refusal(refused), (400, "MalformedXML".into()));
    let request = fixture
        .client
        .upload_part()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .part_number(10_001);
    assert_eq!(refusal(request.send().await), (400, "InvalidArgument".into()));
    let other = Upload {
        fixture: &fixture,
        key: "k",
        id: "nothing",
    };
    assert_eq!(
        refusal(other.complete(vec![small.clone()]).send().await),
        (404, "NoSuchUpload".into())
    );
    // After all this the upload is as it was.
    let done = upload.complete(vec![last.clone()]).send().await.unwrap();
    // Who did not get the answer asks again, and gets the same; with other parts it is another question.
    let again = upload.complete(vec![last]).send().await.unwrap();
    assert_eq!(again.e_tag(), done.e_tag());
    assert_eq!(
        refusal(upload.complete(vec![small]).send().await),
        (404, "NoSuchUpload".into())
    );
    fixture.files_become(1).await;
}

#[tokio::test]
async fn uploads_and_parts_are_listed_and_aborted() {
    let fixture = Fixture::start().await;
    let client = &fixture.client;
    let mut ids = Vec::new();
    for key in ["a", "a", "b/1", "b/2", "c"] {
        ids.push((key, begin(&fixture, key).await));
    }
    ids.sort();
    let (mut found, mut marker) = (Vec::new(), (None, None));
    loop {
        let request = client.list_multipart_uploads().bucket(BUCKET).max_uploads(2);
        let page = request
            .set_key_marker(marker.0)
            .set_upload_id_marker(marker.1)
            .send()
            .await
            .unwrap();
        found.extend(
            page.uploads()
                .iter()
                .map(|it| (it.key().unwrap().to_owned(), it.upload_id().unwrap().to_owned())),
        );
        if page.is_truncated() != Some(true) {
            break;
        }
        marker = (page.next_key_marker, page.next_upload_id_marker);
    }
    let all: Vec<_> = ids.iter().map(|(key, id)| ((*key).to_owned(), id.clone())).collect();
    assert_eq!(found, all);
    let grouped = client
        .list_multipart_uploads()
        .bucket(BUCKET)
        .delimiter("/")
        .send()
        .await
        .unwrap();
    assert_eq!((grouped.uploads().len(), grouped.common_prefixes().len()), (3, 1));

    let upload = Upload {
        fixture: &fixture,
        key: "c",
        id: &ids[4].1,
    };
    for number in [3, 1, 2] {
        upload.part(number, vec![0; number as usize]).await;
    }
    let page = client
        .list_parts()
        .bucket(BUCKET)
        .key("c")
        .upload_id(upload.id)
        .max_parts(2)
        .send()
        .await
        .unwrap();
    assert_eq!(page.is_truncated(), Some(true));
    let sizes: Vec<_> = page
        .parts()
        .iter()
        .map(|part| (part.part_number(), part.size()))
        .collect();
    assert_eq!(sizes, [(Some(1), Some(1)), (Some(2), Some(2))]);
    let request = client.list_parts().bucket(BUCKET).key("c").upload_id(upload.id);
    let rest = request
        .part_number_marker(page.next_part_number_marker().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(rest.parts()[0].part_number(), Some(3));
    client
        .abort_multipart_upload()
        .bucket(BUCKET)
        .key("c")
        .upload_id(upload.id)
        .send()
        .await
        .unwrap();
    let gone = client
        .list_parts()
        .bucket(BUCKET)
        .key("c")
        .upload_id(upload.id)
        .send()
        .await;
    assert_eq!(refusal(gone), (404, "NoSuchUpload".into()));
    fixture.files_become(0).await;
}

#[tokio::test]
async fn a_part_is_copied_from_an_object() {
    let fixture = Fixture::start().await;
    fixture.put("from", "0123456789").await;
    let id = begin(&fixture, "k").await;
    let copy = fixture
        .client
        .upload_part_copy()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .part_number(1);
    let copied = copy
        .copy_source("bucket/from")
        .copy_source_range("bytes=2-5")
        .send()
        .await
        .unwrap();
    let etag = copied.copy_part_result().unwrap().e_tag().unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(etag).build();
    Upload {
        fixture: &fixture,
        key: "k",
        id: &id,
    }
    .complete(vec![part])
    .send()
    .await
    .unwrap();
    assert_eq!(fixture.get("k").await, b"2345");
}

#[tokio::test]
async fn checksums_of_parts_make_the_object_s() {
    let fixture = Fixture::start().await;
    for (algorithm, kind, suffix) in [
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite, "-2"),
        (ChecksumAlgorithm::Crc32, ChecksumType::Composite, "-2"),
        (ChecksumAlgorithm::Crc32, ChecksumType::FullObject, ""),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject, ""),
    ] {
        let request = fixture.client.create_multipart_upload().bucket(BUCKET).key("k");
        let begun = request
            .checksum_algorithm(algorithm.clone())
            .checksum_type(kind.clone())
            .send()
            .await
            .unwrap();
        let id = begun.upload_id().unwrap();
        let mut parts = Vec::new();
        for (number, len) in [(1, 5 * MIB), (2, 3)] {
            let part = fixture
                .client
                .upload_part()
                .bucket(BUCKET)
                .key("k")
                .upload_id(id)
                .part_number(number);
            let sent = part
                .checksum_algorithm(algorithm.clone())
                .body(vec![9; len].into())
                .send()
                .await
                .unwrap();
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(sent.e_tag)
                    .set_checksum_crc32(sent.checksum_crc32)
                    .set_checksum_sha256(sent.checksum_sha256)
                    .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
                    .build(),
            );
        }
        let done = Upload {
            fixture: &fixture,
            key: "k",
            id,
        }
        .complete(parts)
        .send()
        .await
        .unwrap();
        let value = done
            .checksum_sha256()
            .or(done.checksum_crc32())
            .or(done.checksum_crc64_nvme())
            .unwrap();
        assert_eq!(value.ends_with("-2"), suffix == "-2", "{algorithm:?} {value}");
        // The whole, put at once, has the same full checksum.
        let request = fixture
            .client
            .put_object()
            .bucket(BUCKET)
            .key("whole")
            .checksum_algorithm(algorithm);
        request.body(vec![9; 5 * MIB + 3].into()).send().await.unwrap();
        let head = |key| {
            fixture
                .client
                .head_object()
                .bucket(BUCKET)
                .key(key)
                .checksum_mode(ChecksumMode::Enabled)
        };
        let (parts, whole) = (head("k").send().await.unwrap(), head("whole").send().await.unwrap());
        assert_eq!(parts.checksum_type(), Some(&kind));
        let pair = (
            parts.checksum_crc32(),
            parts.checksum_crc64_nvme(),
            parts.checksum_sha256(),
        );
        let of_whole = (
            whole.checksum_crc32(),
            whole.checksum_crc64_nvme(),
            whole.checksum_sha256(),
        );
        assert_eq!(pair == of_whole, kind == ChecksumType::FullObject);
        // The client checks what it gets against the checksum, and fails if it differs.
        assert_eq!(fixture.get("k").await.len(), 5 * MIB + 3);
    }
}
