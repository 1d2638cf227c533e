//! Why the transaction coordinator refuses, and the Kafka error code of each reason: the one place where they meet.

use kafka_protocol::error::ResponseError;

/// A refusal by the transaction coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxnError {
    /// The request makes no sense.
    #[error("invalid request")]
    InvalidRequest,
    /// The time-out is not positive, or over `transaction.max.timeout.ms`.
    #[error("the transaction time-out is outside the allowed range")]
    InvalidTimeout,
    /// The transaction is just being ended; the client tries again.
    #[error("the transaction is being ended")]
    Concurrent,
    /// A newer producer has the transactional id, or the coordinator aborted what this one had begun.
    #[error("the producer is fenced")]
    ProducerFenced,
    /// The transactional id is unknown, or belongs to another producer id.
    #[error("the transactional id does not belong to that producer id")]
    InvalidProducerIdMapping,
    /// The transaction is not in a state that allows this.
    #[error("the transaction is in another state")]
    InvalidState,
    /// The partition is not part of the transaction; the client aborts it and goes on (KIP-890).
    #[error("the partition is not part of the transaction")]
    Abortable,
    /// There is no such transactional id.
    #[error("there is no such transactional id")]
    NotFound,
    /// No producer id can be given out.
    #[error("no producer id can be given out")]
    NoProducerId,
    /// The store refused the change; the client looks the coordinator up again and retries.
    #[error("the change could not be stored")]
    StorageFailed,
    /// The coordinator is shutting down.
    #[error("the coordinator is not available")]
    NotAvailable,
}

impl TxnError {
    /// The Kafka error.
    pub fn response_error(self) -> ResponseError {
        match self {
            TxnError::InvalidRequest => ResponseError::InvalidRequest,
            TxnError::InvalidTimeout => ResponseError::InvalidTransactionTimeout,
            TxnError::Concurrent => ResponseError::ConcurrentTransactions,
            TxnError::ProducerFenced => ResponseError::ProducerFenced,
            TxnError::InvalidProducerIdMapping => ResponseError::InvalidProducerIdMapping,
            TxnError::InvalidState => ResponseError::InvalidTxnState,
            TxnError::Abortable => ResponseError::TransactionAbortable,
            TxnError::NotFound => ResponseError::TransactionalIdNotFound,
            TxnError::NoProducerId | TxnError::NotAvailable => ResponseError::CoordinatorNotAvailable,
            TxnError::StorageFailed => ResponseError::NotCoordinator,
        }
    }

    /// The Kafka error code.
    pub fn code(self) -> i16 {
        self.response_error().code()
    }

    /// The Kafka error code for a client that, where `knows_fenced` is false, knows `INVALID_PRODUCER_EPOCH` and not yet
    /// `PRODUCER_FENCED` (KIP-588).
    pub fn code_for(self, knows_fenced: bool) -> i16 {
        match self {
            TxnError::ProducerFenced if !knows_fenced => ResponseError::InvalidProducerEpoch.code(),
            other => other.code(),
        }
    }
}
