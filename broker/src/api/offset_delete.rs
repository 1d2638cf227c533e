//! OffsetDelete (47), v0: removes committed offsets of topics that the group does not read (KIP-496).

use std::collections::HashMap;

use kafka_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse, TopicName};

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    mut request: OffsetDeleteRequest,
) -> Result<OffsetDeleteResponse, Disconnect> {
    let mut answers = Answers::default();
    for topic in std::mem::take(&mut request.topics) {
        request.topics.extend(only_existing(ctx, topic, &mut answers));
    }
    let response = ctx.broker.groups.delete_offsets(&request).await;
    if response.error_code != 0 {
        return Ok(response);
    }
    for topic in response.topics {
        answers.of(&topic.name).extend(topic.partitions);
    }
    Ok(OffsetDeleteResponse::default().with_topics(answers.topics))
}

/// What is left of the topic without the partitions that do not exist; those are answered.
fn only_existing(
    ctx: &RequestContext,
    mut topic: OffsetDeleteRequestTopic,
    answers: &mut Answers,
) -> Option<OffsetDeleteRequestTopic> {
    let known = ctx.broker.topics.get(&topic.name);
    let exists = |partition: i32| known.as_ref().is_some_and(|known| known.partition(partition).is_some());
    let (kept, unknown) = topic
        .partitions
        .into_iter()
        .partition(|partition| exists(partition.partition_index));
    topic.partitions = kept;
    let unknown: Vec<_> = unknown;
    if !unknown.is_empty() || known.is_none() {
        let error_code = ResponseError::UnknownTopicOrPartition.code();
        let answer = |index: i32| {
            OffsetDeleteResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(error_code)
        };
        answers
            .of(&topic.name)
            .extend(unknown.into_iter().map(|partition| answer(partition.partition_index)));
    }
    (!topic.partitions.is_empty()).then_some(topic)
}

/// The answer's topics, each once, in the order in which they were first answered.
#[derive(Default)]
struct Answers {
    topics: Vec<OffsetDeleteResponseTopic>,
    by_name: HashMap<TopicName, usize>,
}

impl Answers {
    fn of(&mut self, name: &TopicName) -> &mut Vec<OffsetDeleteResponsePartition> {
        let index = *self.by_name.entry(name.clone()).or_insert_with(|| {
            self.topics
                .push(OffsetDeleteResponseTopic::default().with_name(name.clone()));
            self.topics.len() - 1
        });
        &mut self.topics[index].partitions
    }
}
