//! The decoder and encoder of each message, found by its name in the table of shapes.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, Message, Request, VersionRange};

/// What a message decodes to and encodes to again.
pub(crate) struct Transcoded {
    /// Bytes that the decoder took.
    pub(crate) consumed: usize,
    /// What the encoder made of it.
    pub(crate) bytes: Vec<u8>,
}

/// One message's decoder and encoder.
#[derive(Clone, Copy)]
pub(crate) struct Codec {
    /// Name of the shape.
    pub(crate) name: &'static str,
    /// Versions that the codec knows.
    pub(crate) versions: VersionRange,
    /// Decodes and nothing else.
    pub(crate) decode: fn(Bytes, i16) -> anyhow::Result<()>,
    /// Decodes and encodes again.
    pub(crate) transcode: fn(Bytes, i16) -> anyhow::Result<Transcoded>,
}

fn codec<M: Message + Decodable + Encodable>(name: &'static str) -> Codec {
    Codec {
        name,
        versions: M::VERSIONS,
        decode: |mut bytes, version| M::decode(&mut bytes, version).map(|_| ()),
        transcode: |mut bytes, version| {
            let whole = bytes.len();
            let message = M::decode(&mut bytes, version)?;
            let mut encoded = BytesMut::new();
            message.encode(&mut encoded, version)?;
            assert_eq!(encoded.len(), message.compute_size(version)?);
            Ok(Transcoded {
                consumed: whole - bytes.len(),
                bytes: encoded.to_vec(),
            })
        },
    }
}

/// A request's and its response's.
fn pair<R: Request>(request: &'static str, response: &'static str) -> [Codec; 2] {
    [codec::<R>(request), codec::<R::Response>(response)]
}

macro_rules! pairs {
    ($($request:ident $response:ident)*) => {
        [$(pair::<$request>(stringify!($request), stringify!($response))),*]
    };
}

/// All of them.
pub(crate) fn codecs() -> Vec<Codec> {
    let mut codecs: Vec<Codec> = PAIRS().into_iter().flatten().collect();
    codecs.push(codec::<ConsumerProtocolSubscription>("ConsumerProtocolSubscription"));
    codecs.push(codec::<ConsumerProtocolAssignment>("ConsumerProtocolAssignment"));
    codecs.push(codec::<RequestHeader>("RequestHeader"));
    codecs.push(codec::<ResponseHeader>("ResponseHeader"));
    codecs
}

#[rustfmt::skip]
const PAIRS: fn() -> Vec<[Codec; 2]> = || pairs![
    AddOffsetsToTxnRequest AddOffsetsToTxnResponse
    AddPartitionsToTxnRequest AddPartitionsToTxnResponse
    AddRaftVoterRequest AddRaftVoterResponse
    AllocateProducerIdsRequest AllocateProducerIdsResponse
    AlterClientQuotasRequest AlterClientQuotasResponse
    AlterConfigsRequest AlterConfigsResponse
    AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse
    AlterPartitionRequest AlterPartitionResponse
    AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse
    AlterShareGroupOffsetsRequest AlterShareGroupOffsetsResponse
    AlterUserScramCredentialsRequest AlterUserScramCredentialsResponse
    ApiVersionsRequest ApiVersionsResponse
    AssignReplicasToDirsRequest AssignReplicasToDirsResponse
    BeginQuorumEpochRequest BeginQuorumEpochResponse
    BrokerHeartbeatRequest BrokerHeartbeatResponse
    BrokerRegistrationRequest BrokerRegistrationResponse
    ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse
    ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse
    ControllerRegistrationRequest ControllerRegistrationResponse
    CreateAclsRequest CreateAclsResponse
    CreateDelegationTokenRequest CreateDelegationTokenResponse
    CreatePartitionsRequest CreatePartitionsResponse
    CreateTopicsRequest CreateTopicsResponse
    DeleteAclsRequest DeleteAclsResponse
    DeleteGroupsRequest DeleteGroupsResponse
    DeleteRecordsRequest DeleteRecordsResponse
    DeleteShareGroupOffsetsRequest DeleteShareGroupOffsetsResponse
    DeleteShareGroupStateRequest DeleteShareGroupStateResponse
    DeleteTopicsRequest DeleteTopicsResponse
    DescribeAclsRequest DescribeAclsResponse
    DescribeClientQuotasRequest DescribeClientQuotasResponse
    DescribeClusterRequest DescribeClusterResponse
    DescribeConfigsRequest DescribeConfigsResponse
    DescribeDelegationTokenRequest DescribeDelegationTokenResponse
    DescribeGroupsRequest DescribeGroupsResponse
    DescribeLogDirsRequest DescribeLogDirsResponse
    DescribeProducersRequest DescribeProducersResponse
    DescribeQuorumRequest DescribeQuorumResponse
    DescribeShareGroupOffsetsRequest DescribeShareGroupOffsetsResponse
    DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse
    DescribeTransactionsRequest DescribeTransactionsResponse
    DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse
    ElectLeadersRequest ElectLeadersResponse
    EndQuorumEpochRequest EndQuorumEpochResponse
    EndTxnRequest EndTxnResponse
    EnvelopeRequest EnvelopeResponse
    ExpireDelegationTokenRequest ExpireDelegationTokenResponse
    FetchRequest FetchResponse
    FetchSnapshotRequest FetchSnapshotResponse
    FindCoordinatorRequest FindCoordinatorResponse
    GetTelemetrySubscriptionsRequest GetTelemetrySubscriptionsResponse
    HeartbeatRequest HeartbeatResponse
    IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse
    InitProducerIdRequest InitProducerIdResponse
    InitializeShareGroupStateRequest InitializeShareGroupStateResponse
    JoinGroupRequest JoinGroupResponse
    LeaveGroupRequest LeaveGroupResponse
    ListConfigResourcesRequest ListConfigResourcesResponse
    ListGroupsRequest ListGroupsResponse
    ListOffsetsRequest ListOffsetsResponse
    ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse
    ListTransactionsRequest ListTransactionsResponse
    MetadataRequest MetadataResponse
    OffsetCommitRequest OffsetCommitResponse
    OffsetDeleteRequest OffsetDeleteResponse
    OffsetFetchRequest OffsetFetchResponse
    OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse
    ProduceRequest ProduceResponse
    PushTelemetryRequest PushTelemetryResponse
    ReadShareGroupStateRequest ReadShareGroupStateResponse
    ReadShareGroupStateSummaryRequest ReadShareGroupStateSummaryResponse
    RemoveRaftVoterRequest RemoveRaftVoterResponse
    RenewDelegationTokenRequest RenewDelegationTokenResponse
    SaslAuthenticateRequest SaslAuthenticateResponse
    SaslHandshakeRequest SaslHandshakeResponse
    ShareAcknowledgeRequest ShareAcknowledgeResponse
    ShareFetchRequest ShareFetchResponse
    ShareGroupDescribeRequest ShareGroupDescribeResponse
    ShareGroupHeartbeatRequest ShareGroupHeartbeatResponse
    SyncGroupRequest SyncGroupResponse
    TxnOffsetCommitRequest TxnOffsetCommitResponse
    UnregisterBrokerRequest UnregisterBrokerResponse
    UpdateFeaturesRequest UpdateFeaturesResponse
    UpdateRaftVoterRequest UpdateRaftVoterResponse
    VoteRequest VoteResponse
    WriteShareGroupStateRequest WriteShareGroupStateResponse
    WriteTxnMarkersRequest WriteTxnMarkersResponse
].to_vec();
