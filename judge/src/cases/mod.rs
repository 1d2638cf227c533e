//! What is asked of both: one file per API, one row each in [`TABLE`].
//!
//! An API is added by a file with `pub(super) fn cases() -> Vec<Case>` and a row here; that ours serves none without cases
//! is a test. [`everywhere`] is what every API is asked besides.

use crate::run::{Case, Judged, Runner, case};

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod add_raft_voter;
mod alter_client_quotas;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod alter_user_scram_credentials;
mod api_versions;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_acls;
mod create_delegation_token;
mod create_partitions;
mod create_topics;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_acls;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_delegation_token;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_transactions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod end_txn;
mod expire_delegation_token;
mod fetch;
mod find_coordinator;
mod group;
mod heartbeat;
mod in_transactions;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod metadata;
mod mixed;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod remove_raft_voter;
mod renew_delegation_token;
mod sasl_authenticate;
mod sasl_handshake;
mod sync_group;
mod transactions;
mod txn_offset_commit;
mod unregister_broker;
mod update_features;
mod write_txn_markers;

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
    ("SaslHandshake", sasl_handshake::cases),
    ("ApiVersions", api_versions::cases),
    ("CreateTopics", create_topics::cases),
    ("DeleteTopics", delete_topics::cases),
    ("DeleteRecords", delete_records::cases),
    ("InitProducerId", init_producer_id::cases),
    ("OffsetForLeaderEpoch", offset_for_leader_epoch::cases),
    ("AddPartitionsToTxn", add_partitions_to_txn::cases),
    ("AddOffsetsToTxn", add_offsets_to_txn::cases),
    ("EndTxn", end_txn::cases),
    ("WriteTxnMarkers", write_txn_markers::cases),
    ("TxnOffsetCommit", txn_offset_commit::cases),
    ("DescribeAcls", describe_acls::cases),
    ("CreateAcls", create_acls::cases),
    ("DeleteAcls", delete_acls::cases),
    ("DescribeConfigs", describe_configs::cases),
    ("AlterConfigs", alter_configs::cases),
    ("AlterReplicaLogDirs", alter_replica_log_dirs::cases),
    ("DescribeLogDirs", describe_log_dirs::cases),
    ("SaslAuthenticate", sasl_authenticate::cases),
    ("CreatePartitions", create_partitions::cases),
    ("CreateDelegationToken", create_delegation_token::cases),
    ("RenewDelegationToken", renew_delegation_token::cases),
    ("ExpireDelegationToken", expire_delegation_token::cases),
    ("DescribeDelegationToken", describe_delegation_token::cases),
    ("DeleteGroups", delete_groups::cases),
    ("ElectLeaders", elect_leaders::cases),
    ("IncrementalAlterConfigs", incremental_alter_configs::cases),
    ("AlterPartitionReassignments", alter_partition_reassignments::cases),
    ("ListPartitionReassignments", list_partition_reassignments::cases),
    ("OffsetDelete", offset_delete::cases),
    ("DescribeClientQuotas", describe_client_quotas::cases),
    ("AlterClientQuotas", alter_client_quotas::cases),
    ("DescribeUserScramCredentials", describe_user_scram_credentials::cases),
    ("AlterUserScramCredentials", alter_user_scram_credentials::cases),
    ("DescribeQuorum", describe_quorum::cases),
    ("UpdateFeatures", update_features::cases),
    ("DescribeCluster", describe_cluster::cases),
    ("DescribeProducers", describe_producers::cases),
    ("UnregisterBroker", unregister_broker::cases),
    ("DescribeTransactions", describe_transactions::cases),
    ("ListTransactions", list_transactions::cases),
    ("ConsumerGroupHeartbeat", consumer_group_heartbeat::cases),
    ("ConsumerGroupDescribe", consumer_group_describe::cases),
    ("ListConfigResources", list_config_resources::cases),
    ("DescribeTopicPartitions", describe_topic_partitions::cases),
    ("AddRaftVoter", add_raft_voter::cases),
    ("RemoveRaftVoter", remove_raft_voter::cases),
];

/// Bodies that cannot be read, or hardly.
fn everywhere() -> Vec<Case> {
    vec![
        case("an empty body", |run| run.ask_spoilt(Vec::clear)),
        case("a body that ends early", |run| {
            run.ask_spoilt(|body| {
                body.pop();
            })
        }),
        case("bytes after the body", |run| {
            run.ask_spoilt(|body| body.extend([0, 1, 2]))
        }),
    ]
}

/// Runs the cases of every API, or of those whose name contains `only`, or one of several with commas between them.
pub fn run(runner: &mut Runner, only: &str, case: &str) -> Vec<Judged> {
    let only = only.to_lowercase();
    let only: Vec<&str> = only.split(',').collect();
    let named = |api: &str| only.iter().any(|only| api.to_lowercase().contains(only));
    let wanted = TABLE.iter().filter(|(api, _)| named(api));
    wanted
        .map(|(api, cases)| {
            let all = cases().into_iter().chain(everywhere());
            let cases: Vec<Case> = all.filter(|known| known.name.contains(case)).collect();
            runner.api(api, &cases)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_api_that_is_served_has_cases_in_key_order() {
        let served: Vec<&str> = tickertape_broker::served().map(|api| api.name).collect();
        let judged: Vec<&str> = TABLE.iter().map(|(api, _)| *api).collect();
        assert_eq!(
            judged, served,
            "a row in `TABLE`, and a file of cases, for each API of the broker's table"
        );
        for (api, cases) in TABLE {
            assert!(!cases().is_empty(), "{api} has no cases");
        }
    }

    #[test]
    fn each_case_of_an_api_has_a_name_of_its_own() {
        for (api, cases) in TABLE {
            let mut names = HashSet::new();
            for case in cases().into_iter().chain(everywhere()) {
                assert!(names.insert(case.name), "{api} has two cases called {}", case.name);
            }
        }
    }
}
