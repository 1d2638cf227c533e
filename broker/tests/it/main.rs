//! The broker from outside: over its wire format, and over real sockets.

mod support;
mod wire;

#[global_allocator]
static ALLOCATOR: support::alloc::Counting = support::alloc::Counting;
