//! `kill -9` of the server, as a process of its own, at any point.
//!
//! The fault model: the process ends between any two instructions; what it gave to the operating system stays.
//! Promised: every acknowledged write is there, every other is whole or absent, of conditional writes the
//! winner that was told stays the winner, and no file is left that nothing names.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;

use super::process::Process;
use super::{BUCKET, refusal};

/// What a writer of one key knows when its server dies.
#[derive(Debug)]
pub(super) struct Known {
    /// Acknowledged, or `None` when it was acknowledged that there is nothing.
    pub(super) acknowledged: Option<Vec<u8>>,
    /// Sent, not answered: `Some(None)` is a deletion.
    pub(super) in_doubt: Option<Option<Vec<u8>>>,
}

impl Known {
    /// Whether this may be there.
    pub(super) fn allows(&self, found: &Option<Vec<u8>>) -> bool {
        *found == self.acknowledged || self.in_doubt.as_ref() == Some(found)
    }
}

/// Writes and deletes one key, which has the bytes `before`, until the server is gone.
pub(super) async fn write_until_it_dies(
    client: Client,
    key: String,
    before: Option<Vec<u8>>,
    seed: u64,
) -> (String, Known) {
    let mut known = Known {
        acknowledged: before,
        in_doubt: None,
    };
    for n in seed.. {
        let wanted = (!n.is_multiple_of(5)).then(|| body(n));
        known.in_doubt = Some(wanted.clone());
        let done = match &wanted {
            Some(body) => put(&client, &key, body.clone(), n).await,
            None => client.delete_object().bucket(BUCKET).key(&key).send().await.is_ok(),
        };
        if !done {
            break;
        }
        known = Known {
            acknowledged: wanted,
            in_doubt: None,
        };
    }
    (key, known)
}

/// Bodies differ in length, and each is known by its first bytes.
pub(super) fn body(n: u64) -> Vec<u8> {
    let len = [0, 10, 3_000, 300_000, 700_000][usize::try_from(n % 5).unwrap()];
    n.to_be_bytes().into_iter().cycle().take(len + 8).collect()
}

/// In one piece, or (every third) as an upload in parts.
async fn put(client: &Client, key: &str, body: Vec<u8>, n: u64) -> bool {
    if !n.is_multiple_of(3) {
        return client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(body.into())
            .send()
            .await
            .is_ok();
    }
    use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
    let Ok(begun) = client.create_multipart_upload().bucket(BUCKET).key(key).send().await else {
        return false;
    };
    let id = begun.upload_id().unwrap();
    let part = client
        .upload_part()
        .bucket(BUCKET)
        .key(key)
        .upload_id(id)
        .part_number(1)
        .body(body.into());
    let Ok(part) = part.send().await else { return false };
    let part = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key(key)
        .upload_id(id)
        .multipart_upload(parts);
    complete.send().await.is_ok()
}

#[tokio::test]
async fn a_killed_server_keeps_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut held: BTreeMap<String, Option<Vec<u8>>> = BTreeMap::new();
    for round in 0..6_u64 {
        let process = Process::start(dir.path()).await;
        for (key, value) in &held {
            assert!(
                process.get(key).await == *value,
                "round {round}: {key} is not as it was"
            );
        }
        let writers: Vec<_> = (0..4)
            .map(|n| {
                let key = format!("key {n}");
                let before = held.get(&key).cloned().flatten();
                tokio::spawn(write_until_it_dies(
                    process.client.clone(),
                    key,
                    before,
                    round * 1000 + n * 7 + 1,
                ))
            })
            .collect();
        // As many requests as differ from round to round, then the end, wherever the writers are.
        for n in 0..=round * 3 {
            process
                .client
                .put_object()
                .bucket(BUCKET)
                .key("pace")
                .body(body(n).into())
                .send()
                .await
                .unwrap();
        }
        process.kill();
        let process = Process::start(dir.path()).await;
        for writer in writers {
            let (key, known) = writer.await.unwrap();
            let found = process.get(&key).await;
            assert!(
                known.allows(&found),
                "round {round}: {key} has {:?} bytes",
                found.as_ref().map(Vec::len)
            );
            held.insert(key, found);
        }
        held.insert("pace".into(), Some(body(round * 3)));
        process.kill();
    }
    no_orphans(dir.path()).await;
}

/// After a start, files and names are one to one.
async fn no_orphans(dir: &Path) {
    let process = Process::start(dir).await;
    let uploads = process
        .client
        .list_multipart_uploads()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    for upload in uploads.uploads() {
        let (key, id) = (upload.key().unwrap(), upload.upload_id().unwrap());
        process
            .client
            .abort_multipart_upload()
            .bucket(BUCKET)
            .key(key)
            .upload_id(id)
            .send()
            .await
            .unwrap();
    }
    process.kill();
    let process = Process::start(dir).await;
    let listed = process.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let with_bytes = listed
        .contents()
        .iter()
        .filter(|object| object.size() > Some(0))
        .count();
    let files = || -> usize {
        let folders = std::fs::read_dir(dir.join("blobs")).unwrap();
        folders
            .map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count())
            .sum()
    };
    // They are looked for beside requests.
    let deadline = Instant::now() + Duration::from_secs(60);
    while files() > with_bytes && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    assert_eq!(files(), with_bytes);
    assert_eq!(std::fs::read_dir(dir.join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_claim_that_was_won_or_lost_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = Process::start(dir.path()).await;
    for round in 0..5 {
        let key = format!("claim {round}");
        let attempts: Vec<_> = (0..6_u8)
            .map(|n| {
                let request = process.client.put_object().bucket(BUCKET).key(&key).if_none_match("*");
                let sent = request.body(vec![n; 1000].into()).send();
                tokio::spawn(async move { (usize::from(n), sent.await) })
            })
            .collect();
        let mut winner = None;
        let mut lost = false;
        // The first answer ends the server: the others are cut off wherever they are.
        let (first, _, rest) = futures::future::select_all(attempts).await;
        process.kill();
        let mut results = vec![first.unwrap()];
        for attempt in rest {
            results.push(attempt.await.unwrap());
        }
        for (n, result) in results {
            match result {
                Ok(_) => assert!(winner.replace(n).is_none(), "two winners"),
                Err(error) if error.raw_response().is_some() => {
                    assert_eq!(refusal::<(), _>(Err(error)).0, 412);
                    lost = true;
                }
                Err(_) => {}
            }
        }
        process = Process::start(dir.path()).await;
        let found = process.get(&key).await;
        if let Some(winner) = winner {
            assert_eq!(found.as_ref().map(|body| usize::from(body[0])), Some(winner));
        }
        assert!(
            !lost || found.is_some(),
            "somebody was told that the key is taken, and it is free"
        );
    }
}

#[tokio::test]
async fn a_directory_in_use_is_refused_and_a_clean_stop_answers_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = Process::start(dir.path()).await;
    assert_eq!(process.ready["pid"].as_u64(), Some(u64::from(process.child.id())));
    let config = tickertape_lake::s3::ServerConfig::new(dir.path());
    let refused = tickertape_lake::s3::Server::start(config)
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(refused.contains(&dir.path().display().to_string()), "{refused}");
    assert!(refused.contains(&process.ready["pid"].to_string()), "{refused}");

    process
        .client
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(vec![5; 32 << 20].into())
        .send()
        .await
        .unwrap();
    let reading = process
        .client
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    let pid = process.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(reading.body.collect().await.unwrap().to_vec().len(), 32 << 20);
    assert!(process.child.wait().unwrap().success());
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let config = tickertape_lake::s3::ServerConfig {
        listen: listen.clone(),
        ..tickertape_lake::s3::ServerConfig::new(dir.path())
    };
    let refused = tickertape_lake::s3::Server::start(config)
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(&listen) && refused.contains("--listen 127.0.0.1:0"),
        "{refused}"
    );
}
