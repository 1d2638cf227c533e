//! Every difference that is to stay, explained: by API in the order of keys, then by case, then by place.
//!
//! Shapes of entries that come again have a macro each: `not_announced`, `not_there`, `unchanged`, `absent`.

use super::{Deliberate, Differs};

const ANNOUNCED: &str =
    "Only APIs that are served and features that work are announced; the table above names what is missing.";

const FEATURES: &str =
    "The features are those of the build: a level is not changed, and those that have no meaning here are not there.";

/// The keys of APIs that ours does not serve.
macro_rules! not_announced {
    ($($key:literal)*) => {
        &[$(Differs(concat!("ApiKeys[", $key, "]"), "null", concat!("{\"ApiKey\":", $key, ",*}"))),*]
    };
}

/// A feature, in a list of ApiVersions, that ours has not: the list, the field of its level, the name.
macro_rules! not_there {
    ($list:literal $level:literal $feature:literal) => {
        Differs(
            concat!($list, "[\"", $feature, "\"]"),
            "null",
            concat!("{\"", $level, "\":*,\"Name\":\"", $feature, "\"}"),
        )
    };
}

/// UpdateFeatures of a feature whose level ours does not change: what Apache Kafka has for a message, and what ours says.
macro_rules! unchanged {
    ($feature:literal, $theirs:literal, $([$($says:literal)+])+) => {
        Deliberate {
            api: "UpdateFeatures",
            case: $feature,
            differences: &[
                Differs("ErrorCode", "95", "0"),
                $(Differs(
                    "ErrorMessage",
                    concat!(
                        "\"The update failed for all features since the following feature had an error: Invalid ",
                        $($says,)+
                        "\""
                    ),
                    $theirs,
                ),)+
                Differs(
                    "Results[0]",
                    "null",
                    concat!("{\"ErrorCode\":0,\"ErrorMessage\":\"NONE\",\"Feature\":\"", $feature, "\"}"),
                ),
            ],
            why: FEATURES,
        }
    };
}

/// As `unchanged`, of a feature that ours has not.
macro_rules! absent {
    ($feature:literal) => {
        unchanged!(
            $feature,
            "*",
            ["update version * for feature " $feature ". Feature " $feature " not found."]
            ["update version * for feature " $feature ". Local controller 1 does not support this feature."]
        )
    };
}

/// What differs on purpose.
pub const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        api: "OffsetCommit",
        case: "a group of which nothing could be committed",
        differences: &[
            Differs("Groups[0].ErrorCode", "69", "0"),
            Differs("Groups[0].ErrorMessage", r#""Group * not found.""#, "null"),
            Differs("Groups[0].GroupState", r#""Dead""#, r#""Empty""#),
        ],
        why: "A group that could not commit anything is not there; Apache Kafka keeps an empty one in memory.",
    },
    Deliberate {
        api: "DescribeGroups",
        case: "a group before its assignment",
        differences: &[Differs("Groups[0].*", "*", "*")],
        why: "A classic group is described from its first member on. Apache Kafka does not see it before something of its coordinator has been committed since, and answers that there is no such group.",
    },
    Deliberate {
        api: "ApiVersions",
        case: "*",
        differences: not_announced! { 76 77 78 79 83 84 85 86 87 90 91 92 },
        why: ANNOUNCED,
    },
    Deliberate {
        api: "ApiVersions",
        case: "*",
        differences: &[
            not_there!("FinalizedFeatures" "MaxVersionLevel" "eligible.leader.replicas.version"),
            not_there!("FinalizedFeatures" "MaxVersionLevel" "kraft.version"),
            not_there!("SupportedFeatures" "MaxVersion" "eligible.leader.replicas.version"),
            not_there!("SupportedFeatures" "MaxVersion" "kraft.version"),
            not_there!("SupportedFeatures" "MaxVersion" "share.version"),
        ],
        why: ANNOUNCED,
    },
    Deliberate {
        api: "DescribeConfigs",
        case: "loggers",
        differences: &[
            Differs(r#"Results[0].Configs["org.apache.kafka.*"]"#, "null", "{*}"),
            Differs(r#"Results[0].Configs["root"].Value"#, r#""*""#, r#""ERROR""#),
            Differs(r#"Results[0].Configs["tickertape_broker::*"]"#, "{*}", "null"),
        ],
        why: "Each has loggers of its own parts, at the levels that its process was started with.",
    },
    Deliberate {
        api: "DescribeQuorum",
        case: "the controllers",
        differences: &[Differs(
            "Topics[0].Partitions[0].CurrentVoters[0].ReplicaDirectoryId",
            r#""AAAAAAAAAAAAAAAAAAAAAA""#,
            "*",
        )],
        why: "A data directory has no id of its own.",
    },
    absent!("eligible.leader.replicas.version"),
    unchanged!(
        "group.version",
        "null",
        [
            "update version 0 for feature group.version. This broker's features are those of its build and do not change."
        ]
    ),
    absent!("kraft.version"),
    unchanged!(
        "metadata.version",
        "null",
        [
            "metadata.version 26. Refusing to perform the requested downgrade because it might delete metadata information."
        ]["metadata.version 26. Unsafe metadata downgrade is not supported in this version."]
    ),
    absent!("share.version"),
    unchanged!(
        "transaction.version",
        "null",
        [
            "update version 0 for feature transaction.version. This broker's features are those of its build and do not change."
        ]
    ),
    Deliberate {
        api: "ConsumerGroupHeartbeat",
        case: "an expression that is none",
        differences: &[Differs(
            "ErrorMessage",
            r#""SubscribedTopicRegex `[` is not a valid regular expression: *""#,
            r#""SubscribedTopicRegex `[` is not a valid regular expression: missing closing ].""#,
        )],
        why: "What is wrong with an expression is said in the words of another library.",
    },
];
