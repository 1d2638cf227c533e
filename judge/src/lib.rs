//! Apache Kafka beside ours, as the judge of what "compatible" means.
//!
//! - [`apache`] starts Apache Kafka; [`ours`] starts ours the same way; [`both`] asks both the same
//! - [`value`] turns JSON trees into any message of any version and back, by the broker's table of shapes
//! - [`client`] asks one broker over a raw connection
//! - [`compare`] finds every place where two answers differ, but for what [`lists`] allows
//! - [`mod@bench`] measures both, and writes docs/benchmarks.md
//! - [`scenario`] makes up sequences of actions, performs them on both, and compares answers and what can be seen after
//! - [`issued`] names what each gave out for itself
//! - [`cases`] is what is asked, one file per API; [`run`] asks it in every version; [`report`] says what came out
//!
//! It knows the table of shapes, and running brokers through their sockets; nothing of how the broker works.

pub mod apache;
pub mod bench;
pub mod both;
pub mod cases;
pub mod client;
pub mod compare;
mod embedded;
mod found;
pub mod issued;
pub mod lists;
pub mod ours;
pub mod records;
pub mod report;
pub mod run;
pub mod scenario;
pub mod value;

/// Properties that both brokers are started with, so that what is compared is the answer and not the configuration.
pub const PROPERTIES: &[(&str, &str)] = &[
    ("node.id", "1"),
    // Nobody waits three seconds for each group.
    ("group.initial.rebalance.delay.ms", "0"),
    // What was sent first is taken first, also from several connections: scenarios depend on it.
    ("num.network.threads", "1"),
    ("num.io.threads", "1"),
    ("group.coordinator.append.linger.ms", "0"),
    // Records may be as old as a case wants them: none is taken away while it is asked for.
    ("log.retention.ms", "-1"),
];
