//! `__transaction_state`: what the transaction coordinator stores, as Apache Kafka 4.1 writes it under `transaction.version` 2.
//! One record per transactional id (`TransactionLogKey`, `TransactionLogValue` version 1).

use super::Entry;
use super::layout::Layout;
use crate::coordinator::txn::{Record, State, Transaction};

/// The type of the records, which is the version of their keys.
const KIND: i16 = 0;

/// What changes of a transactional id come to.
pub(crate) fn changes(transactional_id: &str, records: &[Record]) -> Vec<Entry> {
    let entries = records.iter().map(|record| match record {
        Record::Changed(transaction) => image(transactional_id, transaction),
        Record::Removed => Entry::tombstone(key(transactional_id)),
    });
    entries.collect()
}

/// The record of a transactional id as it is.
pub(crate) fn image(transactional_id: &str, transaction: &Transaction) -> Entry {
    Entry::put(key(transactional_id), value(transaction))
}

fn key(transactional_id: &str) -> Vec<u8> {
    Layout::of_version(KIND).string(transactional_id).done()
}

fn value(transaction: &Transaction) -> Vec<u8> {
    let value = Layout::of_version(1)
        .i64(transaction.producer_id)
        .i16(transaction.producer_epoch)
        .i32(transaction.timeout_ms)
        .i8(status(transaction.state));
    let value = match transaction.state {
        State::Empty => value.compact_null(),
        _ => {
            let topics = transaction.partitions.iter();
            topics.fold(
                value.compact_count(transaction.partitions.len()),
                |value, (topic, indexes)| {
                    value
                        .compact_string(topic)
                        .compact_i32s(indexes.iter().copied())
                        .no_tags()
                },
            )
        }
    };
    let client_version = transaction.client_version;
    value
        .i64(transaction.last_update_ms)
        .i64(transaction.start_ms)
        .tag(2, (client_version != 0).then(|| Layout::nested().i16(client_version)))
        .done()
}

fn status(state: State) -> i8 {
    match state {
        State::Empty => 0,
        State::Ongoing => 1,
        State::PrepareCommit => 2,
        State::PrepareAbort => 3,
        State::CompleteCommit => 4,
        State::CompleteAbort => 5,
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::protocol::StrBytes;

    use super::*;
    use crate::coordinator::txn::Partitions;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The expected bytes were written by Apache Kafka 4.1.1's own classes for the same fields.
    #[test]
    fn transactional_ids_are_apache_kafkas() {
        let mut transaction = Transaction {
            producer_id: 4,
            prev_producer_id: 4,
            next_producer_id: -1,
            producer_epoch: 2,
            last_producer_epoch: 1,
            timeout_ms: 60_000,
            client_version: 0,
            state: State::Empty,
            partitions: Partitions::new(),
            start_ms: -1,
            last_update_ms: 2000,
        };
        let empty = image("tx", &transaction);
        assert_eq!(hex(&empty.key), "000000027478");
        let value = |entry: Entry| hex(&entry.value.unwrap_or_default());
        assert_eq!(
            value(empty),
            "0001000000000000000400020000ea60000000000000000007d0ffffffffffffffff00"
        );
        transaction.client_version = 2;
        transaction.state = State::CompleteCommit;
        assert_eq!(
            value(image("tx", &transaction)),
            "0001000000000000000400020000ea60040100000000000007d0ffffffffffffffff0102020002"
        );
        transaction.state = State::Ongoing;
        transaction.start_ms = 1000;
        transaction
            .partitions
            .insert(StrBytes::from_static_str("orders"), [0, 2].into());
        assert_eq!(
            value(image("tx", &transaction)),
            "0001000000000000000400020000ea600102076f72646572730300000000000000020000000000000007d000000000000003e80102020002"
        );
    }
}
