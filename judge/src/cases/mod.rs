//! What is asked of both: one file per API, one row each in [`TABLE`].
//!
//! An API is added by a file with `pub(super) fn cases() -> Vec<Case>` and a row here.

use crate::run::{Case, Judged, Runner};

mod alter_configs;
mod api_versions;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_topic_partitions;
mod fetch;
mod find_coordinator;
mod group;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod mixed;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;

/// A function that lists an API's cases.
type Cases = fn() -> Vec<Case>;

/// Every API by name, with its cases, in key order.
pub const TABLE: &[(&str, Cases)] = &[
    ("Produce", produce::cases),
    ("Fetch", fetch::cases),
    ("ListOffsets", list_offsets::cases),
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
    ("CreateTopics", create_topics::cases),
    ("DeleteTopics", delete_topics::cases),
    ("DeleteRecords", delete_records::cases),
    ("InitProducerId", init_producer_id::cases),
    ("OffsetForLeaderEpoch", offset_for_leader_epoch::cases),
    ("DescribeConfigs", describe_configs::cases),
    ("AlterConfigs", alter_configs::cases),
    ("DescribeLogDirs", describe_log_dirs::cases),
    ("CreatePartitions", create_partitions::cases),
    ("DeleteGroups", delete_groups::cases),
    ("IncrementalAlterConfigs", incremental_alter_configs::cases),
    ("OffsetDelete", offset_delete::cases),
    ("DescribeCluster", describe_cluster::cases),
    ("ConsumerGroupHeartbeat", consumer_group_heartbeat::cases),
    ("ConsumerGroupDescribe", consumer_group_describe::cases),
    ("DescribeTopicPartitions", describe_topic_partitions::cases),
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
