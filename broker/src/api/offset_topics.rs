//! What OffsetCommit, TxnOffsetCommit and OffsetDelete do alike: partitions that do not exist are answered here, and never get
//! to the group; each topic stands in the answer once, in the order in which it was first answered.

use std::collections::HashMap;

use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::{
    offset_commit_request as commit, offset_commit_response as committed, offset_delete_request as delete,
    offset_delete_response as deleted, txn_offset_commit_request as txn_commit,
    txn_offset_commit_response as txn_committed,
};

use super::RequestContext;
use crate::error::ResponseError;

/// A topic of a request.
pub(super) trait Asked: Sized {
    /// The topic of the answer.
    type Answer: Answered;
    /// Its name.
    fn name(&self) -> &TopicName;
    /// Takes the partitions out that `exists` denies.
    fn take_unknown(&mut self, exists: impl Fn(i32) -> bool) -> Vec<i32>;
    /// Whether no partitions are left.
    fn is_empty(&self) -> bool;
}

/// A topic of an answer.
pub(super) trait Answered {
    /// The answer for one partition.
    type Partition;
    /// The topic without any.
    fn named(name: TopicName) -> Self;
    /// Its partitions.
    fn partitions(&mut self) -> &mut Vec<Self::Partition>;
    /// A partition that is refused.
    fn refused(index: i32, error_code: i16) -> Self::Partition;
}

macro_rules! of_an_api {
    ($asked:ty, $answered:ty, $partition:ty) => {
        impl Asked for $asked {
            type Answer = $answered;

            fn name(&self) -> &TopicName {
                &self.name
            }

            fn take_unknown(&mut self, exists: impl Fn(i32) -> bool) -> Vec<i32> {
                let unknown = self
                    .partitions
                    .extract_if(.., |partition| !exists(partition.partition_index));
                unknown.map(|partition| partition.partition_index).collect()
            }

            fn is_empty(&self) -> bool {
                self.partitions.is_empty()
            }
        }

        impl Answered for $answered {
            type Partition = $partition;

            fn named(name: TopicName) -> Self {
                Self::default().with_name(name)
            }

            fn partitions(&mut self) -> &mut Vec<$partition> {
                &mut self.partitions
            }

            fn refused(index: i32, error_code: i16) -> $partition {
                <$partition>::default()
                    .with_partition_index(index)
                    .with_error_code(error_code)
            }
        }
    };
}

of_an_api!(
    commit::OffsetCommitRequestTopic,
    committed::OffsetCommitResponseTopic,
    committed::OffsetCommitResponsePartition
);
of_an_api!(
    txn_commit::TxnOffsetCommitRequestTopic,
    txn_committed::TxnOffsetCommitResponseTopic,
    txn_committed::TxnOffsetCommitResponsePartition
);
of_an_api!(
    delete::OffsetDeleteRequestTopic,
    deleted::OffsetDeleteResponseTopic,
    deleted::OffsetDeleteResponsePartition
);

/// The topics of an answer.
pub(super) struct Answers<T> {
    topics: Vec<T>,
    by_name: HashMap<TopicName, usize>,
}

impl<T: Answered> Answers<T> {
    /// What is left of the topics without the partitions that do not exist, and the answers for those.
    pub(super) fn but_for_existing<R: Asked<Answer = T>>(ctx: &RequestContext, asked: Vec<R>) -> (Vec<R>, Self) {
        let mut answers = Self {
            topics: Vec::new(),
            by_name: HashMap::new(),
        };
        let error_code = ResponseError::UnknownTopicOrPartition.code();
        let mut kept = Vec::with_capacity(asked.len());
        for mut topic in asked {
            let known = ctx.broker.topics.get(topic.name());
            let unknown =
                topic.take_unknown(|index| known.as_ref().is_some_and(|known| known.partition(index).is_some()));
            if !unknown.is_empty() || known.is_none() {
                let refused = unknown.into_iter().map(|index| T::refused(index, error_code));
                answers.of(topic.name()).extend(refused);
            }
            if !topic.is_empty() {
                kept.push(topic);
            }
        }
        (kept, answers)
    }

    /// The answers for a topic's partitions.
    pub(super) fn of(&mut self, name: &TopicName) -> &mut Vec<T::Partition> {
        let index = *self.by_name.entry(name.clone()).or_insert_with(|| {
            self.topics.push(T::named(name.clone()));
            self.topics.len() - 1
        });
        self.topics[index].partitions()
    }

    /// All of them.
    pub(super) fn into_topics(self) -> Vec<T> {
        self.topics
    }
}
