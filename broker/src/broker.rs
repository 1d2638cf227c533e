//! The broker as a whole: what all its parts share.

use std::sync::Arc;

use crate::clock::Clock;

/// What every request handler can reach.
#[derive(Debug)]
pub(crate) struct BrokerState {
    /// `node.id`.
    pub node_id: i32,
    /// The cluster's id, 22 characters of base64, made with the data directory.
    pub cluster_id: String,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// Starts brokers.
#[derive(Debug)]
pub struct Broker;
