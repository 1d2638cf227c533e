//! How long a request to the store is tried: by itself, however long it stood in the queue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::future::join_all;
use tickertape_client::s3::S3Options;
use tickertape_consumer::store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    proxy::{Verdict, proxy},
    support::{World, lake, until},
};

/// As many as the store gets at once, and what is held of it is held for longer than `--timeout`.
const AT_ONCE: usize = 64;
const TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_stood_in_the_queue_for_longer_than_the_timeout_is_still_tried_again() {
    let world = World::new().await;
    let (held, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let refused = Arc::new(AtomicUsize::new(0));
    let endpoint = {
        let (held, go_on, refused) = (held.clone(), go_on.clone(), refused.clone());
        let decide = move |request: String| {
            let (held, go_on, refused) = (held.clone(), go_on.clone(), refused.clone());
            async move {
                if request.contains("/first-") {
                    held.fetch_add(1, Ordering::SeqCst);
                    go_on.acquire().await.unwrap().forget();
                } else if refused.fetch_add(1, Ordering::SeqCst) == 0 {
                    // What the SDK doesn't try again by itself, and may go well a moment later.
                    return Verdict::Answer("409 Conflict");
                }
                Verdict::Pass
            }
        };
        proxy(&world.store.endpoint_url(), decide).await
    };
    let client = S3Options::at(endpoint).client().await.unwrap();
    let store = Store::new(client, lake(), TIMEOUT, CancellationToken::new());
    let put = |key: String| {
        let store = store.clone();
        async move { store.put(&key, Bytes::from_static(b"x"), "text/plain").await }
    };
    let first = tokio::spawn(join_all((0..AT_ONCE).map(|at| put(format!("market/first-{at}")))));
    until(|| held.load(Ordering::SeqCst) == AT_ONCE).await;
    let mut queued = Box::pin(put("market/queued".to_owned()));
    assert!(futures::poll!(&mut queued).is_pending());
    // What it waits for is that time: nothing else happens meanwhile.
    tokio::time::sleep(TIMEOUT).await;
    assert_eq!(refused.load(Ordering::SeqCst), 0, "the queue is as long as it was");
    go_on.add_permits(AT_ONCE);
    queued.await.unwrap();
    assert_eq!(refused.load(Ordering::SeqCst), 2, "it was tried once more");
    first.await.unwrap().into_iter().for_each(|put| put.unwrap());
    assert_eq!(world.object("market/queued").await, b"x");
    world.shutdown().await;
}
