//! Groups under a simulated clock: a [`World`](world::World) that carries decisions out as the runtime does, clients that
//! follow the protocol, and the properties that must hold whatever happens to them.

mod client;
mod consumers;
mod mixed;
mod properties;
mod published;
mod scenarios;
mod world;
