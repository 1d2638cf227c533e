//! What administrators see of transactions.

use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState as Described};
use kafka_protocol::messages::list_transactions_response::TransactionState as Listed;
use kafka_protocol::messages::{ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use regex::Regex;

use super::{State, Transaction, TxnError};

/// Answers DescribeTransactions for one transactional id.
pub fn describe(state: Option<&Transaction>, transactional_id: &TransactionalId) -> Described {
    let described = Described::default().with_transactional_id(transactional_id.clone());
    if transactional_id.is_empty() {
        return described.with_error_code(TxnError::InvalidRequest.code());
    }
    let Some(now) = state else {
        return described.with_error_code(TxnError::NotFound.code());
    };
    let topics = now.partitions.iter().map(|(topic, indexes)| {
        TopicData::default()
            .with_topic(TopicName(topic.clone()))
            .with_partitions(indexes.iter().copied().collect())
    });
    described
        .with_transaction_state(StrBytes::from_static_str(now.state.name()))
        .with_transaction_timeout_ms(now.timeout_ms)
        .with_transaction_start_time_ms(now.start_ms)
        .with_producer_id(ProducerId(now.producer_id))
        .with_producer_epoch(now.producer_epoch)
        .with_topics(topics.collect())
}

/// Which transactions ListTransactions asks for. Filters that are empty let everything through.
#[derive(Debug, Default)]
pub struct ListFilter {
    /// States; `None` where the request names none. Names that no state has match nothing.
    pub states: Option<Vec<State>>,
    /// Producer ids.
    pub producer_ids: Vec<i64>,
    /// Only what began longer ago than this; below zero: any.
    pub duration_ms: i64,
    /// What the whole transactional id must match.
    pub pattern: Option<Regex>,
}

/// Answers ListTransactions for one transactional id; `None` if the filter leaves it out.
pub fn list(now: &Transaction, transactional_id: &StrBytes, filter: &ListFilter, now_ms: i64) -> Option<Listed> {
    let passes = (filter.producer_ids.is_empty() || filter.producer_ids.contains(&now.producer_id))
        && filter.states.as_ref().is_none_or(|states| states.contains(&now.state))
        && (filter.duration_ms < 0 || now_ms.saturating_sub(now.start_ms) > filter.duration_ms)
        && filter
            .pattern
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(transactional_id));
    passes.then(|| {
        Listed::default()
            .with_transactional_id(TransactionalId(transactional_id.clone()))
            .with_producer_id(ProducerId(now.producer_id))
            .with_transaction_state(StrBytes::from_static_str(now.state.name()))
    })
}
