//! What is asked of both: one file per API, one row each in [`TABLE`].
//!
//! An API is added by a file with `pub(super) fn cases() -> Vec<Case>` and a row here.

use crate::run::{Case, Judged, Runner};

mod api_versions;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod delete_groups;
mod describe_groups;
mod find_coordinator;
mod group;
mod heartbeat;
mod join_group;
mod leave_group;
mod list_groups;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod sync_group;

/// A function that lists an API's cases.
type Cases = fn() -> Vec<Case>;

/// Every API by name, with its cases, in key order.
pub const TABLE: &[(&str, Cases)] = &[
    ("Metadata", metadata::cases),
    ("OffsetCommit", offset_commit::cases),
    ("OffsetFetch", offset_fetch::cases),
    ("FindCoordinator", find_coordinator::cases),
    ("JoinGroup", join_group::cases),
    ("Heartbeat", heartbeat::cases),
    ("LeaveGroup", leave_group::cases),
    ("SyncGroup", sync_group::cases),
    ("DescribeGroups", describe_groups::cases),
    ("ListGroups", list_groups::cases),
    ("ApiVersions", api_versions::cases),
    ("DeleteGroups", delete_groups::cases),
    ("OffsetDelete", offset_delete::cases),
    ("ConsumerGroupHeartbeat", consumer_group_heartbeat::cases),
    ("ConsumerGroupDescribe", consumer_group_describe::cases),
];

/// Runs the cases of every API, or of those whose name contains `only`.
pub fn run(runner: &mut Runner, only: &str, case: &str) -> Vec<Judged> {
    let only = only.to_lowercase();
    let wanted = TABLE.iter().filter(|(api, _)| api.to_lowercase().contains(&only));
    wanted
        .map(|(api, cases)| {
            let cases: Vec<Case> = cases().into_iter().filter(|known| known.name.contains(case)).collect();
            runner.api(api, &cases)
        })
        .collect()
}
