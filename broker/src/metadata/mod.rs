//! What the broker knows about its data, as against the data itself.
//!
//! Everything here lives in one embedded key-value store ([`store`]), the only file that names sled.
//! Record bytes never come here: they are in segment files (see [`crate::log`]).
//!
//! | tree | key | value | module |
//! |---|---|---|---|
//! | `log` | topic id (16) · partition (4, big endian) · kind (1) · rest | see [`segments`] | [`segments`] |
//! | `topics` | name | JSON: id, partitions, what is set for it | [`topics`] |
//! | `configs` | `broker/<node id>`, `broker/` | JSON: what was changed while the broker ran | [`configs`] |
//! | `credentials` | mechanism (1) · user | JSON: salt, iterations, keys | [`credentials`] |
//! | `broker` | `cluster_id`, `running`, `unclean_stops` | text | [`configs`] |
//! | `broker` | `next_producer_id_block` | 8, big endian | [`producer_ids`] |
//! | `groups` | group id (length, text) · kind (1) · rest | see [`groups`] | [`groups`] |
//! | `quotas` | JSON: names by kind of entity | JSON: quotas by key | [`quotas`] |
//! | `internal_topics` | name | topic id (16) · partitions, unclean stops (4 each, big endian) | [`agreements`] |
//! | `transactions` | transactional id | JSON: producer, state, partitions | [`transactions`] |
//!
//! Values are small: a fixed binary layout that starts with a version byte, or JSON. What is acknowledged
//! to a client and lives only here is flushed ([`store::Store::flush`]) before the reply; what can be derived
//! from the segment files is not.

pub(crate) mod agreements;
pub(crate) mod configs;
pub(crate) mod credentials;
pub mod groups;
pub(crate) mod producer_ids;
pub(crate) mod quotas;
pub mod segments;
pub mod store;
pub(crate) mod topics;
pub mod transactions;

mod data_directory;
mod flushes;
mod memory;
