//! Any sequence of operations, restarts included, agrees with a map in memory.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use proptest::prelude::*;

use super::{BUCKET, Fixture};

/// What is done to the store. Keys and uploads are few, so that they meet.
#[derive(Clone, Debug)]
enum Action {
    Put {
        key: usize,
        len: usize,
        only_if_absent: bool,
    },
    Delete {
        key: usize,
    },
    Copy {
        from: usize,
        to: usize,
    },
    Get {
        key: usize,
        from: usize,
        len: usize,
    },
    List {
        prefix: &'static str,
        delimiter: bool,
        page: i32,
    },
    Begin {
        key: usize,
    },
    Part {
        upload: usize,
        number: i32,
        len: usize,
    },
    Complete {
        upload: usize,
    },
    Abort {
        upload: usize,
    },
    Restart,
}

const KEYS: [&str; 6] = ["a", "a/b", "a/c/d", "b", "b/ü", "c d"];

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let key = || 0..KEYS.len();
    let len = || prop_oneof![Just(0_usize), 1..100_usize, 200_000..600_000_usize];
    let action = prop_oneof![
        4 => (key(), len(), any::<bool>())
            .prop_map(|(key, len, only_if_absent)| Action::Put { key, len, only_if_absent }),
        2 => key().prop_map(|key| Action::Delete { key }),
        1 => (key(), key()).prop_map(|(from, to)| Action::Copy { from, to }),
        3 => (key(), 0..700_000_usize, 1..700_000_usize).prop_map(|(key, from, len)| Action::Get { key, from, len }),
        2 => (prop_oneof![Just(""), Just("a"), Just("a/"), Just("b")], any::<bool>(), 1..4)
            .prop_map(|(prefix, delimiter, page)| Action::List { prefix, delimiter, page }),
        1 => key().prop_map(|key| Action::Begin { key }),
        3 => (0..4_usize, 1..4, len()).prop_map(|(upload, number, len)| Action::Part { upload, number, len }),
        2 => (0..4_usize).prop_map(|upload| Action::Complete { upload }),
        1 => (0..4_usize).prop_map(|upload| Action::Abort { upload }),
        1 => Just(Action::Restart),
    ];
    prop::collection::vec(action, 1..40)
}

#[derive(Default)]
struct Upload {
    key: usize,
    id: String,
    parts: BTreeMap<i32, (String, Vec<u8>)>,
}

#[derive(Default)]
struct Model {
    objects: BTreeMap<&'static str, Vec<u8>>,
    uploads: Vec<Upload>,
    written: u8,
}

impl Model {
    /// Bytes that no other write had.
    fn body(&mut self, len: usize) -> Vec<u8> {
        self.written = self.written.wrapping_add(1);
        vec![self.written; len]
    }

    fn names(&self, prefix: &str, delimiter: bool) -> Vec<String> {
        let names = self.objects.keys().filter_map(|key| {
            let rest = key.strip_prefix(prefix)?;
            match rest.find('/').filter(|_| delimiter) {
                Some(at) => Some(format!("{prefix}{}", &rest[..=at])),
                None => Some((*key).to_owned()),
            }
        });
        let mut names: Vec<String> = names.collect();
        names.dedup();
        names
    }
}

async fn apply(mut fixture: Fixture, model: &mut Model, action: Action) -> Result<Fixture, TestCaseError> {
    let client = fixture.client.clone();
    match action {
        Action::Put {
            key,
            len,
            only_if_absent,
        } => {
            let body = model.body(len);
            let put = client
                .put_object()
                .bucket(BUCKET)
                .key(KEYS[key])
                .body(body.clone().into());
            let put = if only_if_absent { put.if_none_match("*") } else { put };
            let refused = only_if_absent && model.objects.contains_key(KEYS[key]);
            prop_assert_eq!(put.send().await.is_err(), refused);
            if !refused {
                model.objects.insert(KEYS[key], body);
            }
        }
        Action::Delete { key } => {
            client
                .delete_object()
                .bucket(BUCKET)
                .key(KEYS[key])
                .send()
                .await
                .unwrap();
            model.objects.remove(KEYS[key]);
        }
        Action::Copy { from, to } => {
            let source = format!("{BUCKET}/{}", KEYS[from].replace(' ', "%20").replace('ü', "%C3%BC"));
            let copied = client
                .copy_object()
                .bucket(BUCKET)
                .key(KEYS[to])
                .copy_source(source)
                .send()
                .await;
            let body = model.objects.get(KEYS[from]).filter(|_| from != to).cloned();
            prop_assert_eq!(copied.is_ok(), body.is_some());
            if let Some(body) = body {
                model.objects.insert(KEYS[to], body);
            }
        }
        Action::Get { key, from, len } => get(&fixture, model, KEYS[key], from, len).await?,
        Action::List {
            prefix,
            delimiter,
            page,
        } => {
            let request = client.list_objects_v2().bucket(BUCKET).prefix(prefix).max_keys(page);
            let request = if delimiter { request.delimiter("/") } else { request };
            let mut pages = request.into_paginator().send();
            let mut names = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.unwrap();
                names.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
                names.extend(
                    page.common_prefixes()
                        .iter()
                        .map(|common| common.prefix().unwrap().to_owned()),
                );
            }
            names.sort();
            let mut expected = model.names(prefix, delimiter);
            expected.sort();
            prop_assert_eq!(names, expected);
        }
        Action::Begin { key } => {
            let begun = client
                .create_multipart_upload()
                .bucket(BUCKET)
                .key(KEYS[key])
                .send()
                .await
                .unwrap();
            model.uploads.push(Upload {
                key,
                id: begun.upload_id.unwrap(),
                parts: BTreeMap::new(),
            });
        }
        Action::Part { upload, number, len } => {
            let body = model.body(len);
            if let Some(upload) = model.uploads.get_mut(upload) {
                let request = client
                    .upload_part()
                    .bucket(BUCKET)
                    .key(KEYS[upload.key])
                    .upload_id(&upload.id);
                let sent = request
                    .part_number(number)
                    .body(body.clone().into())
                    .send()
                    .await
                    .unwrap();
                upload.parts.insert(number, (sent.e_tag.unwrap(), body));
            }
        }
        Action::Complete { upload } if upload < model.uploads.len() => {
            complete(&fixture, model, upload).await?;
        }
        Action::Abort { upload } if upload < model.uploads.len() => {
            let upload = model.uploads.remove(upload);
            let request = client.abort_multipart_upload().bucket(BUCKET).key(KEYS[upload.key]);
            request.upload_id(&upload.id).send().await.unwrap();
        }
        Action::Complete { .. } | Action::Abort { .. } => {}
        Action::Restart => fixture = fixture.restart().await,
    }
    Ok(fixture)
}

async fn get(fixture: &Fixture, model: &Model, key: &str, from: usize, len: usize) -> Result<(), TestCaseError> {
    let request = fixture.client.get_object().bucket(BUCKET).key(key);
    let got = request.range(format!("bytes={from}-{}", from + len - 1)).send().await;
    match model.objects.get(key).filter(|body| from < body.len()) {
        Some(body) => {
            let got = got.unwrap().body.collect().await.unwrap().to_vec();
            prop_assert!(got == body[from..body.len().min(from + len)]);
        }
        None => prop_assert!(got.is_err()),
    }
    Ok(())
}

/// Parts under 5 MiB but the last are refused: only the last one is listed then.
async fn complete(fixture: &Fixture, model: &mut Model, upload: usize) -> Result<(), TestCaseError> {
    let listed = model.uploads[upload]
        .parts
        .last_key_value()
        .map(|(number, part)| (*number, part.clone()));
    let completed = listed
        .as_ref()
        .map(|(number, (etag, _))| CompletedPart::builder().part_number(*number).e_tag(etag).build());
    let upload_state = &model.uploads[upload];
    let request = fixture
        .client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key(KEYS[upload_state.key]);
    let parts = CompletedMultipartUpload::builder()
        .set_parts(Some(completed.into_iter().collect()))
        .build();
    let done = request.upload_id(&upload_state.id).multipart_upload(parts).send().await;
    prop_assert_eq!(done.is_ok(), listed.is_some());
    if let Some((_, (_, body))) = listed {
        let upload = model.uploads.remove(upload);
        model.objects.insert(KEYS[upload.key], body);
    }
    Ok(())
}

#[test]
fn the_store_agrees_with_a_map() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(actions in actions())| {
        runtime.block_on(async {
            let mut fixture = Fixture::start().await;
            let mut model = Model::default();
            for action in actions {
                fixture = apply(fixture, &mut model, action).await?;
            }
            for (key, body) in &model.objects {
                prop_assert!(fixture.get(key).await == *body, "{}", key);
            }
            let with_bytes = |bodies: Vec<&Vec<u8>>| bodies.iter().filter(|body| !body.is_empty()).count();
            let parts = model.uploads.iter().flat_map(|upload| upload.parts.values().map(|part| &part.1)).collect();
            fixture.files_become(with_bytes(model.objects.values().collect()) + with_bytes(parts)).await;
            fixture.handle.shutdown().await.unwrap();
            Ok(())
        })?;
    });
}
