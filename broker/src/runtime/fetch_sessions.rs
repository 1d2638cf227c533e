//! Incremental fetch sessions (KIP-227): what a consumer fetches, remembered, so that it need not say it each time.
//!
//! A session is an ordered set of partitions with what the client last asked and last heard. An incremental answer has only
//! the partitions with news; those that gave records go to the end of the order, so that each has its turn when the answer
//! is full. There are at most `max.incremental.fetch.session.cache.slots` sessions; a new one takes the place of the one
//! that has been idle longest, if that is for two minutes or more, and otherwise the client fetches in full.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;
use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

/// For how long a session is safe from eviction.
const EVICTION_AFTER: Duration = Duration::from_secs(120);

/// Which partition, as the client says it: by name before version 13, by id from then on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PartitionKey {
    /// Empty where the id is given.
    pub topic: StrBytes,
    /// Nil where the name is given.
    pub topic_id: Uuid,
    /// The partition's number.
    pub partition: i32,
}

/// What a client wants of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// From which offset.
    pub fetch_offset: i64,
    /// At most how many bytes.
    pub max_bytes: i32,
    /// The leader epoch that the client knows; -1 for none.
    pub current_leader_epoch: i32,
    /// The epoch of the last record that the client has; -1 for none.
    pub last_fetched_epoch: i32,
}

/// One partition of a session.
#[derive(Debug)]
struct Cached {
    wanted: Wanted,
    /// Its place in the order.
    turn: u64,
    /// What the client was last told; -1 for nothing or an error.
    high_watermark: i64,
    log_start_offset: i64,
}

/// What an answer says of one partition, as far as a session cares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News {
    /// Whether there are records.
    pub records: bool,
    /// Whether there is an error, or a diverging epoch.
    pub special: bool,
    /// Whether there is an error.
    pub error: bool,
    /// The high watermark.
    pub high_watermark: i64,
    /// The log start offset.
    pub log_start_offset: i64,
}

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its id, never 0.
    pub id: i32,
    uses_topic_ids: bool,
    state: Mutex<SessionState>,
}

#[derive(Debug)]
struct SessionState {
    epoch: i32,
    partitions: HashMap<PartitionKey, Cached>,
    order: BTreeMap<u64, PartitionKey>,
    next_turn: u64,
}

impl SessionState {
    fn put(&mut self, key: PartitionKey, wanted: Wanted) {
        if let Some(cached) = self.partitions.get_mut(&key) {
            cached.wanted = wanted;
            return;
        }
        let turn = self.next_turn;
        self.next_turn += 1;
        self.order.insert(turn, key.clone());
        self.partitions.insert(
            key,
            Cached {
                wanted,
                turn,
                high_watermark: -1,
                log_start_offset: -1,
            },
        );
    }

    fn remove(&mut self, key: &PartitionKey) {
        if let Some(cached) = self.partitions.remove(key) {
            self.order.remove(&cached.turn);
        }
    }
}

impl Session {
    /// What to fetch, in order.
    pub(crate) fn wanted(&self) -> Vec<(PartitionKey, Wanted)> {
        let state = self.state.lock();
        state
            .order
            .values()
            .filter_map(|key| Some((key.clone(), state.partitions.get(key)?.wanted)))
            .collect()
    }

    /// Notes what is about to be answered, and says whether an incremental answer has to name the partition.
    pub(crate) fn note(&self, key: &PartitionKey, news: News) -> bool {
        let mut state = self.state.lock();
        let next_turn = state.next_turn;
        let Some(cached) = state.partitions.get_mut(key) else {
            return true;
        };
        let changed = cached.high_watermark != news.high_watermark || cached.log_start_offset != news.log_start_offset;
        // A partition with an error is named each time, and once more when the error is over.
        cached.high_watermark = if news.error { -1 } else { news.high_watermark };
        cached.log_start_offset = news.log_start_offset;
        if news.records {
            let turn = std::mem::replace(&mut cached.turn, next_turn);
            state.next_turn += 1;
            state.order.remove(&turn);
            state.order.insert(next_turn, key.clone());
        }
        changed || news.records || news.special || news.error
    }
}

/// How a fetch request goes about its session.
#[derive(Debug)]
pub(crate) enum Context {
    /// Without one: all that is asked, all answered.
    Sessionless,
    /// The first request of a new session: all that is asked, all answered.
    Full(Arc<Session>),
    /// A later request: what the session knows, answered where there is news.
    Incremental(Arc<Session>),
}

/// Why a session cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionError {
    /// It is not there, or not any more.
    NotFound,
    /// The request is not the next one.
    InvalidEpoch,
    /// Names and ids are mixed.
    TopicIdError,
}

/// What a request says of its session.
#[derive(Debug)]
pub(crate) struct SessionRequest {
    /// 0 for none.
    pub id: i32,
    /// 0 for a new session, -1 for none.
    pub epoch: i32,
    /// Whether topics are named by id.
    pub uses_topic_ids: bool,
    /// The partitions that are new or changed; in a full request, all.
    pub wanted: Vec<(PartitionKey, Wanted)>,
    /// The partitions that are no longer fetched.
    pub forgotten: Vec<PartitionKey>,
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    slots: usize,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    sessions: HashMap<i32, (Arc<Session>, Instant)>,
}

impl FetchSessions {
    /// Room for `slots` sessions.
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots,
            cache: Mutex::default(),
        }
    }

    /// The session of a request, made, found and updated, or ended, as the request says.
    pub(crate) fn resolve(&self, request: SessionRequest) -> Result<Context, SessionError> {
        if request.epoch <= 0 {
            if request.id != 0 {
                self.cache.lock().sessions.remove(&request.id);
            }
            let session = if request.epoch == 0 { self.create(request) } else { None };
            return Ok(session.map_or(Context::Sessionless, Context::Full));
        }
        let mut cache = self.cache.lock();
        let (session, used) = cache.sessions.get_mut(&request.id).ok_or(SessionError::NotFound)?;
        let session = Arc::clone(session);
        *used = Instant::now();
        let mut state = session.state.lock();
        if state.epoch != request.epoch {
            return Err(SessionError::InvalidEpoch);
        }
        if session.uses_topic_ids != request.uses_topic_ids {
            return Err(SessionError::TopicIdError);
        }
        for (key, wanted) in request.wanted {
            state.put(key, wanted);
        }
        for key in &request.forgotten {
            state.remove(key);
        }
        if state.partitions.is_empty() {
            cache.sessions.remove(&request.id);
            return Ok(Context::Sessionless);
        }
        state.epoch = next_epoch(state.epoch);
        drop(state);
        Ok(Context::Incremental(session))
    }

    fn create(&self, request: SessionRequest) -> Option<Arc<Session>> {
        let now = Instant::now();
        let mut cache = self.cache.lock();
        if cache.sessions.len() >= self.slots {
            let idle = cache.sessions.iter().min_by_key(|(_, (_, used))| *used);
            let (id, _) = idle.filter(|(_, (_, used))| now.duration_since(*used) >= EVICTION_AFTER)?;
            let id = *id;
            cache.sessions.remove(&id);
        }
        let id = loop {
            // Nobody else's session can be guessed.
            let id = i32::from_be_bytes(*Uuid::new_v4().as_bytes().first_chunk()?) & i32::MAX;
            if id != 0 && !cache.sessions.contains_key(&id) {
                break id;
            }
        };
        let mut state = SessionState {
            epoch: 1,
            partitions: HashMap::new(),
            order: BTreeMap::new(),
            next_turn: 0,
        };
        for (key, wanted) in request.wanted {
            // The frame that the name came in is not to live as long as the session.
            let topic = StrBytes::from_string(key.topic.to_string());
            state.put(PartitionKey { topic, ..key }, wanted);
        }
        let session = Arc::new(Session {
            id,
            uses_topic_ids: request.uses_topic_ids,
            state: Mutex::new(state),
        });
        cache.sessions.insert(id, (Arc::clone(&session), now));
        Some(session)
    }
}

/// After the greatest epoch comes 1: 0 would be a new session.
fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> PartitionKey {
        PartitionKey {
            topic: StrBytes::from_static_str("t"),
            topic_id: Uuid::nil(),
            partition,
        }
    }

    fn wanted(fetch_offset: i64) -> Wanted {
        Wanted {
            fetch_offset,
            max_bytes: 1,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        }
    }

    fn request(id: i32, epoch: i32, partitions: &[i32]) -> SessionRequest {
        SessionRequest {
            id,
            epoch,
            uses_topic_ids: false,
            wanted: partitions.iter().map(|p| (key(*p), wanted(0))).collect(),
            forgotten: Vec::new(),
        }
    }

    fn full(sessions: &FetchSessions, partitions: &[i32]) -> Arc<Session> {
        match sessions.resolve(request(0, 0, partitions)).unwrap() {
            Context::Full(session) => session,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_session_remembers_and_rotates() {
        let sessions = FetchSessions::new(10);
        let session = full(&sessions, &[0, 1, 2]);
        let quiet = News {
            records: false,
            special: false,
            error: false,
            high_watermark: 5,
            log_start_offset: 0,
        };
        for partition in 0..3 {
            assert!(
                session.note(&key(partition), quiet),
                "the first time everything is news"
            );
            assert!(!session.note(&key(partition), quiet));
        }
        assert!(session.note(&key(0), News { records: true, ..quiet }));
        let mut next = request(session.id, 1, &[3]);
        next.forgotten.push(key(1));
        let Context::Incremental(session) = sessions.resolve(next).unwrap() else {
            panic!()
        };
        let order: Vec<i32> = session.wanted().iter().map(|(key, _)| key.partition).collect();
        assert_eq!(order, [2, 0, 3]);
    }

    #[tokio::test]
    async fn an_error_is_told_each_time_and_its_end_too() {
        let sessions = FetchSessions::new(10);
        let session = full(&sessions, &[0]);
        let fine = News {
            records: false,
            special: false,
            error: false,
            high_watermark: 5,
            log_start_offset: 0,
        };
        let broken = News {
            error: true,
            high_watermark: -1,
            log_start_offset: -1,
            ..fine
        };
        assert!(session.note(&key(0), broken));
        assert!(session.note(&key(0), broken));
        assert!(session.note(&key(0), fine));
        assert!(!session.note(&key(0), fine));
    }

    #[tokio::test]
    async fn wrong_sessions_and_epochs_are_refused() {
        let sessions = FetchSessions::new(10);
        let session = full(&sessions, &[0]);
        let refused = |request| sessions.resolve(request).unwrap_err();
        assert_eq!(refused(request(session.id ^ 1, 1, &[])), SessionError::NotFound);
        assert_eq!(refused(request(session.id, 2, &[])), SessionError::InvalidEpoch);
        let by_id = SessionRequest {
            uses_topic_ids: true,
            ..request(session.id, 1, &[])
        };
        assert_eq!(refused(by_id), SessionError::TopicIdError);
        assert!(matches!(
            sessions.resolve(request(session.id, -1, &[0])),
            Ok(Context::Sessionless)
        ));
        assert_eq!(refused(request(session.id, 1, &[])), SessionError::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_idle_session_is_evicted() {
        let sessions = FetchSessions::new(1);
        let first = full(&sessions, &[0]);
        assert!(matches!(
            sessions.resolve(request(0, 0, &[0])),
            Ok(Context::Sessionless)
        ));
        tokio::time::advance(EVICTION_AFTER).await;
        full(&sessions, &[0]);
        assert_eq!(
            sessions.resolve(request(first.id, 1, &[])).unwrap_err(),
            SessionError::NotFound
        );
    }
}
