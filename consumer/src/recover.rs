//! Where a partition is taken up, and what has to be finished before.
//!
//! The ledger decides: its last claim is finished if it isn't, and consumption goes on behind it, wherever the
//! group's committed offset points. That offset only says where to look in the ledger, and where to begin in
//! a partition that nothing was written of yet. Everything here blocks its thread; it runs when partitions are
//! assigned, before the first message is taken.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
};
use tickertape_client::{Plain, connect};
use tokio::runtime::Handle;

use crate::{
    batch::{Batch, Record, day_or_rejected},
    batcher::Start,
    clock::now,
    ledger::{BatchFacts, Claim},
    names::Source,
    options::OnLost,
    stats::Stats,
    writer::Writer,
};

/// How long one question to Kafka may take.
const ASK: Duration = Duration::from_secs(10);

/// What finding the place needs.
pub(crate) struct Recovery {
    pub(crate) writer: std::sync::Arc<Writer>,
    pub(crate) stats: std::sync::Arc<Stats>,
    pub(crate) runtime: Handle,
    pub(crate) config: ClientConfig,
    pub(crate) timeout: Duration,
    pub(crate) on_lost: OnLost,
}

/// A partition's place: in the table, and in Kafka.
pub(crate) struct Place {
    pub(crate) source: Source,
    pub(crate) start: Start,
    pub(crate) from: Offset,
}

/// What Kafka knows of the group's progress in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    offset: Option<i64>,
    /// The start of the claim that was the last when the offset was committed.
    claim: Option<i64>,
}

/// The note that goes with a committed offset, so that the ledger needn't be listed from its beginning, and an
/// offset of a topic that was deleted isn't taken for one of the topic made anew.
pub(crate) fn note(epoch: u32, claim_start: i64) -> String {
    format!("epoch={epoch} claim={claim_start}")
}

/// Epoch and claim of a note.
fn noted(metadata: &str) -> Option<(u32, i64)> {
    let (epoch, claim) = metadata.strip_prefix("epoch=")?.split_once(" claim=")?;
    Some((epoch.parse().ok()?, claim.parse().ok()?))
}

impl Recovery {
    /// The places of partitions just assigned.
    pub(crate) fn places<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        sources: Vec<Source>,
    ) -> anyhow::Result<Vec<Place>> {
        let progress = self.progress(consumer, &sources)?;
        let mut places = Vec::with_capacity(sources.len());
        for (source, progress) in sources.into_iter().zip(progress) {
            places.push(self.place(consumer, source, progress)?);
        }
        Ok(places)
    }

    fn progress<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        sources: &[Source],
    ) -> anyhow::Result<Vec<Progress>> {
        let mut asked = TopicPartitionList::with_capacity(sources.len());
        for source in sources {
            asked.add_partition(&source.topic, source.partition);
        }
        let committed = self.ask("the group's offsets", || {
            consumer.committed_offsets(asked.clone(), ASK.min(self.timeout))
        })?;
        let of = |source: &Source| {
            let found = committed.find_partition(&source.topic, source.partition);
            let offset = found.as_ref().and_then(|found| match found.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            });
            match found.and_then(|found| noted(found.metadata())) {
                Some((epoch, claim)) if epoch == source.epoch => Progress {
                    offset,
                    claim: Some(claim),
                },
                // Another program's, or the user's who wants to begin somewhere.
                None if source.epoch == 0 => Progress { offset, claim: None },
                _ => Progress {
                    offset: None,
                    claim: None,
                },
            }
        };
        Ok(sources.iter().map(of).collect())
    }

    fn place<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        source: Source,
        progress: Progress,
    ) -> anyhow::Result<Place> {
        let claim = self
            .runtime
            .block_on(self.writer.ledger.last(&source, progress.claim))?;
        if claim.is_none() && progress.offset.is_none() {
            return Ok(Place {
                source,
                start: Start { next: 0, witness: None },
                from: Offset::Beginning,
            });
        }
        let (low, high) = self.ask(&format!("the offsets of {source}"), || {
            consumer.fetch_watermarks(&source.topic, source.partition, ASK.min(self.timeout))
        })?;
        let Some(claim) = claim else {
            let from = progress.offset.unwrap_or(low);
            self.note_lost(&source, from, low)?;
            return Ok(Place {
                source,
                start: Start { next: 0, witness: None },
                from: Offset::Offset(from.max(low)),
            });
        };
        if high < claim.end {
            let found = format!("it has messages up to offset {high} only");
            return Err(made_anew(&source, claim.end, &found));
        }
        self.settle(&source, &claim, progress, low)?;
        self.note_lost(&source, claim.end, low)?;
        let start = Start {
            next: claim.end,
            witness: Some(claim.last),
        };
        // The last message written is read again, to see that it is the same.
        let from = if claim.last.offset >= low {
            claim.last.offset
        } else {
            claim.end.max(low)
        };
        Ok(Place {
            source,
            start,
            from: Offset::Offset(from),
        })
    }

    /// Makes a partition's last claim whole.
    fn settle(&self, source: &Source, claim: &Claim, progress: Progress, low: i64) -> anyhow::Result<()> {
        if let Some(table) = self.writer.table(&source.topic) {
            table.widen(&claim.schema);
        }
        if progress.offset == Some(claim.end) {
            // Committed, so written and registered.
            return Ok(());
        }
        let missing = self.runtime.block_on(self.writer.ledger.missing(claim))?;
        if missing.is_empty() {
            return self.runtime.block_on(self.writer.announce(claim));
        }
        tracing::info!(
            "{source} [{}, {}) was claimed and not finished; writing it again",
            claim.start,
            claim.end
        );
        if low > claim.first {
            return self.note_lost(source, claim.first, low.min(claim.end));
        }
        let batch = self.read(source, claim)?;
        if BatchFacts::of(&batch).is_none_or(|facts| !claim.is_of(&facts)) {
            return Err(made_anew(
                source,
                claim.end,
                "its messages are not those that were claimed",
            ));
        }
        self.runtime.block_on(self.writer.finish(claim, batch))
    }

    /// Reads a claim's messages again, by a consumer of its own.
    fn read(&self, source: &Source, claim: &Claim) -> anyhow::Result<Batch> {
        let reader: BaseConsumer<Plain> = connect(&self.config, Plain)?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(&source.topic, source.partition, Offset::Offset(claim.first))?;
        reader.assign(&from)?;
        let mut batch = Batch::new(source.clone(), claim.start);
        let mut heard = now();
        while batch.last().is_none_or(|last| last.offset < claim.last.offset) {
            match reader.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => {
                    heard = now();
                    if message.offset() > claim.last.offset {
                        break;
                    }
                    let timestamp_ms = message.timestamp().to_millis().unwrap_or(-1);
                    let record = Record {
                        offset: message.offset(),
                        timestamp_ms,
                        value: message.payload(),
                    };
                    let day = claim.encoding.dates.day_of(record.value, record.timestamp_ms);
                    batch.push(record, day_or_rejected(day));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => tracing::debug!("{source}: {error}"),
                None => {}
            }
            anyhow::ensure!(
                now() - heard <= self.timeout,
                "{source}: no message of [{}, {}) has come for {}",
                claim.first,
                claim.end,
                humantime::format_duration(self.timeout),
            );
        }
        Ok(batch)
    }

    /// Messages in `[expected, low)` are gone from Kafka and were never written.
    pub(crate) fn note_lost(&self, source: &Source, expected: i64, low: i64) -> anyhow::Result<()> {
        if low <= expected {
            return Ok(());
        }
        let lost = format!("{source}: the messages in [{expected}, {low}) were deleted before they were written");
        anyhow::ensure!(
            self.on_lost == OnLost::Continue,
            "{lost}; --on-lost continue goes on behind them"
        );
        tracing::error!("{lost}; going on at {low}");
        Stats::add(&self.stats.lost, low.abs_diff(expected));
        Ok(())
    }

    /// Asks Kafka until it answers or has been away for `--timeout`.
    fn ask<T>(&self, what: &str, question: impl Fn() -> Result<T, KafkaError>) -> anyhow::Result<T> {
        let started = now();
        loop {
            match question() {
                Ok(answer) => return Ok(answer),
                Err(error) if now() - started >= self.timeout => {
                    anyhow::bail!("Kafka did not tell {what} ({error})")
                }
                Err(error) => tracing::warn!("Kafka does not tell {what} yet ({error})"),
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

/// A topic that isn't the one that was written from.
pub(crate) fn made_anew(source: &Source, end: i64, found: &str) -> anyhow::Error {
    let next = source.epoch + 1;
    anyhow::anyhow!(
        "{source}: the lake has it up to offset {end}, but {found}. If the topic was deleted and made anew, \
         --epoch {next} writes it beside what is there; if it wasn't, Kafka has lost messages"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_nothing_else_is_one() {
        assert_eq!(noted(&note(3, 17)), Some((3, 17)));
        for other in ["", "epoch=", "claim=3", "epoch=1 claim=x", "hello"] {
            assert_eq!(noted(other), None, "{other}");
        }
    }
}
