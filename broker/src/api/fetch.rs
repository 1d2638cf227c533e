//! Fetch (key 1), versions 4–18: read record batches, waiting for them where there are none yet.
//!
//! The answer carries stored bytes as they are: the frame's head and the partitions' fields are built in memory, the
//! records go from the segment file to the socket. A request that finds less than `min.bytes` is parked until an append
//! wakes it, at most for `max.wait.ms`. Version 4 added isolation, 7 incremental sessions (KIP-227), 9 leader epochs, 12
//! diverging epochs, 13 topic ids.

mod encode;
mod read;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Disconnect, Reply, RequestContext};
use crate::error::ResponseError;
use crate::log::Isolation;
use crate::runtime::fetch_sessions::{Context, News, PartitionKey, SessionError, SessionRequest, Wanted};
use crate::runtime::parked::Parked;
use encode::{Answer, encode};
pub(crate) use read::check_leader_epoch;
use read::{Found, Target, read_all};

/// The limits of one request.
struct Limits {
    min_bytes: usize,
    max_bytes: usize,
    isolation: Isolation,
}

/// Resolves the session, reads, waits, answers.
pub(crate) async fn handle(ctx: &RequestContext, version: i16, request: FetchRequest) -> Result<Reply, Disconnect> {
    if !(0..=1).contains(&request.isolation_level) {
        return refuse(ctx, version, &request, ResponseError::UnknownServerError);
    }
    let limits = limits(ctx, &request);
    let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let session = match ctx.broker.fetch_sessions.resolve(session_request(version, &request)) {
        Ok(Context::Sessionless) => Session::None(wanted(version, &request)),
        Ok(Context::Full(session)) => Session::Full(session),
        Ok(Context::Incremental(session)) => Session::Incremental(session),
        Err(error) => {
            let error = session_error(error);
            return encode(
                ctx,
                version,
                &Answer {
                    error: error.code(),
                    session_id: 0,
                    partitions: Vec::new(),
                },
            );
        }
    };
    let targets = find_all(ctx, version, session.wanted());
    let found = read_or_wait(ctx, &targets, &limits, max_wait).await;
    answer(ctx, version, &session, targets, found)
}

/// The answer to a request that is refused as a whole: before version 13 each partition has the error too.
fn refuse(
    ctx: &RequestContext,
    version: i16,
    request: &FetchRequest,
    error: ResponseError,
) -> Result<Reply, Disconnect> {
    let refused = |(key, wanted)| {
        let place = Err(error);
        let found = Found {
            aborted: Some(Vec::new()),
            ..Found::error(error)
        };
        (Target { key, wanted, place }, found)
    };
    let partitions = match version {
        ..13 => wanted(version, request).into_iter().map(refused).collect(),
        _ => Vec::new(),
    };
    let answer = Answer {
        error: error.code(),
        session_id: 0,
        partitions,
    };
    encode(ctx, version, &answer)
}

/// Reads, and where there is too little yet, waits and reads again.
async fn read_or_wait(ctx: &RequestContext, targets: &[Target], limits: &Limits, max_wait: Duration) -> Vec<Found> {
    let readable = targets.iter().any(|target| target.place.is_ok());
    let found = read_all(targets, limits.max_bytes, limits.isolation);
    if max_wait.is_zero() || !readable || is_enough(targets, &found, limits.min_bytes) {
        return found;
    }
    drop(found);
    let logs = targets.iter().filter_map(|target| target.place.as_ref().ok());
    let parked = Parked::new(logs.map(|place| place.partition.log.waiters()), max_wait);
    loop {
        // Registered first, looked at after: no append falls between.
        let found = read_all(targets, limits.max_bytes, limits.isolation);
        if is_enough(targets, &found, limits.min_bytes) {
            return found;
        }
        if !parked.grown(&ctx.gone).await {
            return read_all(targets, limits.max_bytes, limits.isolation);
        }
    }
}

/// Whether the answer goes out at once: enough bytes, or something that the client should know of now. A topic that is not
/// there does not hurry the others, as in Kafka.
fn is_enough(targets: &[Target], found: &[Found], min_bytes: usize) -> bool {
    let special = |(target, found): (&Target, &Found)| target.place.is_ok() && found.is_special();
    let bytes: usize = found.iter().map(Found::size_in_bytes).sum();
    bytes >= min_bytes || targets.iter().zip(found).any(special)
}

/// What is fetched, in which kind of session.
enum Session {
    None(Vec<(PartitionKey, Wanted)>),
    Full(Arc<crate::runtime::fetch_sessions::Session>),
    Incremental(Arc<crate::runtime::fetch_sessions::Session>),
}

impl Session {
    fn wanted(&self) -> Vec<(PartitionKey, Wanted)> {
        match self {
            Self::None(wanted) => wanted.clone(),
            Self::Full(session) | Self::Incremental(session) => session.wanted(),
        }
    }
}

fn answer(
    ctx: &RequestContext,
    version: i16,
    session: &Session,
    targets: Vec<Target>,
    found: Vec<Found>,
) -> Result<Reply, Disconnect> {
    let mut partitions: Vec<(Target, Found)> = targets.into_iter().zip(found).collect();
    // As in Kafka, what is not there comes last.
    partitions.sort_by_key(|(target, _)| target.place.is_err());
    let note = |session: &crate::runtime::fetch_sessions::Session, target: &Target, found: &Found| {
        session.note(
            &target.key,
            News {
                records: found.size_in_bytes() > 0,
                special: found.is_special(),
                error: found.error != 0,
                high_watermark: found.high_watermark,
                log_start_offset: found.log_start_offset,
            },
        )
    };
    let session_id = match session {
        Session::None(_) => 0,
        Session::Full(session) => {
            for (target, found) in &partitions {
                note(session, target, found);
            }
            session.id
        }
        Session::Incremental(session) => {
            partitions.retain(|(target, found)| note(session, target, found));
            session.id
        }
    };
    encode(
        ctx,
        version,
        &Answer {
            error: 0,
            session_id,
            partitions,
        },
    )
}

fn limits(ctx: &RequestContext, request: &FetchRequest) -> Limits {
    let at_least_zero = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let max_bytes = at_least_zero(request.max_bytes).min(ctx.broker.limits.fetch_bytes_max);
    Limits {
        max_bytes,
        min_bytes: at_least_zero(request.min_bytes).min(max_bytes),
        isolation: match request.isolation_level {
            1 => Isolation::ReadCommitted,
            _ => Isolation::ReadUncommitted,
        },
    }
}

/// A topic as the request names it: by name before version 13, by id from then on.
fn key(version: i16, topic: &StrBytes, topic_id: Uuid, partition: i32) -> PartitionKey {
    if version >= 13 {
        PartitionKey {
            topic: StrBytes::new(),
            topic_id,
            partition,
        }
    } else {
        PartitionKey {
            topic: topic.clone(),
            topic_id: Uuid::nil(),
            partition,
        }
    }
}

fn wanted(version: i16, request: &FetchRequest) -> Vec<(PartitionKey, Wanted)> {
    let partitions = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| {
            let wanted = Wanted {
                fetch_offset: partition.fetch_offset,
                // A limit below zero in all is one for each.
                max_bytes: if request.max_bytes < 0 {
                    -1
                } else {
                    partition.partition_max_bytes
                },
                // Whatever is below zero stands for none.
                current_leader_epoch: partition.current_leader_epoch.max(-1),
                last_fetched_epoch: partition.last_fetched_epoch,
            };
            (key(version, &topic.topic, topic.topic_id, partition.partition), wanted)
        })
    });
    each_once(partitions.collect())
}

/// Of a partition that is named more than once, the last is meant, in the place of the first.
fn each_once(wanted: Vec<(PartitionKey, Wanted)>) -> Vec<(PartitionKey, Wanted)> {
    if wanted.len() < 2 {
        return wanted;
    }
    let mut places: HashMap<PartitionKey, usize> = HashMap::with_capacity(wanted.len());
    let mut once: Vec<(PartitionKey, Wanted)> = Vec::with_capacity(wanted.len());
    for (key, wanted) in wanted {
        match places.entry(key.clone()) {
            Entry::Occupied(place) => once[*place.get()].1 = wanted,
            Entry::Vacant(place) => {
                place.insert(once.len());
                once.push((key, wanted));
            }
        }
    }
    once
}

fn session_request(version: i16, request: &FetchRequest) -> SessionRequest {
    let sessionless = version < 7;
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(move |partition| key(version, &topic.topic, topic.topic_id, *partition))
    });
    let epoch = if sessionless { -1 } else { request.session_epoch };
    SessionRequest {
        id: if sessionless { 0 } else { request.session_id },
        epoch,
        uses_topic_ids: version >= 13,
        // A request without a session is read as it stands.
        wanted: if epoch < 0 {
            Vec::new()
        } else {
            wanted(version, request)
        },
        forgotten: forgotten.collect(),
    }
}

fn session_error(error: SessionError) -> ResponseError {
    match error {
        SessionError::NotFound => ResponseError::FetchSessionIdNotFound,
        SessionError::InvalidEpoch => ResponseError::InvalidFetchSessionEpoch,
        SessionError::TopicIdError => ResponseError::FetchSessionTopicIdError,
    }
}

/// Finds the partitions; topics that follow each other under one name are looked up once.
fn find_all(ctx: &RequestContext, version: i16, wanted: Vec<(PartitionKey, Wanted)>) -> Vec<Target> {
    let topics = &ctx.broker.topics;
    let mut last: Option<(PartitionKey, Option<Arc<crate::metadata::topics::Topic>>)> = None;
    let mut targets = Vec::with_capacity(wanted.len());
    for (key, wanted) in wanted {
        let same = last
            .as_ref()
            .filter(|(last, _)| last.topic == key.topic && last.topic_id == key.topic_id);
        let topic = match same {
            Some((_, topic)) => topic.clone(),
            None if version >= 13 => topics.by_id(key.topic_id),
            None => topics.get(&key.topic),
        };
        let unknown = if version >= 13 {
            ResponseError::UnknownTopicId
        } else {
            ResponseError::UnknownTopicOrPartition
        };
        let place = match &topic {
            None => Err(unknown),
            Some(topic) => topic
                .partition(key.partition)
                .map(|partition| read::Place {
                    partition: Arc::clone(partition),
                })
                .ok_or(ResponseError::UnknownTopicOrPartition),
        };
        last = Some((key.clone(), topic));
        targets.push(Target { key, wanted, place });
    }
    targets
}
