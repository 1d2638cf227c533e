//! What the tests share: a counting allocator, made-up messages, and the decoder for each of them.

pub(crate) mod alloc;
pub(crate) mod codecs;
pub(crate) mod generate;
