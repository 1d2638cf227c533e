//! OffsetDelete (47), v0: removes committed offsets of topics that the group does not read (KIP-496).

use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::offset_topics::Answers;
use super::{Disconnect, RequestContext};

pub(crate) async fn handle(
    ctx: &RequestContext,
    _version: i16,
    mut request: OffsetDeleteRequest,
) -> Result<OffsetDeleteResponse, Disconnect> {
    let asked = std::mem::take(&mut request.topics);
    let (existing, mut answers) = Answers::but_for_existing(ctx, asked);
    request.topics = existing;
    let response = ctx.broker.groups.delete_offsets(&request).await;
    if response.error_code != 0 {
        return Ok(response);
    }
    for topic in response.topics {
        answers.of(&topic.name).extend(topic.partitions);
    }
    Ok(OffsetDeleteResponse::default().with_topics(answers.into_topics()))
}
