//! The sink itself: one thread that consumes and cuts, tasks that write.
//!
//! The consuming thread owns everything that librdkafka calls back into; no call of its ever waits for the
//! store except where a partition is taken up or given away, when there is nothing else to do. Offsets are
//! committed only for what is written and registered. See [`crate::ledger`] for why no row can be doubled.

mod intake;
mod log;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Offset, Statistics, TopicPartitionList,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use tickertape_client::oauth_token;
use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::sync::CancellationToken;

use self::{
    intake::Intake,
    log::{is_of_new_id, reset_partition},
};
use crate::{
    batcher::{Batcher, Cut, Limits},
    clock::{now, wall_ms},
    names::{Range, Source},
    protocol::{Place, note},
    recover::Recovery,
    stats::Stats,
    writer::{WriteError, Writer},
};

/// How long to wait for a message before looking at the rest.
const POLL: Duration = Duration::from_millis(25);

/// How long librdkafka may be left alone with what it has fetched; well below `max.poll.interval.ms`.
const HOLD_MAX: Duration = Duration::from_secs(5);

/// What the consuming thread and librdkafka's calls into it share.
pub(crate) struct Sink {
    state: Mutex<State>,
    outcomes: Mutex<Receiver<Outcome>>,
    outcome_sender: Sender<Outcome>,
    pub(crate) recovery: Recovery,
    writer: Arc<Writer>,
    stats: Arc<Stats>,
    runtime: Handle,
    epoch: u32,
    timeout: Duration,
    /// A topic has another id than before.
    renewed: AtomicBool,
    /// The partitions in which librdkafka has gone on elsewhere, as the offset that was due is not there any more.
    resets: Mutex<HashSet<(String, i32)>>,
    /// How long giving partitions away may take before the group would go on without us.
    revoke_max: Duration,
}

struct State {
    batcher: Batcher,
    /// Per partition, what tells that its last batch is written.
    tails: HashMap<Source, oneshot::Receiver<()>>,
    /// Per partition, how many batches are being written.
    pending: HashMap<Source, usize>,
    /// Written and not committed yet, and when it was cut; that of a batch that was found written is of no interest.
    to_commit: HashMap<Source, (Range, Option<Instant>)>,
    flow: Flow,
    /// The sink ends: nothing more is written.
    closing: bool,
    failed: Option<anyhow::Error>,
    /// Since when no broker is connected.
    away_since: Option<Instant>,
}

/// Whether messages are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Taken,
    /// Since then the memory is used up. What librdkafka has fetched ahead stays where it is.
    Held(Instant),
    /// It has been used up for so long that librdkafka was told, since it must be asked for messages now and then. What
    /// it has fetched ahead is fetched again later.
    Paused,
}

struct Outcome {
    source: Source,
    news: News,
}

enum News {
    /// The offsets of this range, which was cut then, may be committed.
    Committable(Range, Instant),
    /// The batch is done with.
    Ended(Result<(), WriteError>),
}

impl Sink {
    pub(crate) fn new(limits: Limits, recovery: Recovery, epoch: u32, revoke_max: Duration) -> Self {
        let (outcome_sender, outcomes) = channel();
        let state = State {
            batcher: Batcher::new(limits),
            tails: HashMap::new(),
            pending: HashMap::new(),
            to_commit: HashMap::new(),
            flow: Flow::Taken,
            closing: false,
            failed: None,
            away_since: None,
        };
        Self {
            state: Mutex::new(state),
            outcomes: Mutex::new(outcomes),
            outcome_sender,
            writer: recovery.writer.clone(),
            stats: recovery.stats.clone(),
            runtime: recovery.runtime.clone(),
            timeout: recovery.timeout,
            recovery,
            epoch,
            renewed: AtomicBool::new(false),
            resets: Mutex::default(),
            revoke_max,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resets(&self) -> MutexGuard<'_, HashSet<(String, i32)>> {
        self.resets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, state: &mut State, cuts: impl IntoIterator<Item = Cut>) {
        for cut in cuts {
            let source = cut.batch.range().source.clone();
            let (written, tail) = oneshot::channel();
            let before = state.tails.insert(source.clone(), tail);
            *state.pending.entry(source.clone()).or_default() += 1;
            let (writer, outcomes, cut_at) = (self.writer.clone(), self.outcome_sender.clone(), now());
            self.runtime.spawn(async move {
                let (of, told) = (source.clone(), outcomes.clone());
                // The receiver is there as long as the sink is.
                let committable = move |range| {
                    let news = News::Committable(range, cut_at);
                    let _ = told.send(Outcome { source: of, news });
                };
                let result = writer.write(cut, before, committable).await;
                if result.is_ok() {
                    // Nobody waits if there is no batch behind this one.
                    let _ = written.send(());
                } else {
                    drop(written);
                }
                let news = News::Ended(result);
                let _ = outcomes.send(Outcome { source, news });
            });
        }
    }

    /// Takes what has been written meanwhile, waiting for the first for up to `wait`. Returns the partitions
    /// that another sink has taken.
    fn collect(&self, state: &mut State, wait: Duration) -> Vec<Source> {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fenced = Vec::new();
        let mut next = if wait.is_zero() {
            outcomes.try_recv().ok()
        } else {
            outcomes.recv_timeout(wait).ok()
        };
        while let Some(Outcome { source, news }) = next {
            let result = match news {
                News::Committable(range, cut_at) => {
                    state.to_commit.insert(source, (range, Some(cut_at)));
                    next = outcomes.try_recv().ok();
                    continue;
                }
                News::Ended(result) => result,
            };
            if let Some(pending) = state.pending.get_mut(&source) {
                *pending -= 1;
                if *pending == 0 {
                    state.pending.remove(&source);
                }
            }
            match result {
                Ok(()) | Err(WriteError::Abandoned) => {}
                Err(error @ WriteError::Fenced { .. }) => {
                    Stats::add(&self.stats.fenced, 1);
                    tracing::warn!("{error}; taking the partition up again behind it");
                    fenced.push(source);
                }
                Err(WriteError::Failed(error)) => drop(state.failed.get_or_insert(error)),
            }
            next = outcomes.try_recv().ok();
        }
        fenced
    }

    /// Commits what is written, of the partitions that are ours.
    fn commit(&self, consumer: &BaseConsumer<Self>, state: &mut State, ours: &[Source], mode: CommitMode) {
        let mut offsets = TopicPartitionList::new();
        let committed_at = now();
        for (source, (range, cut_at)) in state.to_commit.drain() {
            if !ours.contains(&source) {
                continue;
            }
            if let Some(cut_at) = cut_at {
                let latency = committed_at.saturating_duration_since(cut_at);
                let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
                self.stats.commit_latency_ms.record(latency_ms);
            }
            let mut offset = offsets.add_partition(&source.topic, source.partition);
            offset.set_metadata(note(source.epoch, range.start));
            if let Err(error) = offset.set_offset(Offset::Offset(range.end)) {
                tracing::warn!("{source}: {error}");
            }
        }
        if offsets.count() == 0 {
            return;
        }
        // Not fatal: the ledger knows, and the next commit says more.
        if let Err(error) = consumer.commit(&offsets, mode) {
            tracing::warn!("offsets not committed ({error}); the ledger has them");
        }
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> anyhow::Result<()> {
        let sources = self.sources(partitions);
        for source in &sources {
            tracing::info!("{source}: taken up");
        }
        let places = self.recovery.places(consumer, sources)?;
        let mut assignment = TopicPartitionList::with_capacity(places.len());
        let mut state = self.state();
        for (source, place) in places {
            assignment.add_partition_offset(&source.topic, source.partition, place.from.into())?;
            state.tails.remove(&source);
            self.committable(&mut state, &source, &place);
            state.batcher.assign(source, place.start);
        }
        state.flow = Flow::Taken;
        Stats::set(&self.stats.partitions, state.batcher.assigned().count() as u64);
        drop(state);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&assignment)?,
            _ => consumer.assign(&assignment)?,
        }
        Ok(())
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> anyhow::Result<()> {
        let sources = self.sources(partitions);
        let mut state = self.state();
        if state.closing {
            state.batcher.forget(&sources);
        } else if consumer.assignment_lost() {
            // Others have them already: what is open is theirs to write.
            tracing::warn!("{} partitions lost to the group", sources.len());
            state.batcher.forget(&sources);
        } else {
            let cuts = state.batcher.revoke(&sources);
            self.submit(&mut state, cuts);
            let until = now() + self.revoke_max;
            while state.failed.is_none() && sources.iter().any(|source| state.pending.contains_key(source)) {
                let left = until.saturating_duration_since(now());
                if left.is_zero() {
                    tracing::warn!("partitions given away before their batches were written; the next owner does it");
                    break;
                }
                self.collect(&mut state, left);
            }
            self.commit(consumer, &mut state, &sources, CommitMode::Sync);
        }
        for source in &sources {
            state.tails.remove(source);
            state.to_commit.remove(source);
            self.writer.forget_gone(source);
            tracing::info!("{source}: given up");
        }
        Stats::set(&self.stats.partitions, state.batcher.assigned().count() as u64);
        drop(state);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions)?,
            _ => consumer.unassign()?,
        }
        Ok(())
    }

    fn sources(&self, partitions: &TopicPartitionList) -> Vec<Source> {
        let source = |topic: &str, partition| Source {
            topic: topic.into(),
            partition,
            epoch: self.epoch,
        };
        partitions
            .elements()
            .iter()
            .map(|element| source(element.topic(), element.partition()))
            .collect()
    }

    /// Consumes until asked to stop; then writes what is open.
    ///
    /// # Errors
    /// The first thing that can't be mended by waiting. What was written stays; nothing more is committed.
    pub(crate) fn run(consumer: &BaseConsumer<Self>, stop: &CancellationToken) -> anyhow::Result<()> {
        let sink = consumer.context().clone();
        let ended = sink.consume(consumer, stop);
        // Leaving the group gives the partitions away once more, and there is nothing to do about it then.
        sink.state().closing = true;
        ended
    }

    fn consume(&self, consumer: &BaseConsumer<Self>, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut intake = Intake::new(self);
        let mut looked = now();
        while !stop.is_cancelled() {
            let flow = self.state().flow;
            if !matches!(flow, Flow::Held(_)) {
                intake.burst(consumer, flow == Flow::Taken)?;
            }
            if self.renewed.swap(false, Ordering::AcqRel) {
                self.made_sure(consumer)?;
            }
            let time = now();
            let mut state = self.state();
            if state.flow != Flow::Taken || time - looked >= POLL {
                looked = time;
                let rotated = state.batcher.rotate(wall_ms());
                let due = state.batcher.due(time);
                self.submit(&mut state, rotated.into_iter().chain(due));
                drop(state);
                self.look_after(consumer)?;
            }
        }
        self.stop(consumer)
    }

    /// All that isn't taking messages.
    fn look_after(&self, consumer: &BaseConsumer<Self>) -> anyhow::Result<()> {
        let mut state = self.state();
        let wait = if state.flow == Flow::Taken {
            Duration::ZERO
        } else {
            POLL
        };
        let fenced = self.collect(&mut state, wait);
        if let Some(failed) = state.failed.take() {
            return Err(failed);
        }
        if let Some(since) = state.away_since.filter(|since| now() - *since > self.timeout) {
            let away = humantime::format_duration(Duration::from_secs((now() - since).as_secs())).to_string();
            anyhow::bail!("Kafka has been away for {away} (--timeout)");
        }
        let ours: Vec<Source> = state.batcher.assigned().cloned().collect();
        if !state.to_commit.is_empty() {
            self.commit(consumer, &mut state, &ours, CommitMode::Async);
        }
        Stats::set(&self.stats.memory_bytes, state.batcher.used_bytes() as u64);
        match state.flow {
            Flow::Held(_) if state.batcher.has_room() => state.flow = Flow::Taken,
            Flow::Held(since) if now() - since > HOLD_MAX => {
                consumer.pause(&consumer.assignment()?)?;
                state.flow = Flow::Paused;
            }
            Flow::Paused if state.batcher.has_room() => {
                consumer.resume(&consumer.assignment()?)?;
                state.flow = Flow::Taken;
            }
            _ => {}
        }
        drop(state);
        for source in fenced {
            if ours.contains(&source) {
                self.take_up_again(consumer, source)?;
            }
        }
        Ok(())
    }

    /// A topic has another id than before: it was made anew, and librdkafka would go on in it at the old offsets. All
    /// partitions are taken up again, which compares the last message that was written; what is open is dropped.
    fn made_sure(&self, consumer: &BaseConsumer<Self>) -> anyhow::Result<()> {
        let sources: Vec<Source> = self.state().batcher.assigned().cloned().collect();
        sources
            .into_iter()
            .try_for_each(|source| self.take_up_again(consumer, source))
    }

    /// After a lost race for a partition that the group still says is ours.
    fn take_up_again(&self, consumer: &BaseConsumer<Self>, source: Source) -> anyhow::Result<()> {
        let mut state = self.state();
        state.batcher.forget(std::slice::from_ref(&source));
        state.tails.remove(&source);
        drop(state);
        for (source, place) in self.recovery.places(consumer, vec![source])? {
            consumer.seek(&source.topic, source.partition, place.from.into(), self.timeout)?;
            let mut state = self.state();
            self.committable(&mut state, &source, &place);
            state.batcher.assign(source, place.start);
        }
        Ok(())
    }

    /// The end of a claim that was found whole, or made so, may be committed: the next start needn't look at it again.
    fn committable(&self, state: &mut State, source: &Source, place: &Place) {
        let Some(start) = place.uncommitted else { return };
        let range = Range {
            source: source.clone(),
            start,
            end: place.start.next,
        };
        self.writer.count_gone(source, range.end);
        state.to_commit.insert(source.clone(), (range, None));
    }

    /// Writes and commits everything that is open.
    fn stop(&self, consumer: &BaseConsumer<Self>) -> anyhow::Result<()> {
        let mut state = self.state();
        let cuts = state.batcher.stop();
        self.submit(&mut state, cuts);
        while state.failed.is_none() && !state.pending.is_empty() {
            self.collect(&mut state, Duration::from_secs(1));
        }
        let ours: Vec<Source> = state.batcher.assigned().cloned().collect();
        self.commit(consumer, &mut state, &ours, CommitMode::Sync);
        state.batcher.forget(&ours);
        state.failed.take().map_or(Ok(()), Err)
    }
}

impl ClientContext for Sink {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth_token(config)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Debug) && is_of_new_id(message) {
            tracing::warn!("a topic was made anew: {message}");
            self.renewed.store(true, Ordering::Release);
        }
        if let Some(partition) = reset_partition(message) {
            self.resets().insert(partition);
        }
        // What else matters of it comes as an error too, and is said there.
        tracing::debug!(target: "librdkafka", "{level:?} {facility} {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let KafkaError::Global(RDKafkaErrorCode::AllBrokersDown) = error {
            let since = &mut self.state().away_since;
            if since.is_none() {
                let timeout = humantime::format_duration(self.timeout);
                tracing::warn!("Kafka is away; waiting for it for up to {timeout}");
                *since = Some(now());
            }
        } else {
            tracing::debug!("Kafka: {error}: {reason}");
        }
    }

    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let lag: i64 = partitions.map(|partition| partition.consumer_lag.max(0)).sum();
        Stats::set(&self.stats.lag, lag.unsigned_abs());
        let connected = statistics
            .brokers
            .values()
            .any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        if connected && self.state().away_since.take().is_some() {
            tracing::info!("Kafka is back");
        }
    }
}

impl ConsumerContext for Sink {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let done = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, partitions),
            _ => self.revoked(consumer, partitions),
        };
        if let Err(error) = done {
            self.state().failed.get_or_insert(error);
            // librdkafka waits for an answer to its question in any case.
            if let Err(error) = consumer.unassign() {
                tracing::debug!("unassign: {error}");
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::warn!("offsets not committed ({error}); the ledger has them");
        }
    }
}
