//! Runs the group coordinator: looks groups up, has commands decided, and does what the decision says.
//!
//! Per command, under the group's own lock: decide, write the durable records (to `__consumer_offsets`, where clients see
//! them, then to the store, which counts), apply all of them, move timers, take the
//! parked requests that are answered out of their places. Then, without the lock, wait until what was written is safe,
//! and only then let the reply and the answers go. Who asks a group whose last change is not safe yet waits for the
//! same flush, so that nobody is told what a crash could take back; all who wait share one flush of the store.
//!
//! Groups share no lock: a look-up takes a read lock of one of `SHARDS` maps, and a heartbeat writes nothing there.
//! Each group with members has one task that sleeps until its next timer; a heartbeat only moves a deadline.

mod journal;
mod overrides;
mod pending;
mod slot;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup as ConsumerDescribedGroup;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Values;
use crate::coordinator::group::classic::{self, JoinCommand};
use crate::coordinator::group::consumer::{self, HeartbeatCommand, TopicsView};
use crate::coordinator::group::{self, Answer, Caller, Group, GroupConfig, GroupError, Outcome, Record, offsets};
use crate::metadata::groups::GroupStore;
use crate::metadata::store::{Store, StoreError};
use journal::Within;
use overrides::Overrides;
use slot::{Done, Slot};

pub(crate) use journal::{Epochs, Journal};

/// Over how many maps the groups are spread.
const SHARDS: usize = 32;

/// All groups of this broker. Clones share them.
#[derive(Clone, Debug)]
pub struct Groups {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: GroupStore,
    journal: Journal,
    topics: Arc<dyn TopicsView>,
    config: Arc<GroupConfig>,
    clock: Arc<dyn Clock>,
    /// Where timers and deliveries run.
    handle: Handle,
    hasher: std::hash::RandomState,
    shards: Vec<RwLock<HashMap<StrBytes, Arc<Slot>>>>,
    /// Where producers have offsets that wait for the end of their transactions.
    pending: Mutex<offsets::PendingIndex>,
    stopped: CancellationToken,
    overrides: Overrides,
}

impl Groups {
    /// Reads the groups from the store and takes up their timers. Timers and deliveries run on `handle`, until
    /// [`Self::shutdown`]. `topics` are those that members subscribe to.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub(crate) fn open(
        store: &Store,
        journal: Journal,
        topics: Arc<dyn TopicsView>,
        config: Arc<GroupConfig>,
        clock: Arc<dyn Clock>,
        handle: Handle,
    ) -> Result<Groups, StoreError> {
        let store = GroupStore::open(store)?;
        let stored = store.load()?;
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        let (hasher, stopped) = (std::hash::RandomState::new(), CancellationToken::new());
        let groups = Groups {
            inner: Arc::new(Inner {
                store,
                journal,
                topics,
                config,
                clock,
                handle,
                hasher,
                shards,
                pending: Mutex::default(),
                stopped,
                overrides: Overrides::default(),
            }),
        };
        for (group_id, group) in stored {
            for producer_id in group.pending.producers() {
                groups.inner.pending.lock().add(producer_id, &group_id);
            }
            let slot = Arc::new(Slot::new(group_id.clone(), group));
            groups
                .inner
                .shard(&group_id)
                .write()
                .insert(group_id, Arc::clone(&slot));
            groups.inner.settle(&slot, classic::recover);
        }
        groups.inner.handle.spawn(expire_offsets(groups.clone()));
        Ok(groups)
    }

    /// Takes over what is set for a group, checked. Its members learn of it with their next heartbeats.
    pub(crate) fn set_overrides(&self, group_id: &str, values: &Values) {
        self.inner.overrides.set(&self.inner.config, group_id, values);
    }

    /// The groups for which something is set, or was since the start.
    pub(crate) fn configured(&self) -> Vec<StrBytes> {
        self.inner.overrides.groups()
    }

    /// Answers every parked request, and from now on refuses commands. What was acknowledged is in the store.
    pub fn shutdown(&self) {
        self.inner.stopped.cancel();
        for slot in self.inner.all() {
            slot.dismiss();
        }
    }

    /// JoinGroup. Waits while the group rebalances; `None` if the same member has sent another JoinGroup meanwhile.
    pub async fn join(&self, caller: Caller, request: JoinGroupRequest) -> Option<JoinGroupResponse> {
        let member_id = request.member_id.clone();
        let refused = |error: GroupError| classic::refusal(member_id.clone(), error);
        let group_id = request.group_id.0.clone();
        let command = JoinCommand {
            caller,
            request,
            nonce: uuid::Uuid::new_v4(),
        };
        let topics = &*self.inner.topics;
        let decide =
            |group: &Group, config: &GroupConfig, now_ms: i64| classic::join(group, config, now_ms, &command, topics);
        let park = |live: &mut slot::Live, outcome: Outcome<Answer<JoinGroupResponse>>| live.park_join(outcome);
        match self.inner.run(&group_id, decide, park).await {
            Err(error) => Some(refused(error)),
            Ok(Ok(response)) => Some(response),
            Ok(Err(parked)) => parked.await.ok(),
        }
    }

    /// SyncGroup. Waits for the leader's assignment; `None` if the same member has sent another SyncGroup meanwhile.
    pub async fn sync(&self, request: SyncGroupRequest) -> Option<SyncGroupResponse> {
        let refused = |error: GroupError| SyncGroupResponse::default().with_error_code(error.code());
        let topics = &*self.inner.topics;
        let decide =
            |group: &Group, config: &GroupConfig, now_ms: i64| classic::sync(group, config, now_ms, &request, topics);
        let park = |live: &mut slot::Live, outcome: Outcome<Answer<SyncGroupResponse>>| live.park_sync(outcome);
        match self.inner.run(&request.group_id, decide, park).await {
            Err(error) => Some(refused(error)),
            Ok(Ok(response)) => Some(response),
            Ok(Err(parked)) => parked.await.ok(),
        }
    }

    /// Heartbeat.
    pub async fn heartbeat(&self, request: &HeartbeatRequest) -> HeartbeatResponse {
        let decide = |group: &Group, _: &GroupConfig, _: i64| classic::heartbeat(group, request);
        let refused = |error: GroupError| HeartbeatResponse::default().with_error_code(error.code());
        self.inner
            .command(&request.group_id, decide)
            .await
            .unwrap_or_else(refused)
    }

    /// LeaveGroup, with the members in `members` at any version.
    pub async fn leave(&self, request: &LeaveGroupRequest) -> LeaveGroupResponse {
        let topics = &*self.inner.topics;
        let decide =
            |group: &Group, config: &GroupConfig, now_ms: i64| classic::leave(group, config, now_ms, request, topics);
        let refused = |error: GroupError| LeaveGroupResponse::default().with_error_code(error.code());
        self.inner
            .command(&request.group_id, decide)
            .await
            .unwrap_or_else(refused)
    }

    /// ConsumerGroupHeartbeat. Returns when the member's epoch survives power loss.
    pub async fn consumer_heartbeat(
        &self,
        caller: Caller,
        request: ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        let group_id = request.group_id.0.clone();
        let nonce = uuid::Uuid::new_v4();
        let command = HeartbeatCommand { caller, request, nonce };
        let topics = &*self.inner.topics;
        let decide = |group: &Group, config: &GroupConfig, now_ms: i64| {
            consumer::heartbeat(group, config, now_ms, &command, topics)
        };
        let refused = |error: GroupError| ConsumerGroupHeartbeatResponse::default().with_error_code(error.code());
        self.inner.command(&group_id, decide).await.unwrap_or_else(refused)
    }

    /// ConsumerGroupDescribe for one group.
    pub fn consumer_describe(&self, group_id: &GroupId) -> ConsumerDescribedGroup {
        let topics = &*self.inner.topics;
        match self.inner.find(group_id) {
            Some(slot) => slot.read(|group| consumer::describe(group, group_id, topics)),
            None => consumer::describe(&Group::default(), group_id, topics),
        }
    }

    /// OffsetCommit, whose topics exist. Returns when the offsets survive power loss.
    pub async fn commit(&self, api_version: i16, request: &OffsetCommitRequest) -> OffsetCommitResponse {
        let decide = |group: &Group, config: &GroupConfig, now_ms: i64| {
            offsets::commit(group, config, now_ms, api_version, request)
        };
        self.inner
            .command(&request.group_id, decide)
            .await
            .unwrap_or_else(|error| offsets::commit_refused(request, error))
    }

    /// OffsetFetch of one group, of offsets that no transaction is about to replace where `require_stable`. What it returns
    /// survives power loss.
    pub async fn fetch(&self, request: &OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetchResponseGroup {
        let decide =
            |group: &Group, _: &GroupConfig, _: i64| Outcome::reply(offsets::fetch(group, request, require_stable));
        let refused = |error: GroupError| {
            OffsetFetchResponseGroup::default()
                .with_group_id(request.group_id.clone())
                .with_error_code(error.code())
        };
        self.inner
            .command(&request.group_id, decide)
            .await
            .unwrap_or_else(refused)
    }

    /// OffsetDelete, whose topics exist.
    pub async fn delete_offsets(&self, request: &OffsetDeleteRequest) -> OffsetDeleteResponse {
        let decide = |group: &Group, _: &GroupConfig, _: i64| offsets::delete(group, request);
        let refused = |error: GroupError| OffsetDeleteResponse::default().with_error_code(error.code());
        self.inner
            .command(&request.group_id, decide)
            .await
            .unwrap_or_else(refused)
    }

    /// DeleteGroups for one group.
    ///
    /// # Errors
    /// Why the group is still there, or was not.
    pub async fn delete(&self, group_id: &StrBytes) -> Result<(), GroupError> {
        self.inner
            .command(group_id, |group: &Group, _: &GroupConfig, _: i64| group::delete(group))
            .await?
    }

    /// DescribeGroups for one group.
    pub fn describe(&self, group_id: &GroupId, api_version: i16) -> DescribedGroup {
        match self.inner.find(group_id) {
            Some(slot) => slot.read(|group| group::describe(group, group_id, api_version)),
            None => group::describe(&Group::default(), group_id, api_version),
        }
    }

    /// ListGroups.
    pub fn list(&self, request: &ListGroupsRequest) -> Vec<ListedGroup> {
        let listed = self
            .inner
            .all()
            .into_iter()
            .filter_map(|slot| slot.read(|group| group::list(group, slot.id())));
        listed
            .filter(|listed| group::matches_filters(listed, request))
            .collect()
    }

    /// Removes the offsets of deleted topics from every group, and returns when that survives power loss: a topic of the
    /// same name starts anew.
    pub async fn forget_topics(&self, is_deleted: impl Fn(&StrBytes) -> bool) {
        self.drop_offsets(is_deleted);
        if let Err(error) = self.inner.store.flush().await {
            tracing::error!(%error, "the offsets of deleted topics are not known to be gone");
        }
    }

    /// Removes the offsets of topics that do not exist: for the start, in case a deletion was cut short.
    pub fn drop_offsets(&self, is_missing: impl Fn(&StrBytes) -> bool) {
        for slot in self.inner.all() {
            self.inner
                .settle(&slot, |group, _, _| offsets::forget_topics(group, &is_missing));
        }
    }

    /// Removes the offsets that have outlived `offsets.retention.minutes`, and groups with nothing left.
    pub fn expire_offsets(&self) {
        for slot in self.inner.all() {
            self.inner.settle(&slot, offsets::expire);
        }
    }
}

async fn expire_offsets(groups: Groups) {
    let interval_ms = u64::try_from(groups.inner.config.offsets_retention_check_interval_ms)
        .unwrap_or(1)
        .max(1);
    loop {
        tokio::select! {
            () = groups.inner.stopped.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(interval_ms)) => groups.expire_offsets(),
        }
    }
}

impl Inner {
    fn shard(&self, group_id: &StrBytes) -> &RwLock<HashMap<StrBytes, Arc<Slot>>> {
        let hash = self.hasher.hash_one(group_id.as_bytes());
        &self.shards[(hash % SHARDS as u64) as usize]
    }

    fn find(&self, group_id: &StrBytes) -> Option<Arc<Slot>> {
        self.shard(group_id).read().get(group_id).cloned()
    }

    fn find_or_make(&self, group_id: &StrBytes) -> Arc<Slot> {
        if let Some(slot) = self.find(group_id) {
            return slot;
        }
        let group_id = group::detached(group_id);
        let mut shard = self.shard(&group_id).write();
        Arc::clone(
            shard
                .entry(group_id.clone())
                .or_insert_with(|| Arc::new(Slot::new(group_id, Group::default()))),
        )
    }

    fn all(&self) -> Vec<Arc<Slot>> {
        self.shards
            .iter()
            .flat_map(|shard| shard.read().values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Runs a command that is answered at once.
    async fn command<R>(
        self: &Arc<Self>,
        group_id: &StrBytes,
        decide: impl FnOnce(&Group, &GroupConfig, i64) -> Outcome<R>,
    ) -> Result<R, GroupError> {
        self.run(group_id, decide, |_, outcome| outcome).await
    }

    /// Runs a command to the point where its reply may go out.
    async fn run<R, S>(
        self: &Arc<Self>,
        group_id: &StrBytes,
        decide: impl FnOnce(&Group, &GroupConfig, i64) -> Outcome<R>,
        park: impl FnOnce(&mut slot::Live, Outcome<R>) -> Outcome<S>,
    ) -> Result<S, GroupError> {
        let done = self.decide(&self.find_or_make(group_id), Within::Nothing, decide, park)?;
        self.finish(done).await
    }

    /// Waits until a command's reply may go out.
    async fn finish<S>(self: &Arc<Self>, done: Done<S>) -> Result<S, GroupError> {
        let Done {
            slot,
            reply,
            answers,
            written,
        } = done;
        let Some(written) = written else {
            answers.send();
            return Ok(reply);
        };
        if answers.is_empty() {
            self.store
                .flush()
                .await
                .map_err(|error| storage_failed(slot.id(), &error))?;
            slot.flushed(written);
            return Ok(reply);
        }
        // The others' answers must go out even if this connection ends while it waits.
        let delivery = self.handle.spawn(Arc::clone(self).deliver(slot, answers, written));
        match delivery.await {
            Ok(true) => Ok(reply),
            Ok(false) | Err(_) => Err(GroupError::StorageFailed),
        }
    }

    /// Runs a decision that nobody waits for: a timer, housekeeping.
    fn settle(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        decide: impl FnOnce(&Group, &GroupConfig, i64) -> Outcome<()>,
    ) -> bool {
        self.settle_within(slot, Within::Nothing, decide)
    }

    /// [`Self::settle`] within a transaction or at its end.
    fn settle_within(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        within: Within,
        decide: impl FnOnce(&Group, &GroupConfig, i64) -> Outcome<()>,
    ) -> bool {
        match self.decide(slot, within, decide, |_, outcome| outcome) {
            Ok(Done {
                slot,
                answers,
                written: Some(written),
                ..
            }) => {
                self.handle.spawn(Arc::clone(self).deliver(slot, answers, written));
                true
            }
            Ok(Done {
                answers, written: None, ..
            }) => {
                answers.send();
                true
            }
            Err(_) => false,
        }
    }

    /// Waits until what was written is safe, then lets the answers go. Whether it is.
    async fn deliver(self: Arc<Self>, slot: Arc<Slot>, answers: slot::Answers, written: u64) -> bool {
        match self.store.flush().await {
            Ok(()) => {
                slot.flushed(written);
                answers.send();
                true
            }
            Err(error) => {
                storage_failed(slot.id(), &error);
                answers.refuse(GroupError::StorageFailed);
                false
            }
        }
    }

    /// Writes what is about to happen to a group that is `before` without it: to the topic, then to the store. Whether there
    /// was anything to write to the store.
    fn write(
        &self,
        group_id: &StrBytes,
        before: &Group,
        records: &[Record],
        within: Within,
        now_ms: i64,
    ) -> Result<bool, GroupError> {
        self.journal
            .write(group_id, before, records, within, now_ms)
            .map_err(|error| storage_failed(group_id, &error))?;
        self.store
            .write(group_id, before, records)
            .map_err(|error| storage_failed(group_id, &error))
    }

    /// Decides and carries out, under the group's lock, everything but the waiting.
    fn decide<R, S>(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        within: Within,
        decide: impl FnOnce(&Group, &GroupConfig, i64) -> Outcome<R>,
        park: impl FnOnce(&mut slot::Live, Outcome<R>) -> Outcome<S>,
    ) -> Result<Done<S>, GroupError> {
        let mut slot = Arc::clone(slot);
        let mut live = slot.lock();
        while live.is_retired() {
            drop(live);
            let next = self.find_or_make(slot.id());
            slot = next;
            live = slot.lock();
        }
        // Looked at under the lock, so that nobody parks after the shutdown has answered those who were.
        if self.stopped.is_cancelled() {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let config = self.overrides.config(slot.id());
        let config = config.as_ref().unwrap_or(&self.config);
        let now_ms = self.clock.now_ms();
        let outcome = decide(live.group(), config, now_ms);
        let result = match self.write(slot.id(), live.group(), &outcome.records, within, now_ms) {
            Ok(wrote) => {
                let outcome = park(&mut live, outcome);
                Ok(live.carry_out(outcome, wrote))
            }
            Err(error) => Err(error),
        };
        let retire = live.retire_if_vacant();
        if live.needs_timer_task() {
            self.handle.spawn(slot::run_timers(Arc::clone(self), Arc::clone(&slot)));
        } else if live.needs_earlier_wake() {
            slot.wake_timers();
        }
        drop(live);
        if retire {
            let mut shard = self.shard(slot.id()).write();
            if shard.get(slot.id()).is_some_and(|current| Arc::ptr_eq(current, &slot)) {
                shard.remove(slot.id());
            }
        }
        let (reply, answers, written) = result?;
        Ok(Done {
            slot,
            reply,
            answers,
            written,
        })
    }
}

fn storage_failed(group_id: &StrBytes, error: &impl std::fmt::Display) -> GroupError {
    tracing::error!(group = group_id.as_str(), %error, "a change of a group could not be stored");
    GroupError::StorageFailed
}
