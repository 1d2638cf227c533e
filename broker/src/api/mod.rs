//! What the broker answers: one file per API key, and one table of them.
//!
//! [`TABLE`] lists every API in key order with its versions and its handler. Everything that has to know "which APIs, which
//! versions" derives from it: the ApiVersions response, dispatch, and `docs/compatibility.md` ([`served`]). An API is added
//! by one file with a `handle` function and one row.
//!
//! A handler gets a decoded request (its declared lengths were checked against the frame before) and returns a response, or
//! [`Disconnect`] where Kafka closes the connection instead of answering. It runs on the network thread that owns the
//! connection, so it never blocks: what must wait is awaited, and what parks for long (fetch, join) also watches
//! [`RequestContext::gone`] and ends early when the client has left or the broker stops.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures::future::LocalBoxFuture;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio_util::sync::CancellationToken;

use crate::broker::BrokerState;
use crate::log::FileChunk;
use crate::wire::guard;

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod add_raft_voter;
mod alter_client_quotas;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod alter_user_scram_credentials;
pub(crate) mod api_versions;
mod broker_loggers;
mod config_changes;
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
mod heartbeat;
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
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod offset_topics;
mod operations;
mod produce;
mod remove_raft_voter;
mod renew_delegation_token;
mod sasl_authenticate;
mod sasl_handshake;
mod sync_group;
mod txn_offset_commit;
mod unregister_broker;
mod update_features;
mod write_txn_markers;

/// What a handler may know about the request beyond its body. One per connection; the per-request fields are set anew for
/// each frame.
#[derive(Debug)]
pub(crate) struct RequestContext {
    /// The broker that serves the connection.
    pub broker: Arc<BrokerState>,
    /// The client's name for itself, from the request header.
    pub client_id: Option<StrBytes>,
    /// The client's address as Kafka writes it in group descriptions: `/127.0.0.1`.
    pub client_host: String,
    /// The request's API key.
    pub api_key: i16,
    /// The request's version.
    pub api_version: i16,
    /// The request's correlation id.
    pub correlation_id: i32,
    /// Cancelled when the client has gone away or the broker shuts down: who parks a request ends the wait then.
    pub gone: CancellationToken,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Disconnect(pub String);

impl From<anyhow::Error> for Disconnect {
    fn from(error: anyhow::Error) -> Self {
        Self(format!("{error:#}"))
    }
}

/// An encoded answer, ready for the socket.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Nothing is sent (Produce with acks=0).
    None,
    /// A whole frame: length, header, body.
    Frame(BytesMut),
    /// A frame in parts, some of which are still in files.
    Parts(Vec<Part>),
}

/// A part of a frame.
#[derive(Debug)]
pub(crate) enum Part {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Stored batches.
    File(FileChunk),
}

impl Reply {
    /// Encodes `response` as a frame that answers the request in `ctx`.
    pub(crate) fn message<R: Encodable>(ctx: &RequestContext, version: i16, response: &R) -> Result<Self, Disconnect> {
        let mut frame = start_frame(ctx, version, 256);
        let body_at = frame.len();
        response.encode(&mut frame, version)?;
        // An error's message may quote the client, and the encoder does not ask how long a string became. Where one can be
        // too long, no client could read the answer.
        if frame.len() - body_at > guard::STRING_LEN_MAX {
            guard::check_response(ctx.api_key, version, &frame[body_at..])
                .map_err(|error| Disconnect(format!("the answer cannot be written: {error}")))?;
        }
        finish_frame(&mut frame, 0)?;
        Ok(Self::Frame(frame))
    }
}

/// The head of a response frame: room for the length, then the response header of the request in `ctx`.
pub(crate) fn start_frame(ctx: &RequestContext, version: i16, capacity: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(capacity);
    frame.put_i32(0);
    frame.put_i32(ctx.correlation_id);
    // Response header version 1 adds an empty set of tagged fields.
    let header_version = ApiKey::try_from(ctx.api_key).map_or(0, |key| key.response_header_version(version));
    if header_version >= 1 {
        frame.put_u8(0);
    }
    frame
}

/// Writes the frame's length, counting `beyond` bytes that follow it from elsewhere, into its head.
pub(crate) fn finish_frame(frame: &mut BytesMut, beyond: usize) -> Result<(), Disconnect> {
    let length = frame.len() - 4 + beyond;
    let length =
        i32::try_from(length).map_err(|_| Disconnect(format!("a response of {length} bytes does not fit a frame")))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

type Handler = for<'a> fn(&'a RequestContext, i16, Bytes) -> LocalBoxFuture<'a, Result<Reply, Disconnect>>;

/// One row of the table.
pub(crate) struct Api {
    /// The API's number on the wire.
    pub key: ApiKey,
    /// The API's name in Kafka's documentation.
    pub name: &'static str,
    /// The lowest version served.
    pub min: i16,
    /// The highest version served.
    pub max: i16,
    /// Decodes the body, handles it, encodes the answer.
    pub handler: Handler,
}

/// Decodes a request body. The guard has checked its lengths before; trailing bytes are ignored, as Kafka does.
fn decode<R: Decodable>(mut body: Bytes, version: i16) -> Result<R, Disconnect> {
    R::decode(&mut body, version).map_err(Disconnect::from)
}

/// One row: key, lowest and highest version, module. The module's
/// `async fn handle(&RequestContext, i16, XRequest) -> Result<XResponse, Disconnect>` is the handler; `raw` before the
/// module's name says that it returns a [`Reply`] that it encoded itself.
macro_rules! api {
    ($name:ident, $min:literal..=$max:literal, raw $module:ident) => {
        Api {
            key: ApiKey::$name,
            name: stringify!($name),
            min: $min,
            max: $max,
            handler: |ctx, version, body| {
                Box::pin(async move { $module::handle(ctx, version, decode(body, version)?).await })
            },
        }
    };
    ($name:ident, $min:literal..=$max:literal, $module:ident) => {
        Api {
            key: ApiKey::$name,
            name: stringify!($name),
            min: $min,
            max: $max,
            handler: |ctx, version, body| {
                Box::pin(async move {
                    let response = $module::handle(ctx, version, decode(body, version)?).await?;
                    Reply::message(ctx, version, &response)
                })
            },
        }
    };
}

/// Every API that is served, in key order.
pub(crate) static TABLE: &[Api] = &[
    api!(Produce, 3..=13, raw produce),
    api!(Fetch, 4..=18, raw fetch),
    api!(ListOffsets, 1..=10, list_offsets),
    api!(Metadata, 0..=13, metadata),
    api!(OffsetCommit, 2..=9, offset_commit),
    api!(OffsetFetch, 1..=9, offset_fetch),
    api!(FindCoordinator, 0..=6, find_coordinator),
    api!(JoinGroup, 0..=9, join_group),
    api!(Heartbeat, 0..=4, heartbeat),
    api!(LeaveGroup, 0..=5, leave_group),
    api!(SyncGroup, 0..=5, sync_group),
    api!(DescribeGroups, 0..=6, describe_groups),
    api!(ListGroups, 0..=5, list_groups),
    api!(SaslHandshake, 0..=1, sasl_handshake),
    api!(ApiVersions, 0..=4, api_versions),
    api!(CreateTopics, 2..=7, create_topics),
    api!(DeleteTopics, 1..=6, delete_topics),
    api!(DeleteRecords, 0..=2, delete_records),
    api!(InitProducerId, 0..=5, init_producer_id),
    api!(OffsetForLeaderEpoch, 2..=4, offset_for_leader_epoch),
    api!(AddPartitionsToTxn, 0..=5, add_partitions_to_txn),
    api!(AddOffsetsToTxn, 0..=4, add_offsets_to_txn),
    api!(EndTxn, 0..=5, end_txn),
    api!(WriteTxnMarkers, 1..=1, write_txn_markers),
    api!(TxnOffsetCommit, 0..=5, txn_offset_commit),
    api!(DescribeAcls, 1..=3, describe_acls),
    api!(CreateAcls, 1..=3, create_acls),
    api!(DeleteAcls, 1..=3, delete_acls),
    api!(DescribeConfigs, 1..=4, describe_configs),
    api!(AlterConfigs, 0..=2, alter_configs),
    api!(AlterReplicaLogDirs, 1..=2, alter_replica_log_dirs),
    api!(DescribeLogDirs, 1..=4, describe_log_dirs),
    api!(SaslAuthenticate, 0..=2, sasl_authenticate),
    api!(CreatePartitions, 0..=3, create_partitions),
    api!(CreateDelegationToken, 1..=3, create_delegation_token),
    api!(RenewDelegationToken, 1..=2, renew_delegation_token),
    api!(ExpireDelegationToken, 1..=2, expire_delegation_token),
    api!(DescribeDelegationToken, 1..=3, describe_delegation_token),
    api!(DeleteGroups, 0..=2, delete_groups),
    api!(ElectLeaders, 0..=2, elect_leaders),
    api!(IncrementalAlterConfigs, 0..=1, incremental_alter_configs),
    api!(AlterPartitionReassignments, 0..=1, alter_partition_reassignments),
    api!(ListPartitionReassignments, 0..=0, list_partition_reassignments),
    api!(OffsetDelete, 0..=0, offset_delete),
    api!(DescribeClientQuotas, 0..=1, describe_client_quotas),
    api!(AlterClientQuotas, 0..=1, alter_client_quotas),
    api!(DescribeUserScramCredentials, 0..=0, describe_user_scram_credentials),
    api!(AlterUserScramCredentials, 0..=0, alter_user_scram_credentials),
    api!(DescribeQuorum, 0..=2, describe_quorum),
    api!(UpdateFeatures, 0..=2, update_features),
    api!(DescribeCluster, 0..=2, describe_cluster),
    api!(DescribeProducers, 0..=0, describe_producers),
    api!(UnregisterBroker, 0..=0, unregister_broker),
    api!(DescribeTransactions, 0..=0, describe_transactions),
    api!(ListTransactions, 0..=2, list_transactions),
    api!(ConsumerGroupHeartbeat, 0..=1, consumer_group_heartbeat),
    api!(ConsumerGroupDescribe, 0..=1, consumer_group_describe),
    api!(ListConfigResources, 0..=1, list_config_resources),
    api!(DescribeTopicPartitions, 0..=0, describe_topic_partitions),
    api!(AddRaftVoter, 0..=0, add_raft_voter),
    api!(RemoveRaftVoter, 0..=0, remove_raft_voter),
];

/// The row of an API key, if it is served.
pub(crate) fn find(key: i16) -> Option<&'static Api> {
    TABLE
        .binary_search_by_key(&key, |api| api.key as i16)
        .ok()
        .map(|at| &TABLE[at])
}

/// An API as documentation and tests list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedApi {
    /// The API's number on the wire.
    pub key: i16,
    /// The API's name in Kafka's documentation.
    pub name: &'static str,
    /// The lowest version served.
    pub min: i16,
    /// The highest version served.
    pub max: i16,
}

/// Every API that the broker serves, in key order.
pub fn served() -> impl Iterator<Item = ServedApi> {
    TABLE.iter().map(|api| ServedApi {
        key: api.key as i16,
        name: api.name,
        min: api.min,
        max: api.max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_key_order_without_doubles() {
        assert!(TABLE.windows(2).all(|pair| (pair[0].key as i16) < pair[1].key as i16));
    }

    #[test]
    fn the_codec_knows_every_version_of_the_table() {
        for api in TABLE {
            let known = api.key.valid_versions();
            assert!(known.min <= api.min && api.max <= known.max, "{}: {known}", api.name);
        }
    }
}
