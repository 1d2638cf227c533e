//! Groups whose members follow either protocol, and how those change from one to the other.
//!
//! The first member of the next protocol makes a consumer group of a classic one (upgrade), the last that goes leaves a
//! classic one behind (downgrade). Which of them a group is is seen after each step, and so are its members, with their
//! epochs and assignments.
//!
//! `range` takes members in the order of their ids. So that it is the same on both brokers, members make up their own
//! wherever the protocol lets them, and where it does not, the id begins with the member's client id.

use super::action::{Action, Beat, Joining, Pick, Stray};
use super::run::{Outcome, Run};
use super::world::{Kind, MEMBERS};
use crate::lists::Exception;

/// How often members may have to follow until nothing changes.
const ROUNDS_MAX: usize = 16;

const UNKNOWN_MEMBER_ID: i64 = 25;
const REBALANCE_IN_PROGRESS: i64 = 27;
const FENCED_INSTANCE_ID: i64 = 82;

impl Run<'_> {
    pub(super) fn on_mixed(&mut self, action: &Action) -> Outcome {
        let Action::Switch { group, member, version } = action else {
            return Ok(());
        };
        let group = self.world.group(*group);
        let member = usize::from(*member) % MEMBERS;
        let classic = !self.world.groups[group].members[member].classic;
        self.settle_before_change(group, member, classic, *version)?;
        self.part(group, member, *version)?;
        let member_of = &mut self.world.groups[group].members[member];
        member_of.classic = classic;
        if classic {
            // Once more with the id that it is told, if it is told one.
            for _ in 0..2 {
                let member_of = &self.world.groups[group].members[member];
                if member_of.generation == 0 && !member_of.waits {
                    self.join(group, member, Joining::Plain, *version)?;
                    self.collect(group)?;
                }
            }
        } else {
            self.beat(group, member, Beat::Join(*version), Stray::No, *version)?;
            self.collect(group)?;
        }
        self.see_group(group)
    }

    /// A member stops, as clients do: one of the classic protocol that is static says nothing.
    fn part(&mut self, group: usize, member: usize, version: Pick) -> Outcome {
        self.waiting.retain(|one| (one.group, one.member) != (group, member));
        let member_of = &mut self.world.groups[group].members[member];
        member_of.waits = false;
        let is_static = member_of.instance.is_some();
        if member_of.generation > 0 {
            match (member_of.classic, is_static) {
                (true, true) => {}
                (true, false) => self.leave_group(group, vec![member], Stray::No, version)?,
                (false, true) => self.beat(group, member, Beat::LeaveForNow, Stray::No, version)?,
                (false, false) => self.beat(group, member, Beat::Leave, Stray::No, version)?,
            }
        }
        self.world.groups[group].members[member].leave();
        self.collect(group)?;
        self.see_group(group)
    }

    /// Notes what a group is now, and whether it has changed. Who leads what was a consumer group is each broker's choice.
    pub(super) fn note_protocol(&mut self, group: usize, is_next: bool) {
        let of = &mut self.world.groups[group];
        if of.kind != Kind::Mixed || of.is_next == is_next {
            return;
        }
        of.is_next = is_next;
        let classic = of.members.iter().any(|member| member.classic && member.generation > 0);
        of.leader_left |= !is_next;
        if classic && is_next {
            self.tally.upgrades += 1;
        } else if classic {
            self.tally.downgrades += 1;
        }
    }

    /// Before a member that stays in a mixed group changes its protocol, the others get what they are meant to have.
    pub(super) fn settle_before_change(&mut self, group: usize, member: usize, classic: bool, pick: Pick) -> Outcome {
        let of = &self.world.groups[group];
        let member_of = &of.members[member];
        let stays = member_of.generation > 0 || member_of.instance.is_some();
        if of.kind == Kind::Mixed
            && stays
            && member_of.classic != classic
            && self.lists.except(Exception::ChangeWhileUnsettled)
        {
            self.settle_mixed(group, pick)?;
        }
        Ok(())
    }

    /// Gives a member of a mixed group the name by which it joins as one of the classic protocol, and says how it joins.
    pub(super) fn before_joining(&mut self, group: usize, member: usize, how: Joining) -> Joining {
        let of = &mut self.world.groups[group];
        if of.kind != Kind::Mixed {
            return how;
        }
        let member_of = &mut of.members[member];
        let names_itself = of.is_next && member_of.instance.is_none() && self.lists.except(Exception::OwnNames);
        if member_of.generation == 0 && !member_of.known && !member_of.waits {
            member_of.name = match names_itself {
                true => member_of.own_name.clone(),
                false => format!("$member:{group}:{member}"),
            };
        }
        match how {
            Joining::Anew | Joining::UnknownMember if names_itself => Joining::Plain,
            how => how,
        }
    }

    /// Gives a member of a mixed group the name by which it joins as one of the next protocol.
    pub(super) fn before_beating(&mut self, group: usize, member: usize, beat: Beat) {
        let of = &mut self.world.groups[group];
        let member_of = &mut of.members[member];
        let begins = member_of.generation == 0 || member_of.instance.is_some() && member_of.classic;
        if of.kind == Kind::Mixed && begins && matches!(beat, Beat::Join(_) | Beat::JoinWithoutTimeout) {
            member_of.name = member_of.own_name.clone();
        }
    }

    /// All members do what their coordinator tells them, until nothing changes.
    pub(super) fn settle_mixed(&mut self, group: usize, version: Pick) -> Outcome {
        for _ in 0..ROUNDS_MAX {
            if !self.world.groups[group].is_next {
                self.settle_group(group, version)?;
                return self.see_group(group);
            }
            let state = |run: &Self| -> Vec<_> {
                let members = run.world.groups[group].members.iter();
                members
                    .map(|member| (member.generation, member.assigned.clone(), member.owned.clone()))
                    .collect()
            };
            let before = state(self);
            for member in 0..MEMBERS {
                self.follow(group, member, version)?;
            }
            self.see_group(group)?;
            if state(self) == before {
                break;
            }
        }
        Ok(())
    }

    /// A member of a consumer group heartbeats, and does what it is told.
    fn follow(&mut self, group: usize, member: usize, version: Pick) -> Outcome {
        let member_of = &self.world.groups[group].members[member];
        if member_of.generation == 0 {
            return Ok(());
        }
        if !member_of.classic {
            return self.beat(group, member, Beat::Acknowledge, Stray::No, version);
        }
        let answer = self.heartbeat(group, member, Stray::No, version)?;
        match answer["ErrorCode"].as_i64() {
            Some(REBALANCE_IN_PROGRESS) => {
                self.join(group, member, Joining::Plain, version)?;
                self.collect(group)?;
                self.sync(group, member, Stray::No, version)?;
                self.collect(group)
            }
            Some(UNKNOWN_MEMBER_ID | FENCED_INSTANCE_ID) => {
                self.world.groups[group].members[member].leave();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
