//! Deriving one topic from another exactly once: members of a group that read the one under `read_committed`, and commit
//! what they make of it in one transaction with the offsets of what they made it from.

use std::collections::HashMap;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer as _;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::history::{Isolation, Seen};
use super::producing::{Ended, Transactional};
use super::reading::{self, Assignments, POLL, Protocol};
use super::site::{CALL, DERIVED, PARTITIONS, Site, TOPIC, place};

/// Records that one transaction derives from at most.
const BATCH_MAX: usize = 12;

/// Derives until it is over. Whenever a transaction cannot be committed, everything begins anew from what is committed:
/// another member, another producer with the same transactional id.
pub(crate) fn derive(site: &Site, group: usize, transactional_id: usize, protocol: Protocol, mut rng: ChaCha8Rng) {
    while !site.is_over() && !site.journal.is_broken() {
        let Ok(producer) = Transactional::start(site, transactional_id) else {
            continue;
        };
        let consumer = reading::member(site, group, Isolation::Committed, protocol);
        let mut life = rng.random_range(3..40);
        while life > 0 && !site.is_over() && !site.journal.is_broken() {
            let batch = poll(site, &consumer);
            // Nothing is polled while the group makes out who reads what.
            if batch.is_empty() {
                continue;
            }
            life -= 1;
            if site.is_over() || !matches!(transact(site, group, &producer, &consumer, &batch, &mut rng), Ok(true)) {
                break;
            }
        }
    }
}

fn poll(site: &Site, consumer: &BaseConsumer<Assignments>) -> Vec<(i32, Seen)> {
    let mut batch = Vec::new();
    while batch.len() < BATCH_MAX {
        let Some(polled) = consumer.poll(POLL) else { break };
        // Whatever is wrong, the next life has another try.
        let Ok(message) = polled else { continue };
        let seen = reading::seen(&message);
        let reading = consumer.context().readings.lock().get(&message.partition()).copied();
        match reading {
            Some(reading) => site.journal.seen(reading, seen),
            None => site.journal.broken(format!("{seen:?} is not assigned")),
        }
        batch.push((message.partition(), seen));
    }
    batch
}

/// One transaction; `Ok(false)` when it was aborted.
fn transact(
    site: &Site,
    group: usize,
    producer: &Transactional,
    consumer: &BaseConsumer<Assignments>,
    batch: &[(i32, Seen)],
    rng: &mut ChaCha8Rng,
) -> Result<bool, Ended> {
    let transaction = producer.begin()?;
    let mut ends: HashMap<i32, i64> = HashMap::new();
    for (partition, seen) in batch {
        let padding = rng.random_range(0..100);
        let to = rng.random_range(0..PARTITIONS);
        let (value, taken) = producer.writer.send(DERIVED, to, Some(transaction), padding);
        site.journal.derived(value, seen.value);
        if !taken {
            producer.abort(transaction)?;
            return Ok(false);
        }
        ends.insert(*partition, seen.offset + 1);
    }
    let mut offsets = TopicPartitionList::new();
    let mut commits = Vec::new();
    for (partition, offset) in ends {
        let element = offsets.add_partition_offset(TOPIC, partition, Offset::Offset(offset));
        element.map_err(|_| Ended)?;
        commits.push(site.journal.committing(group, place(TOPIC, partition), offset));
    }
    let Some(member) = consumer.group_metadata() else {
        producer.abort(transaction)?;
        return Ok(false);
    };
    let sent = producer.until_it_works("send_offsets_to_transaction", || {
        producer.producer().send_offsets_to_transaction(&offsets, &member, CALL)
    });
    if sent.is_err() || rng.random_bool(0.1) {
        producer.abort(transaction)?;
        return Ok(false);
    }
    let committed = producer.commit(transaction)?;
    if committed {
        commits.into_iter().for_each(|commit| site.journal.committed(commit));
    }
    Ok(committed)
}
