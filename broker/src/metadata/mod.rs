//! What the broker knows about its data, as against the data itself.
//!
//! Everything here lives in one embedded key-value store ([`store`]), the only file that names sled.
//! Record bytes never come here: they are in segment files (see [`crate::log`]).
//!
//! | tree | key | value | module |
//! |---|---|---|---|
//! | `log` | topic id (16) · partition (4, big endian) · kind (1) · rest | see [`segments`] | [`segments`] |
//! | `groups` | group id (length, text) · kind (1) · rest | see [`groups`] | [`groups`] |
//!
//! Values are small: a fixed binary layout that starts with a version byte, or JSON. What is acknowledged
//! to a client and lives only here is flushed ([`store::Store::flush`]) before the reply; what can be derived
//! from the segment files is not.

pub mod groups;
pub mod segments;
pub mod store;

mod memory;
