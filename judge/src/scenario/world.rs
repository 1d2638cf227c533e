//! What a scenario has come to, as far as the next action needs it: learned from answers on which both brokers agree.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::action::{Pick, Place, Stray};
use super::batch::Made;
use super::transacting::{PRODUCERS, Transactional};
use crate::value::uuid_text;

/// Members of each group. The last one is static.
pub(super) const MEMBERS: usize = 4;

/// The groups: of classic members, of members of the next protocol, and of both.
const KINDS: [Kind; 5] = [Kind::Classic, Kind::Classic, Kind::Next, Kind::Next, Kind::Mixed];

/// The group whose members want the assignor `uniform`.
pub(super) const UNIFORM: usize = 3;

/// The group whose members change from one protocol to the other.
pub(super) const MIXED: Pick = 4;

/// What a group's members follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The classic protocol.
    Classic,
    /// The next protocol (KIP-848).
    Next,
    /// Either, each for itself.
    Mixed,
}

/// A partition's ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) start: i64,
    pub(super) end: i64,
}

/// A topic that there is.
#[derive(Debug, Clone, Default)]
pub(super) struct Topic {
    pub(super) partitions: Vec<Ends>,
    /// Whether it ever had the broker's time, which the scenario does not know.
    pub(super) append_time: bool,
}

/// What a producer did in a partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    pub(super) epoch: i16,
    pub(super) next_sequence: i32,
    pub(super) batches: Vec<Made>,
}

/// A member of a group of either kind.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// By which requests name it.
    pub(super) name: String,
    pub(super) instance: Option<String>,
    /// Whether the broker has given it an id.
    pub(super) known: bool,
    /// Generation or epoch; 0 outside the group.
    pub(super) generation: i32,
    pub(super) leads: bool,
    pub(super) protocol: Value,
    /// Whether it waits for an answer to JoinGroup or SyncGroup.
    pub(super) waits: bool,
    pub(super) synced: bool,
    /// What it was last assigned, as a heartbeat would say it.
    pub(super) assigned: Value,
    /// What it was last assigned as a classic member, by topics' names.
    pub(super) owned: Vec<(String, Vec<i32>)>,
    /// Whether it follows the classic protocol now.
    pub(super) classic: bool,
    /// The id that it makes up where members do.
    pub(super) own_name: String,
}

/// A group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether it has members and follows the next protocol now.
    pub(super) is_next: bool,
    pub(super) members: Vec<Member>,
    /// Whether a leader has left: which member the broker then takes depends on ids that it gave out.
    pub(super) leader_left: bool,
    /// How often members have joined since then.
    pub(super) joins: u32,
    pub(super) commits: bool,
}

/// All of it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) name: String,
    pub(super) began_ms: i64,
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) groups: Vec<Group>,
    pub(super) sent: HashMap<(u8, String, i32), Sent>,
    pub(super) transactional: [Transactional; PRODUCERS],
}

impl World {
    pub(super) fn new(name: &str, began_ms: i64) -> Self {
        Self {
            name: name.to_owned(),
            began_ms,
            topics: BTreeMap::new(),
            groups: (0..KINDS.len()).map(|group| new_group(name, group)).collect(),
            sent: HashMap::new(),
            transactional: Default::default(),
        }
    }

    /// A topic that there is, or (high picks) one that there is not.
    pub(super) fn topic(&self, pick: Pick) -> String {
        match self.topics.len() {
            0 => self.absent(),
            _ if pick >= 248 => self.absent(),
            count => self
                .topics
                .keys()
                .nth(usize::from(pick) % count)
                .cloned()
                .unwrap_or_else(|| self.absent()),
        }
    }

    fn absent(&self) -> String {
        format!("{}-absent", self.name)
    }

    /// A name for a new topic: mostly one that is free.
    pub(super) fn new_topic(&self, pick: Pick) -> String {
        let names = (0..3).map(|slot| format!("{}-{slot}", self.name));
        let mut free = names.filter(|name| !self.topics.contains_key(name));
        let any = format!("{}-{}", self.name, pick % 3);
        if pick < 200 { free.next().unwrap_or(any) } else { any }
    }

    /// A partition that the topic has, or (high picks) one that it has not.
    pub(super) fn partition(&self, topic: &str, pick: Pick) -> i32 {
        let count = self.topics.get(topic).map_or(0, |topic| topic.partitions.len()) as i32;
        match pick {
            255 => -1,
            248.. => count,
            _ if count == 0 => 0,
            _ => i32::from(pick) % count,
        }
    }

    pub(super) fn ends(&self, topic: &str, partition: i32) -> Ends {
        let ends = || self.topics.get(topic)?.partitions.get(usize::try_from(partition).ok()?);
        ends().copied().unwrap_or_default()
    }

    /// An offset in a partition.
    pub(super) fn offset(&self, topic: &str, partition: i32, place: Place) -> i64 {
        let Ends { start, end } = self.ends(topic, partition);
        match place {
            Place::Start => start,
            Place::Within(pick) => start + i64::from(pick) % (end - start).max(1),
            Place::End => end,
            Place::BeforeStart => start - 1,
            Place::BeyondEnd => end + 1,
            Place::MinusOne => -1,
            Place::Negative => -7,
        }
    }

    pub(super) fn group(&self, pick: Pick) -> usize {
        match pick {
            MIXED => usize::from(MIXED),
            pick => usize::from(pick) % usize::from(MIXED),
        }
    }
}

fn new_group(scenario: &str, group: usize) -> Group {
    let kind = KINDS[group];
    let members = (0..MEMBERS).map(|member| {
        let instance = (member == MEMBERS - 1).then(|| format!("{scenario}-instance-{group}"));
        let own_name = uuid_text(&member_id(scenario, group, member));
        let name = match kind {
            Kind::Next => own_name.clone(),
            Kind::Classic | Kind::Mixed => format!("$member:{group}:{member}"),
        };
        Member {
            name,
            instance,
            known: false,
            generation: 0,
            leads: false,
            protocol: Value::Null,
            waits: false,
            synced: false,
            assigned: Value::Array(Vec::new()),
            owned: Vec::new(),
            classic: kind != Kind::Next,
            own_name,
        }
    });
    let word = match kind {
        Kind::Classic => "classic",
        Kind::Next => "next",
        Kind::Mixed => "mixed",
    };
    Group {
        name: format!("{scenario}-{word}{group}"),
        kind,
        is_next: false,
        members: members.collect(),
        leader_left: false,
        joins: 0,
        commits: false,
    }
}

/// Members of the next protocol make up their own ids, so these are the same on both brokers.
fn member_id(scenario: &str, group: usize, member: usize) -> [u8; 16] {
    let mut id = [0; 16];
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let text = format!("{scenario}/{group}/{member}");
    for (at, slot) in id.iter_mut().enumerate() {
        for byte in text.bytes().chain([at as u8]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        *slot = (hash >> 32) as u8;
    }
    id
}

impl Member {
    /// Outside the group, as it was before it first joined.
    pub(super) fn leave(&mut self) {
        self.known = false;
        self.generation = 0;
        self.leads = false;
        self.synced = false;
        self.assigned = Value::Array(Vec::new());
        self.owned.clear();
    }

    /// The generation or epoch that it goes by.
    pub(super) fn generation_by(&self, stray: Stray) -> i32 {
        match stray {
            Stray::Past => self.generation - 1,
            Stray::Ahead => self.generation + 1,
            _ => self.generation,
        }
    }

    /// The member id that it goes by.
    pub(super) fn name_by(&self, stray: Stray) -> String {
        match stray {
            Stray::Unknown => "nobody".to_owned(),
            _ if self.known || !self.name.starts_with('$') => self.name.clone(),
            _ => String::new(),
        }
    }

    /// The instance id that it goes by.
    pub(super) fn instance_by(&self, stray: Stray) -> Option<String> {
        match (stray, &self.instance) {
            (Stray::OtherInstance, Some(instance)) => Some(format!("{instance}-other")),
            (Stray::OtherInstance, None) => Some("an-instance".to_owned()),
            (_, instance) => instance.clone(),
        }
    }
}
