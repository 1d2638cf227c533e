//! Every difference that is to stay, explained.

use super::Deliberate;

/// What differs on purpose, by API key.
pub const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        api: "Produce",
        case: "a transaction that is not open",
        path: "Responses[].**",
        why: "Transactions are not served: a transactional batch is refused at once, where Apache Kafka first looks for the transaction's coordinator.",
    },
    Deliberate {
        api: "Produce",
        case: "a codec that there is not",
        path: "Responses[].**",
        why: "Not yet the same: the text or the log start offset beside the refusal of a batch that is no batch.",
    },
    Deliberate {
        api: "Produce",
        case: "a length below zero",
        path: "Responses[].**",
        why: "Not yet the same: the text or the log start offset beside the refusal of a batch that is no batch.",
    },
    Deliberate {
        api: "Fetch",
        case: "a limit within the second batch",
        path: "Responses[].**",
        why: "Whole batches only: Apache Kafka fills the limit up with a part of the next batch, which clients drop.",
    },
    Deliberate {
        api: "Metadata",
        case: "a topic that is made by asking",
        path: "Topics[].**",
        why: "A topic that is made because it was asked for is answered with its partitions at once; Apache Kafka answers an error first, and the client asks again.",
    },
    Deliberate {
        api: "ApiVersions",
        case: "*",
        path: "ApiKeys[]",
        why: "Only APIs that are served and features that work are announced; the table above names what is missing.",
    },
    Deliberate {
        api: "ApiVersions",
        case: "*",
        path: "FinalizedFeatures[]",
        why: "Only APIs that are served and features that work are announced; the table above names what is missing.",
    },
    Deliberate {
        api: "ApiVersions",
        case: "*",
        path: "SupportedFeatures[]",
        why: "Only APIs that are served and features that work are announced; the table above names what is missing.",
    },
    Deliberate {
        api: "CreateTopics",
        case: "a time-out of zero",
        path: "Topics[].**",
        why: "A topic is judged and made at once, so that a time-out of zero is never over; Apache Kafka's controller finds that it is.",
    },
    Deliberate {
        api: "DescribeConfigs",
        case: "loggers",
        path: "Results[].**",
        why: "Loggers and groups have no properties here yet.",
    },
    Deliberate {
        api: "DescribeConfigs",
        case: "a group",
        path: "Results[].**",
        why: "Loggers and groups have no properties here yet.",
    },
    Deliberate {
        api: "DescribeLogDirs",
        case: "*",
        path: "Results[].Topics[].**",
        why: "Not yet the same: Apache Kafka merges a topic that is named twice and leaves out one without partitions.",
    },
    Deliberate {
        api: "CreatePartitions",
        case: "more than one request may make",
        path: "Results[].**",
        why: "Not yet the same: Apache Kafka answers with an unexpected error and no text, here the limit is named.",
    },
    Deliberate {
        api: "IncrementalAlterConfigs",
        case: "loggers",
        path: "Responses[].**",
        why: "Loggers and groups have no properties here yet.",
    },
    Deliberate {
        api: "IncrementalAlterConfigs",
        case: "a group",
        path: "Responses[].**",
        why: "Loggers and groups have no properties here yet.",
    },
    Deliberate {
        api: "DescribeTopicPartitions",
        case: "an empty name",
        path: "Topics[].**",
        why: "Not yet the same: Apache Kafka names an invalid cursor or name as an error at each topic, here the connection is closed or the name refused.",
    },
    Deliberate {
        api: "DescribeTopicPartitions",
        case: "from a topic that is not asked for",
        path: "",
        why: "Not yet the same: Apache Kafka names an invalid cursor or name as an error at each topic, here the connection is closed or the name refused.",
    },
    Deliberate {
        api: "DescribeTopicPartitions",
        case: "from below zero",
        path: "",
        why: "Not yet the same: Apache Kafka names an invalid cursor or name as an error at each topic, here the connection is closed or the name refused.",
    },
    Deliberate {
        api: "DescribeGroups",
        case: "a group before its assignment",
        path: "Groups[].**",
        why: "A classic group is described from its first member on. Apache Kafka does not see it before something of its \
              coordinator has been committed since, and answers that there is no such group.",
    },
    Deliberate {
        api: "ConsumerGroupHeartbeat",
        case: "an expression that is none",
        path: "ErrorMessage",
        why: "What is wrong with an expression is said in the words of another library.",
    },
];
