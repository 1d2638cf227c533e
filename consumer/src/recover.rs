//! Where a partition is taken up, and what has to be finished before.
//!
//! The ledger decides: its last claim is finished if it isn't, and consumption goes on behind it, wherever the
//! group's committed offset points. That offset only says where to look in the ledger, and where to begin in
//! a partition that nothing was written of yet. What is to be done is decided in [`crate::protocol`] and carried out
//! here, for several partitions at once. It blocks its thread; it runs when partitions are assigned, before the
//! first message is taken.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, atomic::AtomicUsize, atomic::Ordering},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
};
use tickertape_client::{Plain, connect};
use tokio::runtime::Handle;

use crate::{
    batch::{Batch, Record, day_or_rejected},
    clock::now,
    ledger::{BatchFacts, Claim},
    names::Source,
    options::OnLost,
    protocol::{From, Heard, Place, Progress, TakeUp, TakingUp, progress_of},
    stats::Stats,
    writer::Writer,
};

/// How long one question to Kafka may take.
const ASK: Duration = Duration::from_secs(10);
/// How many partitions are taken up at once: most of the time goes into waiting for answers.
const AT_ONCE: usize = 16;

/// What finding the place needs.
pub(crate) struct Recovery {
    pub(crate) writer: std::sync::Arc<Writer>,
    pub(crate) stats: std::sync::Arc<Stats>,
    pub(crate) runtime: Handle,
    pub(crate) config: ClientConfig,
    pub(crate) timeout: Duration,
    pub(crate) on_lost: OnLost,
    /// Held by whoever has a claim's messages in memory, so that it is one at a time.
    pub(crate) redoing: Mutex<()>,
}

impl Recovery {
    /// The places of partitions just assigned.
    pub(crate) fn places<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        sources: Vec<Source>,
    ) -> anyhow::Result<Vec<(Source, Place)>> {
        let progress = self.progress(consumer, &sources)?;
        let next = AtomicUsize::new(0);
        let places: Mutex<Vec<Option<anyhow::Result<Place>>>> = Mutex::new(sources.iter().map(|_| None).collect());
        let work = || {
            while let Some((at, source)) = claim_one(&next, &sources) {
                let place = self.place(consumer, source, progress.get(at).copied().unwrap_or_default());
                let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
                if place.is_err() {
                    next.store(usize::MAX / 2, Ordering::Relaxed);
                }
                if let Some(of) = places.get_mut(at) {
                    *of = Some(place);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..AT_ONCE.min(sources.len()) {
                scope.spawn(work);
            }
            work();
        });
        let places = places.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Those not looked at are behind one that failed.
        let places = places.into_iter().flatten().collect::<anyhow::Result<Vec<Place>>>()?;
        Ok(sources.into_iter().zip(places).collect())
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
        let elements = committed.elements();
        let found: HashMap<(&str, i32), _> = elements
            .iter()
            .map(|element| ((element.topic(), element.partition()), element))
            .collect();
        let of = |source: &Source| {
            let Some(element) = found.get(&(&*source.topic, source.partition)) else {
                return Progress::default();
            };
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            progress_of(source.epoch, offset, element.metadata())
        };
        Ok(sources.iter().map(of).collect())
    }

    /// Carries out what taking a partition up asks for.
    fn place<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        source: &Source,
        progress: Progress,
    ) -> anyhow::Result<Place> {
        let (mut taking, mut step) = TakingUp::new(progress);
        let mut read = None;
        loop {
            let claim = taking.claim();
            let heard = match &step {
                TakeUp::FindLast { known } => {
                    let last = self.runtime.block_on(self.writer.ledger.last(source, *known))?;
                    if let (Some(table), Some(last)) = (self.writer.table(&source.topic), &last) {
                        table.learn(last)?;
                    }
                    Heard::Last(last.map(Box::new))
                }
                TakeUp::AskOffsets => {
                    let (low, high) = self.ask(&format!("the offsets of {source}"), || {
                        consumer.fetch_watermarks(&source.topic, source.partition, ASK.min(self.timeout))
                    })?;
                    Heard::Offsets { low, high }
                }
                TakeUp::Look => Heard::Missing(match claim {
                    Some(claim) => !self.runtime.block_on(self.writer.ledger.missing(claim))?.is_empty(),
                    None => false,
                }),
                TakeUp::Read { from } => {
                    let one_at_a_time = self.redoing.lock().unwrap_or_else(PoisonError::into_inner);
                    let batch = claim.map(|claim| self.read(source, claim, *from)).transpose()?;
                    let facts = batch.as_ref().and_then(BatchFacts::of);
                    read = batch.map(|batch| (batch, one_at_a_time));
                    Heard::Read(facts)
                }
                TakeUp::PutObjects { absent } => {
                    if let (Some(claim), Some((batch, _one))) = (claim, read.take()) {
                        self.runtime.block_on(self.writer.finish(claim, batch, *absent))?;
                    }
                    Heard::Done
                }
                TakeUp::Register => {
                    if let Some(claim) = claim {
                        self.runtime.block_on(self.writer.announce(source, claim))?;
                    }
                    Heard::Done
                }
                TakeUp::Lost { from, to } => {
                    self.note_lost(source, *from, *to)?;
                    Heard::Done
                }
                TakeUp::Thinned { messages } => {
                    if let Some(claim) = claim {
                        self.note_thinned(source, claim, *messages)?;
                    }
                    Heard::Done
                }
                TakeUp::Settled(place) => {
                    let from = match place.from {
                        From::Beginning => 0,
                        From::Offset(from) => from,
                    };
                    self.runtime.block_on(self.writer.catch_up(source, claim, from))?;
                    return Ok(place.clone());
                }
                TakeUp::MadeAnew { end, found } => return Err(made_anew(source, *end, found)),
            };
            step = taking.next(step, heard);
        }
    }

    /// Reads a claim's messages again from an offset on, by a consumer of its own.
    fn read(&self, source: &Source, claim: &Claim, first: i64) -> anyhow::Result<Batch> {
        tracing::info!(
            "{source} [{}, {}) was claimed and not finished; writing it again",
            claim.start,
            claim.end
        );
        let reader: BaseConsumer<Plain> = connect(&self.config, Plain)?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(&source.topic, source.partition, Offset::Offset(first))?;
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
                first,
                claim.end,
                humantime::format_duration(self.timeout),
            );
        }
        Ok(batch)
    }

    /// Messages in `[expected, low)` are gone from Kafka and were never written. They are counted when it is committed that
    /// nobody looks for them any more.
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
        self.writer.gone(source, expected, low.abs_diff(expected));
        Ok(())
    }

    /// So many of a claim's messages are gone from between the others.
    fn note_thinned(&self, source: &Source, claim: &Claim, messages: u64) -> anyhow::Result<()> {
        let lost = format!(
            "{source}: {messages} of the {} messages in [{}, {}) were compacted away before they were written",
            claim.records, claim.start, claim.end
        );
        anyhow::ensure!(
            self.on_lost == OnLost::Continue,
            "{lost}; --on-lost continue writes what is left"
        );
        tracing::error!("{lost}; writing what is left");
        self.writer.gone(source, claim.start, messages);
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

/// The next of the sources that nobody works at.
fn claim_one<'a>(next: &AtomicUsize, sources: &'a [Source]) -> Option<(usize, &'a Source)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, sources.get(at)?))
}

impl std::convert::From<From> for Offset {
    fn from(from: From) -> Self {
        match from {
            From::Beginning => Self::Beginning,
            From::Offset(offset) => Self::Offset(offset),
        }
    }
}
