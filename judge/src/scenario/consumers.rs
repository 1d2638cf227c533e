//! Groups of the next protocol: ConsumerGroupHeartbeat.

use serde_json::{Value, json};

use super::action::{Action, Beat, Pick, Stray};
use super::run::{Outcome, Run};
use super::side::Request;
use super::world::{Kind, MEMBERS, UNIFORM};
use crate::lists::Exception;

const REBALANCE_TIMEOUT_MS: i32 = 300_000;

/// How often members may have to heartbeat until nothing changes.
const ROUNDS_MAX: usize = 12;

impl Run<'_> {
    pub(super) fn on_consumers(&mut self, action: &Action) -> Outcome {
        match action {
            Action::Beat {
                group,
                member,
                beat,
                stray,
                version,
            } => {
                let group = self.world.group(*group);
                let member = match beat {
                    Beat::Join(_) | Beat::JoinWithoutTimeout => usize::from(*member) % MEMBERS,
                    _ => self.joined_as(group, *member, false),
                };
                if matches!(beat, Beat::Join(_) | Beat::JoinWithoutTimeout) {
                    self.settle_before_change(group, member, false, *version)?;
                }
                self.beat(group, member, *beat, *stray, *version)?;
                self.collect(group)?;
                self.see_group(group)
            }
            Action::Converge { group, version } => {
                let group = self.world.group(*group);
                match self.world.groups[group].kind {
                    Kind::Mixed => self.settle_mixed(group, *version)?,
                    Kind::Classic | Kind::Next => self.converge(group, *version)?,
                }
                self.see_group(group)
            }
            _ => Ok(()),
        }
    }

    fn converge(&mut self, group: usize, version: Pick) -> Outcome {
        for _ in 0..ROUNDS_MAX {
            let state = |run: &Self| -> Vec<(i32, Value)> {
                let members = run.world.groups[group].members.iter();
                members
                    .map(|member| (member.generation, member.assigned.clone()))
                    .collect()
            };
            let before = state(self);
            for member in 0..MEMBERS {
                if self.world.groups[group].members[member].generation > 0 {
                    self.beat(group, member, Beat::Acknowledge, Stray::No, version)?;
                }
            }
            if state(self) == before {
                break;
            }
        }
        Ok(())
    }

    /// The topics that a member subscribes to. `range` takes each topic for itself.
    fn subscribed(&self, group: usize, pick: Pick) -> Vec<String> {
        let name = |slot: u8| format!("{}-{slot}", self.world.name);
        if group == UNIFORM && self.lists.except(Exception::UniformOverTopics) {
            return vec![name(0)];
        }
        let chosen: Vec<String> = (0..3_u8).filter(|slot| pick >> slot & 1 == 1).map(name).collect();
        if chosen.is_empty() { vec![name(0)] } else { chosen }
    }

    pub(super) fn beat(&mut self, group: usize, member: usize, beat: Beat, stray: Stray, version: Pick) -> Outcome {
        self.before_beating(group, member, beat);
        let topics = match beat {
            Beat::Join(pick) | Beat::Subscribe(pick) => Some(self.subscribed(group, pick)),
            Beat::JoinWithoutTimeout => Some(self.subscribed(group, 1)),
            _ => None,
        };
        let of = &self.world.groups[group];
        let member_of = &of.members[member];
        let joins = matches!(beat, Beat::Join(_) | Beat::JoinWithoutTimeout);
        let epoch = match beat {
            Beat::Leave => -1,
            Beat::LeaveForNow => -2,
            _ if joins && stray == Stray::No => 0,
            _ => member_of.generation_by(stray),
        };
        let assignor = match beat {
            Beat::UnknownAssignor => Some("nothing"),
            _ if joins => Some(if group == UNIFORM { "uniform" } else { "range" }),
            _ => None,
        };
        let owned = match beat {
            Beat::Acknowledge => member_of.assigned.clone(),
            Beat::Revoke => json!([]),
            _ if joins => json!([]),
            _ => Value::Null,
        };
        let request = json!({
            "GroupId": of.name,
            "MemberId": member_of.name_by(stray),
            "MemberEpoch": epoch,
            "InstanceId": member_of.instance_by(stray),
            "RebalanceTimeoutMs": if matches!(beat, Beat::Join(_)) { REBALANCE_TIMEOUT_MS } else { -1 },
            "SubscribedTopicNames": topics,
            "ServerAssignor": assignor,
            "TopicPartitions": owned,
        });
        let version = Self::version("ConsumerGroupHeartbeat", version)?;
        let answer = self.ask(Request::new("ConsumerGroupHeartbeat", version, request))?;
        self.on_beat(group, member, stray, &answer);
        Ok(())
    }

    fn on_beat(&mut self, group: usize, member: usize, stray: Stray, answer: &Value) {
        const GONE: [i64; 3] = [25, 110, 82];
        // What was said in another's name tells nothing of this member.
        if stray == Stray::Unknown {
            return;
        }
        let member = &mut self.world.groups[group].members[member];
        match answer["ErrorCode"].as_i64() {
            Some(0) => {
                let epoch = answer["MemberEpoch"].as_i64().unwrap_or_default() as i32;
                if epoch == -1 {
                    return member.leave();
                }
                // A static member that left for now keeps its place, and joins anew.
                member.generation = epoch.max(0);
                member.classic = false;
                if let Some(partitions) = answer["Assignment"].get("TopicPartitions") {
                    member.assigned = partitions.clone();
                }
            }
            Some(code) if GONE.contains(&code) && stray == Stray::No => member.leave(),
            _ => {}
        }
    }
}
