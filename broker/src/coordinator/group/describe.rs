//! What administrators see of a group, and DeleteGroups.

use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest};
use kafka_protocol::protocol::StrBytes;

use super::classic::{CONSUMER_PROTOCOL_TYPE, State};
use super::{Group, GroupError, Outcome, Record};

/// The type of a group under the classic protocol, as ListGroups names it.
const CLASSIC: &str = "classic";
/// The type of a group under the consumer group protocol.
const CONSUMER: &str = "consumer";
/// The state that is shown of a group that does not exist.
const DEAD: &str = "Dead";
/// From this version on a group that does not exist is an error (KIP-1043); before, it is a dead group.
const GROUP_ID_NOT_FOUND_SINCE: i16 = 6;

/// Answers DescribeGroups for one group.
pub fn describe(group: &Group, group_id: &GroupId, api_version: i16) -> DescribedGroup {
    let described = DescribedGroup::default().with_group_id(group_id.clone());
    let Some(classic) = &group.membership else {
        let dead = described.with_group_state(StrBytes::from_static_str(DEAD));
        if api_version < GROUP_ID_NOT_FOUND_SINCE {
            return dead;
        }
        let what = if group.exists() {
            "is not a classic group"
        } else {
            "not found"
        };
        let message = StrBytes::from_string(format!("Group {} {what}.", group_id.as_str()));
        return dead
            .with_error_code(GroupError::GroupIdNotFound.code())
            .with_error_message(Some(message));
    };
    let protocol = classic.protocol_name.clone().filter(|_| classic.state == State::Stable);
    let member = |member: &std::sync::Arc<super::classic::Member>| {
        let described = DescribedGroupMember::default()
            .with_member_id(member.id.clone())
            .with_group_instance_id(member.instance_id.clone())
            .with_client_id(member.client_id.clone())
            .with_client_host(member.client_host.clone())
            .with_member_assignment(member.assignment.clone());
        match &protocol {
            Some(protocol) => described.with_member_metadata(member.metadata(protocol)),
            None => described,
        }
    };
    let members = classic.members.values().map(member).collect();
    described
        .with_group_state(StrBytes::from_static_str(classic.state.name()))
        .with_protocol_type(classic.protocol_type.clone().unwrap_or_default())
        .with_members(members)
        .with_protocol_data(protocol.unwrap_or_default())
}

/// Answers ListGroups for one group; `None` if it does not exist.
pub fn list(group: &Group, group_id: &StrBytes) -> Option<ListedGroup> {
    if let Some(consumer) = &group.consumer {
        let listed = ListedGroup::default()
            .with_group_id(GroupId(group_id.clone()))
            .with_protocol_type(StrBytes::from_static_str(CONSUMER_PROTOCOL_TYPE))
            .with_group_state(StrBytes::from_static_str(consumer.state_name()))
            .with_group_type(StrBytes::from_static_str(CONSUMER));
        return Some(listed);
    }
    let classic = group.membership.as_ref()?;
    let listed = ListedGroup::default()
        .with_group_id(GroupId(group_id.clone()))
        .with_protocol_type(classic.protocol_type.clone().unwrap_or_default())
        .with_group_state(StrBytes::from_static_str(classic.state.name()))
        .with_group_type(StrBytes::from_static_str(CLASSIC));
    Some(listed)
}

/// Whether a group passes the filters of ListGroups. Neither looks at case; an unknown state or type matches nothing.
pub fn matches_filters(listed: &ListedGroup, request: &ListGroupsRequest) -> bool {
    let passes = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(value))
    };
    // A type is compared as it is, without trimming.
    let types = &request.types_filter;
    let type_passes = types.is_empty()
        || types
            .iter()
            .any(|wanted| wanted.eq_ignore_ascii_case(&listed.group_type));
    passes(&request.states_filter, &listed.group_state) && type_passes
}

/// Decides on DeleteGroups for one group.
pub fn delete(group: &Group) -> Outcome<Result<(), GroupError>> {
    match (group.exists(), group.has_members()) {
        (false, _) => Outcome::reply(Err(GroupError::GroupIdNotFound)),
        (true, true) => Outcome::reply(Err(GroupError::NonEmptyGroup)),
        (true, false) => Outcome {
            reply: Ok(()),
            records: vec![Record::Removed],
            effects: Vec::new(),
        },
    }
}
