//! What may differ between the brokers in what a tool prints: one list, each with its reason.

use regex::{Captures, Regex};

use super::lane::{Lane, Outcome};
use super::script::Loose;

/// What may differ wherever it is printed: what it looks like, what stands for it, and why.
const MAY_DIFFER: &[(&str, &str, &str)] = &[
    (
        r"(?m)^\s+(at |\.\.\. \d+ more).*\n?",
        "",
        "where in the tool's own code an error came from",
    ),
    (
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "<uuid>",
        "clients make up ids for themselves",
    ),
    (
        r"\bconsole-consumer-\d+\b",
        "console-consumer-<n>",
        "the console consumer makes up a group for itself",
    ),
    (
        r"(adminclient-|correlation id )\d+",
        "$1<n>",
        "clients count themselves and their requests",
    ),
    (
        r"(?m)^(\S+ .*?)\b[A-Za-z0-9_-]{22} +/127",
        "$1<id> /127",
        "members of the consumer protocol are named at random",
    ),
    (
        r"((?:TopicId|ClusterId|Cluster ID): |directoryId.: .)[A-Za-z0-9_-]{22}",
        "$1<id>",
        "ids of clusters, topics and directories are random",
    ),
    (
        r"\b1[789]\d{11}\b",
        "<time>",
        "milliseconds since 1970 are the time of the run",
    ),
    (
        r"\b20[23]\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,0-9]*",
        "<time>",
        "the time of the run",
    ),
    (r"crc: \d+", "crc: <n>", "a batch's checksum covers its times"),
    (
        r"(tries=|after )\d+( attempt)?",
        "$1<n>$2",
        "how often a client can ask in vain until its time is up",
    ),
    (
        r#"(?m)^\{"timestamp":.*"name":"partitions_(assigned|revoked)","partitions":\[\]\}\n"#,
        "",
        "a member may be told that it has nothing before the coordinator knows the topic",
    ),
    (
        r"[ \t]+(\n|$)",
        "$1",
        "columns are padded to the widest, and a port may have five digits or four",
    ),
    (r"  +", " ", "likewise"),
];

/// Takes out of one broker's answers what may differ.
pub(super) struct Normal {
    literal: Vec<(String, &'static str)>,
    patterns: Vec<(Regex, &'static str)>,
    numbers: Regex,
}

fn sorted_words(line: &str) -> String {
    let mut words: Vec<&str> = line.split_whitespace().map(|word| word.trim_end_matches(',')).collect();
    words.sort_unstable();
    words.join(" ")
}

impl Normal {
    /// For what the tools print of a lane's broker: where it listens and where its files are, besides [`MAY_DIFFER`].
    pub(super) fn of(lane: &Lane) -> Normal {
        let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
        let port = lane.bootstrap.rsplit(':').next().unwrap_or_default();
        Normal {
            literal: vec![
                (lane.bootstrap.clone(), "<bootstrap>"),
                (format!("port={port}"), "port=<port>"),
                (format!("127.0.0.1 {port}"), "127.0.0.1 <port>"),
                (path(lane.files.path()), "<files>"),
                (path(&lane.data_dir), "<data>"),
            ],
            patterns: MAY_DIFFER
                .iter()
                .map(|(pattern, name, _reason)| (Regex::new(pattern).expect("a pattern"), *name))
                .collect(),
            numbers: Regex::new(r"[0-9]+(\.[0-9]+)?(E-?[0-9]+)?").expect("a pattern"),
        }
    }

    /// An outcome without them, and without what is not compared for this tool.
    pub(super) fn outcome(&self, outcome: &Outcome, loose: Loose) -> Outcome {
        let text = |text: &str| {
            let mut text = text.to_owned();
            for (literal, name) in &self.literal {
                text = text.replace(literal, name);
            }
            for (pattern, name) in &self.patterns {
                text = pattern
                    .replace_all(&text, |captures: &Captures<'_>| {
                        let mut replaced = String::new();
                        captures.expand(name, &mut replaced);
                        replaced
                    })
                    .into_owned();
            }
            if loose.numbers {
                text = self.numbers.replace_all(&text, "<n>").into_owned();
            }
            if loose.words {
                text = text.lines().map(sorted_words).collect::<Vec<_>>().join("\n");
            }
            if loose.lines {
                let mut lines: Vec<&str> = text.lines().collect();
                lines.sort_unstable();
                text = lines.join("\n");
            }
            text
        };
        Outcome {
            exit: outcome.exit,
            stdout: text(&outcome.stdout),
            stderr: text(&outcome.stderr),
            ms: 0,
        }
    }
}
