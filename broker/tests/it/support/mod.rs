//! What the tests share: a raw client and the calls made most, the broker as a process, made-up messages and the decoder
//! of each, a counting allocator, seeds.

pub(crate) mod alloc;
pub(crate) mod broker;
pub(crate) mod calls;
pub(crate) mod client;
pub(crate) mod codecs;
pub(crate) mod generate;
pub(crate) mod process;
pub(crate) mod seed;
pub(crate) mod transactional;
