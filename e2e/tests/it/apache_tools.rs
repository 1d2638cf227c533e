//! Apache Kafka's own command line tools: what each does and prints on our broker is what it does and prints on Apache Kafka.
//!
//! The files of `apache_tools/cases/` say what is run ([`script`] says how to read them), first on a fresh broker of ours and
//! beside it on a fresh Apache Kafka. Standard output, standard error and exit code must agree once [`normal`] has taken out
//! what may differ. A case that says that it differs must differ, so that no excuse outlives its reason.
//!
//! Both transcripts stay beside the test's binaries (`CARGO_TARGET_TMPDIR/apache-tools-*.txt`), as printed, for whoever wants
//! to look. `TICKERTAPE_TOOLS` runs only the files whose names contain it; what is marked as different after a file
//! that is left out may then be the same.

use std::fmt::Write as _;
use std::path::Path;

use tickertape_judge::apache::ApacheKafka;

use crate::support::Server;
use lane::{Lane, Outcome};
use normal::Normal;
use script::{Invocation, Step};

mod lane;
mod normal;
mod script;

/// What both brokers are started with beyond their defaults.
const PROPERTIES: [(&str, &str); 3] = [
    ("node.id", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    // The tools' topics have one partition unless they say otherwise; so both see the same name for it.
    ("num.partitions", "1"),
];

/// The cases, in the order of the files' names, and the first file that is left out.
fn steps() -> (Vec<Step>, Option<String>) {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/apache_tools/cases");
    let only = std::env::var("TICKERTAPE_TOOLS").unwrap_or_default();
    let mut files: Vec<_> = std::fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut steps, mut left_out) = (Vec::new(), None);
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if name.contains(&only) {
            steps.extend(script::parse(&name, &std::fs::read_to_string(&file).unwrap()));
        } else {
            left_out.get_or_insert(name);
        }
    }
    (steps, left_out)
}

fn transcript(name: &str, invocations: &[&Invocation], outcomes: &[Outcome]) {
    let mut text = String::new();
    for (invocation, outcome) in invocations.iter().zip(outcomes) {
        let _ = writeln!(
            text,
            "\n=== {}: {}  [{} ms]\n--- exit {}\n{}--- stderr\n{}",
            invocation.place, invocation.line, outcome.ms, outcome.exit, outcome.stdout, outcome.stderr
        );
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("apache-tools-{name}.txt"));
    std::fs::write(place, text).unwrap();
}

/// The lines on which two texts differ, in order.
fn difference(ours: &str, theirs: &str) -> String {
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.lines().collect(), theirs.lines().collect());
    let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
    let same_end = ours[same..]
        .iter()
        .rev()
        .zip(theirs[same..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let mut text = String::new();
    let mut show = |sign: char, lines: &[&str]| {
        for line in lines {
            let _ = writeln!(text, "    {sign} {line}");
        }
    };
    show('-', &theirs[same..theirs.len() - same_end]);
    show('+', &ours[same..ours.len() - same_end]);
    text
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn the_tools_print_on_ours_what_they_print_on_apache_kafka() {
    let (steps, left_out) = steps();
    let dir = tempfile::tempdir().unwrap();
    let settings = PROPERTIES.map(|(name, value)| format!("{name}={value}"));
    let place = dir.path().join("broker");
    let mut arguments = vec![
        "broker",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        place.to_str().unwrap(),
    ];
    settings
        .iter()
        .for_each(|setting| arguments.extend(["--set", setting.as_str()]));
    let broker = Server::start(&arguments);
    let mut ours = Lane::start(broker.get("bootstrap_servers"), place.clone());
    let kafka = PROPERTIES
        .iter()
        .fold(ApacheKafka::builder(), |builder, (name, value)| {
            builder.property(name, value)
        })
        .start()
        .unwrap();
    let mut theirs = Lane::start(kafka.bootstrap_servers(), kafka.dir().join("data"));
    let (of_ours, of_theirs) = std::thread::scope(|scope| {
        let other = scope.spawn(|| theirs.run(&steps));
        (ours.run(&steps), other.join().unwrap())
    });

    let invocations: Vec<&Invocation> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Tool(invocation) => Some(invocation),
            _ => None,
        })
        .collect();
    let (normal_ours, normal_theirs) = (Normal::of(&ours), Normal::of(&theirs));
    transcript("ours", &invocations, &of_ours);
    transcript("apache", &invocations, &of_theirs);
    let mut wrong = String::new();
    let mut meant = 0;
    for ((invocation, ours), theirs) in invocations.iter().zip(&of_ours).zip(&of_theirs) {
        let ours = normal_ours.outcome(ours, invocation.loose);
        let theirs = normal_theirs.outcome(theirs, invocation.loose);
        let same = ours == theirs;
        match (&invocation.differs, same) {
            (None, true) => {}
            (Some(_), false) => meant += 1,
            // What it tells of may come from a file that did not run.
            (Some(_), true) if left_out.as_ref().is_some_and(|left_out| *left_out < invocation.place) => {}
            (Some(reason), true) => {
                let _ = writeln!(wrong, "{}: it no longer differs: {reason}", invocation.place);
            }
            (None, false) => {
                let _ = write!(
                    wrong,
                    "{}: {}\n    exit {} and {}\n{}{}",
                    invocation.place,
                    invocation.line,
                    theirs.exit,
                    ours.exit,
                    difference(&ours.stdout, &theirs.stdout),
                    difference(&ours.stderr, &theirs.stderr),
                );
            }
        }
    }
    let took = |outcomes: &[Outcome]| outcomes.iter().map(|outcome| outcome.ms).sum::<u64>() / 1000;
    eprintln!(
        "{} invocations of Apache Kafka's tools compared, {meant} of them meant to differ; ours {} s, Apache's {} s",
        invocations.len(),
        took(&of_ours),
        took(&of_theirs),
    );
    assert!(wrong.is_empty(), "- Apache Kafka, + ours\n{wrong}");
}
