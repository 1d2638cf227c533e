//! The vocabulary: what clients do, in words that mean something in any state.
//!
//! Nothing here names an offset, an id or an epoch. An action picks ([`Pick`]) among what there is when it is performed and
//! says how it strays from what is right ([`Flaw`], [`Sequence`], [`Stray`], …), so that most of a scenario is valid and hits
//! something, and so that any part of it may be left out when a failure is made smaller.

use serde::{Deserialize, Serialize};

pub use super::transacting::Step;

/// One of those that there are, counted round; where it says so, the highest picks stand for one that does not exist.
pub type Pick = u8;

/// A topic's property and the value to give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The property's name, known or not.
    pub name: String,
    /// Its value, right or not.
    pub value: String,
}

/// How a topic is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Creation {
    /// As it should be.
    Plain,
    /// Only tried.
    ValidateOnly,
    /// Both in one request, so that neither is made.
    Twice,
    /// With a name that no topic may have.
    BadName,
    /// With more replicas than there are brokers.
    Replicas,
    /// With no partitions.
    NoPartitions,
    /// With replicas assigned by hand to the one broker.
    Assigned,
    /// With replicas assigned to a broker that there is not.
    AssignedElsewhere,
}

/// A change of one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Set.
    Set,
    /// Removed, so that the default holds.
    Delete,
    /// Appended to a list.
    Append,
    /// Taken out of a list.
    Subtract,
    /// An operation that there is not.
    Unknown,
}

/// Where in a log, relative to what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The first offset.
    Start,
    /// One within.
    Within(Pick),
    /// The offset after the last.
    End,
    /// Below the first.
    BeforeStart,
    /// Above the end.
    BeyondEnd,
    /// -1, which some requests take for the end.
    MinusOne,
    /// A negative one that nobody takes.
    Negative,
}

/// A time, relative to when the scenario began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Time {
    /// So many milliseconds from then.
    Near(i8),
    /// So many minutes before.
    Old(u8),
    /// So many days before.
    VeryOld(u8),
    /// So many hours after.
    Future(u8),
    /// None.
    Missing,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPlan {
    /// Its timestamp.
    pub time: Time,
    /// Its key, if it has one.
    pub key: Option<u8>,
    /// Its value's length, if it has one.
    pub value: Option<u16>,
    /// How many headers it has.
    pub headers: u8,
}

/// The producer of a batch, and how its sequence goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sequence {
    /// No idempotent producer.
    None,
    /// The next sequence.
    Right(Pick),
    /// The last batch's sequence, and its content, once more.
    Repeated(Pick),
    /// A batch of some time ago once more.
    RepeatedOld(Pick),
    /// Sequences left out.
    Gap(Pick),
    /// The last batch's first sequence with another count of records.
    Overlapping(Pick),
    /// An epoch below the producer's.
    OldEpoch(Pick),
    /// The next epoch from sequence 0, as after an error.
    NextEpoch(Pick),
    /// The next epoch, but the sequence goes on.
    NextEpochGoingOn(Pick),
    /// A producer id without an epoch.
    NoEpoch(Pick),
    /// A sequence that is about to wrap around.
    AtTheEnd(Pick),
}

/// What is wrong with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flaw {
    /// Nothing.
    None,
    /// The CRC.
    Crc,
    /// The header counts one record too many.
    CountMore,
    /// The header counts one record too few.
    CountLess,
    /// The header counts no records.
    CountZero,
    /// The last offset delta.
    LastOffsetDelta,
    /// The offset deltas of the records leave a gap.
    OffsetGap,
    /// The message format.
    Magic(u8),
    /// The batch ends early.
    Truncated,
    /// A second batch follows.
    Two,
    /// Bytes follow that are no batch.
    Trailing,
    /// It says that it is a control batch.
    Control,
    /// It says that it is part of a transaction.
    Transactional,
    /// It says that the broker has stamped it.
    AppendTime,
    /// A codec that there is not.
    UnknownCodec,
    /// Its records are not what the codec made.
    BadCompression,
    /// A record's length is wrong.
    RecordLength,
    /// The largest timestamp in the header is not the records'.
    MaxTimestamp,
    /// Base offset and leader epoch are set.
    BaseOffset,
    /// There is no batch at all. (Null records are not for scenarios: Apache Kafka never answers some versions of them.)
    Empty,
    /// Larger than any topic takes.
    TooLarge,
}

/// A batch to produce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPlan {
    /// Its records.
    pub records: Vec<RecordPlan>,
    /// The id of its codec.
    pub codec: u8,
    /// Its producer.
    pub sequence: Sequence,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is asked for by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sought {
    /// -1.
    Latest,
    /// -2.
    Earliest,
    /// -3.
    MaxTimestamp,
    /// -4.
    EarliestLocal,
    /// -5.
    LatestTiered,
    /// A negative one without a meaning.
    Unknown,
    /// The first record not before a time.
    Time(Time),
}

/// How a member strays from what its coordinator told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stray {
    /// It does not.
    No,
    /// It goes by a generation or epoch that is past.
    Past,
    /// It goes by one that is not yet.
    Ahead,
    /// It goes by a member id that nobody has.
    Unknown,
    /// It goes by the other member's instance id.
    OtherInstance,
}

/// How a classic member joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Joining {
    /// As a client does: by the member id it has, or asking for one.
    Plain,
    /// As if it had never had a member id (a static member that was started anew).
    Anew,
    /// By a member id that nobody has.
    UnknownMember,
    /// With another protocol type.
    OtherType,
    /// With a protocol that no other member has.
    OtherProtocol,
    /// With no protocols.
    NoProtocols,
    /// With a session time-out out of bounds.
    SessionTimeout,
}

/// What a member of a consumer group tells its coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beat {
    /// It joins, subscribed to the topics whose bits are set.
    Join(Pick),
    /// It is alive.
    Keep,
    /// It owns what it was last assigned.
    Acknowledge,
    /// It owns nothing any more.
    Revoke,
    /// It is subscribed to other topics.
    Subscribe(Pick),
    /// It leaves.
    Leave,
    /// It leaves and will be back (a static member).
    LeaveForNow,
    /// It asks for an assignor that there is not.
    UnknownAssignor,
    /// It joins without a rebalance time-out.
    JoinWithoutTimeout,
}

/// How offsets are committed or fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Committer {
    /// Without being a member.
    Nobody,
    /// As a member.
    Member(Pick),
    /// As a member that strays.
    Straying(Pick, Stray),
}

/// Metadata to commit with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// Some.
    Text(u8),
    /// None.
    Null,
    /// More than a broker keeps.
    TooLong,
}

/// What clients do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' types say what they are")]
pub enum Action {
    CreateTopic {
        topic: Pick,
        partitions: u8,
        configs: Vec<Setting>,
        how: Creation,
        version: Pick,
    },
    DeleteTopic {
        topic: Pick,
        by_id: bool,
        version: Pick,
    },
    AddPartitions {
        topic: Pick,
        more: i8,
        validate_only: bool,
        version: Pick,
    },
    /// IncrementalAlterConfigs.
    AlterConfigs {
        topic: Pick,
        changes: Vec<(Change, Setting)>,
        validate_only: bool,
        version: Pick,
    },
    /// AlterConfigs, which resets what it does not name.
    ReplaceConfigs {
        topic: Pick,
        configs: Vec<Setting>,
        version: Pick,
    },
    DescribeConfigs {
        topic: Pick,
        synonyms: bool,
        version: Pick,
    },
    Metadata {
        topic: Pick,
        by_id: bool,
        version: Pick,
    },
    DescribeTopicPartitions {
        topic: Pick,
        limit: u8,
    },
    Produce {
        topic: Pick,
        partition: Pick,
        batch: BatchPlan,
        acks: i8,
        version: Pick,
    },
    InitProducer {
        producer: Pick,
        again: bool,
        version: Pick,
    },
    Fetch {
        topic: Pick,
        partition: Pick,
        at: Place,
        bytes_max: u16,
        committed: bool,
        epoch: Stray,
        version: Pick,
    },
    ListOffsets {
        topic: Pick,
        partition: Pick,
        sought: Sought,
        committed: bool,
        epoch: Stray,
        version: Pick,
    },
    LeaderEpoch {
        topic: Pick,
        partition: Pick,
        current: Stray,
        epoch: Stray,
        version: Pick,
    },
    DeleteRecords {
        topic: Pick,
        partition: Pick,
        before: Place,
        version: Pick,
    },
    Join {
        group: Pick,
        member: Pick,
        how: Joining,
        version: Pick,
    },
    Sync {
        group: Pick,
        member: Pick,
        stray: Stray,
        version: Pick,
    },
    /// All members join again until the group is stable, as clients do when heartbeats tell them to.
    Settle {
        group: Pick,
        version: Pick,
    },
    Heartbeat {
        group: Pick,
        member: Pick,
        stray: Stray,
        version: Pick,
    },
    LeaveGroup {
        group: Pick,
        members: Vec<Pick>,
        stray: Stray,
        version: Pick,
    },
    /// ConsumerGroupHeartbeat.
    Beat {
        group: Pick,
        member: Pick,
        beat: Beat,
        stray: Stray,
        version: Pick,
    },
    /// All members of a consumer group heartbeat until nobody's assignment changes.
    Converge {
        group: Pick,
        version: Pick,
    },
    /// A member is started anew with the other protocol, as when a program's settings change.
    Switch {
        group: Pick,
        member: Pick,
        version: Pick,
    },
    Commit {
        group: Pick,
        by: Committer,
        topic: Pick,
        partition: Pick,
        at: Place,
        note: Note,
        version: Pick,
    },
    FetchOffsets {
        group: Pick,
        by: Committer,
        topic: Option<Pick>,
        stable: bool,
        version: Pick,
    },
    DeleteOffsets {
        group: Pick,
        topic: Pick,
        partition: Pick,
    },
    DeleteGroup {
        group: Pick,
        version: Pick,
    },
    DescribeGroup {
        group: Pick,
        next: bool,
        version: Pick,
    },
    ListGroups {
        state: Pick,
        kind: Pick,
        version: Pick,
    },
    /// A step of a transactional producer.
    Transact {
        producer: Pick,
        step: Step,
        stray: Stray,
        version: Pick,
    },
}

impl Action {
    /// The action's name.
    #[must_use]
    pub fn name(&self) -> String {
        variant(self)
    }

    /// The words of the vocabulary that it uses: its name, and the name with each way in which it strays.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let name = self.name();
        let mut words = vec![name.clone()];
        let mut say = |word: String| words.push(format!("{name}.{word}"));
        match self {
            Action::CreateTopic { how, .. } => say(variant(how)),
            Action::AlterConfigs { changes, .. } => changes.iter().for_each(|(change, _)| say(variant(change))),
            Action::Produce { batch, .. } => {
                say(variant(&batch.sequence));
                say(variant(&batch.flaw));
                say(format!("codec{}", batch.codec));
                batch.records.iter().for_each(|record| say(variant(&record.time)));
            }
            Action::Fetch { at, epoch, .. } => {
                say(variant(at));
                say(variant(epoch));
            }
            Action::ListOffsets { sought, .. } => say(variant(sought)),
            Action::LeaderEpoch { epoch, .. } => say(variant(epoch)),
            Action::DeleteRecords { before, .. } => say(variant(before)),
            Action::Join { how, .. } => say(variant(how)),
            Action::Sync { stray, .. } | Action::Heartbeat { stray, .. } | Action::LeaveGroup { stray, .. } => {
                say(variant(stray));
            }
            Action::Beat { beat, stray, .. } => {
                say(variant(beat));
                say(variant(stray));
            }
            Action::Commit { by, note, .. } => {
                say(variant(by));
                say(variant(note));
            }
            Action::FetchOffsets { by, .. } => say(variant(by)),
            Action::Transact { step, stray, .. } => {
                say(variant(step));
                say(variant(stray));
            }
            _ => {}
        }
        words
    }
}

/// The name of an enum's variant.
fn variant(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text
        .find(|char: char| !char.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    text[..end].to_owned()
}
