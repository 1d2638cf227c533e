//! Messages from Kafka into the batcher: what happens for each of them, and so has to be cheap.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rdkafka::{
    Message,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
};

use super::{Flow, POLL, Sink};
use crate::{
    batch::{Record, day_or_rejected},
    batcher::Pushed,
    clock::now,
    names::Source,
    recover::made_anew,
    stats::Stats,
    writer::Table,
};

/// How many messages are taken before anything else is looked at.
const BURST: usize = 256;

/// Messages on their way into the batcher.
pub(super) struct Intake<'a> {
    sink: &'a Sink,
    /// The table of the topic that the last message was of.
    table: Option<(String, Arc<Table>)>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(sink: &'a Sink) -> Self {
        Self { sink, table: None }
    }

    /// Takes messages until there are no more for now, there is no room, or something else wants to be looked at.
    pub(super) fn burst(&mut self, consumer: &BaseConsumer<Sink>, wait: bool) -> anyhow::Result<()> {
        let time = now();
        let mut wait = if wait { POLL } else { Duration::ZERO };
        let (mut messages, mut bytes) = (0, 0);
        for _ in 0..BURST {
            match consumer.poll(std::mem::take(&mut wait)) {
                None => break,
                // It comes again when it is clear which topic it is of.
                Some(Ok(_)) if self.sink.renewed.load(Ordering::Acquire) => break,
                Some(Ok(message)) => {
                    messages += 1;
                    bytes += message.payload_len() as u64;
                    if !self.take(consumer, &message, time)? {
                        break;
                    }
                }
                Some(Err(error)) => self.error(&error)?,
            }
        }
        Stats::add(&self.sink.stats.consumed, messages);
        Stats::add(&self.sink.stats.consumed_bytes, bytes);
        Ok(())
    }

    /// Takes a message; whether there is room for more.
    fn take(
        &mut self,
        consumer: &BaseConsumer<Sink>,
        message: &BorrowedMessage<'_>,
        time: Instant,
    ) -> anyhow::Result<bool> {
        let topic = message.topic();
        if self.table.as_ref().is_none_or(|(of, _)| of != topic) {
            self.table = self
                .sink
                .writer
                .table(topic)
                .map(|table| (topic.to_owned(), table.clone()));
        }
        let Some((_, table)) = &self.table else { return Ok(true) };
        let timestamp_ms = message.timestamp().to_millis().unwrap_or(-1);
        let record = Record {
            offset: message.offset(),
            timestamp_ms,
            value: message.payload(),
        };
        let day = |record: &Record<'_>| day_or_rejected(table.encoding.dates.day_of(record.value, record.timestamp_ms));
        let mut state = self.sink.state();
        let mut pushed = state.batcher.push(topic, message.partition(), record, day, time);
        if let Pushed::Gap { source, expected } = pushed {
            drop(state);
            self.gap(consumer, &source, expected, record.offset)?;
            state = self.sink.state();
            pushed = state.batcher.push(topic, message.partition(), record, day, time);
        }
        match pushed {
            Pushed::Gap { .. } | Pushed::PassedOver => return Ok(true),
            Pushed::Kept => {}
            Pushed::Cut(cut) => self.sink.submit(&mut state, [cut]),
            Pushed::Behind { source, next } | Pushed::Replaced { source, next } => {
                let found = format!("the message at offset {} is another one", record.offset);
                return Err(made_anew(&source, next, &found));
            }
        }
        while let Some(cut) = state.batcher.relieve() {
            self.sink.submit(&mut state, [cut]);
        }
        if state.flow == Flow::Taken && state.batcher.is_full() {
            state.flow = Flow::Held(time);
            Stats::add(&self.sink.stats.pauses, 1);
            return Ok(false);
        }
        Ok(true)
    }

    /// Offsets that didn't come: compacted, of transactions that were aborted or their markers, or deleted before we read
    /// them. Only these need a question to Kafka, and librdkafka has said that there may be some: it asks for an offset that
    /// is gone, and is told so. A topic may have a gap behind every message, and a question takes as long as the fetch that
    /// is on its way.
    #[cold]
    fn gap(&self, consumer: &BaseConsumer<Sink>, source: &Source, expected: i64, came: i64) -> anyhow::Result<()> {
        let partition = (source.topic.to_string(), source.partition);
        if !self.sink.resets().remove(&partition) {
            return Ok(());
        }
        Stats::add(&self.sink.stats.asked, 1);
        match consumer.fetch_watermarks(&source.topic, source.partition, Duration::from_secs(5)) {
            Ok((low, _)) => self.sink.recovery.note_lost(source, expected, low.min(came)),
            Err(error) => {
                tracing::warn!(
                    "{source}: offsets [{expected}, {came}) did not come, and Kafka doesn't say why ({error})"
                );
                Ok(())
            }
        }
    }

    fn error(&self, error: &KafkaError) -> anyhow::Result<()> {
        match error {
            KafkaError::MessageConsumptionFatal(code) => anyhow::bail!("Kafka: {code}"),
            KafkaError::MessageConsumption(
                code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed),
            ) => anyhow::bail!("Kafka: {code}"),
            error => {
                tracing::warn!("Kafka: {error}");
                Ok(())
            }
        }
    }
}
