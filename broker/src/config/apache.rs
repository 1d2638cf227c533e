//! Apache Kafka's own definitions of its properties: names, types, defaults, what values are good, how they can be changed,
//! and their documentation.
//!
//! The tables are generated (`cargo xtask configs`) and sorted by name. They say what Apache Kafka has, not what has an
//! effect here: that is in [`super::broker_properties`] and [`super::topic_properties`].

use super::definition::{
    Definition,
    Kind::{self, *},
    Update::{self, *},
    Valid::{self, *},
};

mod broker;
mod client_metrics;
mod group;
mod topic;

pub(crate) use broker::BROKER;
pub(crate) use client_metrics::CLIENT_METRICS;
pub(crate) use group::GROUP;
pub(crate) use topic::TOPIC;

const fn property(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    valid: Valid,
    update: Update,
    documentation: &'static str,
) -> Definition {
    Definition {
        name,
        kind,
        default,
        valid,
        update,
        internal: false,
        documentation,
    }
}

impl Definition {
    const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }
}

/// The property of a table with this name.
pub(crate) fn find(table: &'static [Definition], name: &str) -> Option<&'static Definition> {
    table
        .binary_search_by_key(&name, |definition| definition.name)
        .ok()
        .map(|at| &table[at])
}
