//! ElectLeaders (key 43), versions 0–2: nothing to elect, since a partition's one replica leads it always.
//!
//! So the answer is ELECTION_NOT_NEEDED for each partition that is named, and nothing where all are meant. Version 1 added
//! the kind of election, preferred or unclean.
//!
//! A time-out that leaves no time is over at once, as at Kafka's controller, before anything else is looked at.

use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, TopicName};

use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// Says for each partition that it has its leader.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: ElectLeadersRequest,
) -> Result<ElectLeadersResponse, Disconnect> {
    let topics = &ctx.broker.topics;
    if request.timeout_ms <= 0 && request.topic_partitions.as_ref().is_none_or(|asked| !asked.is_empty()) {
        return Ok(timed_out(request, version));
    }
    let refused = match request.election_type {
        PREFERRED | UNCLEAN => None,
        other => Some(ApiError::new(
            ResponseError::InvalidRequest,
            format!("Unknown election type {other}"),
        )),
    };
    let mut response =
        ElectLeadersResponse::default().with_error_code(refused.as_ref().map_or(0, |error| error.code()));
    let Some(asked) = request.topic_partitions else {
        if refused.is_none() {
            response.replica_election_results = topics
                .all()
                .iter()
                .map(|topic| ReplicaElectionResult::default().with_topic(TopicName(topic.name.clone())))
                .collect();
        }
        return Ok(response);
    };
    response.replica_election_results = asked
        .into_iter()
        .map(|asked| {
            let topic = topics.get(&asked.topic);
            let result = |index: &i32| {
                let error = match (&refused, &topic) {
                    (Some(refused), _) => refused.clone(),
                    (None, None) => unknown(format!("No such topic as {}", &*asked.topic)),
                    (None, Some(topic)) if topic.partition(*index).is_none() => {
                        unknown(format!("No such partition as {}-{index}", &*asked.topic))
                    }
                    (None, Some(_)) => not_needed(),
                };
                PartitionResult::default()
                    .with_partition_id(*index)
                    .with_error_code(error.code())
                    .with_error_message(error.message)
            };
            let results = asked.partitions.iter().map(result).collect();
            ReplicaElectionResult::default()
                .with_topic(asked.topic.clone())
                .with_partition_result(results)
        })
        .collect();
    Ok(response)
}

fn timed_out(request: ElectLeadersRequest, version: i16) -> ElectLeadersResponse {
    let code = ResponseError::RequestTimedOut.code();
    let result = |index: i32| {
        PartitionResult::default()
            .with_partition_id(index)
            .with_error_code(code)
            .with_error_message(None)
    };
    let asked = request.topic_partitions.unwrap_or_default().into_iter();
    let results = asked.map(|asked| {
        ReplicaElectionResult::default()
            .with_topic(asked.topic)
            .with_partition_result(asked.partitions.into_iter().map(result).collect())
    });
    ElectLeadersResponse::default()
        // Version 0 has no error of its own.
        .with_error_code(if version >= 1 { code } else { 0 })
        .with_replica_election_results(results.collect())
}

fn unknown(reason: String) -> ApiError {
    ApiError::new(ResponseError::UnknownTopicOrPartition, reason)
}

fn not_needed() -> ApiError {
    ApiError::new(
        ResponseError::ElectionNotNeeded,
        "Leader election not needed for topic partition.",
    )
}
