//! OffsetCommit (8), v2–9: commits offsets of a group's member, of a consumer outside any group, or of an administrator.
//!
//! * v2–4 may say how long to keep the offsets; later that is `offsets.retention.minutes` alone.
//! * v6 adds the leader epoch, v7 `group.instance.id` (KIP-345).
//! * v9 answers `GROUP_ID_NOT_FOUND` where there was `ILLEGAL_GENERATION` (KIP-848).
//!
//! v10 (topic ids) is unstable in Apache Kafka 4.1 and not announced there either.

use std::collections::HashMap;

use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};

use super::{Disconnect, RequestContext};
use crate::error::ResponseError;

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    mut request: OffsetCommitRequest,
) -> Result<OffsetCommitResponse, Disconnect> {
    let mut answers = Answers::default();
    for topic in std::mem::take(&mut request.topics) {
        request.topics.extend(only_existing(ctx, topic, &mut answers));
    }
    // Where no partition exists, the group is not even looked at.
    if !request.topics.is_empty() {
        for topic in ctx.broker.groups.commit(version, &request).await.topics {
            answers.of(&topic.name).extend(topic.partitions);
        }
    }
    Ok(OffsetCommitResponse::default().with_topics(answers.topics))
}

/// What is left of the topic without the partitions that do not exist; those are answered.
fn only_existing(
    ctx: &RequestContext,
    mut topic: OffsetCommitRequestTopic,
    answers: &mut Answers,
) -> Option<OffsetCommitRequestTopic> {
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
            OffsetCommitResponsePartition::default()
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
    topics: Vec<OffsetCommitResponseTopic>,
    by_name: HashMap<TopicName, usize>,
}

impl Answers {
    fn of(&mut self, name: &TopicName) -> &mut Vec<OffsetCommitResponsePartition> {
        let index = *self.by_name.entry(name.clone()).or_insert_with(|| {
            self.topics
                .push(OffsetCommitResponseTopic::default().with_name(name.clone()));
            self.topics.len() - 1
        });
        &mut self.topics[index].partitions
    }
}
