//! The table of invocations, as the files of `cases/` write it.
//!
//! A file is a sequence that runs in order against one broker; the files run in the order of their names against the same
//! broker, so each names topics and groups of its own. A line is one of
//!
//! - `TOOL ARGUMENTS`: a tool by its name without `kafka-`; `--bootstrap-server` comes by itself where the tool takes it
//! - `join NAME TOPIC PROPERTY=VALUE…` and `leave NAME`: a consumer that stays in its group in between
//! - `begin NAME TOPIC PROPERTY=VALUE…`: a producer with a record in partition 0 and its transaction open; then `commit NAME`,
//!   `abort NAME`, or `abandon NAME`, which leaves it open
//! - `file NAME`: makes a file; `save NAME`: makes it of what the tool above printed
//! - `< TEXT`: a line of standard input of the tool above, or of the file
//! - `~ REASON`: the lines that the tool below prints come in no order
//! - `* REASON`: the words in its lines come in no order
//! - `% REASON`: its numbers are measurements
//! - `! REASON`: what it prints differs between the brokers, and is meant to
//! - `= TEXT`: the tool below tells of what comes about a moment after its cause, on Apache Kafka or on both: it is run again
//!   until it prints TEXT, for half a minute at most
//! - `# TEXT`: for the reader
//!
//! Arguments are separated by blanks; `'…'` keeps them. `{bootstrap}` is the broker's address, `{file:NAME}` the path of a
//! file, `{log:TOPIC-PARTITION}` that of a partition's first segment, `{dir:TOPIC-PARTITION}` that of its directory.

/// What is done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A tool runs, and what it prints is compared.
    Tool(Invocation),
    /// A consumer joins its group.
    Join {
        name: String,
        topic: String,
        config: Vec<(String, String)>,
    },
    /// A consumer leaves its group.
    Leave(String),
    /// A producer begins a transaction and writes a record.
    Begin {
        name: String,
        topic: String,
        config: Vec<(String, String)>,
    },
    /// It commits, aborts or abandons it.
    End { name: String, how: String },
    /// A file is made.
    File { name: String, text: String },
    /// What the last tool printed becomes a file.
    Save(String),
}

/// One run of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invocation {
    /// Where it stands: file and line.
    pub place: String,
    /// The line itself.
    pub line: String,
    pub tool: &'static Tool,
    pub arguments: Vec<String>,
    pub stdin: String,
    /// What it is run again for until it prints it.
    pub until: Option<String>,
    /// What is not compared in what it prints.
    pub loose: Loose,
    /// Why the brokers' answers differ.
    pub differs: Option<String>,
}

/// What is not compared in what a tool prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Loose {
    /// The order of its lines.
    pub lines: bool,
    /// The order of the words in a line.
    pub words: bool,
    /// Its numbers.
    pub numbers: bool,
}

/// A tool of Apache Kafka's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tool {
    /// The script's name without `kafka-`.
    pub name: &'static str,
    /// The class that it starts.
    pub main: &'static str,
    /// Whether it takes `--bootstrap-server` before all else.
    pub takes_bootstrap: bool,
}

const fn tool(name: &'static str, main: &'static str) -> Tool {
    Tool {
        name,
        main,
        takes_bootstrap: true,
    }
}

const fn without_bootstrap(name: &'static str, main: &'static str) -> Tool {
    Tool {
        name,
        main,
        takes_bootstrap: false,
    }
}

/// The tools, as the scripts in Apache Kafka's `bin/` start them.
static TOOLS: &[Tool] = &[
    tool("broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand"),
    without_bootstrap("cluster", "org.apache.kafka.tools.ClusterTool"),
    tool("configs", "kafka.admin.ConfigCommand"),
    tool("console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    tool("console-producer", "org.apache.kafka.tools.ConsoleProducer"),
    tool(
        "consumer-groups",
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    ),
    tool("delete-records", "org.apache.kafka.tools.DeleteRecordsCommand"),
    without_bootstrap("dump-log", "kafka.tools.DumpLogSegments"),
    tool("features", "org.apache.kafka.tools.FeatureCommand"),
    tool("get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
    tool("groups", "org.apache.kafka.tools.GroupsCommand"),
    tool("leader-election", "org.apache.kafka.tools.LeaderElectionCommand"),
    tool("log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
    tool("metadata-quorum", "org.apache.kafka.tools.MetadataQuorumCommand"),
    without_bootstrap("producer-perf-test", "org.apache.kafka.tools.ProducerPerformance"),
    tool(
        "reassign-partitions",
        "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    ),
    tool("topics", "org.apache.kafka.tools.TopicCommand"),
    tool("transactions", "org.apache.kafka.tools.TransactionsCommand"),
    tool("verifiable-consumer", "org.apache.kafka.tools.VerifiableConsumer"),
    tool("verifiable-producer", "org.apache.kafka.tools.VerifiableProducer"),
];

/// The steps of a file, by the file's name and text.
pub(super) fn parse(file: &str, text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut until, mut loose, mut differs) = (None, Loose::default(), None);
    for (at, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", at + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(input) = line.strip_prefix('<') {
            let input = format!("{}\n", input.strip_prefix(' ').unwrap_or(input));
            match steps.last_mut() {
                Some(Step::Tool(invocation)) => invocation.stdin += &input,
                Some(Step::File { text, .. }) => *text += &input,
                _ => panic!("{place}: input of what?"),
            }
            continue;
        }
        match line.split_once(' ') {
            Some(("=", text)) => until = Some(text.to_owned()),
            Some(("~", _reason)) => loose.lines = true,
            Some(("*", _reason)) => loose.words = true,
            Some(("%", _reason)) => loose.numbers = true,
            Some(("!", reason)) => differs = Some(reason.to_owned()),
            _ => {
                let mut step = step(&place, line);
                match &mut step {
                    Step::Tool(invocation) => {
                        invocation.until = until.take();
                        invocation.loose = std::mem::take(&mut loose);
                        invocation.differs = differs.take();
                    }
                    _ => assert!(
                        until.is_none() && loose == Loose::default() && differs.is_none(),
                        "{place}: a mark is for the tool below it"
                    ),
                }
                steps.push(step);
            }
        }
    }
    steps
}

fn step(place: &str, line: &str) -> Step {
    let mut words = words(line).into_iter();
    let first = words.next().unwrap_or_default();
    let mut next = || words.next().unwrap_or_else(|| panic!("{place}: too short"));
    let property = |word: String| {
        let (name, value) = word
            .split_once('=')
            .unwrap_or_else(|| panic!("{place}: not a property: {word}"));
        (name.to_owned(), value.to_owned())
    };
    match first.as_str() {
        "join" => Step::Join {
            name: next(),
            topic: next(),
            config: words.map(property).collect(),
        },
        "begin" => Step::Begin {
            name: next(),
            topic: next(),
            config: words.map(property).collect(),
        },
        "commit" | "abort" | "abandon" => Step::End {
            name: next(),
            how: first,
        },
        "leave" => Step::Leave(next()),
        "file" => Step::File {
            name: next(),
            text: String::new(),
        },
        "save" => Step::Save(next()),
        name => Step::Tool(Invocation {
            place: place.to_owned(),
            line: line.to_owned(),
            tool: TOOLS
                .iter()
                .find(|tool| tool.name == name)
                .unwrap_or_else(|| panic!("{place}: no tool {name}")),
            arguments: words.collect(),
            stdin: String::new(),
            until: None,
            loose: Loose::default(),
            differs: None,
        }),
    }
}

/// Words between blanks; what stands between single quotes is kept together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[test]
fn a_file_of_cases_is_read_as_its_head_says() {
    let steps = parse(
        "x",
        "# c\nfile f\n< a b\n~ no order\n! meant\n= in it\ntopics --x 'a b' ''\n< in\njoin m t a=1\nleave m\nsave s\n",
    );
    let Step::Tool(invocation) = &steps[1] else {
        panic!("{steps:?}")
    };
    assert_eq!(invocation.arguments, ["--x", "a b", ""]);
    assert_eq!((invocation.stdin.as_str(), invocation.place.as_str()), ("in\n", "x:7"));
    assert!(invocation.loose.lines && !invocation.loose.words);
    assert_eq!(invocation.differs.as_deref(), Some("meant"));
    assert_eq!(invocation.until.as_deref(), Some("in it"));
    assert_eq!(
        steps[0],
        Step::File {
            name: "f".into(),
            text: "a b\n".into()
        }
    );
    assert_eq!(steps.len(), 5);
}
