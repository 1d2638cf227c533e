//! The coordinator without a broker: producers, partitions and a store that can lose what it has not flushed.

mod properties;
mod scenarios;
mod world;
