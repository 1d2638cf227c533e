//! The broker's own topics as clients see them: `__consumer_offsets` and `__transaction_state`, with records in Apache
//! Kafka's formats.
//!
//! The coordinators' state is in the metadata store; these topics repeat it, for whoever reads them: monitoring programs,
//! Apache Kafka's formatters, its tool that shows log files. What holds:
//!
//! - A change is appended here right before it is stored, under the lock of its group or transactional id. So the records of
//!   one group are in the order of its changes, and a change that cannot be appended does not happen, as in Apache Kafka.
//! - The last record of each key says what the coordinator has. Offsets of an open transaction are a transactional batch,
//!   which counts from the marker on. Where a crash came between the append and the store, the start puts it right
//!   ([`fold`] reads a log, [`repair`] says what is missing).
//! - A topic that was just made begins with everything that there is.
//! - A topic that does not exist takes nothing, and nobody waits for it: clients that look for a coordinator make it.
//!
//! [`groups`] and [`transactions`] are pure: from records of a coordinator to keys and values. [`topic`] appends. Nothing
//! here is ever read to decide anything.

pub(crate) mod fold;
pub(crate) mod groups;
mod layout;
pub(crate) mod repair;
pub(crate) mod topic;
pub(crate) mod transactions;

/// One record: a key, and a value or a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// A version and the fields that name what the record is about.
    pub key: Vec<u8>,
    /// A version and the fields; `None` where there is nothing any more.
    pub value: Option<Vec<u8>>,
}

impl Entry {
    fn put(key: Vec<u8>, value: Vec<u8>) -> Entry {
        Entry {
            key,
            value: Some(value),
        }
    }

    fn tombstone(key: Vec<u8>) -> Entry {
        Entry { key, value: None }
    }
}

/// The producer in whose transaction records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}
