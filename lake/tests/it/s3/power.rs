//! The loss of power under the server with `fsync`, as a process of its own, at any point.
//!
//! The fault model is that of [`crate::cut`]: only what was synced is surely there, of all else anything may be.
//! Promised: what `kill -9` leaves ([`super::crash`]) the loss of power leaves as well; from the first start on, and also
//! where a process before this one was killed and nothing of its own was lost.
//!
//! `TICKERTAPE_POWER_ROUNDS` says how often the power goes, `TICKERTAPE_POWER_SEED` when.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::crash::{Known, body, write_until_it_dies};
use super::process::{Process, command};
use super::{BUCKET, refusal};
use crate::cut::{PowerCut, Unsynced};

const ROUNDS_DEFAULT: u64 = 5;
const COUNTER: &str = "counter";

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// A server's disk, and what must be on it.
struct House {
    disk: PowerCut,
    fsync: bool,
    random: StdRng,
    held: BTreeMap<String, Option<Vec<u8>>>,
    counted: u64,
}

/// What those know who used a server when it died.
struct Told {
    written: Vec<(String, Known)>,
    /// The counter: as it was acknowledged, and as somebody read it.
    counted: u64,
    seen: u64,
    claim: Option<Claim>,
}

/// What became of a key that several wanted to be the first to write.
struct Claim {
    key: String,
    winner: Option<u8>,
    lost: bool,
}

impl House {
    fn new(fsync: bool, seed: u64) -> Self {
        Self {
            disk: PowerCut::new(),
            fsync,
            random: StdRng::seed_from_u64(seed),
            held: BTreeMap::new(),
            counted: 0,
        }
    }

    fn command(&self) -> Command {
        // Below what is there, so that the names of both directories are to be made durable.
        let mut command = command(&self.disk.root().join("tickertape/s3"), self.fsync);
        self.disk.under(&mut command);
        command
    }

    /// Starts a server, which ends before or shortly after it is ready.
    fn start_in_vain(&mut self) {
        let mut child = self.command().spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let reading = std::thread::spawn(move || {
            let _ = std::io::copy(&mut { stdout }, &mut std::io::sink());
            drop(ended);
        });
        let _ = end.recv_timeout(Duration::from_millis(self.random.random_range(0..400)));
        child.kill().unwrap();
        child.wait().unwrap();
        reading.join().unwrap();
    }

    /// Uses a server until it is killed.
    async fn use_one(&mut self, round: u64) -> Told {
        let process = Process::start_as(self.command()).await;
        for (key, value) in &self.held {
            assert!(
                process.get(key).await == *value,
                "round {round}: {key} is not as it was"
            );
        }
        let seen = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..4)
            .map(|n| {
                let (client, start) = (process.client.clone(), round * 1000 + n * 7 + 1);
                let key = format!("key {n}");
                let before = self.held.get(&key).cloned().flatten();
                tokio::spawn(write_until_it_dies(client, key, before, start))
            })
            .collect();
        let counting = tokio::spawn(count(process.client.clone(), self.counted));
        let reading = tokio::spawn(read(process.client.clone(), Arc::clone(&seen)));
        let key = format!("claim {round}.{}", self.random.random::<u32>());
        let claiming: Vec<_> = (0..4)
            .map(|n| tokio::spawn(claim(process.client.clone(), key.clone(), n)))
            .collect();
        // As many requests as differ from round to round, then the end, wherever the others are.
        for n in 0..self.random.random_range(0..30) {
            let put = process
                .client
                .put_object()
                .bucket(BUCKET)
                .key("pace")
                .body(body(n).into());
            put.send().await.unwrap();
            self.held.insert("pace".into(), Some(body(n)));
        }
        process.kill();
        let mut told = Told {
            written: Vec::new(),
            counted: counting.await.unwrap(),
            seen: 0,
            claim: None,
        };
        let (mut winner, mut lost) = (None, false);
        reading.await.unwrap();
        told.seen = seen.load(Ordering::SeqCst);
        for writer in writers {
            told.written.push(writer.await.unwrap());
        }
        for attempt in claiming {
            match attempt.await.unwrap() {
                (n, Some(true)) => assert!(winner.replace(n).is_none(), "two winners"),
                (_, Some(false)) => lost = true,
                (_, None) => {}
            }
        }
        told.claim = Some(Claim { key, winner, lost });
        told
    }

    /// Looks whether what they were told is so.
    async fn compare(&mut self, round: u64, told: Told) {
        let process = Process::start_as(self.command()).await;
        for (key, known) in told.written {
            let found = process.get(&key).await;
            let size = found.as_ref().map(Vec::len);
            assert!(known.allows(&found), "round {round}: {key} has {size:?} bytes");
            self.held.insert(key, found);
        }
        let counter = process
            .get(COUNTER)
            .await
            .map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
        let (acknowledged, seen) = (told.counted, told.seen);
        assert!(
            counter >= acknowledged,
            "round {round}: {acknowledged} was acknowledged, {counter} is there"
        );
        assert!(counter >= seen, "round {round}: {seen} was read, {counter} is there");
        self.counted = counter;
        if let Some(Claim { key, winner, lost }) = told.claim {
            let found = process.get(&key).await;
            if winner.is_some() {
                assert_eq!(
                    found.as_ref().map(|body| body[0]),
                    winner,
                    "round {round}: another has won"
                );
            }
            assert!(!lost || found.is_some(), "round {round}: it was taken, and it is free");
            self.held.insert(key, found);
        }
        for (key, value) in &self.held {
            assert!(
                process.get(key).await == *value,
                "round {round}: {key} is not as it was"
            );
        }
        // Whatever is listed is whole.
        let listed = process.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        for object in listed.contents() {
            let got = process.get(object.key().unwrap()).await.unwrap();
            assert_eq!(got.len() as i64, object.size().unwrap());
        }
        process.kill();
    }

    async fn round(&mut self, round: u64) {
        if self.random.random_range(0..4) == 0 {
            self.start_in_vain();
        }
        let told = self.use_one(round).await;
        // Sometimes a process takes over what the one before had not synced, and answers from it, before the power goes.
        if self.random.random_range(0..4) == 0 {
            self.compare(round, told).await;
            self.lose_power();
            self.compare(round, self.nothing_new()).await;
        } else {
            self.lose_power();
            self.compare(round, told).await;
        }
    }

    /// What those know who have done nothing since the disk was looked at.
    fn nothing_new(&self) -> Told {
        Told {
            written: Vec::new(),
            counted: self.counted,
            seen: 0,
            claim: None,
        }
    }

    fn lose_power(&mut self) {
        let unsynced = match self.random.random() {
            true => Unsynced::Gone,
            false => Unsynced::Any(self.random.random()),
        };
        println!("{unsynced:?}");
        self.disk.lose_power(unsynced);
    }
}

/// Counts up until the server is gone; gives the last that was acknowledged.
async fn count(client: Client, from: u64) -> u64 {
    let mut acknowledged = from;
    loop {
        let next = (acknowledged + 1).to_be_bytes().to_vec();
        let put = client.put_object().bucket(BUCKET).key(COUNTER).body(next.into());
        if put.send().await.is_err() {
            return acknowledged;
        }
        acknowledged += 1;
    }
}

/// Reads the counter until the server is gone: whoever was told of a number may rely on it.
async fn read(client: Client, seen: Arc<AtomicU64>) {
    loop {
        match client.get_object().bucket(BUCKET).key(COUNTER).send().await {
            Ok(got) => match got.body.collect().await {
                Ok(bytes) => {
                    let number = u64::from_be_bytes(bytes.to_vec().try_into().unwrap());
                    seen.fetch_max(number, Ordering::SeqCst);
                }
                Err(_) => return,
            },
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {}
            Err(_) => return,
        }
    }
}

/// Whether this attempt won, if that was told.
async fn claim(client: Client, key: String, n: u8) -> (u8, Option<bool>) {
    let put = client
        .put_object()
        .bucket(BUCKET)
        .key(key)
        .if_none_match("*")
        .body(vec![n; 1000].into());
    match put.send().await {
        Ok(_) => (n, Some(true)),
        Err(error) if error.raw_response().is_some() => {
            assert_eq!(refusal::<(), _>(Err(error)).0, 412);
            (n, Some(false))
        }
        Err(_) => (n, None),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_the_loss_of_power() {
    let seed = number("TICKERTAPE_POWER_SEED", 1);
    println!("TICKERTAPE_POWER_SEED={seed}");
    let mut house = House::new(true, seed);
    for round in 0..number("TICKERTAPE_POWER_ROUNDS", ROUNDS_DEFAULT) {
        house.round(round).await;
    }
}

/// The test above can fail: without `fsync`, nothing of this was promised, and nothing is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_fsync_the_loss_of_power_is_noticed() {
    let mut house = House::new(false, 1);
    let told = house.use_one(0).await;
    assert!(told.counted > 0);
    house.disk.lose_power(Unsynced::Gone);
    let process = Process::start_as(house.command()).await;
    assert!(process.get(COUNTER).await.is_none());
}
