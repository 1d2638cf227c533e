//! Generated from Apache Kafka 4.1.1 by `cargo xtask shapes`; not to be edited.

use super::build::*;

pub(super) static REQUESTS: &[Message] = &[
    message("ProduceRequest", REQUEST, 0, from_to(3, 13), since(9), &[
        field("TransactionalId", STRING, since(3)).nullable(since(3)).default("null").entity("transactionalId"),
        field("Acks", INT16, since(0)),
        field("TimeoutMs", INT32, since(0)),
        field("TopicData", structures!("TopicProduceData", &[
            field("Name", STRING, from_to(0, 12)).entity("topicName").map_key(),
            field("TopicId", UUID, since(13)).map_key(),
            field("PartitionData", structures!("PartitionProduceData", &[
                field("Index", INT32, since(0)),
                field("Records", RECORDS, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("FetchRequest", REQUEST, 1, from_to(4, 18), since(12), &[
        field("ClusterId", STRING, since(12)).nullable(since(12)).tagged(0, since(12)).default("null"),
        field("ReplicaId", INT32, from_to(0, 14)).default("-1").entity("brokerId"),
        field("ReplicaState", structure!("ReplicaState", &[
            field("ReplicaId", INT32, since(15)).default("-1").entity("brokerId"),
            field("ReplicaEpoch", INT64, since(15)).default("-1"),
        ]), since(15)).tagged(1, since(15)),
        field("MaxWaitMs", INT32, since(0)),
        field("MinBytes", INT32, since(0)),
        field("MaxBytes", INT32, since(3)).default("0x7fffffff"),
        field("IsolationLevel", INT8, since(4)).default("0"),
        field("SessionId", INT32, since(7)).default("0"),
        field("SessionEpoch", INT32, since(7)).default("-1"),
        field("Topics", structures!("FetchTopic", &[
            field("Topic", STRING, from_to(0, 12)).entity("topicName"),
            field("TopicId", UUID, since(13)),
            field("Partitions", structures!("FetchPartition", &[
                field("Partition", INT32, since(0)),
                field("CurrentLeaderEpoch", INT32, since(9)).default("-1"),
                field("FetchOffset", INT64, since(0)),
                field("LastFetchedEpoch", INT32, since(12)).default("-1"),
                field("LogStartOffset", INT64, since(5)).default("-1"),
                field("PartitionMaxBytes", INT32, since(0)),
                field("ReplicaDirectoryId", UUID, since(17)).tagged(0, since(17)),
                field("HighWatermark", INT64, since(18)).tagged(1, since(18)).default("9223372036854775807"),
            ]), since(0)),
        ]), since(0)),
        field("ForgottenTopicsData", structures!("ForgottenTopic", &[
            field("Topic", STRING, from_to(7, 12)).entity("topicName"),
            field("TopicId", UUID, since(13)),
            field("Partitions", array(&INT32), since(7)),
        ]), since(7)),
        field("RackId", STRING, since(11)).default(""),
    ]).on_broker(),
    message("ListOffsetsRequest", REQUEST, 2, from_to(1, 10), since(6), &[
        field("ReplicaId", INT32, since(0)).entity("brokerId"),
        field("IsolationLevel", INT8, since(2)),
        field("Topics", structures!("ListOffsetsTopic", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("ListOffsetsPartition", &[
                field("PartitionIndex", INT32, since(0)),
                field("CurrentLeaderEpoch", INT32, since(4)).default("-1"),
                field("Timestamp", INT64, since(0)),
            ]), since(0)),
        ]), since(0)),
        field("TimeoutMs", INT32, since(10)),
    ]).on_broker(),
    message("MetadataRequest", REQUEST, 3, from_to(0, 13), since(9), &[
        field("Topics", structures!("MetadataRequestTopic", &[
            field("TopicId", UUID, since(10)),
            field("Name", STRING, since(0)).nullable(since(10)).entity("topicName"),
        ]), since(0)).nullable(since(1)),
        field("AllowAutoTopicCreation", BOOL, since(4)).default("true"),
        field("IncludeClusterAuthorizedOperations", BOOL, from_to(8, 10)),
        field("IncludeTopicAuthorizedOperations", BOOL, since(8)),
    ]).on_broker(),
    message("LeaderAndIsrRequest", REQUEST, 4, NONE, NONE, &[]),
    message("StopReplicaRequest", REQUEST, 5, NONE, NONE, &[]),
    message("UpdateMetadataRequest", REQUEST, 6, NONE, NONE, &[]),
    message("ControlledShutdownRequest", REQUEST, 7, NONE, NONE, &[]),
    message("OffsetCommitRequest", REQUEST, 8, from_to(2, 10), since(8), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("GenerationIdOrMemberEpoch", INT32, since(1)).default("-1"),
        field("MemberId", STRING, since(1)),
        field("GroupInstanceId", STRING, since(7)).nullable(since(7)).default("null"),
        field("RetentionTimeMs", INT64, from_to(2, 4)).default("-1"),
        field("Topics", structures!("OffsetCommitRequestTopic", &[
            field("Name", STRING, from_to(0, 9)).entity("topicName"),
            field("TopicId", UUID, since(10)),
            field("Partitions", structures!("OffsetCommitRequestPartition", &[
                field("PartitionIndex", INT32, since(0)),
                field("CommittedOffset", INT64, since(0)),
                field("CommittedLeaderEpoch", INT32, since(6)).default("-1"),
                field("CommittedMetadata", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker().latest_unstable(),
    message("OffsetFetchRequest", REQUEST, 9, from_to(1, 10), since(6), &[
        field("GroupId", STRING, from_to(0, 7)).entity("groupId"),
        field("Topics", structures!("OffsetFetchRequestTopic", &[
            field("Name", STRING, from_to(0, 7)).entity("topicName"),
            field("PartitionIndexes", array(&INT32), from_to(0, 7)),
        ]), from_to(0, 7)).nullable(from_to(2, 7)),
        field("Groups", structures!("OffsetFetchRequestGroup", &[
            field("GroupId", STRING, since(8)).entity("groupId"),
            field("MemberId", STRING, since(9)).nullable(since(9)).default("null"),
            field("MemberEpoch", INT32, since(9)).default("-1"),
            field("Topics", structures!("OffsetFetchRequestTopics", &[
                field("Name", STRING, from_to(8, 9)).entity("topicName"),
                field("TopicId", UUID, since(10)),
                field("PartitionIndexes", array(&INT32), since(8)),
            ]), since(8)).nullable(since(8)),
        ]), since(8)),
        field("RequireStable", BOOL, since(7)).default("false"),
    ]).on_broker().latest_unstable(),
    message("FindCoordinatorRequest", REQUEST, 10, from_to(0, 6), since(3), &[
        field("Key", STRING, from_to(0, 3)),
        field("KeyType", INT8, since(1)).default("0"),
        field("CoordinatorKeys", array(&STRING), since(4)),
    ]).on_broker(),
    message("JoinGroupRequest", REQUEST, 11, from_to(0, 9), since(6), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("SessionTimeoutMs", INT32, since(0)),
        field("RebalanceTimeoutMs", INT32, since(1)).default("-1"),
        field("MemberId", STRING, since(0)),
        field("GroupInstanceId", STRING, since(5)).nullable(since(5)).default("null"),
        field("ProtocolType", STRING, since(0)),
        field("Protocols", structures!("JoinGroupRequestProtocol", &[
            field("Name", STRING, since(0)).map_key(),
            field("Metadata", BYTES, since(0)),
        ]), since(0)),
        field("Reason", STRING, since(8)).nullable(since(8)).default("null"),
    ]).on_broker(),
    message("HeartbeatRequest", REQUEST, 12, from_to(0, 4), since(4), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("GenerationId", INT32, since(0)),
        field("MemberId", STRING, since(0)),
        field("GroupInstanceId", STRING, since(3)).nullable(since(3)).default("null"),
    ]).on_broker(),
    message("LeaveGroupRequest", REQUEST, 13, from_to(0, 5), since(4), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("MemberId", STRING, from_to(0, 2)),
        field("Members", structures!("MemberIdentity", &[
            field("MemberId", STRING, since(3)),
            field("GroupInstanceId", STRING, since(3)).nullable(since(3)).default("null"),
            field("Reason", STRING, since(5)).nullable(since(5)).default("null"),
        ]), since(3)),
    ]).on_broker(),
    message("SyncGroupRequest", REQUEST, 14, from_to(0, 5), since(4), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("GenerationId", INT32, since(0)),
        field("MemberId", STRING, since(0)),
        field("GroupInstanceId", STRING, since(3)).nullable(since(3)).default("null"),
        field("ProtocolType", STRING, since(5)).nullable(since(5)).default("null"),
        field("ProtocolName", STRING, since(5)).nullable(since(5)).default("null"),
        field("Assignments", structures!("SyncGroupRequestAssignment", &[
            field("MemberId", STRING, since(0)),
            field("Assignment", BYTES, since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("DescribeGroupsRequest", REQUEST, 15, from_to(0, 6), since(5), &[
        field("Groups", array(&STRING), since(0)).entity("groupId"),
        field("IncludeAuthorizedOperations", BOOL, since(3)),
    ]).on_broker(),
    message("ListGroupsRequest", REQUEST, 16, from_to(0, 5), since(3), &[
        field("StatesFilter", array(&STRING), since(4)),
        field("TypesFilter", array(&STRING), since(5)),
    ]).on_broker(),
    message("SaslHandshakeRequest", REQUEST, 17, from_to(0, 1), NONE, &[
        field("Mechanism", STRING, since(0)),
    ]).on_broker(),
    message("ApiVersionsRequest", REQUEST, 18, from_to(0, 4), since(3), &[
        field("ClientSoftwareName", STRING, since(3)),
        field("ClientSoftwareVersion", STRING, since(3)),
    ]).on_broker(),
    message("CreateTopicsRequest", REQUEST, 19, from_to(2, 7), since(5), &[
        field("Topics", structures!("CreatableTopic", &[
            field("Name", STRING, since(0)).entity("topicName").map_key(),
            field("NumPartitions", INT32, since(0)),
            field("ReplicationFactor", INT16, since(0)),
            field("Assignments", structures!("CreatableReplicaAssignment", &[
                field("PartitionIndex", INT32, since(0)).map_key(),
                field("BrokerIds", array(&INT32), since(0)).entity("brokerId"),
            ]), since(0)),
            field("Configs", structures!("CreatableTopicConfig", &[
                field("Name", STRING, since(0)).map_key(),
                field("Value", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
        field("timeoutMs", INT32, since(0)).default("60000"),
        field("validateOnly", BOOL, since(1)).default("false"),
    ]).on_broker(),
    message("DeleteTopicsRequest", REQUEST, 20, from_to(1, 6), since(4), &[
        field("Topics", structures!("DeleteTopicState", &[
            field("Name", STRING, since(6)).nullable(since(6)).default("null").entity("topicName"),
            field("TopicId", UUID, since(6)),
        ]), since(6)),
        field("TopicNames", array(&STRING), from_to(0, 5)).entity("topicName"),
        field("TimeoutMs", INT32, since(0)),
    ]).on_broker(),
    message("DeleteRecordsRequest", REQUEST, 21, from_to(0, 2), since(2), &[
        field("Topics", structures!("DeleteRecordsTopic", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("DeleteRecordsPartition", &[
                field("PartitionIndex", INT32, since(0)),
                field("Offset", INT64, since(0)),
            ]), since(0)),
        ]), since(0)),
        field("TimeoutMs", INT32, since(0)),
    ]).on_broker(),
    message("InitProducerIdRequest", REQUEST, 22, from_to(0, 6), since(2), &[
        field("TransactionalId", STRING, since(0)).nullable(since(0)).entity("transactionalId"),
        field("TransactionTimeoutMs", INT32, since(0)),
        field("ProducerId", INT64, since(3)).default("-1").entity("producerId"),
        field("ProducerEpoch", INT16, since(3)).default("-1"),
        field("Enable2Pc", BOOL, since(6)).default("false"),
        field("KeepPreparedTxn", BOOL, since(6)).default("false"),
    ]).on_broker().latest_unstable(),
    message("OffsetForLeaderEpochRequest", REQUEST, 23, from_to(2, 4), since(4), &[
        field("ReplicaId", INT32, since(3)).default("-2").entity("brokerId"),
        field("Topics", structures!("OffsetForLeaderTopic", &[
            field("Topic", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", structures!("OffsetForLeaderPartition", &[
                field("Partition", INT32, since(0)),
                field("CurrentLeaderEpoch", INT32, since(2)).default("-1"),
                field("LeaderEpoch", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("AddPartitionsToTxnRequest", REQUEST, 24, from_to(0, 5), since(3), &[
        field("Transactions", structures!("AddPartitionsToTxnTransaction", &[
            field("TransactionalId", STRING, since(4)).entity("transactionalId").map_key(),
            field("ProducerId", INT64, since(4)).entity("producerId"),
            field("ProducerEpoch", INT16, since(4)),
            field("VerifyOnly", BOOL, since(4)).default("false"),
            field("Topics", structures!("AddPartitionsToTxnTopic", &[
                field("Name", STRING, since(0)).entity("topicName").map_key(),
                field("Partitions", array(&INT32), since(0)),
            ]), since(4)),
        ]), since(4)),
        field("V3AndBelowTransactionalId", STRING, from_to(0, 3)).entity("transactionalId"),
        field("V3AndBelowProducerId", INT64, from_to(0, 3)).entity("producerId"),
        field("V3AndBelowProducerEpoch", INT16, from_to(0, 3)),
        field("V3AndBelowTopics", structures!("AddPartitionsToTxnTopic", &[
            field("Name", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", array(&INT32), since(0)),
        ]), from_to(0, 3)),
    ]).on_broker(),
    message("AddOffsetsToTxnRequest", REQUEST, 25, from_to(0, 4), since(3), &[
        field("TransactionalId", STRING, since(0)).entity("transactionalId"),
        field("ProducerId", INT64, since(0)).entity("producerId"),
        field("ProducerEpoch", INT16, since(0)),
        field("GroupId", STRING, since(0)).entity("groupId"),
    ]).on_broker(),
    message("EndTxnRequest", REQUEST, 26, from_to(0, 5), since(3), &[
        field("TransactionalId", STRING, since(0)).entity("transactionalId"),
        field("ProducerId", INT64, since(0)).entity("producerId"),
        field("ProducerEpoch", INT16, since(0)),
        field("Committed", BOOL, since(0)),
    ]).on_broker(),
    message("WriteTxnMarkersRequest", REQUEST, 27, from_to(1, 1), since(1), &[
        field("Markers", structures!("WritableTxnMarker", &[
            field("ProducerId", INT64, since(0)).entity("producerId"),
            field("ProducerEpoch", INT16, since(0)),
            field("TransactionResult", BOOL, since(0)),
            field("Topics", structures!("WritableTxnMarkerTopic", &[
                field("Name", STRING, since(0)).entity("topicName"),
                field("PartitionIndexes", array(&INT32), since(0)),
            ]), since(0)),
            field("CoordinatorEpoch", INT32, since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("TxnOffsetCommitRequest", REQUEST, 28, from_to(0, 5), since(3), &[
        field("TransactionalId", STRING, since(0)).entity("transactionalId"),
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("ProducerId", INT64, since(0)).entity("producerId"),
        field("ProducerEpoch", INT16, since(0)),
        field("GenerationId", INT32, since(3)).default("-1"),
        field("MemberId", STRING, since(3)).default(""),
        field("GroupInstanceId", STRING, since(3)).nullable(since(3)).default("null"),
        field("Topics", structures!("TxnOffsetCommitRequestTopic", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("TxnOffsetCommitRequestPartition", &[
                field("PartitionIndex", INT32, since(0)),
                field("CommittedOffset", INT64, since(0)),
                field("CommittedLeaderEpoch", INT32, since(2)).default("-1"),
                field("CommittedMetadata", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("DescribeAclsRequest", REQUEST, 29, from_to(1, 3), since(2), &[
        field("ResourceTypeFilter", INT8, since(0)),
        field("ResourceNameFilter", STRING, since(0)).nullable(since(0)),
        field("PatternTypeFilter", INT8, since(1)).default("3"),
        field("PrincipalFilter", STRING, since(0)).nullable(since(0)),
        field("HostFilter", STRING, since(0)).nullable(since(0)),
        field("Operation", INT8, since(0)),
        field("PermissionType", INT8, since(0)),
    ]).on_broker(),
    message("CreateAclsRequest", REQUEST, 30, from_to(1, 3), since(2), &[
        field("Creations", structures!("AclCreation", &[
            field("ResourceType", INT8, since(0)),
            field("ResourceName", STRING, since(0)),
            field("ResourcePatternType", INT8, since(1)).default("3"),
            field("Principal", STRING, since(0)),
            field("Host", STRING, since(0)),
            field("Operation", INT8, since(0)),
            field("PermissionType", INT8, since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("DeleteAclsRequest", REQUEST, 31, from_to(1, 3), since(2), &[
        field("Filters", structures!("DeleteAclsFilter", &[
            field("ResourceTypeFilter", INT8, since(0)),
            field("ResourceNameFilter", STRING, since(0)).nullable(since(0)),
            field("PatternTypeFilter", INT8, since(1)).default("3"),
            field("PrincipalFilter", STRING, since(0)).nullable(since(0)),
            field("HostFilter", STRING, since(0)).nullable(since(0)),
            field("Operation", INT8, since(0)),
            field("PermissionType", INT8, since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("DescribeConfigsRequest", REQUEST, 32, from_to(1, 4), since(4), &[
        field("Resources", structures!("DescribeConfigsResource", &[
            field("ResourceType", INT8, since(0)),
            field("ResourceName", STRING, since(0)),
            field("ConfigurationKeys", array(&STRING), since(0)).nullable(since(0)),
        ]), since(0)),
        field("IncludeSynonyms", BOOL, since(1)).default("false"),
        field("IncludeDocumentation", BOOL, since(3)).default("false"),
    ]).on_broker(),
    message("AlterConfigsRequest", REQUEST, 33, from_to(0, 2), since(2), &[
        field("Resources", structures!("AlterConfigsResource", &[
            field("ResourceType", INT8, since(0)).map_key(),
            field("ResourceName", STRING, since(0)).map_key(),
            field("Configs", structures!("AlterableConfig", &[
                field("Name", STRING, since(0)).map_key(),
                field("Value", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
        field("ValidateOnly", BOOL, since(0)),
    ]).on_broker(),
    message("AlterReplicaLogDirsRequest", REQUEST, 34, from_to(1, 2), since(2), &[
        field("Dirs", structures!("AlterReplicaLogDir", &[
            field("Path", STRING, since(0)).map_key(),
            field("Topics", structures!("AlterReplicaLogDirTopic", &[
                field("Name", STRING, since(0)).entity("topicName").map_key(),
                field("Partitions", array(&INT32), since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("DescribeLogDirsRequest", REQUEST, 35, from_to(1, 4), since(2), &[
        field("Topics", structures!("DescribableLogDirTopic", &[
            field("Topic", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", array(&INT32), since(0)),
        ]), since(0)).nullable(since(0)),
    ]).on_broker(),
    message("SaslAuthenticateRequest", REQUEST, 36, from_to(0, 2), since(2), &[
        field("AuthBytes", BYTES, since(0)),
    ]).on_broker(),
    message("CreatePartitionsRequest", REQUEST, 37, from_to(0, 3), since(2), &[
        field("Topics", structures!("CreatePartitionsTopic", &[
            field("Name", STRING, since(0)).entity("topicName").map_key(),
            field("Count", INT32, since(0)),
            field("Assignments", structures!("CreatePartitionsAssignment", &[
                field("BrokerIds", array(&INT32), since(0)).entity("brokerId"),
            ]), since(0)).nullable(since(0)),
        ]), since(0)),
        field("TimeoutMs", INT32, since(0)),
        field("ValidateOnly", BOOL, since(0)),
    ]).on_broker(),
    message("CreateDelegationTokenRequest", REQUEST, 38, from_to(1, 3), since(2), &[
        field("OwnerPrincipalType", STRING, since(3)).nullable(since(3)),
        field("OwnerPrincipalName", STRING, since(3)).nullable(since(3)),
        field("Renewers", structures!("CreatableRenewers", &[
            field("PrincipalType", STRING, since(0)),
            field("PrincipalName", STRING, since(0)),
        ]), since(0)),
        field("MaxLifetimeMs", INT64, since(0)),
    ]).on_broker(),
    message("RenewDelegationTokenRequest", REQUEST, 39, from_to(1, 2), since(2), &[
        field("Hmac", BYTES, since(0)),
        field("RenewPeriodMs", INT64, since(0)),
    ]).on_broker(),
    message("ExpireDelegationTokenRequest", REQUEST, 40, from_to(1, 2), since(2), &[
        field("Hmac", BYTES, since(0)),
        field("ExpiryTimePeriodMs", INT64, since(0)),
    ]).on_broker(),
    message("DescribeDelegationTokenRequest", REQUEST, 41, from_to(1, 3), since(2), &[
        field("Owners", structures!("DescribeDelegationTokenOwner", &[
            field("PrincipalType", STRING, since(0)),
            field("PrincipalName", STRING, since(0)),
        ]), since(0)).nullable(since(0)),
    ]).on_broker(),
    message("DeleteGroupsRequest", REQUEST, 42, from_to(0, 2), since(2), &[
        field("GroupsNames", array(&STRING), since(0)).entity("groupId"),
    ]).on_broker(),
    message("ElectLeadersRequest", REQUEST, 43, from_to(0, 2), since(2), &[
        field("ElectionType", INT8, since(1)),
        field("TopicPartitions", structures!("TopicPartitions", &[
            field("Topic", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", array(&INT32), since(0)),
        ]), since(0)).nullable(since(0)),
        field("TimeoutMs", INT32, since(0)).default("60000"),
    ]).on_broker(),
    message("IncrementalAlterConfigsRequest", REQUEST, 44, from_to(0, 1), since(1), &[
        field("Resources", structures!("AlterConfigsResource", &[
            field("ResourceType", INT8, since(0)).map_key(),
            field("ResourceName", STRING, since(0)).map_key(),
            field("Configs", structures!("AlterableConfig", &[
                field("Name", STRING, since(0)).map_key(),
                field("ConfigOperation", INT8, since(0)).map_key(),
                field("Value", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
        field("ValidateOnly", BOOL, since(0)),
    ]).on_broker(),
    message("AlterPartitionReassignmentsRequest", REQUEST, 45, from_to(0, 1), since(0), &[
        field("TimeoutMs", INT32, since(0)).default("60000"),
        field("AllowReplicationFactorChange", BOOL, since(1)).default("true"),
        field("Topics", structures!("ReassignableTopic", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("ReassignablePartition", &[
                field("PartitionIndex", INT32, since(0)),
                field("Replicas", array(&INT32), since(0)).nullable(since(0)).default("null").entity("brokerId"),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("ListPartitionReassignmentsRequest", REQUEST, 46, from_to(0, 0), since(0), &[
        field("TimeoutMs", INT32, since(0)).default("60000"),
        field("Topics", structures!("ListPartitionReassignmentsTopics", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("PartitionIndexes", array(&INT32), since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
    ]).on_broker(),
    message("OffsetDeleteRequest", REQUEST, 47, from_to(0, 0), NONE, &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("Topics", structures!("OffsetDeleteRequestTopic", &[
            field("Name", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", structures!("OffsetDeleteRequestPartition", &[
                field("PartitionIndex", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("DescribeClientQuotasRequest", REQUEST, 48, from_to(0, 1), since(1), &[
        field("Components", structures!("ComponentData", &[
            field("EntityType", STRING, since(0)),
            field("MatchType", INT8, since(0)),
            field("Match", STRING, since(0)).nullable(since(0)),
        ]), since(0)),
        field("Strict", BOOL, since(0)),
    ]).on_broker(),
    message("AlterClientQuotasRequest", REQUEST, 49, from_to(0, 1), since(1), &[
        field("Entries", structures!("EntryData", &[
            field("Entity", structures!("EntityData", &[
                field("EntityType", STRING, since(0)),
                field("EntityName", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
            field("Ops", structures!("OpData", &[
                field("Key", STRING, since(0)),
                field("Value", FLOAT64, since(0)),
                field("Remove", BOOL, since(0)),
            ]), since(0)),
        ]), since(0)),
        field("ValidateOnly", BOOL, since(0)),
    ]).on_broker(),
    message("DescribeUserScramCredentialsRequest", REQUEST, 50, from_to(0, 0), since(0), &[
        field("Users", structures!("UserName", &[
            field("Name", STRING, since(0)),
        ]), since(0)).nullable(since(0)),
    ]).on_broker(),
    message("AlterUserScramCredentialsRequest", REQUEST, 51, from_to(0, 0), since(0), &[
        field("Deletions", structures!("ScramCredentialDeletion", &[
            field("Name", STRING, since(0)),
            field("Mechanism", INT8, since(0)),
        ]), since(0)),
        field("Upsertions", structures!("ScramCredentialUpsertion", &[
            field("Name", STRING, since(0)),
            field("Mechanism", INT8, since(0)),
            field("Iterations", INT32, since(0)),
            field("Salt", BYTES, since(0)),
            field("SaltedPassword", BYTES, since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("VoteRequest", REQUEST, 52, from_to(0, 2), since(0), &[
        field("ClusterId", STRING, since(0)).nullable(since(0)).default("null"),
        field("VoterId", INT32, since(1)).default("-1").entity("brokerId"),
        field("Topics", structures!("TopicData", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("ReplicaEpoch", INT32, since(0)),
                field("ReplicaId", INT32, since(0)).entity("brokerId"),
                field("ReplicaDirectoryId", UUID, since(1)),
                field("VoterDirectoryId", UUID, since(1)),
                field("LastOffsetEpoch", INT32, since(0)),
                field("LastOffset", INT64, since(0)),
                field("PreVote", BOOL, since(2)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("BeginQuorumEpochRequest", REQUEST, 53, from_to(0, 1), since(1), &[
        field("ClusterId", STRING, since(0)).nullable(since(0)).default("null"),
        field("VoterId", INT32, since(1)).default("-1").entity("brokerId"),
        field("Topics", structures!("TopicData", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("VoterDirectoryId", UUID, since(1)),
                field("LeaderId", INT32, since(0)).entity("brokerId"),
                field("LeaderEpoch", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
        field("LeaderEndpoints", structures!("LeaderEndpoint", &[
            field("Name", STRING, since(1)).map_key(),
            field("Host", STRING, since(1)),
            field("Port", UINT16, since(1)),
        ]), since(1)),
    ]),
    message("EndQuorumEpochRequest", REQUEST, 54, from_to(0, 1), since(1), &[
        field("ClusterId", STRING, since(0)).nullable(since(0)).default("null"),
        field("Topics", structures!("TopicData", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("LeaderId", INT32, since(0)).entity("brokerId"),
                field("LeaderEpoch", INT32, since(0)),
                field("PreferredSuccessors", array(&INT32), from_to(0, 0)),
                field("PreferredCandidates", structures!("ReplicaInfo", &[
                    field("CandidateId", INT32, since(1)).entity("brokerId"),
                    field("CandidateDirectoryId", UUID, since(1)),
                ]), since(1)),
            ]), since(0)),
        ]), since(0)),
        field("LeaderEndpoints", structures!("LeaderEndpoint", &[
            field("Name", STRING, since(1)).map_key(),
            field("Host", STRING, since(1)),
            field("Port", UINT16, since(1)),
        ]), since(1)),
    ]),
    message("DescribeQuorumRequest", REQUEST, 55, from_to(0, 2), since(0), &[
        field("Topics", structures!("TopicData", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("AlterPartitionRequest", REQUEST, 56, from_to(2, 3), since(0), &[
        field("BrokerId", INT32, since(0)).entity("brokerId"),
        field("BrokerEpoch", INT64, since(0)).default("-1"),
        field("Topics", structures!("TopicData", &[
            field("TopicId", UUID, since(2)),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("LeaderEpoch", INT32, since(0)),
                field("NewIsr", array(&INT32), from_to(0, 2)).entity("brokerId"),
                field("NewIsrWithEpochs", structures!("BrokerState", &[
                    field("BrokerId", INT32, since(3)).entity("brokerId"),
                    field("BrokerEpoch", INT64, since(3)).default("-1"),
                ]), since(3)),
                field("LeaderRecoveryState", INT8, since(1)).default("0"),
                field("PartitionEpoch", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("UpdateFeaturesRequest", REQUEST, 57, from_to(0, 2), since(0), &[
        field("timeoutMs", INT32, since(0)).default("60000"),
        field("FeatureUpdates", structures!("FeatureUpdateKey", &[
            field("Feature", STRING, since(0)).map_key(),
            field("MaxVersionLevel", INT16, since(0)),
            field("AllowDowngrade", BOOL, from_to(0, 0)),
            field("UpgradeType", INT8, since(1)).default("1"),
        ]), since(0)),
        field("ValidateOnly", BOOL, since(1)).default("false"),
    ]).on_broker(),
    message("EnvelopeRequest", REQUEST, 58, from_to(0, 0), since(0), &[
        field("RequestData", BYTES, since(0)),
        field("RequestPrincipal", BYTES, since(0)).nullable(since(0)),
        field("ClientHostAddress", BYTES, since(0)),
    ]),
    message("FetchSnapshotRequest", REQUEST, 59, from_to(0, 1), since(0), &[
        field("ClusterId", STRING, since(0)).nullable(since(0)).tagged(0, since(0)).default("null"),
        field("ReplicaId", INT32, since(0)).default("-1").entity("brokerId"),
        field("MaxBytes", INT32, since(0)).default("0x7fffffff"),
        field("Topics", structures!("TopicSnapshot", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionSnapshot", &[
                field("Partition", INT32, since(0)),
                field("CurrentLeaderEpoch", INT32, since(0)),
                field("SnapshotId", structure!("SnapshotId", &[
                    field("EndOffset", INT64, since(0)),
                    field("Epoch", INT32, since(0)),
                ]), since(0)),
                field("Position", INT64, since(0)),
                field("ReplicaDirectoryId", UUID, since(1)).tagged(0, since(1)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("DescribeClusterRequest", REQUEST, 60, from_to(0, 2), since(0), &[
        field("IncludeClusterAuthorizedOperations", BOOL, since(0)),
        field("EndpointType", INT8, since(1)).default("1"),
        field("IncludeFencedBrokers", BOOL, since(2)),
    ]).on_broker(),
    message("DescribeProducersRequest", REQUEST, 61, from_to(0, 0), since(0), &[
        field("Topics", structures!("TopicRequest", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("PartitionIndexes", array(&INT32), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("BrokerRegistrationRequest", REQUEST, 62, from_to(0, 4), since(0), &[
        field("BrokerId", INT32, since(0)).entity("brokerId"),
        field("ClusterId", STRING, since(0)),
        field("IncarnationId", UUID, since(0)),
        field("Listeners", structures!("Listener", &[
            field("Name", STRING, since(0)).map_key(),
            field("Host", STRING, since(0)),
            field("Port", UINT16, since(0)),
            field("SecurityProtocol", INT16, since(0)),
        ]), since(0)),
        field("Features", structures!("Feature", &[
            field("Name", STRING, since(0)).map_key(),
            field("MinSupportedVersion", INT16, since(0)),
            field("MaxSupportedVersion", INT16, since(0)),
        ]), since(0)),
        field("Rack", STRING, since(0)).nullable(since(0)),
        field("IsMigratingZkBroker", BOOL, since(1)).default("false"),
        field("LogDirs", array(&UUID), since(2)),
        field("PreviousBrokerEpoch", INT64, since(3)).default("-1"),
    ]),
    message("BrokerHeartbeatRequest", REQUEST, 63, from_to(0, 1), since(0), &[
        field("BrokerId", INT32, since(0)).entity("brokerId"),
        field("BrokerEpoch", INT64, since(0)).default("-1"),
        field("CurrentMetadataOffset", INT64, since(0)),
        field("WantFence", BOOL, since(0)),
        field("WantShutDown", BOOL, since(0)),
        field("OfflineLogDirs", array(&UUID), since(1)).tagged(0, since(1)),
    ]),
    message("UnregisterBrokerRequest", REQUEST, 64, from_to(0, 0), since(0), &[
        field("BrokerId", INT32, since(0)).entity("brokerId"),
    ]).on_broker(),
    message("DescribeTransactionsRequest", REQUEST, 65, from_to(0, 0), since(0), &[
        field("TransactionalIds", array(&STRING), since(0)).entity("transactionalId"),
    ]).on_broker(),
    message("ListTransactionsRequest", REQUEST, 66, from_to(0, 2), since(0), &[
        field("StateFilters", array(&STRING), since(0)),
        field("ProducerIdFilters", array(&INT64), since(0)).entity("producerId"),
        field("DurationFilter", INT64, since(1)).default("-1"),
        field("TransactionalIdPattern", STRING, since(2)).nullable(since(2)).default("null"),
    ]).on_broker(),
    message("AllocateProducerIdsRequest", REQUEST, 67, from_to(0, 0), since(0), &[
        field("BrokerId", INT32, since(0)).entity("brokerId"),
        field("BrokerEpoch", INT64, since(0)).default("-1"),
    ]),
    message("ConsumerGroupHeartbeatRequest", REQUEST, 68, from_to(0, 1), since(0), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("MemberId", STRING, since(0)),
        field("MemberEpoch", INT32, since(0)),
        field("InstanceId", STRING, since(0)).nullable(since(0)).default("null"),
        field("RackId", STRING, since(0)).nullable(since(0)).default("null"),
        field("RebalanceTimeoutMs", INT32, since(0)).default("-1"),
        field("SubscribedTopicNames", array(&STRING), since(0)).nullable(since(0)).default("null").entity("topicName"),
        field("SubscribedTopicRegex", STRING, since(1)).nullable(since(1)).default("null"),
        field("ServerAssignor", STRING, since(0)).nullable(since(0)).default("null"),
        field("TopicPartitions", structures!("TopicPartitions", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", array(&INT32), since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
    ]).on_broker(),
    message("ConsumerGroupDescribeRequest", REQUEST, 69, from_to(0, 1), since(0), &[
        field("GroupIds", array(&STRING), since(0)).entity("groupId"),
        field("IncludeAuthorizedOperations", BOOL, since(0)),
    ]).on_broker(),
    message("ControllerRegistrationRequest", REQUEST, 70, from_to(0, 0), since(0), &[
        field("ControllerId", INT32, since(0)),
        field("IncarnationId", UUID, since(0)),
        field("ZkMigrationReady", BOOL, since(0)),
        field("Listeners", structures!("Listener", &[
            field("Name", STRING, since(0)).map_key(),
            field("Host", STRING, since(0)),
            field("Port", UINT16, since(0)),
            field("SecurityProtocol", INT16, since(0)),
        ]), since(0)),
        field("Features", structures!("Feature", &[
            field("Name", STRING, since(0)).map_key(),
            field("MinSupportedVersion", INT16, since(0)),
            field("MaxSupportedVersion", INT16, since(0)),
        ]), since(0)),
    ]),
    message("GetTelemetrySubscriptionsRequest", REQUEST, 71, from_to(0, 0), since(0), &[
        field("ClientInstanceId", UUID, since(0)),
    ]).on_broker(),
    message("PushTelemetryRequest", REQUEST, 72, from_to(0, 0), since(0), &[
        field("ClientInstanceId", UUID, since(0)),
        field("SubscriptionId", INT32, since(0)),
        field("Terminating", BOOL, since(0)),
        field("CompressionType", INT8, since(0)),
        field("Metrics", BYTES, since(0)),
    ]).on_broker(),
    message("AssignReplicasToDirsRequest", REQUEST, 73, from_to(0, 0), since(0), &[
        field("BrokerId", INT32, since(0)).entity("brokerId"),
        field("BrokerEpoch", INT64, since(0)).default("-1"),
        field("Directories", structures!("DirectoryData", &[
            field("Id", UUID, since(0)),
            field("Topics", structures!("TopicData", &[
                field("TopicId", UUID, since(0)),
                field("Partitions", structures!("PartitionData", &[
                    field("PartitionIndex", INT32, since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("ListConfigResourcesRequest", REQUEST, 74, from_to(0, 1), since(0), &[
        field("ResourceTypes", array(&INT8), since(1)),
    ]).on_broker(),
    message("DescribeTopicPartitionsRequest", REQUEST, 75, from_to(0, 0), since(0), &[
        field("Topics", structures!("TopicRequest", &[
            field("Name", STRING, since(0)).entity("topicName"),
        ]), since(0)),
        field("ResponsePartitionLimit", INT32, since(0)).default("2000"),
        field("Cursor", structure!("Cursor", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("PartitionIndex", INT32, since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
    ]).on_broker(),
    message("ShareGroupHeartbeatRequest", REQUEST, 76, from_to(1, 1), since(0), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("MemberId", STRING, since(0)),
        field("MemberEpoch", INT32, since(0)),
        field("RackId", STRING, since(0)).nullable(since(0)).default("null"),
        field("SubscribedTopicNames", array(&STRING), since(0)).nullable(since(0)).default("null").entity("topicName"),
    ]).on_broker(),
    message("ShareGroupDescribeRequest", REQUEST, 77, from_to(1, 1), since(0), &[
        field("GroupIds", array(&STRING), since(0)).entity("groupId"),
        field("IncludeAuthorizedOperations", BOOL, since(0)),
    ]).on_broker(),
    message("ShareFetchRequest", REQUEST, 78, from_to(1, 1), since(0), &[
        field("GroupId", STRING, since(0)).nullable(since(0)).default("null").entity("groupId"),
        field("MemberId", STRING, since(0)).nullable(since(0)),
        field("ShareSessionEpoch", INT32, since(0)),
        field("MaxWaitMs", INT32, since(0)),
        field("MinBytes", INT32, since(0)),
        field("MaxBytes", INT32, since(0)).default("0x7fffffff"),
        field("MaxRecords", INT32, since(1)),
        field("BatchSize", INT32, since(1)),
        field("Topics", structures!("FetchTopic", &[
            field("TopicId", UUID, since(0)).map_key(),
            field("Partitions", structures!("FetchPartition", &[
                field("PartitionIndex", INT32, since(0)).map_key(),
                field("PartitionMaxBytes", INT32, from_to(0, 0)),
                field("AcknowledgementBatches", structures!("AcknowledgementBatch", &[
                    field("FirstOffset", INT64, since(0)),
                    field("LastOffset", INT64, since(0)),
                    field("AcknowledgeTypes", array(&INT8), since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
        field("ForgottenTopicsData", structures!("ForgottenTopic", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", array(&INT32), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("ShareAcknowledgeRequest", REQUEST, 79, from_to(1, 1), since(0), &[
        field("GroupId", STRING, since(0)).nullable(since(0)).default("null").entity("groupId"),
        field("MemberId", STRING, since(0)).nullable(since(0)),
        field("ShareSessionEpoch", INT32, since(0)),
        field("Topics", structures!("AcknowledgeTopic", &[
            field("TopicId", UUID, since(0)).map_key(),
            field("Partitions", structures!("AcknowledgePartition", &[
                field("PartitionIndex", INT32, since(0)).map_key(),
                field("AcknowledgementBatches", structures!("AcknowledgementBatch", &[
                    field("FirstOffset", INT64, since(0)),
                    field("LastOffset", INT64, since(0)),
                    field("AcknowledgeTypes", array(&INT8), since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("AddRaftVoterRequest", REQUEST, 80, from_to(0, 0), since(0), &[
        field("ClusterId", STRING, since(0)).nullable(since(0)),
        field("TimeoutMs", INT32, since(0)),
        field("VoterId", INT32, since(0)),
        field("VoterDirectoryId", UUID, since(0)),
        field("Listeners", structures!("Listener", &[
            field("Name", STRING, since(0)).map_key(),
            field("Host", STRING, since(0)),
            field("Port", UINT16, since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("RemoveRaftVoterRequest", REQUEST, 81, from_to(0, 0), since(0), &[
        field("ClusterId", STRING, since(0)).nullable(since(0)),
        field("VoterId", INT32, since(0)),
        field("VoterDirectoryId", UUID, since(0)),
    ]).on_broker(),
    message("UpdateRaftVoterRequest", REQUEST, 82, from_to(0, 0), since(0), &[
        field("ClusterId", STRING, since(0)).nullable(since(0)),
        field("CurrentLeaderEpoch", INT32, since(0)),
        field("VoterId", INT32, since(0)),
        field("VoterDirectoryId", UUID, since(0)),
        field("Listeners", structures!("Listener", &[
            field("Name", STRING, since(0)).map_key(),
            field("Host", STRING, since(0)),
            field("Port", UINT16, since(0)),
        ]), since(0)),
        field("KRaftVersionFeature", structure!("KRaftVersionFeature", &[
            field("MinSupportedVersion", INT16, since(0)),
            field("MaxSupportedVersion", INT16, since(0)),
        ]), since(0)),
    ]),
    message("InitializeShareGroupStateRequest", REQUEST, 83, from_to(0, 0), since(0), &[
        field("GroupId", STRING, since(0)),
        field("Topics", structures!("InitializeStateData", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionData", &[
                field("Partition", INT32, since(0)),
                field("StateEpoch", INT32, since(0)),
                field("StartOffset", INT64, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("ReadShareGroupStateRequest", REQUEST, 84, from_to(0, 0), since(0), &[
        field("GroupId", STRING, since(0)),
        field("Topics", structures!("ReadStateData", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionData", &[
                field("Partition", INT32, since(0)),
                field("LeaderEpoch", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("WriteShareGroupStateRequest", REQUEST, 85, from_to(0, 0), since(0), &[
        field("GroupId", STRING, since(0)),
        field("Topics", structures!("WriteStateData", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionData", &[
                field("Partition", INT32, since(0)),
                field("StateEpoch", INT32, since(0)),
                field("LeaderEpoch", INT32, since(0)),
                field("StartOffset", INT64, since(0)),
                field("StateBatches", structures!("StateBatch", &[
                    field("FirstOffset", INT64, since(0)),
                    field("LastOffset", INT64, since(0)),
                    field("DeliveryState", INT8, since(0)),
                    field("DeliveryCount", INT16, since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("DeleteShareGroupStateRequest", REQUEST, 86, from_to(0, 0), since(0), &[
        field("GroupId", STRING, since(0)),
        field("Topics", structures!("DeleteStateData", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionData", &[
                field("Partition", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("ReadShareGroupStateSummaryRequest", REQUEST, 87, from_to(0, 0), since(0), &[
        field("GroupId", STRING, since(0)),
        field("Topics", structures!("ReadStateSummaryData", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionData", &[
                field("Partition", INT32, since(0)),
                field("LeaderEpoch", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("StreamsGroupHeartbeatRequest", REQUEST, 88, from_to(0, 0), since(0), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("MemberId", STRING, since(0)),
        field("MemberEpoch", INT32, since(0)),
        field("EndpointInformationEpoch", INT32, since(0)),
        field("InstanceId", STRING, since(0)).nullable(since(0)).default("null"),
        field("RackId", STRING, since(0)).nullable(since(0)).default("null"),
        field("RebalanceTimeoutMs", INT32, since(0)).default("-1"),
        field("Topology", structure!("Topology", &[
            field("Epoch", INT32, since(0)),
            field("Subtopologies", structures!("Subtopology", &[
                field("SubtopologyId", STRING, since(0)),
                field("SourceTopics", array(&STRING), since(0)).entity("topicName"),
                field("SourceTopicRegex", array(&STRING), since(0)),
                field("StateChangelogTopics", structures!("TopicInfo", &[
                    field("Name", STRING, since(0)).entity("topicName"),
                    field("Partitions", INT32, since(0)),
                    field("ReplicationFactor", INT16, since(0)),
                    field("TopicConfigs", structures!("KeyValue", &[
                        field("Key", STRING, since(0)),
                        field("Value", STRING, since(0)),
                    ]), since(0)),
                ]), since(0)),
                field("RepartitionSinkTopics", array(&STRING), since(0)).entity("topicName"),
                field("RepartitionSourceTopics", structures!("TopicInfo", &[
                    field("Name", STRING, since(0)).entity("topicName"),
                    field("Partitions", INT32, since(0)),
                    field("ReplicationFactor", INT16, since(0)),
                    field("TopicConfigs", structures!("KeyValue", &[
                        field("Key", STRING, since(0)),
                        field("Value", STRING, since(0)),
                    ]), since(0)),
                ]), since(0)),
                field("CopartitionGroups", structures!("CopartitionGroup", &[
                    field("SourceTopics", array(&INT16), since(0)),
                    field("SourceTopicRegex", array(&INT16), since(0)),
                    field("RepartitionSourceTopics", array(&INT16), since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
        field("ActiveTasks", structures!("TaskIds", &[
            field("SubtopologyId", STRING, since(0)),
            field("Partitions", array(&INT32), since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
        field("StandbyTasks", structures!("TaskIds", &[
            field("SubtopologyId", STRING, since(0)),
            field("Partitions", array(&INT32), since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
        field("WarmupTasks", structures!("TaskIds", &[
            field("SubtopologyId", STRING, since(0)),
            field("Partitions", array(&INT32), since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
        field("ProcessId", STRING, since(0)).nullable(since(0)).default("null"),
        field("UserEndpoint", structure!("Endpoint", &[
            field("Host", STRING, since(0)),
            field("Port", UINT16, since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
        field("ClientTags", structures!("KeyValue", &[
            field("Key", STRING, since(0)),
            field("Value", STRING, since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
        field("TaskOffsets", structures!("TaskOffset", &[
            field("SubtopologyId", STRING, since(0)),
            field("Partition", INT32, since(0)),
            field("Offset", INT64, since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
        field("TaskEndOffsets", structures!("TaskOffset", &[
            field("SubtopologyId", STRING, since(0)),
            field("Partition", INT32, since(0)),
            field("Offset", INT64, since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
        field("ShutdownApplication", BOOL, since(0)).default("false"),
    ]).on_broker().latest_unstable(),
    message("StreamsGroupDescribeRequest", REQUEST, 89, from_to(0, 0), since(0), &[
        field("GroupIds", array(&STRING), since(0)).entity("groupId"),
        field("IncludeAuthorizedOperations", BOOL, since(0)),
    ]).on_broker().latest_unstable(),
    message("DescribeShareGroupOffsetsRequest", REQUEST, 90, from_to(0, 0), since(0), &[
        field("Groups", structures!("DescribeShareGroupOffsetsRequestGroup", &[
            field("GroupId", STRING, since(0)).entity("groupId"),
            field("Topics", structures!("DescribeShareGroupOffsetsRequestTopic", &[
                field("TopicName", STRING, since(0)).entity("topicName"),
                field("Partitions", array(&INT32), since(0)),
            ]), since(0)).nullable(since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("AlterShareGroupOffsetsRequest", REQUEST, 91, from_to(0, 0), since(0), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("Topics", structures!("AlterShareGroupOffsetsRequestTopic", &[
            field("TopicName", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", structures!("AlterShareGroupOffsetsRequestPartition", &[
                field("PartitionIndex", INT32, since(0)),
                field("StartOffset", INT64, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]).on_broker(),
    message("DeleteShareGroupOffsetsRequest", REQUEST, 92, from_to(0, 0), since(0), &[
        field("GroupId", STRING, since(0)).entity("groupId"),
        field("Topics", structures!("DeleteShareGroupOffsetsRequestTopic", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
        ]), since(0)),
    ]).on_broker(),
];
