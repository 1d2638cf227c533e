//! FindCoordinator (10), v0–6: which broker coordinates a group or a transactional id. Here it is always this one.
//!
//! The first question for a group's makes `__consumer_offsets`, and the first for a transactional id's
//! `__transaction_state`, as in Apache Kafka.
//!
//! v1 adds the kind of key, v4 takes several keys (KIP-699), v6 share groups (KIP-932), which are not served:
//! `INVALID_REQUEST`, as from an Apache Kafka without them.

use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Disconnect, RequestContext, create_topics};
use crate::error::{ApiError, ResponseError};
use crate::metadata::topics::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};

/// From this version on there are several keys.
const SEVERAL_KEYS_SINCE: i16 = 4;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: FindCoordinatorRequest,
) -> Result<FindCoordinatorResponse, Disconnect> {
    let keys = if version < SEVERAL_KEYS_SINCE {
        vec![request.key]
    } else {
        request.coordinator_keys
    };
    let topic = match request.key_type {
        GROUP => Some(OFFSETS_TOPIC),
        TRANSACTION => Some(TRANSACTIONS_TOPIC),
        _ => None,
    };
    if let Some(topic) = topic
        && !keys.is_empty()
        && ctx.broker.topics.get(topic).is_none()
        && let Err(error) = create_topics::auto_create(ctx, topic).await
    {
        tracing::warn!(topic, "cannot be made: {}", error.error);
    }
    let mut found = keys.into_iter().map(|key| find(ctx, request.key_type, key));
    if version >= SEVERAL_KEYS_SINCE {
        return Ok(FindCoordinatorResponse::default().with_coordinators(found.collect()));
    }
    let Some(only) = found.next() else {
        return Ok(FindCoordinatorResponse::default());
    };
    // Apache Kafka writes the error's name here, also where there is none.
    let message = match only.error_code {
        0 => Some(StrBytes::from_static_str("NONE")),
        _ => ApiError::plain(ResponseError::InvalidRequest).message,
    };
    Ok(FindCoordinatorResponse::default()
        .with_error_code(only.error_code)
        .with_error_message(message)
        .with_node_id(only.node_id)
        .with_host(only.host)
        .with_port(only.port))
}

fn find(ctx: &RequestContext, key_type: i8, key: StrBytes) -> Coordinator {
    let coordinator = Coordinator::default().with_key(key);
    match key_type {
        GROUP | TRANSACTION => coordinator
            .with_node_id(BrokerId(ctx.broker.node_id))
            .with_host(StrBytes::from_string(ctx.broker.advertised.host.clone()))
            .with_port(i32::from(ctx.broker.advertised.port)),
        _ => {
            let error = ApiError::plain(ResponseError::InvalidRequest);
            coordinator
                .with_node_id(BrokerId(-1))
                .with_port(-1)
                .with_error_code(error.code())
                .with_error_message(if key_type == SHARE {
                    Some(StrBytes::default())
                } else {
                    error.message
                })
        }
    }
}
