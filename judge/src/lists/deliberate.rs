//! Every difference that is to stay, explained.

use super::Deliberate;

/// What differs on purpose, by API key.
pub const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        api: "DescribeGroups",
        case: "a group before its assignment",
        path: "Groups[].**",
        why: "A classic group is described from its first member on. Apache Kafka does not see it before something of its \
              coordinator has been committed since, and answers that there is no such group.",
    },
    Deliberate {
        api: "ConsumerGroupHeartbeat",
        case: "a classic group's name",
        path: "*",
        why: "A group has members of one protocol, as in an Apache Kafka with `group.consumer.migration.policy=disabled`; the \
              default there is to let members change over one by one.",
    },
    Deliberate {
        api: "ConsumerGroupHeartbeat",
        case: "an expression that is none",
        path: "ErrorMessage",
        why: "What is wrong with an expression is said in the words of another library.",
    },
];
