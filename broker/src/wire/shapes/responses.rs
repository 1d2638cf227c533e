//! Generated from Apache Kafka 4.1.1 by `cargo xtask shapes`; not to be edited.

use super::build::*;

pub(super) static RESPONSES: &[Message] = &[
    message("ProduceResponse", RESPONSE, 0, from_to(3, 13), since(9), &[
        field("Responses", structures!("TopicProduceResponse", &[
            field("Name", STRING, from_to(0, 12)).entity("topicName").map_key(),
            field("TopicId", UUID, since(13)).map_key(),
            field("PartitionResponses", structures!("PartitionProduceResponse", &[
                field("Index", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("BaseOffset", INT64, since(0)),
                field("LogAppendTimeMs", INT64, since(2)).default("-1"),
                field("LogStartOffset", INT64, since(5)).default("-1"),
                field("RecordErrors", structures!("BatchIndexAndErrorMessage", &[
                    field("BatchIndex", INT32, since(8)),
                    field("BatchIndexErrorMessage", STRING, since(8)).nullable(since(8)).default("null"),
                ]), since(8)),
                field("ErrorMessage", STRING, since(8)).nullable(since(8)).default("null"),
                field("CurrentLeader", structure!("LeaderIdAndEpoch", &[
                    field("LeaderId", INT32, since(10)).default("-1").entity("brokerId"),
                    field("LeaderEpoch", INT32, since(10)).default("-1"),
                ]), since(10)).tagged(0, since(10)),
            ]), since(0)),
        ]), since(0)),
        field("ThrottleTimeMs", INT32, since(1)).default("0"),
        field("NodeEndpoints", structures!("NodeEndpoint", &[
            field("NodeId", INT32, since(10)).entity("brokerId").map_key(),
            field("Host", STRING, since(10)),
            field("Port", INT32, since(10)),
            field("Rack", STRING, since(10)).nullable(since(10)).default("null"),
        ]), since(10)).tagged(0, since(10)),
    ]),
    message("FetchResponse", RESPONSE, 1, from_to(4, 18), since(12), &[
        field("ThrottleTimeMs", INT32, since(1)),
        field("ErrorCode", INT16, since(7)),
        field("SessionId", INT32, since(7)).default("0"),
        field("Responses", structures!("FetchableTopicResponse", &[
            field("Topic", STRING, from_to(0, 12)).entity("topicName"),
            field("TopicId", UUID, since(13)),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("HighWatermark", INT64, since(0)),
                field("LastStableOffset", INT64, since(4)).default("-1"),
                field("LogStartOffset", INT64, since(5)).default("-1"),
                field("DivergingEpoch", structure!("EpochEndOffset", &[
                    field("Epoch", INT32, since(12)).default("-1"),
                    field("EndOffset", INT64, since(12)).default("-1"),
                ]), since(12)).tagged(0, since(12)),
                field("CurrentLeader", structure!("LeaderIdAndEpoch", &[
                    field("LeaderId", INT32, since(12)).default("-1").entity("brokerId"),
                    field("LeaderEpoch", INT32, since(12)).default("-1"),
                ]), since(12)).tagged(1, since(12)),
                field("SnapshotId", structure!("SnapshotId", &[
                    field("EndOffset", INT64, since(0)).default("-1"),
                    field("Epoch", INT32, since(0)).default("-1"),
                ]), since(12)).tagged(2, since(12)),
                field("AbortedTransactions", structures!("AbortedTransaction", &[
                    field("ProducerId", INT64, since(4)).entity("producerId"),
                    field("FirstOffset", INT64, since(4)),
                ]), since(4)).nullable(since(4)),
                field("PreferredReadReplica", INT32, since(11)).default("-1").entity("brokerId"),
                field("Records", RECORDS, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
        field("NodeEndpoints", structures!("NodeEndpoint", &[
            field("NodeId", INT32, since(16)).entity("brokerId").map_key(),
            field("Host", STRING, since(16)),
            field("Port", INT32, since(16)),
            field("Rack", STRING, since(16)).nullable(since(16)).default("null"),
        ]), since(16)).tagged(0, since(16)),
    ]),
    message("ListOffsetsResponse", RESPONSE, 2, from_to(1, 10), since(6), &[
        field("ThrottleTimeMs", INT32, since(2)),
        field("Topics", structures!("ListOffsetsTopicResponse", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("ListOffsetsPartitionResponse", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("Timestamp", INT64, since(1)).default("-1"),
                field("Offset", INT64, since(1)).default("-1"),
                field("LeaderEpoch", INT32, since(4)).default("-1"),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("MetadataResponse", RESPONSE, 3, from_to(0, 13), since(9), &[
        field("ThrottleTimeMs", INT32, since(3)),
        field("Brokers", structures!("MetadataResponseBroker", &[
            field("NodeId", INT32, since(0)).entity("brokerId").map_key(),
            field("Host", STRING, since(0)),
            field("Port", INT32, since(0)),
            field("Rack", STRING, since(1)).nullable(since(1)).default("null"),
        ]), since(0)),
        field("ClusterId", STRING, since(2)).nullable(since(2)).default("null"),
        field("ControllerId", INT32, since(1)).default("-1").entity("brokerId"),
        field("Topics", structures!("MetadataResponseTopic", &[
            field("ErrorCode", INT16, since(0)),
            field("Name", STRING, since(0)).nullable(since(12)).entity("topicName").map_key(),
            field("TopicId", UUID, since(10)),
            field("IsInternal", BOOL, since(1)).default("false"),
            field("Partitions", structures!("MetadataResponsePartition", &[
                field("ErrorCode", INT16, since(0)),
                field("PartitionIndex", INT32, since(0)),
                field("LeaderId", INT32, since(0)).entity("brokerId"),
                field("LeaderEpoch", INT32, since(7)).default("-1"),
                field("ReplicaNodes", array(&INT32), since(0)).entity("brokerId"),
                field("IsrNodes", array(&INT32), since(0)).entity("brokerId"),
                field("OfflineReplicas", array(&INT32), since(5)).entity("brokerId"),
            ]), since(0)),
            field("TopicAuthorizedOperations", INT32, since(8)).default("-2147483648"),
        ]), since(0)),
        field("ClusterAuthorizedOperations", INT32, from_to(8, 10)).default("-2147483648"),
        field("ErrorCode", INT16, since(13)),
    ]),
    message("LeaderAndIsrResponse", RESPONSE, 4, NONE, NONE, &[]),
    message("StopReplicaResponse", RESPONSE, 5, NONE, NONE, &[]),
    message("UpdateMetadataResponse", RESPONSE, 6, NONE, NONE, &[]),
    message("ControlledShutdownResponse", RESPONSE, 7, NONE, NONE, &[]),
    message("OffsetCommitResponse", RESPONSE, 8, from_to(2, 10), since(8), &[
        field("ThrottleTimeMs", INT32, since(3)),
        field("Topics", structures!("OffsetCommitResponseTopic", &[
            field("Name", STRING, from_to(0, 9)).entity("topicName"),
            field("TopicId", UUID, since(10)),
            field("Partitions", structures!("OffsetCommitResponsePartition", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("OffsetFetchResponse", RESPONSE, 9, from_to(1, 10), since(6), &[
        field("ThrottleTimeMs", INT32, since(3)),
        field("Topics", structures!("OffsetFetchResponseTopic", &[
            field("Name", STRING, from_to(0, 7)).entity("topicName"),
            field("Partitions", structures!("OffsetFetchResponsePartition", &[
                field("PartitionIndex", INT32, from_to(0, 7)),
                field("CommittedOffset", INT64, from_to(0, 7)),
                field("CommittedLeaderEpoch", INT32, from_to(5, 7)).default("-1"),
                field("Metadata", STRING, from_to(0, 7)).nullable(from_to(0, 7)),
                field("ErrorCode", INT16, from_to(0, 7)),
            ]), from_to(0, 7)),
        ]), from_to(0, 7)),
        field("ErrorCode", INT16, from_to(2, 7)).default("0"),
        field("Groups", structures!("OffsetFetchResponseGroup", &[
            field("GroupId", STRING, since(8)).entity("groupId"),
            field("Topics", structures!("OffsetFetchResponseTopics", &[
                field("Name", STRING, from_to(8, 9)).entity("topicName"),
                field("TopicId", UUID, since(10)),
                field("Partitions", structures!("OffsetFetchResponsePartitions", &[
                    field("PartitionIndex", INT32, since(8)),
                    field("CommittedOffset", INT64, since(8)),
                    field("CommittedLeaderEpoch", INT32, since(8)).default("-1"),
                    field("Metadata", STRING, since(8)).nullable(since(8)),
                    field("ErrorCode", INT16, since(8)),
                ]), since(8)),
            ]), since(8)),
            field("ErrorCode", INT16, since(8)).default("0"),
        ]), since(8)),
    ]),
    message("FindCoordinatorResponse", RESPONSE, 10, from_to(0, 6), since(3), &[
        field("ThrottleTimeMs", INT32, since(1)),
        field("ErrorCode", INT16, from_to(0, 3)),
        field("ErrorMessage", STRING, from_to(1, 3)).nullable(from_to(1, 3)),
        field("NodeId", INT32, from_to(0, 3)).entity("brokerId"),
        field("Host", STRING, from_to(0, 3)),
        field("Port", INT32, from_to(0, 3)),
        field("Coordinators", structures!("Coordinator", &[
            field("Key", STRING, since(4)),
            field("NodeId", INT32, since(4)).entity("brokerId"),
            field("Host", STRING, since(4)),
            field("Port", INT32, since(4)),
            field("ErrorCode", INT16, since(4)),
            field("ErrorMessage", STRING, since(4)).nullable(since(4)),
        ]), since(4)),
    ]),
    message("JoinGroupResponse", RESPONSE, 11, from_to(0, 9), since(6), &[
        field("ThrottleTimeMs", INT32, since(2)),
        field("ErrorCode", INT16, since(0)),
        field("GenerationId", INT32, since(0)).default("-1"),
        field("ProtocolType", STRING, since(7)).nullable(since(7)).default("null"),
        field("ProtocolName", STRING, since(0)).nullable(since(7)),
        field("Leader", STRING, since(0)),
        field("SkipAssignment", BOOL, since(9)).default("false"),
        field("MemberId", STRING, since(0)),
        field("Members", structures!("JoinGroupResponseMember", &[
            field("MemberId", STRING, since(0)),
            field("GroupInstanceId", STRING, since(5)).nullable(since(5)).default("null"),
            field("Metadata", BYTES, since(0)),
        ]), since(0)),
    ]),
    message("HeartbeatResponse", RESPONSE, 12, from_to(0, 4), since(4), &[
        field("ThrottleTimeMs", INT32, since(1)),
        field("ErrorCode", INT16, since(0)),
    ]),
    message("LeaveGroupResponse", RESPONSE, 13, from_to(0, 5), since(4), &[
        field("ThrottleTimeMs", INT32, since(1)),
        field("ErrorCode", INT16, since(0)),
        field("Members", structures!("MemberResponse", &[
            field("MemberId", STRING, since(3)),
            field("GroupInstanceId", STRING, since(3)).nullable(since(3)),
            field("ErrorCode", INT16, since(3)),
        ]), since(3)),
    ]),
    message("SyncGroupResponse", RESPONSE, 14, from_to(0, 5), since(4), &[
        field("ThrottleTimeMs", INT32, since(1)),
        field("ErrorCode", INT16, since(0)),
        field("ProtocolType", STRING, since(5)).nullable(since(5)).default("null"),
        field("ProtocolName", STRING, since(5)).nullable(since(5)).default("null"),
        field("Assignment", BYTES, since(0)),
    ]),
    message("DescribeGroupsResponse", RESPONSE, 15, from_to(0, 6), since(5), &[
        field("ThrottleTimeMs", INT32, since(1)),
        field("Groups", structures!("DescribedGroup", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(6)).nullable(since(6)).default("null"),
            field("GroupId", STRING, since(0)).entity("groupId"),
            field("GroupState", STRING, since(0)),
            field("ProtocolType", STRING, since(0)),
            field("ProtocolData", STRING, since(0)),
            field("Members", structures!("DescribedGroupMember", &[
                field("MemberId", STRING, since(0)),
                field("GroupInstanceId", STRING, since(4)).nullable(since(4)).default("null"),
                field("ClientId", STRING, since(0)),
                field("ClientHost", STRING, since(0)),
                field("MemberMetadata", BYTES, since(0)),
                field("MemberAssignment", BYTES, since(0)),
            ]), since(0)),
            field("AuthorizedOperations", INT32, since(3)).default("-2147483648"),
        ]), since(0)),
    ]),
    message("ListGroupsResponse", RESPONSE, 16, from_to(0, 5), since(3), &[
        field("ThrottleTimeMs", INT32, since(1)),
        field("ErrorCode", INT16, since(0)),
        field("Groups", structures!("ListedGroup", &[
            field("GroupId", STRING, since(0)).entity("groupId"),
            field("ProtocolType", STRING, since(0)),
            field("GroupState", STRING, since(4)),
            field("GroupType", STRING, since(5)),
        ]), since(0)),
    ]),
    message("SaslHandshakeResponse", RESPONSE, 17, from_to(0, 1), NONE, &[
        field("ErrorCode", INT16, since(0)),
        field("Mechanisms", array(&STRING), since(0)),
    ]),
    message("ApiVersionsResponse", RESPONSE, 18, from_to(0, 4), since(3), &[
        field("ErrorCode", INT16, since(0)),
        field("ApiKeys", structures!("ApiVersion", &[
            field("ApiKey", INT16, since(0)).map_key(),
            field("MinVersion", INT16, since(0)),
            field("MaxVersion", INT16, since(0)),
        ]), since(0)),
        field("ThrottleTimeMs", INT32, since(1)),
        field("SupportedFeatures", structures!("SupportedFeatureKey", &[
            field("Name", STRING, since(3)).map_key(),
            field("MinVersion", INT16, since(3)),
            field("MaxVersion", INT16, since(3)),
        ]), since(3)).tagged(0, since(3)),
        field("FinalizedFeaturesEpoch", INT64, since(3)).tagged(1, since(3)).default("-1"),
        field("FinalizedFeatures", structures!("FinalizedFeatureKey", &[
            field("Name", STRING, since(3)).map_key(),
            field("MaxVersionLevel", INT16, since(3)),
            field("MinVersionLevel", INT16, since(3)),
        ]), since(3)).tagged(2, since(3)),
        field("ZkMigrationReady", BOOL, since(3)).tagged(3, since(3)).default("false"),
    ]),
    message("CreateTopicsResponse", RESPONSE, 19, from_to(2, 7), since(5), &[
        field("ThrottleTimeMs", INT32, since(2)),
        field("Topics", structures!("CreatableTopicResult", &[
            field("Name", STRING, since(0)).entity("topicName").map_key(),
            field("TopicId", UUID, since(7)),
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(1)).nullable(since(0)),
            field("TopicConfigErrorCode", INT16, since(5)).tagged(0, since(5)),
            field("NumPartitions", INT32, since(5)).default("-1"),
            field("ReplicationFactor", INT16, since(5)).default("-1"),
            field("Configs", structures!("CreatableTopicConfigs", &[
                field("Name", STRING, since(5)),
                field("Value", STRING, since(5)).nullable(since(5)),
                field("ReadOnly", BOOL, since(5)),
                field("ConfigSource", INT8, since(5)).default("-1"),
                field("IsSensitive", BOOL, since(5)),
            ]), since(5)).nullable(since(5)),
        ]), since(0)),
    ]),
    message("DeleteTopicsResponse", RESPONSE, 20, from_to(1, 6), since(4), &[
        field("ThrottleTimeMs", INT32, since(1)),
        field("Responses", structures!("DeletableTopicResult", &[
            field("Name", STRING, since(0)).nullable(since(6)).entity("topicName").map_key(),
            field("TopicId", UUID, since(6)),
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(5)).nullable(since(5)).default("null"),
        ]), since(0)),
    ]),
    message("DeleteRecordsResponse", RESPONSE, 21, from_to(0, 2), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Topics", structures!("DeleteRecordsTopicResult", &[
            field("Name", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", structures!("DeleteRecordsPartitionResult", &[
                field("PartitionIndex", INT32, since(0)).map_key(),
                field("LowWatermark", INT64, since(0)),
                field("ErrorCode", INT16, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("InitProducerIdResponse", RESPONSE, 22, from_to(0, 6), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ProducerId", INT64, since(0)).default("-1").entity("producerId"),
        field("ProducerEpoch", INT16, since(0)),
        field("OngoingTxnProducerId", INT64, since(6)).default("-1").entity("producerId"),
        field("OngoingTxnProducerEpoch", INT16, since(6)).default("-1"),
    ]),
    message("OffsetForLeaderEpochResponse", RESPONSE, 23, from_to(2, 4), since(4), &[
        field("ThrottleTimeMs", INT32, since(2)),
        field("Topics", structures!("OffsetForLeaderTopicResult", &[
            field("Topic", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", structures!("EpochEndOffset", &[
                field("ErrorCode", INT16, since(0)),
                field("Partition", INT32, since(0)),
                field("LeaderEpoch", INT32, since(1)).default("-1"),
                field("EndOffset", INT64, since(0)).default("-1"),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("AddPartitionsToTxnResponse", RESPONSE, 24, from_to(0, 5), since(3), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(4)),
        field("ResultsByTransaction", structures!("AddPartitionsToTxnResult", &[
            field("TransactionalId", STRING, since(4)).entity("transactionalId").map_key(),
            field("TopicResults", structures!("AddPartitionsToTxnTopicResult", &[
                field("Name", STRING, since(0)).entity("topicName").map_key(),
                field("ResultsByPartition", structures!("AddPartitionsToTxnPartitionResult", &[
                    field("PartitionIndex", INT32, since(0)).map_key(),
                    field("PartitionErrorCode", INT16, since(0)),
                ]), since(0)),
            ]), since(4)),
        ]), since(4)),
        field("ResultsByTopicV3AndBelow", structures!("AddPartitionsToTxnTopicResult", &[
            field("Name", STRING, since(0)).entity("topicName").map_key(),
            field("ResultsByPartition", structures!("AddPartitionsToTxnPartitionResult", &[
                field("PartitionIndex", INT32, since(0)).map_key(),
                field("PartitionErrorCode", INT16, since(0)),
            ]), since(0)),
        ]), from_to(0, 3)),
    ]),
    message("AddOffsetsToTxnResponse", RESPONSE, 25, from_to(0, 4), since(3), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
    ]),
    message("EndTxnResponse", RESPONSE, 26, from_to(0, 5), since(3), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ProducerId", INT64, since(5)).default("-1").entity("producerId"),
        field("ProducerEpoch", INT16, since(5)).default("-1"),
    ]),
    message("WriteTxnMarkersResponse", RESPONSE, 27, from_to(1, 1), since(1), &[
        field("Markers", structures!("WritableTxnMarkerResult", &[
            field("ProducerId", INT64, since(0)).entity("producerId"),
            field("Topics", structures!("WritableTxnMarkerTopicResult", &[
                field("Name", STRING, since(0)).entity("topicName"),
                field("Partitions", structures!("WritableTxnMarkerPartitionResult", &[
                    field("PartitionIndex", INT32, since(0)),
                    field("ErrorCode", INT16, since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("TxnOffsetCommitResponse", RESPONSE, 28, from_to(0, 5), since(3), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Topics", structures!("TxnOffsetCommitResponseTopic", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("TxnOffsetCommitResponsePartition", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("DescribeAclsResponse", RESPONSE, 29, from_to(1, 3), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        field("Resources", structures!("DescribeAclsResource", &[
            field("ResourceType", INT8, since(0)),
            field("ResourceName", STRING, since(0)),
            field("PatternType", INT8, since(1)).default("3"),
            field("Acls", structures!("AclDescription", &[
                field("Principal", STRING, since(0)),
                field("Host", STRING, since(0)),
                field("Operation", INT8, since(0)),
                field("PermissionType", INT8, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("CreateAclsResponse", RESPONSE, 30, from_to(1, 3), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Results", structures!("AclCreationResult", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        ]), since(0)),
    ]),
    message("DeleteAclsResponse", RESPONSE, 31, from_to(1, 3), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("FilterResults", structures!("DeleteAclsFilterResult", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)),
            field("MatchingAcls", structures!("DeleteAclsMatchingAcl", &[
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)),
                field("ResourceType", INT8, since(0)),
                field("ResourceName", STRING, since(0)),
                field("PatternType", INT8, since(1)).default("3"),
                field("Principal", STRING, since(0)),
                field("Host", STRING, since(0)),
                field("Operation", INT8, since(0)),
                field("PermissionType", INT8, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("DescribeConfigsResponse", RESPONSE, 32, from_to(1, 4), since(4), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Results", structures!("DescribeConfigsResult", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)),
            field("ResourceType", INT8, since(0)),
            field("ResourceName", STRING, since(0)),
            field("Configs", structures!("DescribeConfigsResourceResult", &[
                field("Name", STRING, since(0)),
                field("Value", STRING, since(0)).nullable(since(0)),
                field("ReadOnly", BOOL, since(0)),
                field("ConfigSource", INT8, since(1)).default("-1"),
                field("IsSensitive", BOOL, since(0)),
                field("Synonyms", structures!("DescribeConfigsSynonym", &[
                    field("Name", STRING, since(1)),
                    field("Value", STRING, since(1)).nullable(since(0)),
                    field("Source", INT8, since(1)),
                ]), since(1)),
                field("ConfigType", INT8, since(3)).default("0"),
                field("Documentation", STRING, since(3)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("AlterConfigsResponse", RESPONSE, 33, from_to(0, 2), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Responses", structures!("AlterConfigsResourceResponse", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)),
            field("ResourceType", INT8, since(0)),
            field("ResourceName", STRING, since(0)),
        ]), since(0)),
    ]),
    message("AlterReplicaLogDirsResponse", RESPONSE, 34, from_to(1, 2), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Results", structures!("AlterReplicaLogDirTopicResult", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("AlterReplicaLogDirPartitionResult", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("DescribeLogDirsResponse", RESPONSE, 35, from_to(1, 4), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(3)),
        field("Results", structures!("DescribeLogDirsResult", &[
            field("ErrorCode", INT16, since(0)),
            field("LogDir", STRING, since(0)),
            field("Topics", structures!("DescribeLogDirsTopic", &[
                field("Name", STRING, since(0)).entity("topicName"),
                field("Partitions", structures!("DescribeLogDirsPartition", &[
                    field("PartitionIndex", INT32, since(0)),
                    field("PartitionSize", INT64, since(0)),
                    field("OffsetLag", INT64, since(0)),
                    field("IsFutureKey", BOOL, since(0)),
                ]), since(0)),
            ]), since(0)),
            field("TotalBytes", INT64, since(4)).default("-1"),
            field("UsableBytes", INT64, since(4)).default("-1"),
        ]), since(0)),
    ]),
    message("SaslAuthenticateResponse", RESPONSE, 36, from_to(0, 2), since(2), &[
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        field("AuthBytes", BYTES, since(0)),
        field("SessionLifetimeMs", INT64, since(1)).default("0"),
    ]),
    message("CreatePartitionsResponse", RESPONSE, 37, from_to(0, 3), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Results", structures!("CreatePartitionsTopicResult", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        ]), since(0)),
    ]),
    message("CreateDelegationTokenResponse", RESPONSE, 38, from_to(1, 3), since(2), &[
        field("ErrorCode", INT16, since(0)),
        field("PrincipalType", STRING, since(0)),
        field("PrincipalName", STRING, since(0)),
        field("TokenRequesterPrincipalType", STRING, since(3)),
        field("TokenRequesterPrincipalName", STRING, since(3)),
        field("IssueTimestampMs", INT64, since(0)),
        field("ExpiryTimestampMs", INT64, since(0)),
        field("MaxTimestampMs", INT64, since(0)),
        field("TokenId", STRING, since(0)),
        field("Hmac", BYTES, since(0)),
        field("ThrottleTimeMs", INT32, since(0)),
    ]),
    message("RenewDelegationTokenResponse", RESPONSE, 39, from_to(1, 2), since(2), &[
        field("ErrorCode", INT16, since(0)),
        field("ExpiryTimestampMs", INT64, since(0)),
        field("ThrottleTimeMs", INT32, since(0)),
    ]),
    message("ExpireDelegationTokenResponse", RESPONSE, 40, from_to(1, 2), since(2), &[
        field("ErrorCode", INT16, since(0)),
        field("ExpiryTimestampMs", INT64, since(0)),
        field("ThrottleTimeMs", INT32, since(0)),
    ]),
    message("DescribeDelegationTokenResponse", RESPONSE, 41, from_to(1, 3), since(2), &[
        field("ErrorCode", INT16, since(0)),
        field("Tokens", structures!("DescribedDelegationToken", &[
            field("PrincipalType", STRING, since(0)),
            field("PrincipalName", STRING, since(0)),
            field("TokenRequesterPrincipalType", STRING, since(3)),
            field("TokenRequesterPrincipalName", STRING, since(3)),
            field("IssueTimestamp", INT64, since(0)),
            field("ExpiryTimestamp", INT64, since(0)),
            field("MaxTimestamp", INT64, since(0)),
            field("TokenId", STRING, since(0)),
            field("Hmac", BYTES, since(0)),
            field("Renewers", structures!("DescribedDelegationTokenRenewer", &[
                field("PrincipalType", STRING, since(0)),
                field("PrincipalName", STRING, since(0)),
            ]), since(0)),
        ]), since(0)),
        field("ThrottleTimeMs", INT32, since(0)),
    ]),
    message("DeleteGroupsResponse", RESPONSE, 42, from_to(0, 2), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Results", structures!("DeletableGroupResult", &[
            field("GroupId", STRING, since(0)).entity("groupId").map_key(),
            field("ErrorCode", INT16, since(0)),
        ]), since(0)),
    ]),
    message("ElectLeadersResponse", RESPONSE, 43, from_to(0, 2), since(2), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(1)),
        field("ReplicaElectionResults", structures!("ReplicaElectionResult", &[
            field("Topic", STRING, since(0)).entity("topicName"),
            field("PartitionResult", structures!("PartitionResult", &[
                field("PartitionId", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("IncrementalAlterConfigsResponse", RESPONSE, 44, from_to(0, 1), since(1), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Responses", structures!("AlterConfigsResourceResponse", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)),
            field("ResourceType", INT8, since(0)),
            field("ResourceName", STRING, since(0)),
        ]), since(0)),
    ]),
    message("AlterPartitionReassignmentsResponse", RESPONSE, 45, from_to(0, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("AllowReplicationFactorChange", BOOL, since(1)).default("true"),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        field("Responses", structures!("ReassignableTopicResponse", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("ReassignablePartitionResponse", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("ListPartitionReassignmentsResponse", RESPONSE, 46, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        field("Topics", structures!("OngoingTopicReassignment", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("OngoingPartitionReassignment", &[
                field("PartitionIndex", INT32, since(0)),
                field("Replicas", array(&INT32), since(0)).entity("brokerId"),
                field("AddingReplicas", array(&INT32), since(0)).entity("brokerId"),
                field("RemovingReplicas", array(&INT32), since(0)).entity("brokerId"),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("OffsetDeleteResponse", RESPONSE, 47, from_to(0, 0), NONE, &[
        field("ErrorCode", INT16, since(0)),
        field("ThrottleTimeMs", INT32, since(0)),
        field("Topics", structures!("OffsetDeleteResponseTopic", &[
            field("Name", STRING, since(0)).entity("topicName").map_key(),
            field("Partitions", structures!("OffsetDeleteResponsePartition", &[
                field("PartitionIndex", INT32, since(0)).map_key(),
                field("ErrorCode", INT16, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("DescribeClientQuotasResponse", RESPONSE, 48, from_to(0, 1), since(1), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        field("Entries", structures!("EntryData", &[
            field("Entity", structures!("EntityData", &[
                field("EntityType", STRING, since(0)),
                field("EntityName", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
            field("Values", structures!("ValueData", &[
                field("Key", STRING, since(0)),
                field("Value", FLOAT64, since(0)),
            ]), since(0)),
        ]), since(0)).nullable(since(0)),
    ]),
    message("AlterClientQuotasResponse", RESPONSE, 49, from_to(0, 1), since(1), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Entries", structures!("EntryData", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)),
            field("Entity", structures!("EntityData", &[
                field("EntityType", STRING, since(0)),
                field("EntityName", STRING, since(0)).nullable(since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("DescribeUserScramCredentialsResponse", RESPONSE, 50, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        field("Results", structures!("DescribeUserScramCredentialsResult", &[
            field("User", STRING, since(0)),
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)),
            field("CredentialInfos", structures!("CredentialInfo", &[
                field("Mechanism", INT8, since(0)),
                field("Iterations", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("AlterUserScramCredentialsResponse", RESPONSE, 51, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Results", structures!("AlterUserScramCredentialsResult", &[
            field("User", STRING, since(0)),
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        ]), since(0)),
    ]),
    message("VoteResponse", RESPONSE, 52, from_to(0, 2), since(0), &[
        field("ErrorCode", INT16, since(0)),
        field("Topics", structures!("TopicData", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("LeaderId", INT32, since(0)).entity("brokerId"),
                field("LeaderEpoch", INT32, since(0)),
                field("VoteGranted", BOOL, since(0)),
            ]), since(0)),
        ]), since(0)),
        field("NodeEndpoints", structures!("NodeEndpoint", &[
            field("NodeId", INT32, since(1)).entity("brokerId").map_key(),
            field("Host", STRING, since(1)),
            field("Port", UINT16, since(1)),
        ]), since(1)).tagged(0, since(1)),
    ]),
    message("BeginQuorumEpochResponse", RESPONSE, 53, from_to(0, 1), since(1), &[
        field("ErrorCode", INT16, since(0)),
        field("Topics", structures!("TopicData", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("LeaderId", INT32, since(0)).entity("brokerId"),
                field("LeaderEpoch", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
        field("NodeEndpoints", structures!("NodeEndpoint", &[
            field("NodeId", INT32, since(1)).entity("brokerId").map_key(),
            field("Host", STRING, since(1)),
            field("Port", UINT16, since(1)),
        ]), since(1)).tagged(0, since(1)),
    ]),
    message("EndQuorumEpochResponse", RESPONSE, 54, from_to(0, 1), since(1), &[
        field("ErrorCode", INT16, since(0)),
        field("Topics", structures!("TopicData", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("LeaderId", INT32, since(0)).entity("brokerId"),
                field("LeaderEpoch", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
        field("NodeEndpoints", structures!("NodeEndpoint", &[
            field("NodeId", INT32, since(1)).entity("brokerId").map_key(),
            field("Host", STRING, since(1)),
            field("Port", UINT16, since(1)),
        ]), since(1)).tagged(0, since(1)),
    ]),
    message("DescribeQuorumResponse", RESPONSE, 55, from_to(0, 2), since(0), &[
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(2)).nullable(since(2)),
        field("Topics", structures!("TopicData", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(2)).nullable(since(2)),
                field("LeaderId", INT32, since(0)).entity("brokerId"),
                field("LeaderEpoch", INT32, since(0)),
                field("HighWatermark", INT64, since(0)),
                field("CurrentVoters", structures!("ReplicaState", &[
                    field("ReplicaId", INT32, since(0)).entity("brokerId"),
                    field("ReplicaDirectoryId", UUID, since(2)),
                    field("LogEndOffset", INT64, since(0)),
                    field("LastFetchTimestamp", INT64, since(1)).default("-1"),
                    field("LastCaughtUpTimestamp", INT64, since(1)).default("-1"),
                ]), since(0)),
                field("Observers", structures!("ReplicaState", &[
                    field("ReplicaId", INT32, since(0)).entity("brokerId"),
                    field("ReplicaDirectoryId", UUID, since(2)),
                    field("LogEndOffset", INT64, since(0)),
                    field("LastFetchTimestamp", INT64, since(1)).default("-1"),
                    field("LastCaughtUpTimestamp", INT64, since(1)).default("-1"),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
        field("Nodes", structures!("Node", &[
            field("NodeId", INT32, since(2)).entity("brokerId").map_key(),
            field("Listeners", structures!("Listener", &[
                field("Name", STRING, since(2)).map_key(),
                field("Host", STRING, since(2)),
                field("Port", UINT16, since(2)),
            ]), since(2)),
        ]), since(2)),
    ]),
    message("AlterPartitionResponse", RESPONSE, 56, from_to(2, 3), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("Topics", structures!("TopicData", &[
            field("TopicId", UUID, since(2)),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("LeaderId", INT32, since(0)).entity("brokerId"),
                field("LeaderEpoch", INT32, since(0)),
                field("Isr", array(&INT32), since(0)).entity("brokerId"),
                field("LeaderRecoveryState", INT8, since(1)).default("0"),
                field("PartitionEpoch", INT32, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("UpdateFeaturesResponse", RESPONSE, 57, from_to(0, 2), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        field("Results", structures!("UpdatableFeatureResult", &[
            field("Feature", STRING, since(0)).map_key(),
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)),
        ]), from_to(0, 1)),
    ]),
    message("EnvelopeResponse", RESPONSE, 58, from_to(0, 0), since(0), &[
        field("ResponseData", BYTES, since(0)).nullable(since(0)).default("null"),
        field("ErrorCode", INT16, since(0)),
    ]),
    message("FetchSnapshotResponse", RESPONSE, 59, from_to(0, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("Topics", structures!("TopicSnapshot", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionSnapshot", &[
                field("Index", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("SnapshotId", structure!("SnapshotId", &[
                    field("EndOffset", INT64, since(0)),
                    field("Epoch", INT32, since(0)),
                ]), since(0)),
                field("CurrentLeader", structure!("LeaderIdAndEpoch", &[
                    field("LeaderId", INT32, since(0)).entity("brokerId"),
                    field("LeaderEpoch", INT32, since(0)),
                ]), since(0)).tagged(0, since(0)),
                field("Size", INT64, since(0)),
                field("Position", INT64, since(0)),
                field("UnalignedRecords", RECORDS, since(0)),
            ]), since(0)),
        ]), since(0)),
        field("NodeEndpoints", structures!("NodeEndpoint", &[
            field("NodeId", INT32, since(1)).entity("brokerId").map_key(),
            field("Host", STRING, since(1)),
            field("Port", UINT16, since(1)),
        ]), since(1)).tagged(0, since(1)),
    ]),
    message("DescribeClusterResponse", RESPONSE, 60, from_to(0, 2), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        field("EndpointType", INT8, since(1)).default("1"),
        field("ClusterId", STRING, since(0)),
        field("ControllerId", INT32, since(0)).default("-1").entity("brokerId"),
        field("Brokers", structures!("DescribeClusterBroker", &[
            field("BrokerId", INT32, since(0)).entity("brokerId").map_key(),
            field("Host", STRING, since(0)),
            field("Port", INT32, since(0)),
            field("Rack", STRING, since(0)).nullable(since(0)).default("null"),
            field("IsFenced", BOOL, since(2)),
        ]), since(0)),
        field("ClusterAuthorizedOperations", INT32, since(0)).default("-2147483648"),
    ]),
    message("DescribeProducersResponse", RESPONSE, 61, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Topics", structures!("TopicResponse", &[
            field("Name", STRING, since(0)).entity("topicName"),
            field("Partitions", structures!("PartitionResponse", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
                field("ActiveProducers", structures!("ProducerState", &[
                    field("ProducerId", INT64, since(0)).entity("producerId"),
                    field("ProducerEpoch", INT32, since(0)),
                    field("LastSequence", INT32, since(0)).default("-1"),
                    field("LastTimestamp", INT64, since(0)).default("-1"),
                    field("CoordinatorEpoch", INT32, since(0)),
                    field("CurrentTxnStartOffset", INT64, since(0)).default("-1"),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("BrokerRegistrationResponse", RESPONSE, 62, from_to(0, 4), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("BrokerEpoch", INT64, since(0)).default("-1"),
    ]),
    message("BrokerHeartbeatResponse", RESPONSE, 63, from_to(0, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("IsCaughtUp", BOOL, since(0)).default("false"),
        field("IsFenced", BOOL, since(0)).default("true"),
        field("ShouldShutDown", BOOL, since(0)),
    ]),
    message("UnregisterBrokerResponse", RESPONSE, 64, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
    ]),
    message("DescribeTransactionsResponse", RESPONSE, 65, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("TransactionStates", structures!("TransactionState", &[
            field("ErrorCode", INT16, since(0)),
            field("TransactionalId", STRING, since(0)).entity("transactionalId"),
            field("TransactionState", STRING, since(0)),
            field("TransactionTimeoutMs", INT32, since(0)),
            field("TransactionStartTimeMs", INT64, since(0)),
            field("ProducerId", INT64, since(0)).entity("producerId"),
            field("ProducerEpoch", INT16, since(0)),
            field("Topics", structures!("TopicData", &[
                field("Topic", STRING, since(0)).entity("topicName").map_key(),
                field("Partitions", array(&INT32), since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("ListTransactionsResponse", RESPONSE, 66, from_to(0, 2), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("UnknownStateFilters", array(&STRING), since(0)),
        field("TransactionStates", structures!("TransactionState", &[
            field("TransactionalId", STRING, since(0)).entity("transactionalId"),
            field("ProducerId", INT64, since(0)).entity("producerId"),
            field("TransactionState", STRING, since(0)),
        ]), since(0)),
    ]),
    message("AllocateProducerIdsResponse", RESPONSE, 67, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ProducerIdStart", INT64, since(0)).entity("producerId"),
        field("ProducerIdLen", INT32, since(0)),
    ]),
    message("ConsumerGroupHeartbeatResponse", RESPONSE, 68, from_to(0, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        field("MemberId", STRING, since(0)).nullable(since(0)).default("null"),
        field("MemberEpoch", INT32, since(0)),
        field("HeartbeatIntervalMs", INT32, since(0)),
        field("Assignment", structure!("Assignment", &[
            field("TopicPartitions", structures!("TopicPartitions", &[
                field("TopicId", UUID, since(0)),
                field("Partitions", array(&INT32), since(0)),
            ]), since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
    ]),
    message("ConsumerGroupDescribeResponse", RESPONSE, 69, from_to(0, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Groups", structures!("DescribedGroup", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
            field("GroupId", STRING, since(0)).entity("groupId"),
            field("GroupState", STRING, since(0)),
            field("GroupEpoch", INT32, since(0)),
            field("AssignmentEpoch", INT32, since(0)),
            field("AssignorName", STRING, since(0)),
            field("Members", structures!("Member", &[
                field("MemberId", STRING, since(0)),
                field("InstanceId", STRING, since(0)).nullable(since(0)).default("null"),
                field("RackId", STRING, since(0)).nullable(since(0)).default("null"),
                field("MemberEpoch", INT32, since(0)),
                field("ClientId", STRING, since(0)),
                field("ClientHost", STRING, since(0)),
                field("SubscribedTopicNames", array(&STRING), since(0)).entity("topicName"),
                field("SubscribedTopicRegex", STRING, since(0)).nullable(since(0)).default("null"),
                field("Assignment", structure!("Assignment", &[
                    field("TopicPartitions", structures!("TopicPartitions", &[
                        field("TopicId", UUID, since(0)),
                        field("TopicName", STRING, since(0)).entity("topicName"),
                        field("Partitions", array(&INT32), since(0)),
                    ]), since(0)),
                ]), since(0)),
                field("TargetAssignment", structure!("Assignment", &[
                    field("TopicPartitions", structures!("TopicPartitions", &[
                        field("TopicId", UUID, since(0)),
                        field("TopicName", STRING, since(0)).entity("topicName"),
                        field("Partitions", array(&INT32), since(0)),
                    ]), since(0)),
                ]), since(0)),
                field("MemberType", INT8, since(1)).default("-1"),
            ]), since(0)),
            field("AuthorizedOperations", INT32, since(0)).default("-2147483648"),
        ]), since(0)),
    ]),
    message("ControllerRegistrationResponse", RESPONSE, 70, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
    ]),
    message("GetTelemetrySubscriptionsResponse", RESPONSE, 71, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ClientInstanceId", UUID, since(0)),
        field("SubscriptionId", INT32, since(0)),
        field("AcceptedCompressionTypes", array(&INT8), since(0)),
        field("PushIntervalMs", INT32, since(0)),
        field("TelemetryMaxBytes", INT32, since(0)),
        field("DeltaTemporality", BOOL, since(0)),
        field("RequestedMetrics", array(&STRING), since(0)),
    ]),
    message("PushTelemetryResponse", RESPONSE, 72, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
    ]),
    message("AssignReplicasToDirsResponse", RESPONSE, 73, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("Directories", structures!("DirectoryData", &[
            field("Id", UUID, since(0)),
            field("Topics", structures!("TopicData", &[
                field("TopicId", UUID, since(0)),
                field("Partitions", structures!("PartitionData", &[
                    field("PartitionIndex", INT32, since(0)),
                    field("ErrorCode", INT16, since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("ListConfigResourcesResponse", RESPONSE, 74, from_to(0, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ConfigResources", structures!("ConfigResource", &[
            field("ResourceName", STRING, since(0)),
            field("ResourceType", INT8, since(1)).default("16"),
        ]), since(0)),
    ]),
    message("DescribeTopicPartitionsResponse", RESPONSE, 75, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Topics", structures!("DescribeTopicPartitionsResponseTopic", &[
            field("ErrorCode", INT16, since(0)),
            field("Name", STRING, since(0)).nullable(since(0)).entity("topicName").map_key(),
            field("TopicId", UUID, since(0)),
            field("IsInternal", BOOL, since(0)).default("false"),
            field("Partitions", structures!("DescribeTopicPartitionsResponsePartition", &[
                field("ErrorCode", INT16, since(0)),
                field("PartitionIndex", INT32, since(0)),
                field("LeaderId", INT32, since(0)).entity("brokerId"),
                field("LeaderEpoch", INT32, since(0)).default("-1"),
                field("ReplicaNodes", array(&INT32), since(0)).entity("brokerId"),
                field("IsrNodes", array(&INT32), since(0)).entity("brokerId"),
                field("EligibleLeaderReplicas", array(&INT32), since(0)).nullable(since(0)).default("null").entity("brokerId"),
                field("LastKnownElr", array(&INT32), since(0)).nullable(since(0)).default("null").entity("brokerId"),
                field("OfflineReplicas", array(&INT32), since(0)).entity("brokerId"),
            ]), since(0)),
            field("TopicAuthorizedOperations", INT32, since(0)).default("-2147483648"),
        ]), since(0)),
        field("NextCursor", structure!("Cursor", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("PartitionIndex", INT32, since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
    ]),
    message("ShareGroupHeartbeatResponse", RESPONSE, 76, from_to(1, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        field("MemberId", STRING, since(0)).nullable(since(0)).default("null"),
        field("MemberEpoch", INT32, since(0)),
        field("HeartbeatIntervalMs", INT32, since(0)),
        field("Assignment", structure!("Assignment", &[
            field("TopicPartitions", structures!("TopicPartitions", &[
                field("TopicId", UUID, since(0)),
                field("Partitions", array(&INT32), since(0)),
            ]), since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
    ]),
    message("ShareGroupDescribeResponse", RESPONSE, 77, from_to(1, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Groups", structures!("DescribedGroup", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
            field("GroupId", STRING, since(0)).entity("groupId"),
            field("GroupState", STRING, since(0)),
            field("GroupEpoch", INT32, since(0)),
            field("AssignmentEpoch", INT32, since(0)),
            field("AssignorName", STRING, since(0)),
            field("Members", structures!("Member", &[
                field("MemberId", STRING, since(0)),
                field("RackId", STRING, since(0)).nullable(since(0)).default("null"),
                field("MemberEpoch", INT32, since(0)),
                field("ClientId", STRING, since(0)),
                field("ClientHost", STRING, since(0)),
                field("SubscribedTopicNames", array(&STRING), since(0)).entity("topicName"),
                field("Assignment", structure!("Assignment", &[
                    field("TopicPartitions", structures!("TopicPartitions", &[
                        field("TopicId", UUID, since(0)),
                        field("TopicName", STRING, since(0)).entity("topicName"),
                        field("Partitions", array(&INT32), since(0)),
                    ]), since(0)),
                ]), since(0)),
            ]), since(0)),
            field("AuthorizedOperations", INT32, since(0)).default("-2147483648"),
        ]), since(0)),
    ]),
    message("ShareFetchResponse", RESPONSE, 78, from_to(1, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        field("AcquisitionLockTimeoutMs", INT32, since(1)),
        field("Responses", structures!("ShareFetchableTopicResponse", &[
            field("TopicId", UUID, since(0)).map_key(),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
                field("AcknowledgeErrorCode", INT16, since(0)),
                field("AcknowledgeErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
                field("CurrentLeader", structure!("LeaderIdAndEpoch", &[
                    field("LeaderId", INT32, since(0)),
                    field("LeaderEpoch", INT32, since(0)),
                ]), since(0)),
                field("Records", RECORDS, since(0)).nullable(from_to(0, 0)),
                field("AcquiredRecords", structures!("AcquiredRecords", &[
                    field("FirstOffset", INT64, since(0)),
                    field("LastOffset", INT64, since(0)),
                    field("DeliveryCount", INT16, since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
        field("NodeEndpoints", structures!("NodeEndpoint", &[
            field("NodeId", INT32, since(0)).entity("brokerId").map_key(),
            field("Host", STRING, since(0)),
            field("Port", INT32, since(0)),
            field("Rack", STRING, since(0)).nullable(since(0)).default("null"),
        ]), since(0)),
    ]),
    message("ShareAcknowledgeResponse", RESPONSE, 79, from_to(1, 1), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        field("Responses", structures!("ShareAcknowledgeTopicResponse", &[
            field("TopicId", UUID, since(0)).map_key(),
            field("Partitions", structures!("PartitionData", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
                field("CurrentLeader", structure!("LeaderIdAndEpoch", &[
                    field("LeaderId", INT32, since(0)),
                    field("LeaderEpoch", INT32, since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
        field("NodeEndpoints", structures!("NodeEndpoint", &[
            field("NodeId", INT32, since(0)).entity("brokerId").map_key(),
            field("Host", STRING, since(0)),
            field("Port", INT32, since(0)),
            field("Rack", STRING, since(0)).nullable(since(0)).default("null"),
        ]), since(0)),
    ]),
    message("AddRaftVoterResponse", RESPONSE, 80, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
    ]),
    message("RemoveRaftVoterResponse", RESPONSE, 81, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)),
    ]),
    message("UpdateRaftVoterResponse", RESPONSE, 82, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("CurrentLeader", structure!("CurrentLeader", &[
            field("LeaderId", INT32, since(0)).default("-1").entity("brokerId"),
            field("LeaderEpoch", INT32, since(0)).default("-1"),
            field("Host", STRING, since(0)),
            field("Port", INT32, since(0)),
        ]), since(0)).tagged(0, since(0)),
    ]),
    message("InitializeShareGroupStateResponse", RESPONSE, 83, from_to(0, 0), since(0), &[
        field("Results", structures!("InitializeStateResult", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionResult", &[
                field("Partition", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("ReadShareGroupStateResponse", RESPONSE, 84, from_to(0, 0), since(0), &[
        field("Results", structures!("ReadStateResult", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionResult", &[
                field("Partition", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
                field("StateEpoch", INT32, since(0)),
                field("StartOffset", INT64, since(0)),
                field("StateBatches", structures!("StateBatch", &[
                    field("FirstOffset", INT64, since(0)),
                    field("LastOffset", INT64, since(0)),
                    field("DeliveryState", INT8, since(0)),
                    field("DeliveryCount", INT16, since(0)),
                ]), since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("WriteShareGroupStateResponse", RESPONSE, 85, from_to(0, 0), since(0), &[
        field("Results", structures!("WriteStateResult", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionResult", &[
                field("Partition", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("DeleteShareGroupStateResponse", RESPONSE, 86, from_to(0, 0), since(0), &[
        field("Results", structures!("DeleteStateResult", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionResult", &[
                field("Partition", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("ReadShareGroupStateSummaryResponse", RESPONSE, 87, from_to(0, 0), since(0), &[
        field("Results", structures!("ReadStateSummaryResult", &[
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("PartitionResult", &[
                field("Partition", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
                field("StateEpoch", INT32, since(0)),
                field("LeaderEpoch", INT32, since(0)),
                field("StartOffset", INT64, since(0)),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("StreamsGroupHeartbeatResponse", RESPONSE, 88, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        field("MemberId", STRING, since(0)),
        field("MemberEpoch", INT32, since(0)),
        field("HeartbeatIntervalMs", INT32, since(0)),
        field("AcceptableRecoveryLag", INT32, since(0)),
        field("TaskOffsetIntervalMs", INT32, since(0)),
        field("Status", structures!("Status", &[
            field("StatusCode", INT8, since(0)),
            field("StatusDetail", STRING, since(0)),
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
        field("EndpointInformationEpoch", INT32, since(0)),
        field("PartitionsByUserEndpoint", structures!("EndpointToPartitions", &[
            field("UserEndpoint", structure!("Endpoint", &[
                field("Host", STRING, since(0)),
                field("Port", UINT16, since(0)),
            ]), since(0)),
            field("ActivePartitions", structures!("TopicPartition", &[
                field("Topic", STRING, since(0)).entity("topicName"),
                field("Partitions", array(&INT32), since(0)),
            ]), since(0)),
            field("StandbyPartitions", structures!("TopicPartition", &[
                field("Topic", STRING, since(0)).entity("topicName"),
                field("Partitions", array(&INT32), since(0)),
            ]), since(0)),
        ]), since(0)).nullable(since(0)).default("null"),
    ]),
    message("StreamsGroupDescribeResponse", RESPONSE, 89, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Groups", structures!("DescribedGroup", &[
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
            field("GroupId", STRING, since(0)).entity("groupId"),
            field("GroupState", STRING, since(0)),
            field("GroupEpoch", INT32, since(0)),
            field("AssignmentEpoch", INT32, since(0)),
            field("Topology", structure!("Topology", &[
                field("Epoch", INT32, since(0)),
                field("Subtopologies", structures!("Subtopology", &[
                    field("SubtopologyId", STRING, since(0)),
                    field("SourceTopics", array(&STRING), since(0)).entity("topicName"),
                    field("RepartitionSinkTopics", array(&STRING), since(0)).entity("topicName"),
                    field("StateChangelogTopics", structures!("TopicInfo", &[
                        field("Name", STRING, since(0)).entity("topicName"),
                        field("Partitions", INT32, since(0)),
                        field("ReplicationFactor", INT16, since(0)),
                        field("TopicConfigs", structures!("KeyValue", &[
                            field("Key", STRING, since(0)),
                            field("Value", STRING, since(0)),
                        ]), since(0)),
                    ]), since(0)),
                    field("RepartitionSourceTopics", structures!("TopicInfo", &[
                        field("Name", STRING, since(0)).entity("topicName"),
                        field("Partitions", INT32, since(0)),
                        field("ReplicationFactor", INT16, since(0)),
                        field("TopicConfigs", structures!("KeyValue", &[
                            field("Key", STRING, since(0)),
                            field("Value", STRING, since(0)),
                        ]), since(0)),
                    ]), since(0)),
                ]), since(0)).nullable(since(0)).default("null"),
            ]), since(0)).nullable(since(0)).default("null"),
            field("Members", structures!("Member", &[
                field("MemberId", STRING, since(0)),
                field("MemberEpoch", INT32, since(0)),
                field("InstanceId", STRING, since(0)).nullable(since(0)).default("null"),
                field("RackId", STRING, since(0)).nullable(since(0)).default("null"),
                field("ClientId", STRING, since(0)),
                field("ClientHost", STRING, since(0)),
                field("TopologyEpoch", INT32, since(0)),
                field("ProcessId", STRING, since(0)),
                field("UserEndpoint", structure!("Endpoint", &[
                    field("Host", STRING, since(0)),
                    field("Port", UINT16, since(0)),
                ]), since(0)).nullable(since(0)).default("null"),
                field("ClientTags", structures!("KeyValue", &[
                    field("Key", STRING, since(0)),
                    field("Value", STRING, since(0)),
                ]), since(0)),
                field("TaskOffsets", structures!("TaskOffset", &[
                    field("SubtopologyId", STRING, since(0)),
                    field("Partition", INT32, since(0)),
                    field("Offset", INT64, since(0)),
                ]), since(0)),
                field("TaskEndOffsets", structures!("TaskOffset", &[
                    field("SubtopologyId", STRING, since(0)),
                    field("Partition", INT32, since(0)),
                    field("Offset", INT64, since(0)),
                ]), since(0)),
                field("Assignment", structure!("Assignment", &[
                    field("ActiveTasks", structures!("TaskIds", &[
                        field("SubtopologyId", STRING, since(0)),
                        field("Partitions", array(&INT32), since(0)),
                    ]), since(0)),
                    field("StandbyTasks", structures!("TaskIds", &[
                        field("SubtopologyId", STRING, since(0)),
                        field("Partitions", array(&INT32), since(0)),
                    ]), since(0)),
                    field("WarmupTasks", structures!("TaskIds", &[
                        field("SubtopologyId", STRING, since(0)),
                        field("Partitions", array(&INT32), since(0)),
                    ]), since(0)),
                ]), since(0)),
                field("TargetAssignment", structure!("Assignment", &[
                    field("ActiveTasks", structures!("TaskIds", &[
                        field("SubtopologyId", STRING, since(0)),
                        field("Partitions", array(&INT32), since(0)),
                    ]), since(0)),
                    field("StandbyTasks", structures!("TaskIds", &[
                        field("SubtopologyId", STRING, since(0)),
                        field("Partitions", array(&INT32), since(0)),
                    ]), since(0)),
                    field("WarmupTasks", structures!("TaskIds", &[
                        field("SubtopologyId", STRING, since(0)),
                        field("Partitions", array(&INT32), since(0)),
                    ]), since(0)),
                ]), since(0)),
                field("IsClassic", BOOL, since(0)),
            ]), since(0)),
            field("AuthorizedOperations", INT32, since(0)).default("-2147483648"),
        ]), since(0)),
    ]),
    message("DescribeShareGroupOffsetsResponse", RESPONSE, 90, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("Groups", structures!("DescribeShareGroupOffsetsResponseGroup", &[
            field("GroupId", STRING, since(0)).entity("groupId"),
            field("Topics", structures!("DescribeShareGroupOffsetsResponseTopic", &[
                field("TopicName", STRING, since(0)).entity("topicName"),
                field("TopicId", UUID, since(0)),
                field("Partitions", structures!("DescribeShareGroupOffsetsResponsePartition", &[
                    field("PartitionIndex", INT32, since(0)),
                    field("StartOffset", INT64, since(0)),
                    field("LeaderEpoch", INT32, since(0)),
                    field("ErrorCode", INT16, since(0)),
                    field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
                ]), since(0)),
            ]), since(0)),
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        ]), since(0)),
    ]),
    message("AlterShareGroupOffsetsResponse", RESPONSE, 91, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        field("Responses", structures!("AlterShareGroupOffsetsResponseTopic", &[
            field("TopicName", STRING, since(0)).entity("topicName").map_key(),
            field("TopicId", UUID, since(0)),
            field("Partitions", structures!("AlterShareGroupOffsetsResponsePartition", &[
                field("PartitionIndex", INT32, since(0)),
                field("ErrorCode", INT16, since(0)),
                field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
            ]), since(0)),
        ]), since(0)),
    ]),
    message("DeleteShareGroupOffsetsResponse", RESPONSE, 92, from_to(0, 0), since(0), &[
        field("ThrottleTimeMs", INT32, since(0)),
        field("ErrorCode", INT16, since(0)),
        field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        field("Responses", structures!("DeleteShareGroupOffsetsResponseTopic", &[
            field("TopicName", STRING, since(0)).entity("topicName"),
            field("TopicId", UUID, since(0)),
            field("ErrorCode", INT16, since(0)),
            field("ErrorMessage", STRING, since(0)).nullable(since(0)).default("null"),
        ]), since(0)),
    ]),
];
