//! Groups of classic members: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use serde_json::{Value, json};

use super::action::{Action, Joining, Pick, Stray};
use super::run::{Outcome, Run};
use super::side::Request;
use super::world::{Kind, MEMBERS};
use crate::embedded;
use crate::lists::Exception;
use crate::value::{hex, unhex};

/// Long enough for nothing to time out within a scenario.
const TIMEOUT_MS: i32 = 300_000;

/// How often members may have to join again until a group is stable.
const ROUNDS_MAX: usize = 6;

impl Run<'_> {
    pub(super) fn on_classic(&mut self, action: &Action) -> Outcome {
        match action {
            Action::Join {
                group,
                member,
                how,
                version,
            } => {
                let (group, member) = (self.world.group(*group), usize::from(*member) % MEMBERS);
                self.settle_before_change(group, member, true, *version)?;
                self.join(group, member, *how, *version)?;
                self.collect(group)?;
                self.see_group(group)
            }
            Action::Sync {
                group,
                member,
                stray,
                version,
            } => {
                let group = self.world.group(*group);
                let member = self.joined_as(group, *member, true);
                if self.world.groups[group].leader_left && self.lists.except(Exception::LeaderAfterLeader) {
                    // Each broker may have chosen another leader, so one member's answer waits for another on each.
                    let all: Vec<usize> = (0..MEMBERS).collect();
                    self.sync_all(group, &all, *version)?;
                } else {
                    self.sync(group, member, *stray, *version)?;
                }
                self.collect(group)?;
                self.see_group(group)
            }
            Action::Settle { group, version } => {
                let group = self.world.group(*group);
                match self.world.groups[group].kind {
                    Kind::Mixed => self.settle_mixed(group, *version)?,
                    Kind::Classic | Kind::Next => self.settle_group(group, *version)?,
                }
                self.see_group(group)
            }
            Action::Heartbeat {
                group,
                member,
                stray,
                version,
            } => {
                let group = self.world.group(*group);
                let member = self.joined_as(group, *member, true);
                self.heartbeat(group, member, *stray, *version)?;
                self.collect(group)
            }
            Action::LeaveGroup {
                group,
                members,
                stray,
                version,
            } => {
                let group = self.world.group(*group);
                let leaving = members.iter().map(|pick| self.joined_as(group, *pick, true));
                self.leave_group(group, leaving.collect(), *stray, *version)?;
                self.collect(group)?;
                self.see_group(group)
            }
            _ => Ok(()),
        }
    }

    /// A member that is in the group, if there is one; otherwise any.
    pub(super) fn joined(&self, group: usize, pick: Pick) -> usize {
        let members = &self.world.groups[group].members;
        let joined: Vec<usize> = (0..MEMBERS).filter(|at| members[*at].generation > 0).collect();
        match joined.len() {
            0 => usize::from(pick) % MEMBERS,
            count => joined[usize::from(pick) % count],
        }
    }

    /// As [`Self::joined`], one that follows the classic protocol, or the next one, if there is one.
    pub(super) fn joined_as(&self, group: usize, pick: Pick, classic: bool) -> usize {
        let members = &self.world.groups[group].members;
        let follows = |at: &usize| members[*at].generation > 0 && members[*at].classic == classic;
        let joined: Vec<usize> = (0..MEMBERS).filter(follows).collect();
        match joined.len() {
            0 => self.joined(group, pick),
            count => joined[usize::from(pick) % count],
        }
    }

    pub(super) fn heartbeat(&mut self, group: usize, member: usize, stray: Stray, pick: Pick) -> Outcome<Value> {
        let request = self.identity(group, member, stray, "GenerationId");
        let version = Self::version("Heartbeat", pick)?;
        self.ask(Request::new("Heartbeat", version, request))
    }

    fn identity(&self, group: usize, member: usize, stray: Stray, generation: &str) -> Value {
        let of = &self.world.groups[group];
        let member = &of.members[member];
        json!({
            "GroupId": of.name,
            generation: member.generation_by(stray),
            "MemberId": member.name_by(stray),
            "GroupInstanceId?": member.instance_by(stray),
        })
    }

    pub(super) fn join(&mut self, group: usize, member: usize, how: Joining, pick: Pick) -> Outcome {
        let how = self.before_joining(group, member, how);
        let metadata = hex(&self.subscription(group, member, pick));
        let of = &self.world.groups[group];
        let name = of.name.clone();
        let member_of = &of.members[member];
        let id = match how {
            Joining::Anew => String::new(),
            Joining::UnknownMember => "nobody".to_owned(),
            _ => member_of.name_by(Stray::No),
        };
        let mut names = vec!["range", "roundrobin"];
        match how {
            Joining::OtherProtocol => names = vec!["another"],
            Joining::NoProtocols => names.clear(),
            _ if member % 2 == 1 => names.reverse(),
            _ => {}
        }
        let protocols: Vec<Value> = names
            .iter()
            .map(|name| json!({ "Name": name, "Metadata": metadata }))
            .collect();
        let mut version = Self::version("JoinGroup", pick)?;
        // Static members came with version 5.
        if member_of.instance.is_some() && version < 5 {
            version += 5;
        }
        let request = json!({
            "GroupId": name,
            "SessionTimeoutMs": if how == Joining::SessionTimeout { 1 } else { TIMEOUT_MS },
            "RebalanceTimeoutMs?": TIMEOUT_MS,
            "MemberId": id,
            "GroupInstanceId?": member_of.instance,
            "ProtocolType": if how == Joining::OtherType { "connect" } else { "consumer" },
            "Protocols": protocols,
            "Reason?": "a scenario",
        });
        self.send(group, member, Request::new("JoinGroup", version, request))
    }

    /// What a member says of itself: members of a mixed group say what they own, those of odd numbers after having given it
    /// up, and change now and then what they read. Where a leader joins again, the group rebalances, and so it does where
    /// somebody says something new: that is what they do where each broker may have another leader.
    fn subscription(&mut self, group: usize, member: usize, pick: Pick) -> Vec<u8> {
        const OTHER_TOPIC: Pick = 224;
        let of = &mut self.world.groups[group];
        let news = of.leader_left && !of.is_next && self.lists.except(Exception::LeaderAfterLeader);
        of.joins += u32::from(news);
        let user_data = of.joins.to_be_bytes();
        let user_data = news.then_some(user_data.as_slice());
        let topic = |slot: u8| format!("{}-{slot}", self.world.name);
        if of.kind != Kind::Mixed {
            return embedded::subscription(0, &[&topic(0)], user_data, &[]);
        }
        let owned = of.members[member].owned.iter();
        let owned = owned.filter(|_| member.is_multiple_of(2));
        let owned: Vec<embedded::Part<'_>> = owned.map(|(topic, of)| (topic.as_str(), of.as_slice())).collect();
        embedded::subscription(1, &[&topic(u8::from(pick >= OTHER_TOPIC))], user_data, &owned)
    }

    pub(super) fn sync(&mut self, group: usize, member: usize, stray: Stray, pick: Pick) -> Outcome {
        let mut request = self.identity(group, member, stray, "GenerationId");
        let of = &self.world.groups[group];
        let member_of = &of.members[member];
        request["ProtocolType?"] = "consumer".into();
        request["ProtocolName?"] = member_of.protocol.clone();
        let assignments = match of.kind {
            Kind::Mixed => {
                let topic = format!("{}-0", self.world.name);
                let count = self.world.topics.get(&topic).map_or(0, |topic| topic.partitions.len());
                format!("$divided:{topic}:{count}:{}", member_of.name)
            }
            Kind::Classic | Kind::Next => format!("$assignments:{}", member_of.name),
        };
        request["Assignments"] = assignments.into();
        let mut version = Self::version("SyncGroup", pick)?;
        if member_of.instance.is_some() && version < 3 {
            version += 3;
        }
        self.send(group, member, Request::new("SyncGroup", version, request))
    }

    /// What an answered JoinGroup or SyncGroup says of the member.
    pub(super) fn on_waited(&mut self, group: usize, member: usize, api: &str, answer: &Value) -> Outcome {
        const MEMBER_ID_REQUIRED: i64 = 79;
        const UNKNOWN_MEMBER_ID: i64 = 25;
        let of = &mut self.world.groups[group];
        let name = of.members[member].name.clone();
        let code = answer["ErrorCode"].as_i64();
        let member_of = &mut of.members[member];
        match (api, code) {
            ("JoinGroup", Some(0)) => {
                member_of.known = true;
                member_of.classic = true;
                member_of.generation = answer["GenerationId"].as_i64().unwrap_or_default() as i32;
                member_of.leads = answer["Leader"] == name.as_str();
                member_of.protocol = answer["ProtocolName"].clone();
                member_of.synced = false;
                // A leader that gave its place up by joining anew is no longer sure to have it.
                if of.members.iter().all(|member| member.generation <= 1) {
                    of.leader_left = false;
                }
            }
            ("JoinGroup", Some(MEMBER_ID_REQUIRED)) => member_of.known = true,
            ("SyncGroup", Some(0)) => {
                member_of.synced = true;
                let assignment = answer["Assignment"].as_str().and_then(unhex);
                member_of.owned = assignment
                    .and_then(|bytes| embedded::assigned(&bytes))
                    .unwrap_or_default();
            }
            (_, Some(UNKNOWN_MEMBER_ID)) => member_of.known = false,
            _ => {}
        }
        Ok(())
    }

    /// All that are in the group, or two if nobody is, join until they are in one generation; then they sync.
    pub(super) fn settle_group(&mut self, group: usize, pick: Pick) -> Outcome {
        let members = &self.world.groups[group].members;
        let mut taking_part: Vec<usize> = (0..MEMBERS)
            .filter(|at| members[*at].classic && (members[*at].known || members[*at].waits))
            .collect();
        if taking_part.is_empty() {
            taking_part = vec![0, 1];
        }
        for _ in 0..ROUNDS_MAX {
            for member in taking_part.clone() {
                if !self.world.groups[group].members[member].waits {
                    self.join(group, member, Joining::Plain, pick)?;
                }
            }
            self.collect(group)?;
            let members = &self.world.groups[group].members;
            let of = |member: &usize| &members[*member];
            let generation = taking_part.iter().map(|member| of(member).generation).max();
            let settled = |member: &usize| !of(member).waits && Some(of(member).generation) == generation;
            if generation > Some(0) && taking_part.iter().all(settled) {
                break;
            }
        }
        self.sync_all(group, &taking_part, pick)?;
        self.collect(group)
    }

    /// Those of some members that have joined sync.
    fn sync_all(&mut self, group: usize, members: &[usize], pick: Pick) -> Outcome {
        for member in members {
            let member_of = &self.world.groups[group].members[*member];
            if member_of.classic && !member_of.waits && member_of.generation > 0 {
                self.sync(group, *member, Stray::No, pick)?;
            }
        }
        Ok(())
    }

    pub(super) fn leave_group(&mut self, group: usize, mut leaving: Vec<usize>, stray: Stray, pick: Pick) -> Outcome {
        let of = &self.world.groups[group];
        let version = Self::version("LeaveGroup", pick)?;
        if version < 3 {
            leaving.truncate(1);
        }
        let identity = |member: &usize| {
            let member = &of.members[*member];
            // A static member may be removed by its instance alone.
            let id = match (stray, &member.instance) {
                (Stray::Past, Some(_)) => String::new(),
                _ => member.name_by(stray),
            };
            json!({ "MemberId": id, "GroupInstanceId": member.instance_by(stray), "Reason?": "a scenario" })
        };
        let members: Vec<Value> = leaving.iter().map(identity).collect();
        let request = json!({
            "GroupId": of.name,
            "MemberId?": of.members[leaving[0]].name_by(stray),
            "Members?": members,
        });
        let answer = self.ask(Request::new("LeaveGroup", version, request))?;
        if answer["ErrorCode"] != 0 {
            return Ok(());
        }
        let of = &mut self.world.groups[group];
        for member in leaving {
            let member = &mut of.members[member];
            let is_named = |one: &Value| {
                one["MemberId"] == member.name.as_str()
                    || member.instance.is_some() && one["GroupInstanceId"].as_str() == member.instance.as_deref()
            };
            let said = answer["Members"].as_array().filter(|said| !said.is_empty());
            let refused = said.is_some_and(|said| !said.iter().any(|one| is_named(one) && one["ErrorCode"] == 0));
            if !refused {
                of.leader_left |= member.leads;
                member.leave();
            }
        }
        Ok(())
    }
}
