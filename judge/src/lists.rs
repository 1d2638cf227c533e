//! What need not be the same: one list of what may differ, one of what has no order, one of what differs on purpose, and
//! one of what scenarios leave out or do not look at.
//!
//! Each entry says why. An entry that nothing needs any more is found by a whole run ([`Lists::unused`],
//! [`Lists::unused_exceptions`]) and fails it, so the lists only hold what is so.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::compare::Difference;

mod deliberate;
mod exceptions;

pub use deliberate::DELIBERATE;
pub use exceptions::{EXCEPTIONS, Excepted, Exception};

/// A field whose value tells brokers apart, or moments. It must still be there on both sides, and be of the same kind: both
/// negative or neither, both empty or neither.
#[derive(Debug)]
pub struct MayDiffer {
    /// The API by name; `*` is any.
    pub api: &'static str,
    /// The path as [`crate::compare::Difference::path`]; after `**.` only its end.
    pub path: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// An array whose order means nothing.
#[derive(Debug)]
pub struct Unordered {
    /// The API by name; `*` is any.
    pub api: &'static str,
    /// The array's path, ending in `[]`.
    pub path: &'static str,
    /// The fields that tell one element from another; none where the elements are values.
    pub by: &'static [&'static str],
    /// Why.
    pub reason: &'static str,
}

/// Differences that are to stay.
#[derive(Debug)]
pub struct Deliberate {
    /// The API by name.
    pub api: &'static str,
    /// The case by name, with `*` for any text.
    pub case: &'static str,
    /// Each difference. One that is not as it says is a new one.
    pub differences: &'static [Differs],
    /// What is different and why, for `docs/compatibility.md`. Entries with one text are one difference there.
    pub why: &'static str,
}

/// Where answers differ and in what: the place as [`Difference::place`], what ours has there and what Apache Kafka has, as
/// JSON (`null` also where there is nothing); in each, `*` is any text.
#[derive(Debug)]
pub struct Differs(pub &'static str, pub &'static str, pub &'static str);

/// The id of no topic.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Cases whose difference depends on what else has happened: their entries need not be needed.
const SOMETIMES: &[&str] = &["a group before its assignment"];

/// What may differ.
pub const MAY_DIFFER: &[MayDiffer] = &[
    MayDiffer {
        api: "*",
        path: "**.Port",
        reason: "each has its own",
    },
    MayDiffer {
        api: "CreateTopics",
        path: "Topics[].TopicId",
        reason: "each gives its own; it is there or not alike",
    },
    MayDiffer {
        api: "Fetch",
        path: "SessionId",
        reason: "drawn at random; there is one or not alike",
    },
    MayDiffer {
        api: "InitProducerId",
        path: "ProducerId",
        reason: "each counts its own; it is one or -1 alike",
    },
    MayDiffer {
        api: "Produce",
        path: "**.LogAppendTimeMs",
        reason: "the time on the broker",
    },
    MayDiffer {
        api: "ApiVersions",
        path: "FinalizedFeaturesEpoch",
        reason: "an offset in Apache Kafka's own metadata log",
    },
    MayDiffer {
        api: "DescribeLogDirs",
        path: "Results[].LogDir",
        reason: "each has its own directory",
    },
    MayDiffer {
        api: "DescribeLogDirs",
        path: "Results[].UsableBytes",
        reason: "the disk is in use",
    },
    MayDiffer {
        api: "DescribeQuorum",
        path: "**.LastFetchTimestamp",
        reason: "the time of the answer",
    },
    MayDiffer {
        api: "DescribeQuorum",
        path: "**.LastCaughtUpTimestamp",
        reason: "the time of the answer",
    },
    MayDiffer {
        api: "DescribeQuorum",
        path: "**.LeaderEpoch",
        reason: "Apache Kafka's controller elects itself again where it was kept from running",
    },
    MayDiffer {
        api: "DescribeQuorum",
        path: "**.HighWatermark",
        reason: "an offset in Apache Kafka's own metadata log",
    },
    MayDiffer {
        api: "DescribeQuorum",
        path: "**.LogEndOffset",
        reason: "an offset in Apache Kafka's own metadata log",
    },
    MayDiffer {
        api: "*",
        path: "ClusterId",
        reason: "each is a cluster of its own",
    },
    MayDiffer {
        api: "JoinGroup",
        path: "**.MemberId",
        reason: "a classic member's id is made up by the broker",
    },
    MayDiffer {
        api: "JoinGroup",
        path: "Leader",
        reason: "a classic member's id is made up by the broker",
    },
    MayDiffer {
        api: "LeaveGroup",
        path: "Members[].MemberId",
        reason: "a classic member's id is made up by the broker",
    },
    MayDiffer {
        api: "DescribeGroups",
        path: "Groups[].Members[].MemberId",
        reason: "a classic member's id is made up by the broker",
    },
    MayDiffer {
        api: "AddRaftVoter",
        path: "ErrorMessage",
        reason: "it names the cluster's id, or the directories of its voters",
    },
    MayDiffer {
        api: "RemoveRaftVoter",
        path: "ErrorMessage",
        reason: "it names the cluster's id, or the directories of its voters",
    },
];

/// What has no order.
pub const UNORDERED: &[Unordered] = &[
    Unordered {
        api: "AlterReplicaLogDirs",
        path: "Results[].Partitions[]",
        by: &["PartitionIndex"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "AddPartitionsToTxn",
        path: "ResultsByTransaction[]",
        by: &["TransactionalId"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "AddPartitionsToTxn",
        path: "ResultsByTransaction[].TopicResults[]",
        by: &["Name"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "AddPartitionsToTxn",
        path: "ResultsByTransaction[].TopicResults[].ResultsByPartition[]",
        by: &["PartitionIndex"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "AddPartitionsToTxn",
        path: "ResultsByTopicV3AndBelow[]",
        by: &["Name"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "AddPartitionsToTxn",
        path: "ResultsByTopicV3AndBelow[].ResultsByPartition[]",
        by: &["PartitionIndex"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeTransactions",
        path: "TransactionStates[].Topics[]",
        by: &["Topic"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeTransactions",
        path: "TransactionStates[].Topics[].Partitions[]",
        by: &[],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ListTransactions",
        path: "TransactionStates[]",
        by: &["TransactionalId"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ListTransactions",
        path: "UnknownStateFilters[]",
        by: &[],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "WriteTxnMarkers",
        path: "Markers[]",
        by: &["ProducerId"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "WriteTxnMarkers",
        path: "Markers[].Topics[]",
        by: &["Name"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "WriteTxnMarkers",
        path: "Markers[].Topics[].Partitions[]",
        by: &["PartitionIndex"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "TxnOffsetCommit",
        path: "Topics[]",
        by: &["Name"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "TxnOffsetCommit",
        path: "Topics[].Partitions[]",
        by: &["PartitionIndex"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ElectLeaders",
        path: "ReplicaElectionResults[]",
        by: &["Topic"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ElectLeaders",
        path: "ReplicaElectionResults[].PartitionResult[]",
        by: &["PartitionId"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ListConfigResources",
        path: "ConfigResources[]",
        by: &["ResourceType", "ResourceName"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeProducers",
        path: "Topics[].Partitions[].ActiveProducers[]",
        by: &["ProducerId"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeClientQuotas",
        path: "Entries[]",
        by: &["Entity"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeClientQuotas",
        path: "Entries[].Values[]",
        by: &["Key"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "AlterClientQuotas",
        path: "Entries[]",
        by: &["Entity"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeUserScramCredentials",
        path: "Results[]",
        by: &["User"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeUserScramCredentials",
        path: "Results[].CredentialInfos[]",
        by: &["Mechanism"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "AlterUserScramCredentials",
        path: "Results[]",
        by: &["User"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "CreatePartitions",
        path: "Results[]",
        by: &["Name"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeLogDirs",
        path: "Results[].Topics[].Partitions[]",
        by: &["PartitionIndex"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeLogDirs",
        path: "Results[].Topics[]",
        by: &["Name"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DescribeConfigs",
        path: "Results[].Configs[]",
        by: &["Name"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DeleteRecords",
        path: "Topics[].Partitions[]",
        by: &["PartitionIndex"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DeleteRecords",
        path: "Topics[]",
        by: &["Name"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "DeleteTopics",
        path: "Responses[]",
        by: &["Name", "TopicId", "ErrorCode"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ListOffsets",
        path: "Topics[].Partitions[]",
        by: &["PartitionIndex"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ListOffsets",
        path: "Topics[]",
        by: &["Name"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "Produce",
        path: "Responses[]",
        by: &["Name", "TopicId"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "Produce",
        path: "Responses[].PartitionResponses[]",
        by: &["Index"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "Metadata",
        path: "Topics[]",
        by: &["Name", "TopicId"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "Metadata",
        path: "Topics[].Partitions[]",
        by: &["PartitionIndex"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ConsumerGroupDescribe",
        path: "Groups[]",
        by: &["GroupId"],
        reason: "Apache Kafka answers in the order in which its coordinators do",
    },
    Unordered {
        api: "ConsumerGroupDescribe",
        path: "Groups[].Members[]",
        by: &["MemberId"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ListGroups",
        path: "Groups[]",
        by: &["GroupId"],
        reason: "Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "OffsetFetch",
        path: "Groups[].Topics[].Partitions[]",
        by: &["PartitionIndex"],
        reason: "of all that a group has, Apache Kafka answers in the order of a hash table",
    },
    Unordered {
        api: "ApiVersions",
        path: "ApiKeys[]",
        by: &["ApiKey"],
        reason: "a set: clients look an API up by its key",
    },
    Unordered {
        api: "ApiVersions",
        path: "SupportedFeatures[]",
        by: &["Name"],
        reason: "a set: clients look a feature up by its name",
    },
    Unordered {
        api: "ApiVersions",
        path: "FinalizedFeatures[]",
        by: &["Name"],
        reason: "a set: clients look a feature up by its name",
    },
];

/// The lists, and which of their entries were needed.
#[derive(Debug)]
pub struct Lists {
    may_differ: &'static [MayDiffer],
    unordered: &'static [Unordered],
    deliberate: &'static [Deliberate],
    exceptions: &'static [Excepted],
    used: RefCell<BTreeSet<(&'static str, usize)>>,
}

impl Default for Lists {
    fn default() -> Self {
        Self::new(MAY_DIFFER, UNORDERED, DELIBERATE)
    }
}

impl Lists {
    /// Lists of which nothing was needed yet.
    #[must_use]
    pub fn new(
        may_differ: &'static [MayDiffer],
        unordered: &'static [Unordered],
        deliberate: &'static [Deliberate],
    ) -> Self {
        Self {
            may_differ,
            unordered,
            deliberate,
            exceptions: EXCEPTIONS,
            used: RefCell::default(),
        }
    }

    pub(crate) fn may_differ(&self, api: &str, path: &str, ours: &Value, theirs: &Value) -> bool {
        let of_one_kind = match (ours, theirs) {
            (Value::Number(ours), Value::Number(theirs)) => {
                ours.as_f64().map(|value| value < 0.0) == theirs.as_f64().map(|value| value < 0.0)
            }
            (Value::String(ours), Value::String(theirs)) => {
                let none = |text: &str| text.is_empty() || text == NO_ID;
                none(ours) == none(theirs)
            }
            (Value::Bool(_), Value::Bool(_)) => true,
            _ => false,
        };
        let matches = |entry: &MayDiffer| fits(entry.api, api) && fits(entry.path, path);
        of_one_kind && self.mark("MAY_DIFFER", self.may_differ.iter().position(matches))
    }

    pub(crate) fn unordered(&self, api: &str, path: &str) -> Option<&'static Unordered> {
        let at = self
            .unordered
            .iter()
            .position(|entry| fits(entry.api, api) && fits(entry.path, path))?;
        self.mark("UNORDERED", Some(at));
        self.unordered.get(at)
    }

    /// Why a difference is there on purpose, if it is.
    pub fn deliberate(&self, api: &str, case: &str, found: &Difference) -> Option<&'static str> {
        let mut number = 0;
        for entry in self.deliberate {
            for Differs(place, ours, theirs) in entry.differences {
                let fits = entry.api == api
                    && like(entry.case, case)
                    && like(place, &found.place)
                    && like(ours, &found.ours.to_string())
                    && like(theirs, &found.theirs.to_string());
                if fits {
                    self.mark("DELIBERATE", Some(number));
                    return Some(entry.why);
                }
                number += 1;
            }
        }
        None
    }

    /// Whether scenarios make an exception, asked where it matters: it counts as needed then.
    pub fn except(&self, what: Exception) -> bool {
        self.mark(
            "EXCEPTIONS",
            self.exceptions.iter().position(|entry| entry.what == what),
        )
    }

    /// The exceptions of scenarios that none of them needed.
    pub fn unused_exceptions(&self) -> Vec<Exception> {
        let used = self.used.borrow();
        let entries = self.exceptions.iter().enumerate();
        let unused = entries.filter(|(at, _)| !used.contains(&("EXCEPTIONS", *at)));
        unused.map(|(_, entry)| entry.what).collect()
    }

    fn mark(&self, list: &'static str, at: Option<usize>) -> bool {
        if let Some(at) = at {
            self.used.borrow_mut().insert((list, at));
        }
        at.is_some()
    }

    /// The entries that nothing needed.
    pub fn unused(&self) -> Vec<String> {
        let used = self.used.borrow();
        let entries = |list: &'static str, entries: Vec<String>| {
            let unused = entries
                .into_iter()
                .enumerate()
                .filter(|(at, _)| !used.contains(&(list, *at)));
            unused.map(|(_, entry)| format!("{list}: {entry}")).collect::<Vec<_>>()
        };
        [
            entries(
                "MAY_DIFFER",
                self.may_differ
                    .iter()
                    .map(|entry| format!("{} {}", entry.api, entry.path))
                    .collect(),
            ),
            entries(
                "UNORDERED",
                self.unordered
                    .iter()
                    .map(|entry| format!("{} {}", entry.api, entry.path))
                    .collect(),
            ),
            entries(
                "DELIBERATE",
                self.deliberate
                    .iter()
                    .flat_map(|entry| entry.differences.iter().map(move |differs| (entry, differs)))
                    .map(|(entry, Differs(place, ours, theirs))| {
                        format!("{} ({}) {place}: {ours} / {theirs}", entry.api, entry.case)
                    })
                    .collect(),
            ),
        ]
        .concat()
        .into_iter()
        .filter(|entry| !SOMETIMES.iter().any(|case| entry.contains(case)))
        .collect()
    }
}

/// Whether a name is what an entry says: itself, any with `*`, or its end after `**.`.
fn fits(pattern: &str, name: &str) -> bool {
    if let Some(end) = pattern.strip_prefix("**.") {
        return name == end || name.strip_suffix(end).is_some_and(|before| before.ends_with('.'));
    }
    pattern == "*" || pattern == name
}

/// Whether a text is what a pattern says, in which `*` is any text.
fn like(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(start) else {
        return false;
    };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.map(|at| &text[at..]).any(|text| like(rest, text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A difference that one field of a listed one is changed in is not listed.
    #[test]
    fn what_is_deliberate_is_no_more_than_what_is_listed() {
        const LISTED: &[Deliberate] = &[Deliberate {
            api: "DescribeConfigs",
            case: "the broker*",
            differences: &[Differs(
                r#"Results[0].Configs["listeners"].Value"#,
                r#""PLAINTEXT://*""#,
                "null",
            )],
            why: "as given",
        }];
        let lists = Lists::new(&[], &[], LISTED);
        let found = |name: &str, ours: Value, theirs: Value| Difference {
            path: "Results[].Configs[].Value".to_owned(),
            place: format!("Results[0].Configs[\"{name}\"].Value"),
            ours,
            theirs,
        };
        let listed = found("listeners", json!("PLAINTEXT://127.0.0.1:9092"), Value::Null);
        for (case, new) in [
            (
                "the broker",
                found("advertised.listeners", listed.ours.clone(), Value::Null),
            ),
            ("the broker", found("listeners", listed.ours.clone(), json!("x"))),
            (
                "the broker",
                found("listeners", json!("SSL://127.0.0.1:9092"), Value::Null),
            ),
            ("a topic", listed.clone()),
        ] {
            assert_eq!(lists.deliberate("DescribeConfigs", case, &new), None, "{case} {new:?}");
        }
        assert_eq!(lists.unused().len(), 1);
        assert_eq!(
            lists.deliberate("DescribeConfigs", "the broker, all", &listed),
            Some("as given")
        );
        assert!(lists.unused().is_empty());
    }

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, expected) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("a*c*", "abcd", true),
            ("*ä", "öä", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_fit_what_they_say() {
        for (pattern, name, expected) in [
            ("*", "anything", true),
            ("A.B", "A.B", true),
            ("A.B", "A.BC", false),
            ("**.Port", "Brokers[].Port", true),
            ("**.Port", "Port", true),
            ("**.Port", "Brokers[].Report", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
