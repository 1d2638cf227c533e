//! The APIs that ask about more than one node can do: elections, moves, features, quotas, credentials, transactions. Each
//! answers as a cluster of one does.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use tickertape_broker::wire::build::BatchBuilder;
use tickertape_broker::{Broker, BrokerHandle};

use crate::support::calls::latest;
use crate::support::client::Client;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

fn start() -> (BrokerHandle, Client) {
    let broker = Broker::builder().start_blocking().unwrap();
    let client = Client::connect(broker.bootstrap_servers());
    (broker, client)
}

#[test]
fn every_partition_has_its_leader_and_its_place() {
    let (_broker, mut client) = start();
    client.create_topic("here", 2, &[]);

    let asked = |topic: &str, partition| {
        TopicPartitions::default()
            .with_topic(name(topic))
            .with_partitions(vec![partition])
    };
    let named = vec![asked("here", 1), asked("here", 7), asked("nowhere", 0)];
    for (kind, errors) in [
        (
            0,
            [
                ResponseError::ElectionNotNeeded,
                ResponseError::UnknownTopicOrPartition,
                ResponseError::UnknownTopicOrPartition,
            ],
        ),
        (9, [ResponseError::InvalidRequest; 3]),
    ] {
        let request = ElectLeadersRequest::default()
            .with_election_type(kind)
            .with_topic_partitions(Some(named.clone()));
        let response = client.call(latest(ApiKey::ElectLeaders), &request);
        let found: Vec<i16> = response
            .replica_election_results
            .iter()
            .map(|topic| topic.partition_result[0].error_code)
            .collect();
        assert_eq!(found, errors.map(|error| error.code()), "{response:?}");
    }
    let all = client.call(latest(ApiKey::ElectLeaders), &ElectLeadersRequest::default());
    assert_eq!(
        (all.error_code, all.replica_election_results.len()),
        (0, 0),
        "an empty list names nothing"
    );
    let request = ElectLeadersRequest::default().with_topic_partitions(None);
    let all = client.call(latest(ApiKey::ElectLeaders), &request);
    assert_eq!(all.replica_election_results.len(), 1);
    assert!(all.replica_election_results[0].partition_result.is_empty());

    let mut move_to = |topic: &str, partition, replicas: Option<Vec<i32>>| {
        let partition = ReassignablePartition::default()
            .with_partition_index(partition)
            .with_replicas(replicas.map(|ids| ids.into_iter().map(BrokerId).collect()));
        let topic = ReassignableTopic::default()
            .with_name(name(topic))
            .with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
        let response = client.call(latest(ApiKey::AlterPartitionReassignments), &request);
        response.responses[0].partitions[0].error_code
    };
    assert_eq!(move_to("here", 0, Some(vec![1])), 0);
    for (topic, partition, replicas, error) in [
        ("here", 0, Some(vec![2]), ResponseError::InvalidReplicaAssignment),
        ("here", 0, Some(vec![]), ResponseError::InvalidReplicaAssignment),
        ("here", 0, Some(vec![1, 1]), ResponseError::InvalidReplicaAssignment),
        ("here", 0, None, ResponseError::NoReassignmentInProgress),
        ("here", 7, Some(vec![1]), ResponseError::UnknownTopicOrPartition),
        ("nowhere", 0, None, ResponseError::UnknownTopicOrPartition),
    ] {
        assert_eq!(move_to(topic, partition, replicas), error.code(), "{topic}-{partition}");
    }
    let request = ListPartitionReassignmentsRequest::default().with_topics(None);
    let moves = client.call(latest(ApiKey::ListPartitionReassignments), &request);
    assert_eq!((moves.error_code, moves.topics.len()), (0, 0));
}

#[test]
fn a_feature_stays_at_its_level() {
    let (_broker, mut client) = start();
    // Feature, level, kind of change, and whether it is taken.
    for (feature, level, kind, taken) in [
        ("group.version", 1, 1, true),
        ("metadata.version", 27, 1, true),
        ("group.version", 0, 1, false),
        ("group.version", 0, 2, false),
        ("group.version", 2, 1, false),
        ("group.version", -1, 1, false),
        ("group.version", 1, 7, false),
        ("metadata.version", 7, 2, false),
        ("metadata.version", 7, 3, false),
        ("nonsense", 1, 1, false),
        ("nonsense", 0, 2, false),
    ] {
        for version in [1, 2] {
            let update = FeatureUpdateKey::default()
                .with_feature(text(feature))
                .with_max_version_level(level)
                .with_upgrade_type(kind);
            let request = UpdateFeaturesRequest::default().with_feature_updates(vec![update]);
            let response = client.call(version, &request);
            assert_eq!(
                response.error_code == 0,
                taken,
                "{feature} {level} {kind}: {response:?}"
            );
            assert_eq!(response.results.len(), usize::from(taken && version == 1));
        }
    }
}

#[test]
fn filters_of_quotas_are_checked_and_unknown_users_and_transactions_named() {
    let (_broker, mut client) = start();
    let mut quotas = |components: &[(&str, i8, Option<&str>)]| {
        let components = components.iter().map(|(kind, match_type, wanted)| {
            ComponentData::default()
                .with_entity_type(text(kind))
                .with_match_type(*match_type)
                .with_match(wanted.map(text))
        });
        let request = DescribeClientQuotasRequest::default().with_components(components.collect());
        let response = client.call(latest(ApiKey::DescribeClientQuotas), &request);
        assert_eq!(response.entries.is_some(), response.error_code == 0);
        response.error_code
    };
    assert_eq!(quotas(&[]), 0);
    assert_eq!(quotas(&[("user", 2, None), ("client-id", 0, Some("a"))]), 0);
    let invalid = ResponseError::InvalidRequest.code();
    assert_eq!(quotas(&[("user", 2, None), ("user", 1, None)]), invalid);
    assert_eq!(quotas(&[("user", 2, None), ("ip", 1, None)]), invalid);
    assert_eq!(quotas(&[("user", 0, None)]), invalid);
    assert_eq!(quotas(&[("user", 1, Some("a"))]), invalid);
    assert_eq!(quotas(&[("user", 2, Some("a"))]), invalid);
    assert_eq!(quotas(&[("user", 5, None)]), invalid);
    assert_eq!(quotas(&[("", 2, None)]), invalid);
    assert_eq!(quotas(&[("shoe", 2, None)]), ResponseError::UnsupportedVersion.code());

    let users = ["a", "b", "b"].map(|user| UserName::default().with_name(text(user)));
    let request = DescribeUserScramCredentialsRequest::default().with_users(Some(users.into()));
    let response = client.call(0, &request);
    let found: Vec<_> = response
        .results
        .iter()
        .map(|result| (&*result.user, result.error_code))
        .collect();
    let (missing, twice) = (ResponseError::ResourceNotFound, ResponseError::DuplicateResource);
    assert_eq!(found, [("a", missing.code()), ("b", twice.code())]);
    let everybody = client.call(0, &DescribeUserScramCredentialsRequest::default().with_users(None));
    assert_eq!((everybody.error_code, everybody.results.len()), (0, 0));

    let request = ListTransactionsRequest::default().with_state_filters(vec![text("Ongoing"), text("Lost")]);
    let response = client.call(latest(ApiKey::ListTransactions), &request);
    assert_eq!((response.error_code, response.transaction_states.len()), (0, 0));
    assert_eq!(response.unknown_state_filters, [text("Lost")]);
    let ids = ["x", ""].map(|id| TransactionalId(text(id)));
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids.into());
    let response = client.call(0, &request);
    let found: Vec<_> = response
        .transaction_states
        .iter()
        .map(|state| state.error_code)
        .collect();
    let errors = [ResponseError::TransactionalIdNotFound, ResponseError::InvalidRequest];
    assert_eq!(found, errors.map(|error| error.code()));
}

#[test]
fn resources_with_properties_are_named() {
    let (_broker, mut client) = start();
    client.create_topic("named", 1, &[]);
    let mut list = |version, kinds: &[i8]| {
        let request = ListConfigResourcesRequest::default().with_resource_types(kinds.to_vec());
        let response = client.call(version, &request);
        let found: Vec<_> = response
            .config_resources
            .iter()
            .map(|resource| (resource.resource_type, resource.resource_name.to_string()))
            .collect();
        (response.error_code, found)
    };
    assert_eq!(list(1, &[2]), (0, vec![(2, "named".to_owned())]));
    assert_eq!(list(1, &[4, 16]), (0, vec![(4, "1".to_owned())]));
    assert_eq!(list(1, &[]).1.len(), 3);
    assert_eq!(list(0, &[]), (0, vec![]));
    assert_eq!(list(1, &[1]), (ResponseError::UnsupportedVersion.code(), vec![]));
}

#[test]
fn a_partition_names_the_producers_that_it_knows() {
    let (_broker, mut client) = start();
    let topic = client.create_topic("written", 1, &[]);
    let batch = |producer_id, sequence| {
        let batch = BatchBuilder::new().producer(producer_id, 0, sequence);
        let batch = batch.record(1_000, None, Some(b"a")).record(1_000, None, Some(b"b"));
        batch.build().unwrap()
    };
    for (producer_id, sequence) in [(9, 0), (4, 0), (9, 2)] {
        let answer = client.produce(latest(ApiKey::Produce), &topic, 0, batch(producer_id, sequence));
        assert_eq!(answer.error_code, 0);
    }
    let mut describe = |topic: &str, partition| {
        let topic = TopicRequest::default()
            .with_name(name(topic))
            .with_partition_indexes(vec![partition]);
        let request = DescribeProducersRequest::default().with_topics(vec![topic]);
        client.call(0, &request).topics.remove(0).partitions.remove(0)
    };
    let known = describe("written", 0);
    assert_eq!(known.error_code, 0);
    let shown: Vec<_> = known
        .active_producers
        .iter()
        .map(|producer| {
            (
                producer.producer_id.0,
                producer.producer_epoch,
                producer.last_sequence,
                producer.coordinator_epoch,
                producer.current_txn_start_offset,
            )
        })
        .collect();
    assert_eq!(shown, [(4, 0, 1, -1, -1), (9, 0, 3, -1, -1)]);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(describe("written", 1).error_code, unknown);
    assert_eq!(describe("nowhere", 0).error_code, unknown);
    let invalid = ResponseError::InvalidTopicException.code();
    assert_eq!(describe("not a name", 0).error_code, invalid);
}

#[test]
fn a_topic_that_is_made_by_asking_is_there_for_the_next_question() {
    let broker = Broker::builder()
        .property("num.partitions", "3")
        .start_blocking()
        .unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let mut ask = |may_create| {
        let topic = MetadataRequestTopic::default().with_name(Some(name("asked")));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![topic]))
            .with_allow_auto_topic_creation(may_create);
        let answer = client.call(latest(ApiKey::Metadata), &request).topics.remove(0);
        (answer.error_code, answer.partitions.len(), answer.topic_id.is_nil())
    };
    let unknown = (ResponseError::UnknownTopicOrPartition.code(), 0, true);
    assert_eq!(ask(false), unknown);
    assert_eq!(ask(true), unknown, "as Apache Kafka, which makes it meanwhile");
    assert_eq!(ask(true), (0, 3, false));
}

#[test]
fn without_an_authorizer_there_are_no_acls() {
    let (_broker, mut client) = start();
    let disabled = ResponseError::SecurityDisabled.code();
    let describe = DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1);
    let create = AclCreation::default()
        .with_resource_type(2)
        .with_resource_pattern_type(3)
        .with_operation(3)
        .with_permission_type(3);
    let delete = DeleteAclsFilter::default()
        .with_resource_type_filter(2)
        .with_pattern_type_filter(3)
        .with_operation(3)
        .with_permission_type(3);
    let described = client.call(latest(ApiKey::DescribeAcls), &describe);
    assert_eq!((described.error_code, described.resources.len()), (disabled, 0));
    let request = CreateAclsRequest::default().with_creations(vec![create.clone(), create]);
    let created = client.call(latest(ApiKey::CreateAcls), &request);
    let codes: Vec<i16> = created.results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [disabled; 2]);
    let request = DeleteAclsRequest::default().with_filters(vec![delete]);
    let deleted = client.call(latest(ApiKey::DeleteAcls), &request);
    let codes: Vec<i16> = deleted.filter_results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [disabled]);
}

#[test]
fn a_replica_is_in_the_one_directory() {
    let (_broker, mut client) = start();
    client.create_topic("placed", 1, &[]);
    let described = client.call(latest(ApiKey::DescribeLogDirs), &DescribeLogDirsRequest::default());
    let here = described.results[0].log_dir.to_string();
    let mut move_to = |dir: &str, topic: &str, partition| {
        let topic = AlterReplicaLogDirTopic::default()
            .with_name(name(topic))
            .with_partitions(vec![partition]);
        let dir = AlterReplicaLogDir::default()
            .with_path(text(dir))
            .with_topics(vec![topic]);
        let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]);
        let answer = client.call(latest(ApiKey::AlterReplicaLogDirs), &request);
        answer.results[0].partitions[0].error_code
    };
    assert_eq!(move_to(&here, "placed", 0), 0);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(move_to(&here, "placed", 1), unknown);
    assert_eq!(move_to(&here, "nowhere", 0), unknown);
    assert_eq!(move_to("/elsewhere", "placed", 0), ResponseError::LogDirNotFound.code());
    assert_eq!(
        move_to(&here, &"long".repeat(60), 0),
        ResponseError::InvalidTopicException.code()
    );
}

#[test]
fn the_broker_is_the_only_controller() {
    let (_broker, mut client) = start();
    let mut describe = |topic: &str, partition| {
        let partition = describe_quorum_request::PartitionData::default().with_partition_index(partition);
        let topic = describe_quorum_request::TopicData::default()
            .with_topic_name(name(topic))
            .with_partitions(vec![partition]);
        let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
        client.call(latest(ApiKey::DescribeQuorum), &request)
    };
    let quorum = describe("__cluster_metadata", 0);
    let partition = &quorum.topics[0].partitions[0];
    assert_eq!(
        (quorum.error_code, partition.error_code, partition.leader_id.0),
        (0, 0, 1)
    );
    assert_eq!(partition.current_voters.len(), 1);
    assert_eq!(quorum.nodes[0].listeners[0].name.to_string(), "CONTROLLER");
    for (topic, partition) in [("__cluster_metadata", 1), ("elsewhere", 0)] {
        let refused = describe(topic, partition).topics.remove(0).partitions.remove(0);
        assert_eq!(refused.error_code, ResponseError::UnknownTopicOrPartition.code());
    }
}

#[test]
fn who_looks_for_a_coordinator_finds_its_topic() {
    let broker = Broker::builder()
        .property("offsets.topic.num.partitions", "3")
        .property("transaction.state.log.num.partitions", "2")
        .start_blocking()
        .unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let listed = |client: &mut Client| {
        let request = MetadataRequest::default().with_topics(None);
        let answer = client.call(latest(ApiKey::Metadata), &request);
        let topics = answer.topics.into_iter().map(|topic| {
            (
                topic.name.unwrap().to_string(),
                topic.partitions.len(),
                topic.is_internal,
            )
        });
        topics.collect::<BTreeSet<_>>()
    };
    let find = |kind| {
        FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![text("anyone")])
    };
    let mut expected = BTreeSet::new();
    for (kind, topic) in [
        (0, ("__consumer_offsets".to_owned(), 3, true)),
        (1, ("__transaction_state".to_owned(), 2, true)),
    ] {
        assert_eq!(listed(&mut client), expected);
        expected.insert(topic);
        for _ in 0..2 {
            let found = client.call(latest(ApiKey::FindCoordinator), &find(kind));
            assert_eq!(found.coordinators[0].error_code, 0);
            assert_eq!(listed(&mut client), expected);
        }
    }
    let request = MetadataRequest::default().with_topics(None);
    let topic_id = client.call(latest(ApiKey::Metadata), &request).topics[0].topic_id;
    let batch = BatchBuilder::new().record(1_000, None, Some(b"a")).build().unwrap();
    let partition = PartitionProduceData::default().with_records(Some(batch.into()));
    let topic = TopicProduceData::default()
        .with_topic_id(topic_id)
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]);
    let refused = client.call(latest(ApiKey::Produce), &request);
    assert_eq!(
        refused.responses[0].partition_responses[0].error_code,
        ResponseError::InvalidTopicException.code()
    );
}
