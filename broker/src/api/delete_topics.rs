//! DeleteTopics (key 20), versions 1–6: delete topics by name or, from version 6 on, by id.
//!
//! A topic is gone for everyone when the answer goes out, with its offsets in consumer groups. Version 5 added messages.

use std::collections::HashSet;

use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use uuid::Uuid;

use super::create_topics::{check_timeout, topics_error};
use super::{Disconnect, RequestContext};
use crate::error::{ApiError, ResponseError};

/// A topic as the request names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Named {
    name: Option<TopicName>,
    id: Uuid,
}

/// Deletes each topic.
pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: DeleteTopicsRequest,
) -> Result<DeleteTopicsResponse, Disconnect> {
    let by_name = request.topic_names.into_iter().map(|name| Named {
        name: Some(name),
        id: Uuid::nil(),
    });
    let by_either = request.topics.into_iter().map(|topic| Named {
        name: topic.name,
        id: topic.topic_id,
    });
    let asked: Vec<Named> = by_name.chain(by_either).collect();
    // The ids that are given, and a name for the same topic makes both one mistake.
    let ids: HashSet<Uuid> = asked.iter().map(|named| named.id).filter(|id| !id.is_nil()).collect();
    let same = |named: &Named| {
        let topic = ctx.broker.topics.get(named.name.as_ref()?)?;
        (named.id.is_nil() && ids.contains(&topic.id)).then_some(topic.id)
    };
    let twice: HashSet<Uuid> = asked.iter().filter_map(same).collect();
    let mut seen = HashSet::new();
    let doubled: HashSet<Named> = asked.iter().filter(|named| !seen.insert(*named)).cloned().collect();
    let possible = |named: &Named| named.name.is_some() == named.id.is_nil() && !doubled.contains(named);
    if let Err(late) = check_timeout(request.timeout_ms)
        && asked.iter().any(possible)
    {
        let refuse = |named| respond(version, named, Err(late.clone()));
        return Ok(DeleteTopicsResponse::default().with_responses(asked.into_iter().map(refuse).collect()));
    }
    let mut told = HashSet::new();
    let mut responses = Vec::with_capacity(asked.len());
    for named in asked {
        if doubled.contains(&named) && !told.insert(named.clone()) {
            continue;
        }
        if named.name.is_none() && twice.contains(&named.id) {
            continue;
        }
        let result = if let Some(id) = same(&named) {
            let text = "The provided topic name maps to an ID that was already supplied.";
            let named = Named { id, ..named };
            responses.push(respond(
                version,
                named,
                Err(ApiError::new(ResponseError::InvalidRequest, text)),
            ));
            continue;
        } else if ctx.broker.config.boolean("delete.topic.enable") {
            delete(ctx, &named, doubled.contains(&named)).await
        } else if version < 3 {
            Err(ApiError::new(
                ResponseError::InvalidRequest,
                "Topic deletion is disabled.",
            ))
        } else {
            Err(ApiError::plain(ResponseError::TopicDeletionDisabled))
        };
        responses.push(respond(version, named, result));
    }
    Ok(DeleteTopicsResponse::default().with_responses(responses))
}

async fn delete(ctx: &RequestContext, named: &Named, doubled: bool) -> Result<Named, ApiError> {
    let invalid = |reason: &str| Err(ApiError::new(ResponseError::InvalidRequest, reason));
    let topics = &ctx.broker.topics;
    let topic = match (&named.name, named.id.is_nil()) {
        (None, true) => return invalid("Neither topic name nor id were specified."),
        (Some(_), false) => return invalid("You may not specify both topic name and topic id."),
        (Some(_), true) if doubled => return invalid("Duplicate topic name."),
        (None, false) if doubled => return invalid("Duplicate topic id."),
        (Some(name), true) => topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition),
        (None, false) => topics.by_id(named.id).ok_or(ResponseError::UnknownTopicId),
    };
    let topic = topics.delete(&topic?.name).await.map_err(topics_error)?;
    tracing::info!(topic = %topic.name, id = %topic.id, "topic is deleted");
    ctx.broker.groups.forget_topics(|name| *name == topic.name).await;
    Ok(Named {
        name: Some(TopicName(topic.name.clone())),
        id: topic.id,
    })
}

fn respond(version: i16, named: Named, result: Result<Named, ApiError>) -> DeletableTopicResult {
    let (named, error) = match result {
        Ok(deleted) => (deleted, None),
        Err(error) => (named, Some(error)),
    };
    let mut response = DeletableTopicResult::default()
        .with_name(named.name)
        .with_topic_id(named.id);
    if version < 6 {
        response.topic_id = Uuid::nil();
    }
    if let Some(error) = error {
        response.error_code = error.code();
        response.error_message = error.message.filter(|_| version >= 5);
    }
    response
}
