//! Every difference that is to stay, explained.

use super::{Deliberate, Differs};

const ANNOUNCED: &str =
    "Only APIs that are served and features that work are announced; the table above names what is missing.";

/// The keys of APIs that ours does not serve.
macro_rules! not_announced {
    ($($key:literal)*) => {
        &[$(Differs(concat!("ApiKeys[", $key, "]"), "null", concat!("{\"ApiKey\":", $key, ",*}"))),*]
    };
}

/// What differs on purpose, by API key.
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
        api: "ApiVersions",
        case: "*",
        differences: not_announced! { 49 51 76 77 78 79 83 84 85 86 87 90 91 92 },
        why: ANNOUNCED,
    },
    Deliberate {
        api: "ApiVersions",
        case: "*",
        differences: &[
            Differs(
                r#"FinalizedFeatures["eligible.leader.replicas.version"]"#,
                "null",
                r#"{"MaxVersionLevel":*,"Name":"eligible.leader.replicas.version"}"#,
            ),
            Differs(
                r#"FinalizedFeatures["kraft.version"]"#,
                "null",
                r#"{"MaxVersionLevel":*,"Name":"kraft.version"}"#,
            ),
            Differs(
                r#"SupportedFeatures["eligible.leader.replicas.version"]"#,
                "null",
                r#"{"MaxVersion":*,"Name":"eligible.leader.replicas.version"}"#,
            ),
            Differs(
                r#"SupportedFeatures["kraft.version"]"#,
                "null",
                r#"{"MaxVersion":*,"Name":"kraft.version"}"#,
            ),
            Differs(
                r#"SupportedFeatures["share.version"]"#,
                "null",
                r#"{"MaxVersion":*,"Name":"share.version"}"#,
            ),
        ],
        why: ANNOUNCED,
    },
    Deliberate {
        api: "DescribeConfigs",
        case: "loggers",
        differences: &[
            Differs(r#"Results[0].Configs["tickertape_broker::*"]"#, "{*}", "null"),
            Differs(r#"Results[0].Configs["org.apache.kafka.*"]"#, "null", "{*}"),
            Differs(r#"Results[0].Configs["root"].Value"#, r#""*""#, r#""ERROR""#),
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
    Deliberate {
        api: "UpdateFeatures",
        case: "transaction.version",
        differences: &[
            Differs("ErrorCode", "95", "0"),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid update version 0 for feature transaction.version. This broker's features are those of its build and do not change.""#,
                "null",
            ),
            Differs(
                "Results[0]",
                "null",
                r#"{"ErrorCode":0,"ErrorMessage":"NONE","Feature":"transaction.version"}"#,
            ),
        ],
        why: "The features are those of the build: a level is not changed, and those that have no meaning here are not there.",
    },
    Deliberate {
        api: "UpdateFeatures",
        case: "share.version",
        differences: &[
            Differs("ErrorCode", "95", "0"),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid update version * for feature share.version. Feature share.version not found.""#,
                "*",
            ),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid update version * for feature share.version. Local controller 1 does not support this feature.""#,
                "*",
            ),
            Differs(
                "Results[0]",
                "null",
                r#"{"ErrorCode":0,"ErrorMessage":"NONE","Feature":"share.version"}"#,
            ),
        ],
        why: "The features are those of the build: a level is not changed, and those that have no meaning here are not there.",
    },
    Deliberate {
        api: "UpdateFeatures",
        case: "eligible.leader.replicas.version",
        differences: &[
            Differs("ErrorCode", "95", "0"),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid update version * for feature eligible.leader.replicas.version. Feature eligible.leader.replicas.version not found.""#,
                "*",
            ),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid update version * for feature eligible.leader.replicas.version. Local controller 1 does not support this feature.""#,
                "*",
            ),
            Differs(
                "Results[0]",
                "null",
                r#"{"ErrorCode":0,"ErrorMessage":"NONE","Feature":"eligible.leader.replicas.version"}"#,
            ),
        ],
        why: "The features are those of the build: a level is not changed, and those that have no meaning here are not there.",
    },
    Deliberate {
        api: "UpdateFeatures",
        case: "kraft.version",
        differences: &[
            Differs("ErrorCode", "95", "0"),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid update version * for feature kraft.version. Feature kraft.version not found.""#,
                "*",
            ),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid update version * for feature kraft.version. Local controller 1 does not support this feature.""#,
                "*",
            ),
            Differs(
                "Results[0]",
                "null",
                r#"{"ErrorCode":0,"ErrorMessage":"NONE","Feature":"kraft.version"}"#,
            ),
        ],
        why: "The features are those of the build: a level is not changed, and those that have no meaning here are not there.",
    },
    Deliberate {
        api: "UpdateFeatures",
        case: "group.version",
        differences: &[
            Differs("ErrorCode", "95", "0"),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid update version 0 for feature group.version. This broker's features are those of its build and do not change.""#,
                "null",
            ),
            Differs(
                "Results[0]",
                "null",
                r#"{"ErrorCode":0,"ErrorMessage":"NONE","Feature":"group.version"}"#,
            ),
        ],
        why: "The features are those of the build: a level is not changed, and those that have no meaning here are not there.",
    },
    Deliberate {
        api: "UpdateFeatures",
        case: "metadata.version",
        differences: &[
            Differs("ErrorCode", "95", "0"),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid metadata.version 26. Refusing to perform the requested downgrade because it might delete metadata information.""#,
                "null",
            ),
            Differs(
                "ErrorMessage",
                r#""The update failed for all features since the following feature had an error: Invalid metadata.version 26. Unsafe metadata downgrade is not supported in this version.""#,
                "null",
            ),
            Differs(
                "Results[0]",
                "null",
                r#"{"ErrorCode":0,"ErrorMessage":"NONE","Feature":"metadata.version"}"#,
            ),
        ],
        why: "The features are those of the build: a level is not changed, and those that have no meaning here are not there.",
    },
    Deliberate {
        api: "DescribeGroups",
        case: "a group before its assignment",
        differences: &[Differs("Groups[0].*", "*", "*")],
        why: "A classic group is described from its first member on. Apache Kafka does not see it before something of its coordinator has been committed since, and answers that there is no such group.",
    },
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
