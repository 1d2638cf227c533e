//! Scenarios on both brokers: those that once failed, then new ones.
//!
//! A test program of its own, and so with brokers of its own: the other tests list all topics and set properties of the
//! whole broker.
//!
//! `TICKERTAPE_SCENARIOS` is how many (200), `TICKERTAPE_SEED` the first one's seed. By hand:
//! `cargo run -p tickertape-judge -- scenarios --count 2000 --seed 1`.

use tickertape_judge::both::Both;
use tickertape_judge::scenario::tally::Tally;
use tickertape_judge::scenario::{SMALLER_FOR, Stage, kept};

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(otherwise, |given| {
        given.parse().unwrap_or_else(|_| panic!("{given} is not a number"))
    })
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn both_take_scenarios_the_same_way() {
    let mut stage = Stage::open(&mut Both::shared().unwrap()).unwrap();
    let mut tally = Tally::default();
    for kept in kept::all().unwrap() {
        if let Err(failure) = stage.perform(None, &kept.actions, &mut tally) {
            panic!("again: {}\n{failure}", kept.showed);
        }
    }
    let mut tally = Tally::default();
    let first = number("TICKERTAPE_SEED", 1);
    let count = number("TICKERTAPE_SCENARIOS", 200);
    for seed in first..first + count {
        if let Err(failure) = stage.perform_seed(seed, &mut tally) {
            let seconds = SMALLER_FOR.as_secs();
            eprintln!("seed {seed}: {failure}\nlooking for a smaller one that fails so, for at most {seconds} s");
            panic!("{}", stage.smallest(seed, failure));
        }
    }
    println!("{tally}");
    if count >= 200 {
        covers(&tally);
        let unused = stage.unused_exceptions();
        assert!(unused.is_empty(), "exceptions that no scenario needs: {unused:?}");
    }
}

/// Whether the scenarios were of all that the vocabulary says, and mostly of what is right.
fn covers(tally: &Tally) {
    for word in WORDS {
        assert!(tally.words.contains_key(*word), "no {word} in\n{tally}");
    }
    for (what, count) in [("upgrade", tally.upgrades), ("downgrade", tally.downgrades)] {
        assert!(count >= 5, "{count} times {what} of a group in\n{tally}");
    }
    for code in CODES {
        assert!(tally.code(*code) > 0, "no answer with error code {code} in\n{tally}");
    }
    let good = |api: &str| {
        let of = |wanted: fn(i64) -> bool| -> usize {
            let codes = tally.codes.iter().filter(|((of, code), _)| of == api && wanted(*code));
            codes.map(|(_, count)| count).sum()
        };
        (of(|code| code == 0), of(|_| true))
    };
    for (api, percent) in GOOD {
        let (good, all) = good(api);
        assert!(
            good * 100 >= all * percent,
            "{good} of {all} answers of {api} are without error\n{tally}"
        );
    }
}

/// Each API, and how many of a hundred of its answers must be without error.
const GOOD: &[(&str, usize)] = &[
    ("Produce", 40),
    ("Fetch", 70),
    ("ListOffsets", 70),
    ("JoinGroup", 50),
    ("SyncGroup", 40),
    ("Heartbeat", 20),
    ("ConsumerGroupHeartbeat", 30),
    ("OffsetCommit", 25),
    ("OffsetFetch", 60),
    ("CreateTopics", 50),
    ("DeleteRecords", 30),
];

const WORDS: &[&str] = &[
    "CreateTopic",
    "DeleteTopic",
    "AddPartitions",
    "AlterConfigs",
    "AlterConfigs.Set",
    "AlterConfigs.Delete",
    "AlterConfigs.Append",
    "AlterConfigs.Subtract",
    "ReplaceConfigs",
    "DescribeConfigs",
    "Metadata",
    "DescribeTopicPartitions",
    "Produce",
    "Produce.Right",
    "Produce.Repeated",
    "Produce.RepeatedOld",
    "Produce.Gap",
    "Produce.Overlapping",
    "Produce.OldEpoch",
    "Produce.NextEpoch",
    "Produce.NextEpochGoingOn",
    "Produce.NoEpoch",
    "Produce.AtTheEnd",
    "Produce.Crc",
    "Produce.CountMore",
    "Produce.Truncated",
    "Produce.TooLarge",
    "Produce.codec0",
    "Produce.codec1",
    "Produce.codec2",
    "Produce.codec3",
    "Produce.codec4",
    "Produce.Old",
    "Produce.VeryOld",
    "Produce.Future",
    "Produce.Missing",
    "InitProducer",
    "Fetch",
    "Fetch.Within",
    "Fetch.BeyondEnd",
    "ListOffsets.Latest",
    "ListOffsets.Earliest",
    "ListOffsets.MaxTimestamp",
    "ListOffsets.Time",
    "LeaderEpoch",
    "DeleteRecords",
    "Join.Plain",
    "Join.Anew",
    "Sync",
    "Settle",
    "Heartbeat",
    "LeaveGroup",
    "Beat.Join",
    "Beat.Keep",
    "Beat.Acknowledge",
    "Beat.Subscribe",
    "Beat.Leave",
    "Beat.LeaveForNow",
    "Converge",
    "Switch",
    "Commit.Nobody",
    "Commit.Member",
    "FetchOffsets",
    "DeleteOffsets",
    "DeleteGroup",
    "DescribeGroup",
    "ListGroups",
    "Transact.Begin",
    "Transact.GoOn",
    "Transact.Add",
    "Transact.Produce",
    "Transact.AddOffsets",
    "Transact.Commit",
    "Transact.End",
    "Transact.Past",
    "Transact.Ahead",
];

/// Out of range, corrupt, unknown topic, too large, invalid group and member states, sequences, policies, …
const CODES: &[i64] = &[
    1, 2, 3, 10, 12, 22, 23, 25, 26, 27, 32, 35, 36, 37, 40, 42, 44, 45, 68, 69, 75, 76, 79, 87, 110, 111,
];
