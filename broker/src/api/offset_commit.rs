//! OffsetCommit (8), v2–9: commits offsets of a group's member, of a consumer outside any group, or of an administrator.
//!
//! * v2–4 may say how long to keep the offsets; later that is `offsets.retention.minutes` alone.
//! * v6 adds the leader epoch, v7 `group.instance.id` (KIP-345).
//! * v9 answers `GROUP_ID_NOT_FOUND` where there was `ILLEGAL_GENERATION` (KIP-848).
//!
//! v10 (topic ids) is unstable in Apache Kafka 4.1 and not announced there either.

use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::offset_topics::Answers;
use super::{Disconnect, RequestContext};

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    mut request: OffsetCommitRequest,
) -> Result<OffsetCommitResponse, Disconnect> {
    let asked = std::mem::take(&mut request.topics);
    let (existing, mut answers) = Answers::but_for_existing(ctx, asked);
    request.topics = existing;
    // Where no partition exists, the group is not even looked at.
    if !request.topics.is_empty() {
        for topic in ctx.broker.groups.commit(version, &request).await.topics {
            answers.of(&topic.name).extend(topic.partitions);
        }
    }
    Ok(OffsetCommitResponse::default().with_topics(answers.into_topics()))
}
