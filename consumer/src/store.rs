//! The store, with patience: what fails for a while is tried again, and said.
//!
//! Every call ends in one of three ways: it is done; the store refuses it for a reason that waiting doesn't
//! mend; or it has been tried in vain for longer than `--timeout`, which does not count what it waited for its turn: with a
//! thousand partitions written at once most of them do. A PUT may have taken effect although its
//! answer was lost: callers must only put what may be put twice, or settle a lost race by reading
//! ([`Store::put_if_absent`]).

use std::{fmt::Display, future::Future, sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tickertape_client::{UsageError, s3::S3Url};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::now;

/// The pauses between attempts, from the first to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How many requests are under way at once.
const REQUESTS_AT_ONCE: usize = 64;
/// How many of those to others, such as a catalog.
const OTHERS_AT_ONCE: usize = 64;
/// What is larger is written in parts.
const MULTIPART_BYTES_MIN: usize = 32 << 20;
/// The size of a part, and how many are sent at once.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;

/// Why the store didn't do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It said no, and would again.
    #[error("{what}: {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// What it said.
        reason: String,
    },
    /// It was away for too long.
    #[error("{what}: gave up after {} ({reason})", humantime::format_duration(*.after))]
    Away {
        /// What was asked.
        what: String,
        /// What went wrong last.
        reason: String,
        /// `--timeout`.
        after: Duration,
    },
    /// The sink was asked to stop while the store was away.
    #[error("{what}: stopped while waiting ({reason})")]
    Stopped {
        /// What was asked.
        what: String,
        /// What went wrong last.
        reason: String,
    },
}

/// How an attempt failed.
pub(crate) enum Attempt {
    /// It may go well later.
    Again(String),
    /// It won't.
    Never(String),
}

/// Whether a conditional put made the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It did, or an attempt whose answer was lost.
    Created,
    /// There was one.
    Exists,
}

/// A bucket and a prefix, and how long to wait for them.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    lake: S3Url,
    timeout: Duration,
    /// Ends waiting, not what is under way: set when the sink has to go at once.
    give_up: CancellationToken,
    /// One for each request under way: every one costs a connection and its buffers. Kept between two attempts of the same
    /// request, so that it does not queue again behind all others, and fewer of them trouble a store that is in trouble.
    requests: Arc<Semaphore>,
    /// The same for those to others: a catalog that is slow takes no turn of the store's.
    others: Arc<Semaphore>,
}

impl Store {
    /// A store that is waited for up to `timeout`.
    pub fn new(client: Client, lake: S3Url, timeout: Duration, give_up: CancellationToken) -> Self {
        Self {
            client,
            lake,
            timeout,
            give_up,
            requests: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
            others: Arc::new(Semaphore::new(OTHERS_AT_ONCE)),
        }
    }

    /// Bucket and prefix.
    pub fn lake(&self) -> &S3Url {
        &self.lake
    }

    /// Waits until the bucket answers.
    ///
    /// # Errors
    /// A [`UsageError`] that names the nearest bucket if there is no such bucket; a [`StoreError`] otherwise.
    pub async fn check_bucket(&self) -> anyhow::Result<()> {
        let bucket = &self.lake.bucket;
        let found = self
            .request(&format!("bucket {bucket}"), || async {
                match self.client.head_bucket().bucket(bucket).send().await {
                    Ok(_) => Ok(true),
                    Err(error) if status(&error) == Some(404) => Ok(false),
                    Err(error) => Err(attempt(&error)),
                }
            })
            .await?;
        if found {
            return Ok(());
        }
        // Whoever may not list the buckets gets no suggestion.
        let listed = self.client.list_buckets().send().await;
        let buckets = listed
            .map(|listed| listed.buckets.unwrap_or_default())
            .unwrap_or_default();
        Err(UsageError::unknown("bucket", bucket, buckets.iter().filter_map(|bucket| bucket.name())).into())
    }

    /// Writes an object, whether or not there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(&self, key: &str, body: Bytes, content_type: &str) -> Result<(), StoreError> {
        if body.len() > MULTIPART_BYTES_MIN {
            return self.put_in_parts(key, body, content_type).await;
        }
        self.request(&format!("write {}", self.url(key)), || async {
            let put = self
                .client
                .put_object()
                .bucket(&self.lake.bucket)
                .key(key)
                .content_type(content_type);
            let sent = put.body(ByteStream::from(body.clone())).send().await;
            sent.map(drop).map_err(|error| attempt(&error))
        })
        .await
    }

    /// Writes a large object in parts, several at once; it is there when all of them are. What an attempt that was given up
    /// leaves behind is no object, and is told to the store to be dropped.
    async fn put_in_parts(&self, key: &str, body: Bytes, content_type: &str) -> Result<(), StoreError> {
        let (bucket, what) = (&self.lake.bucket, format!("write {}", self.url(key)));
        let begin = || async {
            let begun = self.client.create_multipart_upload().bucket(bucket).key(key);
            let begun = begun
                .content_type(content_type)
                .send()
                .await
                .map_err(|error| attempt(&error))?;
            begun
                .upload_id
                .ok_or_else(|| Attempt::Again("the store gave the upload no id".to_owned()))
        };
        let upload = self.request(&what, begin).await?;
        let done = self.put_parts(key, &body, &upload, &what).await;
        if done.is_err() {
            let abort = self.client.abort_multipart_upload().bucket(bucket).key(key);
            if let Err(error) = abort.upload_id(&upload).send().await {
                tracing::debug!("{what}: the upload was not dropped ({})", reason(&error));
            }
        }
        done
    }

    async fn put_parts(&self, key: &str, body: &Bytes, upload: &str, what: &str) -> Result<(), StoreError> {
        let bucket = &self.lake.bucket;
        let ranges = (0..body.len()).step_by(PART_BYTES).zip(1_i32..);
        let put = |(from, number): (usize, i32)| {
            let part = body.slice(from..body.len().min(from + PART_BYTES));
            async move {
                let put = || async {
                    let put = self.client.upload_part().bucket(bucket).key(key).upload_id(upload);
                    let put = put.part_number(number).body(ByteStream::from(part.clone()));
                    put.send().await.map_err(|error| attempt(&error))
                };
                let put = self.request(what, put).await?;
                let part = CompletedPart::builder().part_number(number).set_e_tag(put.e_tag);
                Ok::<_, StoreError>(part.build())
            }
        };
        let parts: Vec<_> = ranges.map(put).collect();
        let parts: Vec<CompletedPart> = stream::iter(parts).buffered(PARTS_AT_ONCE).try_collect().await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = || async {
            let complete = self.client.complete_multipart_upload().bucket(bucket).key(key);
            let sent = complete.upload_id(upload).multipart_upload(parts.clone()).send().await;
            match sent {
                Ok(_) => Ok(()),
                // An attempt whose answer was lost has completed it.
                Err(error) if status(&error) == Some(404) => {
                    let there = self.client.head_object().bucket(bucket).key(key).send().await;
                    there.map(drop).map_err(|_| attempt(&error))
                }
                Err(error) => Err(attempt(&error)),
            }
        };
        self.request(what, complete).await
    }

    /// Writes an object unless there is one. After an attempt whose answer was lost, [`Put::Exists`] may mean
    /// one's own: the caller has to read it to know.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_if_absent(&self, key: &str, body: Bytes, content_type: &str) -> Result<Put, StoreError> {
        self.request(&format!("write {}", self.url(key)), || async {
            let put = self
                .client
                .put_object()
                .bucket(&self.lake.bucket)
                .key(key)
                .if_none_match("*");
            let put = put.content_type(content_type).body(ByteStream::from(body.clone()));
            match put.send().await {
                Ok(_) => Ok(Put::Created),
                Err(error) if status(&error) == Some(412) => Ok(Put::Exists),
                Err(error) => Err(attempt(&error)),
            }
        })
        .await
    }

    /// Reads an object; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.request(&format!("read {}", self.url(key)), || async {
            match self.client.get_object().bucket(&self.lake.bucket).key(key).send().await {
                Ok(object) => {
                    let body = object.body.collect().await;
                    body.map(|body| Some(body.into_bytes()))
                        .map_err(|error| Attempt::Again(error.to_string()))
                }
                Err(error) if status(&error) == Some(404) => Ok(None),
                Err(error) => Err(attempt(&error)),
            }
        })
        .await
    }

    /// The size of an object; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn size(&self, key: &str) -> Result<Option<u64>, StoreError> {
        self.request(&format!("look at {}", self.url(key)), || async {
            match self
                .client
                .head_object()
                .bucket(&self.lake.bucket)
                .key(key)
                .send()
                .await
            {
                Ok(object) => Ok(Some(
                    object
                        .content_length()
                        .and_then(|size| size.try_into().ok())
                        .unwrap_or(0),
                )),
                Err(error) if status(&error) == Some(404) => Ok(None),
                Err(error) => Err(attempt(&error)),
            }
        })
        .await
    }

    /// The last key that starts with `prefix` and comes after `after`, both in the order of bytes. Costs one
    /// request per thousand keys in between.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_key(&self, prefix: &str, after: Option<&str>) -> Result<Option<String>, StoreError> {
        let what = format!("list {}", self.url(prefix));
        let mut after = after.map(str::to_owned);
        let mut last = None;
        loop {
            let page = self
                .request(&what, || async {
                    let list = self.client.list_objects_v2().bucket(&self.lake.bucket).prefix(prefix);
                    list.set_start_after(after.clone())
                        .send()
                        .await
                        .map_err(|error| attempt(&error))
                })
                .await?;
            let more = page.is_truncated() == Some(true);
            if let Some(key) = page.contents().iter().filter_map(|object| object.key()).next_back() {
                last = Some(key.to_owned());
            }
            if !more {
                return Ok(last);
            }
            after.clone_from(&last);
        }
    }

    /// The first key that starts with `prefix`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_key(&self, prefix: &str) -> Result<Option<String>, StoreError> {
        let page = self
            .request(&format!("list {}", self.url(prefix)), || async {
                let list = self.client.list_objects_v2().bucket(&self.lake.bucket).prefix(prefix);
                list.max_keys(1).send().await.map_err(|error| attempt(&error))
            })
            .await?;
        Ok(page
            .contents()
            .first()
            .and_then(|object| object.key())
            .map(str::to_owned))
    }

    /// The folders of which the names start with `prefix`, each with the slash at its end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let what = format!("list {}", self.url(prefix));
        let (mut folders, mut go_on) = (Vec::new(), None::<String>);
        loop {
            let page = self
                .request(&what, || async {
                    let list = self.client.list_objects_v2().bucket(&self.lake.bucket).prefix(prefix);
                    let list = list.delimiter("/").set_continuation_token(go_on.clone());
                    list.send().await.map_err(|error| attempt(&error))
                })
                .await?;
            folders.extend(
                page.common_prefixes()
                    .iter()
                    .filter_map(|of| of.prefix())
                    .map(str::to_owned),
            );
            go_on = page.next_continuation_token().map(str::to_owned);
            if go_on.is_none() || page.is_truncated() != Some(true) {
                return Ok(folders);
            }
        }
    }

    /// Whether there is a key that starts with `prefix` and that `is_one` of those looked for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_key(&self, prefix: &str, is_one: impl Fn(&str) -> bool) -> Result<bool, StoreError> {
        let what = format!("list {}", self.url(prefix));
        let mut go_on = None::<String>;
        loop {
            let page = self
                .request(&what, || async {
                    let list = self.client.list_objects_v2().bucket(&self.lake.bucket).prefix(prefix);
                    let list = list.set_continuation_token(go_on.clone());
                    list.send().await.map_err(|error| attempt(&error))
                })
                .await?;
            if page.contents().iter().filter_map(|object| object.key()).any(&is_one) {
                return Ok(true);
            }
            go_on = page.next_continuation_token().map(str::to_owned);
            if go_on.is_none() || page.is_truncated() != Some(true) {
                return Ok(false);
            }
        }
    }

    fn url(&self, key: &str) -> impl Display {
        format!("s3://{}/{key}", self.lake.bucket)
    }

    /// A request to the store, in its turn.
    async fn request<T, F>(&self, what: &str, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Attempt>>,
    {
        // Never closed.
        let _one_of_some = self.requests.acquire().await.ok();
        self.patiently(what, attempt).await
    }

    /// A request to somebody else, who is waited for as the store is.
    pub(crate) async fn ask_other<T, F>(&self, what: &str, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Attempt>>,
    {
        // Never closed.
        let _one_of_some = self.others.acquire().await.ok();
        self.patiently(what, attempt).await
    }

    /// Tries until it goes well, can't, or has failed for `--timeout`.
    async fn patiently<T, F>(&self, what: &str, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Attempt>>,
    {
        let started = now();
        let mut pause = PAUSE_MIN;
        loop {
            let reason = match attempt().await {
                Ok(done) => return Ok(done),
                Err(Attempt::Never(reason)) => {
                    return Err(StoreError::Refused {
                        what: what.to_owned(),
                        reason,
                    });
                }
                Err(Attempt::Again(reason)) => reason,
            };
            let left = self.timeout.saturating_sub(now() - started);
            if left.is_zero() {
                return Err(StoreError::Away {
                    what: what.to_owned(),
                    reason,
                    after: self.timeout,
                });
            }
            let pause_now = pause.min(left);
            let left = humantime::format_duration(Duration::from_secs(left.as_secs())).to_string();
            tracing::warn!("{what}: {reason}; trying again in {pause_now:?}, giving up in {left}");
            tokio::select! {
                () = tokio::time::sleep(pause_now) => {}
                () = self.give_up.cancelled() => return Err(StoreError::Stopped { what: what.to_owned(), reason }),
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// What may go well later: no answer, an answer that says so, or a conflict of two conditional writes.
fn attempt<E>(error: &SdkError<E, HttpResponse>) -> Attempt
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let reason = reason(error);
    match (error, status(error)) {
        (SdkError::ConstructionFailure(_), _) => Attempt::Never(reason),
        (SdkError::ServiceError(_), Some(408 | 409 | 429 | 500..)) => Attempt::Again(reason),
        (SdkError::ServiceError(service), _) => match service.err().code() {
            Some("RequestTimeout" | "SlowDown" | "RequestTimeTooSkewed") => Attempt::Again(reason),
            _ => Attempt::Never(reason),
        },
        _ => Attempt::Again(reason),
    }
}

/// The store's own words, or the innermost cause.
fn reason<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let SdkError::ServiceError(service) = error {
        let error = service.err();
        let said = [error.code(), error.message()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": ");
        return match status_text(service.raw().status().as_u16()) {
            text if said.is_empty() => text,
            text => format!("{said} ({text})"),
        };
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn status_text(status: u16) -> String {
    format!("HTTP {status}")
}

#[cfg(test)]
mod tests {
    use tickertape_client::s3::S3Options;

    use super::*;

    /// A catalog that is asked while all of the store's requests are under way is asked at once.
    #[tokio::test]
    async fn others_do_not_wait_for_the_stores_requests() {
        let client = S3Options::at("http://127.0.0.1:1").client().await.unwrap();
        let lake = "s3://lake/market".parse().unwrap();
        let store = Store::new(client, lake, Duration::ZERO, CancellationToken::new());
        let all = u32::try_from(REQUESTS_AT_ONCE).unwrap();
        let _all = store.requests.acquire_many(all).await.unwrap();
        let mut asked = std::pin::pin!(store.ask_other("ask", || async { Ok::<_, Attempt>(()) }));
        assert!(matches!(futures::poll!(&mut asked), std::task::Poll::Ready(Ok(()))));
        let mut request = std::pin::pin!(store.request("request", || async { Ok::<_, Attempt>(()) }));
        assert!(futures::poll!(&mut request).is_pending());
    }
}
