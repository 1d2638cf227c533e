//! Offsets committed, fetched and deleted, and groups listed, described and deleted.

use serde_json::{Value, json};

use super::action::{Action, Committer, Note, Pick, Place, Stray};
use super::run::{Outcome, Run};
use super::side::Request;
use crate::lists::Exception;

/// More than `offset.metadata.max.bytes`.
const NOTE_TOO_LONG: usize = 5000;

/// Who commits or fetches: member id, generation or epoch, instance id.
struct By {
    member_id: String,
    generation: i32,
    instance: Option<String>,
}

impl Run<'_> {
    pub(super) fn on_offsets(&mut self, action: &Action) -> Outcome {
        match action {
            Action::Commit {
                group,
                by,
                topic,
                partition,
                at,
                note,
                version,
            } => {
                let group = self.world.group(*group);
                let topic = self.world.topic(*topic);
                let partition = self.world.partition(&topic, *partition);
                self.commit(group, *by, (&topic, partition, *at), *note, *version)
            }
            Action::FetchOffsets {
                group,
                by,
                topic,
                stable,
                version,
            } => {
                let group = self.world.group(*group);
                self.fetch_offsets(group, *by, *topic, *stable, *version)
            }
            Action::DeleteOffsets {
                group,
                topic,
                partition,
            } => {
                let group = self.world.group(*group);
                let topic = self.world.topic(*topic);
                let part = json!({ "PartitionIndex": self.world.partition(&topic, *partition) });
                let request = json!({
                    "GroupId": self.world.groups[group].name,
                    "Topics": [{ "Name": topic, "Partitions": [part] }]
                });
                self.ask(Request::new("OffsetDelete", 0, request))?;
                self.see_group(group)
            }
            Action::DeleteGroup { group, version } => {
                let group = self.world.group(*group);
                let request = json!({ "GroupsNames": [self.world.groups[group].name] });
                let version = Self::version("DeleteGroups", *version)?;
                let answer = self.ask(Request::new("DeleteGroups", version, request))?;
                if answer["Results"][0]["ErrorCode"] == 0 {
                    let of = &mut self.world.groups[group];
                    of.members.iter_mut().for_each(super::world::Member::leave);
                    of.leader_left = false;
                }
                self.see_group(group)
            }
            _ => self.on_descriptions(action),
        }
    }

    fn on_descriptions(&mut self, action: &Action) -> Outcome {
        match action {
            Action::DescribeGroup { group, next, version } => {
                let name = &self.world.groups[self.world.group(*group)].name;
                let (api, request) = if *next {
                    ("ConsumerGroupDescribe", json!({ "GroupIds": [name] }))
                } else {
                    ("DescribeGroups", json!({ "Groups": [name] }))
                };
                self.ask(Request::new(api, Self::version(api, *version)?, request))
                    .map(drop)
            }
            Action::ListGroups { state, kind, version } => self.list_groups(*state, *kind, *version),
            _ => Ok(()),
        }
    }

    fn by(&self, group: usize, by: Committer) -> By {
        let (pick, stray) = match by {
            Committer::Nobody => {
                return By {
                    member_id: String::new(),
                    generation: -1,
                    instance: None,
                };
            }
            Committer::Member(pick) => (pick, Stray::No),
            Committer::Straying(pick, stray) => (pick, stray),
        };
        let member = &self.world.groups[group].members[self.joined(group, pick)];
        By {
            member_id: member.name_by(stray),
            generation: member.generation_by(stray),
            instance: member.instance_by(stray),
        }
    }

    fn commit(&mut self, group: usize, by: Committer, at: (&str, i32, Place), note: Note, pick: Pick) -> Outcome {
        let (topic, partition, place) = at;
        let by = self.by(group, by);
        let note = match note {
            Note::Text(pick) => "n".repeat(usize::from(pick)).into(),
            Note::Null => Value::Null,
            Note::TooLong if !self.world.groups[group].commits && self.lists.except(Exception::RefusedFirstCommit) => {
                "n".into()
            }
            Note::TooLong => "n".repeat(NOTE_TOO_LONG).into(),
        };
        let part = json!({
            "PartitionIndex": partition,
            "CommittedOffset": self.world.offset(topic, partition, place),
            "CommittedMetadata": note,
        });
        let of = &self.world.groups[group];
        let request = json!({
            "GroupId": of.name,
            "GenerationIdOrMemberEpoch": by.generation,
            "MemberId": by.member_id,
            "GroupInstanceId?": by.instance,
            "Topics": [{ "Name?": topic, "TopicId?": format!("$id:{topic}"), "Partitions": [part] }]
        });
        let version = Self::version("OffsetCommit", pick)?;
        let answer = self.ask(Request::new("OffsetCommit", version, request))?;
        self.world.groups[group].commits |= answer["Topics"][0]["Partitions"][0]["ErrorCode"] == 0;
        self.see_group(group)
    }

    fn fetch_offsets(&mut self, group: usize, by: Committer, topic: Option<Pick>, stable: bool, pick: Pick) -> Outcome {
        let by = self.by(group, by);
        let name = self.world.groups[group].name.clone();
        let mut version = Self::version("OffsetFetch", pick)?;
        // All topics can be asked for since version 2.
        if topic.is_none() && version < 2 {
            version += 2;
        }
        let topics = topic.map(|topic| {
            let topic = self.world.topic(topic);
            let id = format!("$id:{topic}");
            if version < 8 {
                json!([{ "Name": topic, "PartitionIndexes": [0, 1] }])
            } else {
                json!([{ "Name?": topic, "TopicId?": id, "PartitionIndexes": [0, 1] }])
            }
        });
        let request = if version < 8 {
            json!({ "GroupId": name, "Topics": topics, "RequireStable?": stable })
        } else {
            let wanted = json!({
                "GroupId": name, "MemberId?": by.member_id, "MemberEpoch?": by.generation, "Topics": topics
            });
            json!({ "Groups": [wanted], "RequireStable": stable })
        };
        self.ask(Request::new("OffsetFetch", version, request)).map(drop)
    }

    /// Only the scenario's own groups are compared.
    fn list_groups(&mut self, state: Pick, kind: Pick, pick: Pick) -> Outcome {
        let states = [
            &[][..],
            &["Stable"],
            &["Empty", "dead"],
            &["empty"],
            &["PreparingRebalance"],
            &["Bogus"],
        ];
        let kinds = [&[][..], &[], &["classic"], &["Consumer"], &["bogus"]];
        let version = Self::version("ListGroups", pick)?;
        let request = json!({
            "StatesFilter?": states[usize::from(state) % states.len()],
            "TypesFilter?": kinds[usize::from(kind) % kinds.len()],
        });
        let mut request = Request::new("ListGroups", version, request);
        request.only = Some(format!("{}-", self.world.name));
        self.ask(request).map(drop)
    }
}
