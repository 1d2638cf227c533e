//! One group at work: its state, the requests that are parked in it, and its timers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::Inner;
use crate::coordinator::group::classic;
use crate::coordinator::group::{self, Answer, Effect, Group, GroupError, Outcome, Timer};

/// After how long a timer whose outcome could not be stored goes off again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A reply, or the place to wait for it.
type Parkable<R> = Result<R, oneshot::Receiver<R>>;

/// A group id and what is behind it.
#[derive(Debug)]
pub(super) struct Slot {
    id: StrBytes,
    live: Mutex<Live>,
    /// Tells the timer task that a timer goes off earlier than it thinks.
    earlier: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Live {
    group: Group,
    joins: HashMap<StrBytes, oneshot::Sender<JoinGroupResponse>>,
    syncs: HashMap<StrBytes, oneshot::Sender<SyncGroupResponse>>,
    timers: BTreeMap<Timer, Instant>,
    /// When the timer task wakes up; `None` while there is no task.
    wakes_at: Option<Instant>,
    task_starting: bool,
    wake_earlier: bool,
    /// Counts durable writes, and up to which of them the store is known to be flushed.
    written: u64,
    flushed: u64,
    /// The group is gone and the slot is no longer in the map.
    retired: bool,
}

/// A command that was carried out, up to waiting for the store.
pub(super) struct Done<R> {
    pub(super) slot: Arc<Slot>,
    pub(super) reply: R,
    pub(super) answers: Answers,
    /// Which write must be safe before the reply and the answers may go.
    pub(super) written: Option<u64>,
}

/// Answers on their way to parked requests.
#[derive(Debug, Default)]
pub(super) struct Answers {
    joins: Vec<(oneshot::Sender<JoinGroupResponse>, JoinGroupResponse)>,
    syncs: Vec<(oneshot::Sender<SyncGroupResponse>, SyncGroupResponse)>,
}

impl Answers {
    pub(super) fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.syncs.is_empty()
    }

    /// Sends them. Who has gone away meanwhile is not missed.
    pub(super) fn send(self) {
        for (place, response) in self.joins {
            let _ = place.send(response);
        }
        for (place, response) in self.syncs {
            let _ = place.send(response);
        }
    }

    /// Sends an error instead of each.
    pub(super) fn refuse(self, error: GroupError) {
        for (place, response) in self.joins {
            let _ = place.send(classic::refusal(response.member_id, error));
        }
        for (place, _) in self.syncs {
            let _ = place.send(SyncGroupResponse::default().with_error_code(error.code()));
        }
    }
}

impl Slot {
    pub(super) fn new(id: StrBytes, group: Group) -> Slot {
        Slot {
            id,
            live: Mutex::new(Live {
                group,
                ..Live::default()
            }),
            earlier: Notify::new(),
        }
    }

    pub(super) fn id(&self) -> &StrBytes {
        &self.id
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock()
    }

    pub(super) fn read<R>(&self, look: impl FnOnce(&Group) -> R) -> R {
        look(&self.live.lock().group)
    }

    pub(super) fn flushed(&self, written: u64) {
        let mut live = self.live.lock();
        live.flushed = live.flushed.max(written);
    }

    pub(super) fn wake_timers(&self) {
        self.earlier.notify_one();
    }

    /// Answers whoever is parked: the broker stops, and the client will find the coordinator elsewhere or later.
    pub(super) fn dismiss(&self) {
        let mut live = self.live.lock();
        let error_code = GroupError::StorageFailed.code();
        for (member_id, place) in live.joins.drain() {
            let _ = place.send(classic::refusal(member_id, GroupError::StorageFailed));
        }
        for (_, place) in live.syncs.drain() {
            let _ = place.send(SyncGroupResponse::default().with_error_code(error_code));
        }
        live.timers.clear();
    }
}

impl Live {
    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired
    }

    /// Makes a place for the request if it is to be parked. A request that is parked there already loses its place.
    pub(super) fn park_join(
        &mut self,
        outcome: Outcome<Answer<JoinGroupResponse>>,
    ) -> Outcome<Parkable<JoinGroupResponse>> {
        outcome.map(|answer| park(&mut self.joins, answer))
    }

    /// As [`Self::park_join`].
    pub(super) fn park_sync(
        &mut self,
        outcome: Outcome<Answer<SyncGroupResponse>>,
    ) -> Outcome<Parkable<SyncGroupResponse>> {
        outcome.map(|answer| park(&mut self.syncs, answer))
    }

    /// Applies the records and carries out the effects. The reply, the answers, and the write that both must wait for.
    pub(super) fn carry_out<R>(&mut self, outcome: Outcome<R>, wrote: bool) -> (R, Answers, Option<u64>) {
        for record in &outcome.records {
            group::apply(&mut self.group, record);
        }
        self.written += u64::from(wrote);
        let mut answers = Answers::default();
        for effect in outcome.effects {
            match effect {
                Effect::AnswerJoin { member_id, response } => {
                    answers
                        .joins
                        .extend(self.joins.remove(&member_id).map(|place| (place, *response)));
                }
                Effect::AnswerSync { member_id, response } => {
                    answers
                        .syncs
                        .extend(self.syncs.remove(&member_id).map(|place| (place, *response)));
                }
                Effect::Arm { timer, after_ms } => {
                    self.arm(timer, Duration::from_millis(u64::try_from(after_ms).unwrap_or(0)))
                }
                Effect::ArmIfAbsent { timer, after_ms } => {
                    if !self.timers.contains_key(&timer) {
                        self.arm(timer, Duration::from_millis(u64::try_from(after_ms).unwrap_or(0)));
                    }
                }
                Effect::Cancel(timer) => drop(self.timers.remove(&timer)),
            }
        }
        let written = (self.written > self.flushed).then_some(self.written);
        (outcome.reply, answers, written)
    }

    fn arm(&mut self, timer: Timer, after: Duration) {
        let deadline = Instant::now() + after;
        self.wake_earlier |= self.wakes_at.is_some_and(|wakes_at| deadline < wakes_at);
        self.timers.insert(timer, deadline);
    }

    /// Whether a timer task must be started; it is, then.
    pub(super) fn needs_timer_task(&mut self) -> bool {
        let needed = !self.timers.is_empty() && self.wakes_at.is_none() && !self.task_starting;
        self.task_starting |= needed;
        needed
    }

    /// Whether the timer task sleeps too long.
    pub(super) fn needs_earlier_wake(&mut self) -> bool {
        std::mem::take(&mut self.wake_earlier)
    }

    /// Retires the slot of a group that does not exist, so that asking for one leaves nothing behind.
    pub(super) fn retire_if_vacant(&mut self) -> bool {
        let vacant = !self.group.exists() && self.joins.is_empty() && self.syncs.is_empty();
        if vacant {
            self.timers.clear();
            self.retired = true;
        }
        vacant
    }

    /// The timers that have gone off by `now`, disarmed.
    fn take_expired(&mut self, now: Instant) -> Vec<Timer> {
        let expired: Vec<Timer> = self
            .timers
            .iter()
            .filter(|(_, deadline)| **deadline <= now)
            .map(|(timer, _)| timer.clone())
            .collect();
        for timer in &expired {
            self.timers.remove(timer);
        }
        expired
    }
}

fn park<R>(places: &mut HashMap<StrBytes, oneshot::Sender<R>>, answer: Answer<R>) -> Parkable<R> {
    match answer {
        Answer::Now(response) => Ok(response),
        Answer::Parked(member_id) => {
            let (place, wait) = oneshot::channel();
            places.insert(member_id, place);
            Err(wait)
        }
    }
}

/// Sleeps until the next timer of the group and has it decided, as long as there are timers.
pub(super) async fn run_timers(groups: Arc<Inner>, slot: Arc<Slot>) {
    loop {
        let wakes_at = {
            let mut live = slot.lock();
            live.task_starting = false;
            live.wakes_at = live.timers.values().min().copied();
            let Some(wakes_at) = live.wakes_at else { return };
            wakes_at
        };
        tokio::select! {
            () = groups.stopped.cancelled() => return,
            () = slot.earlier.notified() => continue,
            () = tokio::time::sleep_until(wakes_at) => {}
        }
        let expired = slot.lock().take_expired(Instant::now());
        for timer in expired {
            // A command that came in between may have armed it anew: then it has not gone off.
            if slot.lock().timers.contains_key(&timer) {
                continue;
            }
            let stored = groups.settle(&slot, |group, config, now_ms| {
                classic::expire(group, config, now_ms, &timer, &*groups.topics)
            });
            if !stored {
                slot.lock().arm(timer, RETRY_AFTER);
            }
        }
    }
}
