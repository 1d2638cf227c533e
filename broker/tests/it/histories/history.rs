//! What clients did and saw, as they saw it. Facts only; [`super::check`] judges them.
//!
//! `at` is a place in the order of everything that happened in the process of the clients: a number taken before a call
//! (`invoked`) or after its return (`done`). What was done before something else was invoked came first for everybody.

/// A record where it was seen. Each value is sent once in a history, so that it tells the send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) value: u64,
}

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ack {
    /// It was acknowledged at this offset.
    At(i64),
    /// It may be stored or not.
    Unknown,
}

/// A record handed to a producer, in the producer's own order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Send {
    /// The producer: a life between `init` and end, never reused.
    pub(crate) producer: usize,
    pub(crate) invoked: u64,
    pub(crate) partition: i32,
    pub(crate) value: u64,
    pub(crate) ack: Ack,
    /// Index of its transaction.
    pub(crate) transaction: Option<usize>,
}

/// How a transaction ended, for all that its producer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    Aborted,
    /// Nobody told: all of it is there, or nothing.
    Unknown,
}

/// A transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) producer: usize,
    pub(crate) fate: Fate,
    /// When its end was asked for.
    pub(crate) end_invoked: u64,
}

/// A transactional producer that is ready, which fences those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) transactional_id: usize,
    pub(crate) producer: usize,
    pub(crate) invoked: u64,
    pub(crate) done: u64,
}

/// `isolation.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    Uncommitted,
    Committed,
}

/// What one consumer was given of one partition, from an assignment of it to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) isolation: Isolation,
    /// The group, if its committed offset says where to begin; otherwise it begins at 0.
    pub(crate) group: Option<usize>,
    pub(crate) partition: i32,
    pub(crate) assigned: u64,
    /// In the order in which they came.
    pub(crate) seen: Vec<Seen>,
}

/// An offset committed for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) group: usize,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) invoked: u64,
    /// When it was acknowledged, if it was.
    pub(crate) done: Option<u64>,
}

/// A value made from another one, in one transaction with the offset of that other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Derived {
    pub(crate) value: u64,
    pub(crate) from: u64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) sends: Vec<Send>,
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) inits: Vec<Init>,
    pub(crate) readings: Vec<Reading>,
    pub(crate) commits: Vec<Commit>,
    pub(crate) derived: Vec<Derived>,
    /// Partitions whose every record has to have been derived from, once.
    pub(crate) sources: Vec<i32>,
    /// Everything that `read_uncommitted` shows when all is over, partition after partition, in order.
    pub(crate) log: Vec<Seen>,
    /// Everything that `read_committed` shows then.
    pub(crate) committed_log: Vec<Seen>,
    /// What no client may meet at all: a fatal error, an offset out of range.
    pub(crate) broken: Vec<String>,
}
