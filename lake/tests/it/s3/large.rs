//! Objects that are larger than the memory that may be used for them.

use aws_sdk_s3::primitives::ByteStream;

use super::BUCKET;
use super::process::Process;

#[tokio::test]
async fn memory_stays_flat_while_a_large_object_passes() {
    const LEN: usize = 256 << 20;
    const GROWTH_BYTES_MAX: usize = 32 << 20;
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(dir.path()).await;
    let file = dir.path().join("large");
    std::fs::File::create(&file).unwrap().set_len(LEN as u64).unwrap();
    let client = &process.client;
    client
        .put_object()
        .bucket(BUCKET)
        .key("warm up")
        .body(vec![1; 4 << 20].into())
        .send()
        .await
        .unwrap();
    process.get("warm up").await;
    let before = process.peak_bytes();
    let body = ByteStream::from_path(&file).await.unwrap();
    client
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(body)
        .send()
        .await
        .unwrap();
    let mut got = client.get_object().bucket(BUCKET).key("k").send().await.unwrap().body;
    let mut len = 0;
    while let Some(chunk) = got.try_next().await.unwrap() {
        len += chunk.len();
    }
    assert_eq!(len, LEN);
    let growth = process.peak_bytes() - before;
    assert!(growth < GROWTH_BYTES_MAX, "grew by {} MiB", growth >> 20);
}
