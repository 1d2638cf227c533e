//! `__consumer_offsets` and `__transaction_state`: after the same groups and transactions on both brokers, Apache Kafka's own
//! formatters and decoders print the same records, partition by partition, in the same order. Ids and times are masked.
//!
//! The program is `internal_topics/InternalTopics.java`.

use std::process::Stdio;

use tickertape_judge::apache::{self, ApacheKafka};
use tickertape_judge::ours::Ours;

fn records(bootstrap_servers: &str) -> String {
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/internal_topics/InternalTopics.java"
    );
    let output = apache::java()
        .unwrap()
        .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args([source, bootstrap_servers])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", output.status);
    masked(&String::from_utf8(output.stdout).unwrap())
}

/// What may differ, and what stands for it: member ids, ids of topics, the version of the metadata, and times, each told by the
/// field before it. A hash that only Apache Kafka keeps, and only for itself, is left out.
fn masked(text: &str) -> String {
    const QUOTED: [&str; 3] = ["memberId", "leader", "topicId"];
    const NUMBERS: [&str; 4] = [
        "commitTimestamp",
        "currentStateTimestamp",
        "transactionLastUpdateTimestampMs",
        "timestamp",
    ];
    let mut text = text.to_owned();
    for field in QUOTED {
        text = replaced(&text, &format!("\"{field}\":\""), |c| c != '"');
    }
    for field in NUMBERS {
        text = replaced(&text, &format!("\"{field}\":"), is_number);
    }
    // -1 says that there is none; and the versions that are strings are those of the records.
    text = replaced(&text, "\"transactionStartTimestampMs\":1", is_number);
    text = replaced(&text, "],\"version\":", is_number);
    replaced(&text, ",\"metadataHash\":", is_number).replace(",\"metadataHash\":<masked>", "")
}

fn is_number(character: char) -> bool {
    character == '-' || character.is_ascii_digit()
}

/// A text in which what follows each `before` is masked as far as its characters are such.
fn replaced(text: &str, before: &str, masks: fn(char) -> bool) -> String {
    let mut parts = text.split(before);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += before;
        out += "<masked>";
        out += part.trim_start_matches(masks);
    }
    out
}

/// Without the epochs and targets of a group that subscribes by an expression: ours is given partitions at once, Apache
/// Kafka's when the expression was looked at in the background.
fn comparable(text: &str) -> String {
    let differs = |line: &&str| {
        line.contains(r#""groupId":"next-expression""#)
            && ["3", "6", "7", "8"]
                .iter()
                .any(|kind| line.contains(&format!(r#"(Some({{"type":"{kind}""#)))
    };
    let lines = text.lines().filter(|line| !differs(line));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn the_brokers_own_topics_hold_what_apache_kafkas_hold() {
    let kafka = ApacheKafka::builder()
        .property("group.initial.rebalance.delay.ms", "0")
        .start()
        .unwrap();
    let ours = Ours::beside(&kafka).unwrap();
    let theirs = comparable(&records(kafka.bootstrap_servers()));
    let ours = comparable(&records(ours.bootstrap_servers()));
    assert!(theirs.lines().count() > 100, "{theirs}");
    let differences: Vec<_> = theirs
        .lines()
        .zip(ours.lines())
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| format!("- {theirs}\n+ {ours}\n"))
        .collect();
    assert!(differences.is_empty(), "{}", differences.concat());
    assert_eq!(theirs.lines().count(), ours.lines().count(), "{theirs}\n\n{ours}");
}
