//! Keeps the broker's own topics in agreement with the coordinators where a single change does not: when a topic is made, and
//! when a crash may have come between a change's record and the change.

use std::sync::Arc;

use crate::coordinator::group::offsets::OFFSETS_TOPIC;
use crate::internal_topics::fold::FoldError;
use crate::log::AppendError;
use crate::metadata::agreements::Agreements;
use crate::metadata::topics::{TRANSACTIONS_TOPIC, Topic, Topics};
use crate::runtime::groups::Groups;
use crate::runtime::txn::Txns;

/// The coordinators, and what is known of their topics.
#[derive(Clone, Debug)]
pub(crate) struct InternalTopics {
    /// What is known.
    pub agreements: Agreements,
    /// `__consumer_offsets`.
    pub groups: Groups,
    /// `__transaction_state`.
    pub txns: Txns,
}

/// Why a topic does not agree.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DisagreementError {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Fold(#[from] FoldError),
    /// What is missing in it cannot be written.
    #[error("cannot write it: {0}")]
    Append(#[from] AppendError),
}

impl InternalTopics {
    /// Brings every topic into agreement that is not known to be. For the start, when everything that a crash interrupted is
    /// done, and nobody can ask for anything yet.
    pub(crate) fn agree(&self, topics: &Topics) {
        for topic in [OFFSETS_TOPIC, TRANSACTIONS_TOPIC]
            .into_iter()
            .filter_map(|name| topics.get(name))
        {
            if !self.agreements.holds(&topic) {
                let repaired = if topic.name.as_str() == OFFSETS_TOPIC {
                    self.groups.repair(&self.txns.open_epochs())
                } else {
                    self.txns.repair()
                };
                self.settle(&topic, repaired);
            }
        }
    }

    /// Fills a topic that was just made, if it is one of the broker's own.
    pub(crate) fn fill(&self, topic: &Arc<Topic>) {
        let filled = match topic.name.as_str() {
            OFFSETS_TOPIC => self.groups.write_all(&self.txns.open_epochs()),
            TRANSACTIONS_TOPIC => self.txns.write_all(),
            _ => return,
        };
        self.settle(topic, filled.map(|()| 0).map_err(DisagreementError::from));
    }

    /// Writes down that a topic agrees, or tells that it does not: it is the coordinators' state that counts.
    fn settle(&self, topic: &Topic, result: Result<usize, DisagreementError>) {
        match result {
            Ok(0) => {}
            Ok(records) => tracing::info!(topic = topic.name.as_str(), records, "a topic was put right"),
            Err(error) => {
                tracing::error!(topic = topic.name.as_str(), %error, "a topic may not say what its coordinator has");
                return;
            }
        }
        if let Err(error) = self.agreements.set(topic) {
            tracing::warn!(topic = topic.name.as_str(), %error, "the next start will read a topic that agrees");
        }
    }
}
