//! What the tests share: a counting allocator, a raw client, made-up messages, and the decoder for each of them.

pub(crate) mod alloc;
pub(crate) mod broker;
#[allow(dead_code, reason = "its users come with the broker")]
pub(crate) mod client;
pub(crate) mod codecs;
pub(crate) mod generate;
pub(crate) mod seed;
