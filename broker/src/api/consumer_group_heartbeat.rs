//! ConsumerGroupHeartbeat (68), v0–1: members of consumer groups join, follow their assignment and leave (KIP-848).
//!
//! v1 adds subscribing by a regular expression, and lets the client choose its member id (KIP-1082).
//!
//! The first such member of a classic group of consumers makes a consumer group of it, in which the others go on with
//! JoinGroup, SyncGroup and Heartbeat (`group.consumer.migration.policy`).

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Disconnect, RequestContext};
use crate::coordinator::group::Caller;
use crate::coordinator::group::consumer::{TopicMetadata, TopicsView};
use crate::metadata::topics::{Topic, Topics};

pub(crate) async fn handle(
    ctx: &RequestContext,
    version: i16,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, Disconnect> {
    let caller = Caller {
        client_id: ctx.client_id.clone().unwrap_or_default(),
        client_host: ctx.client_host.clone().into(),
        api_version: version,
    };
    let topics = View(&ctx.broker.topics);
    Ok(ctx.broker.groups.consumer_heartbeat(caller, request, &topics).await)
}

/// The broker's topics as the coordinator asks for them.
pub(super) struct View<'a>(pub(super) &'a Topics);

fn metadata(topic: &Topic) -> TopicMetadata {
    TopicMetadata {
        id: topic.id,
        partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
    }
}

impl TopicsView for View<'_> {
    /// A sum, so that the order in which topics are listed does not matter.
    fn version(&self) -> u64 {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let hash = |topic: &Topic| hasher.hash_one((topic.id, topic.partitions.len()));
        self.0
            .all()
            .iter()
            .fold(1, |sum: u64, topic| sum.wrapping_add(hash(topic)))
            .max(1)
    }

    fn find(&self, name: &str) -> Option<TopicMetadata> {
        self.0.get(name).map(|topic| metadata(&topic))
    }

    fn name_of(&self, id: Uuid) -> Option<StrBytes> {
        self.0.by_id(id).map(|topic| topic.name.clone())
    }

    fn names(&self) -> Vec<StrBytes> {
        self.0.all().iter().map(|topic| topic.name.clone()).collect()
    }
}
