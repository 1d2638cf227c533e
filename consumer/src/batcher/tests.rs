use proptest::prelude::*;

use super::*;

fn source(partition: i32) -> Source {
    Source {
        topic: "t".into(),
        partition,
        epoch: 0,
    }
}

fn limits() -> Limits {
    Limits {
        records_max: 7,
        bytes_max: 5_000,
        age_max: Duration::from_secs(10),
        memory_max: 400_000,
        rotate_ms: None,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Message { partition: i32, gap: i64, size: usize },
    Wait { seconds: u64 },
    Written,
    Revoke { partition: i32 },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..4_i32, prop_oneof![3 => Just(0_i64), 1 => 1..5_i64], prop_oneof![3 => 0..300_usize, 1 => 0..9_000_usize])
            .prop_map(|(partition, gap, size)| Step::Message { partition, gap, size }),
        2 => (0..12_u64).prop_map(|seconds| Step::Wait { seconds }),
        2 => Just(Step::Written),
        1 => (0..4_i32).prop_map(|partition| Step::Revoke { partition }),
    ]
}

proptest! {
    /// Whatever comes: every message is in exactly one batch, the batches of a partition are contiguous, no
    /// batch is larger than the limits by more than its last message, and the budget holds.
    #[test]
    fn every_message_is_in_one_batch(steps in prop::collection::vec(any_step(), 0..400)) {
        let limits = limits();
        let mut batcher = Batcher::new(limits);
        let mut now = Instant::now();
        let mut next = [0_i64; 4];
        let mut pushed: Vec<Vec<i64>> = vec![Vec::new(); 4];
        let mut cuts: Vec<Cut> = Vec::new();
        let mut written: Vec<Vec<(i64, i64, Vec<i64>)>> = vec![Vec::new(); 4];
        (0..4).for_each(|p| batcher.assign(source(p), Start { next: 0, witness: None, due: None }));
        let mut write = |cuts: &mut Vec<Cut>| {
            for cut in cuts.drain(..) {
                let offsets = (0..cut.batch.len()).map(|at| cut.batch.record(at).unwrap().offset).collect();
                let range = cut.batch.range();
                written[usize::try_from(range.source.partition).unwrap()].push((range.start, range.end, offsets));
            }
        };
        for step in steps {
            match step {
                Step::Message { partition, gap, size } => {
                    if batcher.is_full() {
                        // What the sink does: nothing is consumed until something is written.
                        write(&mut cuts);
                        prop_assert!(batcher.has_room(), "{} used", batcher.used_bytes());
                    }
                    let at = usize::try_from(partition).unwrap();
                    let offset = next[at] + gap;
                    next[at] = offset + 1;
                    let value = vec![b'x'; size];
                    let record = Record { offset, timestamp_ms: 0, value: Some(&value) };
                    let mut got = batcher.push("t", partition, record, |_| Some(0), now);
                    if let Pushed::Gap { expected, .. } = got {
                        prop_assert!(gap > 1 && expected == offset - gap);
                        got = batcher.push("t", partition, record, |_| Some(0), now);
                    }
                    match got {
                        Pushed::Cut(cut) => cuts.push(cut),
                        Pushed::Kept => {}
                        other => prop_assert!(false, "{:?}", other),
                    }
                    pushed[at].push(offset);
                    while let Some(cut) = batcher.relieve() {
                        prop_assert_eq!(cut.cause, Cause::Memory);
                        cuts.push(cut);
                    }
                }
                Step::Wait { seconds } => {
                    now += Duration::from_secs(seconds);
                    cuts.extend(batcher.due(now));
                    prop_assert!(batcher.due(now).is_empty());
                }
                Step::Written => write(&mut cuts),
                Step::Revoke { partition } => {
                    cuts.extend(batcher.revoke(&[source(partition)]));
                    let start = Start { next: next[usize::try_from(partition).unwrap()], witness: None, due: None };
                    batcher.assign(source(partition), start);
                }
            }
            for cut in &cuts {
                prop_assert!(!cut.batch.is_empty() && cut.batch.len() <= limits.records_max);
            }
            // One message, and the block it opens, twice as large as the one before, may stand above the limit.
            prop_assert!(batcher.used_bytes() <= limits.memory_max + ENCODING_FACTOR * (32 << 10));
        }
        cuts.extend(batcher.stop());
        write(&mut cuts);
        prop_assert_eq!(batcher.used_bytes(), 0);
        for (partition, batches) in written.into_iter().enumerate() {
            let mut end = 0;
            let mut offsets = Vec::new();
            for (start, batch_end, batch) in batches {
                // A batch starts where the one before ended, unless a partition was taken up again in between,
                // and then it starts where that was.
                prop_assert!(start >= end && batch_end > start);
                prop_assert!(batch.iter().all(|offset| (start..batch_end).contains(offset)));
                end = batch_end;
                offsets.extend(batch);
            }
            prop_assert_eq!(&offsets, &pushed[partition]);
        }
    }
}

#[test]
fn the_largest_is_cut_first() {
    let mut batcher = Batcher::new(Limits {
        records_max: 1_000,
        bytes_max: 1 << 30,
        ..limits()
    });
    let now = Instant::now();
    (0..3).for_each(|p| {
        batcher.assign(
            source(p),
            Start {
                next: 0,
                due: None,
                witness: None,
            },
        )
    });
    let value = vec![b'x'; 1_000];
    for (partition, messages) in [(0, 10), (1, 60), (2, 20)] {
        for offset in 0..messages {
            let record = Record {
                offset,
                timestamp_ms: 0,
                value: Some(&value),
            };
            assert!(matches!(
                batcher.push("t", partition, record, |_| Some(0), now),
                Pushed::Kept
            ));
        }
    }
    assert_eq!(batcher.relieve().unwrap().batch.range().source.partition, 1);
    assert!(batcher.relieve().is_none());
}

#[test]
fn what_is_written_or_not_ours_is_passed_over() {
    let mut batcher = Batcher::new(limits());
    let now = Instant::now();
    let record = Record {
        offset: 9,
        timestamp_ms: 1,
        value: Some(b"{}"),
    };
    let witness = Witness {
        offset: 9,
        checksum: record.checksum(),
    };
    batcher.assign(
        source(0),
        Start {
            next: 10,
            due: None,
            witness: Some(witness),
        },
    );
    assert!(matches!(
        batcher.push("t", 1, record, |_| Some(0), now),
        Pushed::PassedOver
    ));
    assert!(matches!(
        batcher.push("u", 0, record, |_| Some(0), now),
        Pushed::PassedOver
    ));
    assert!(matches!(
        batcher.push("t", 0, record, |_| Some(0), now),
        Pushed::PassedOver
    ));
    assert!(batcher.stop().is_empty());
    let later = Record { offset: 12, ..record };
    assert!(matches!(
        batcher.push("t", 0, later, |_| Some(0), now),
        Pushed::Gap { expected: 10, .. }
    ));
    assert!(matches!(batcher.push("t", 0, later, |_| Some(0), now), Pushed::Kept));
    assert!(matches!(
        batcher.push("t", 0, later, |_| Some(0), now),
        Pushed::Behind { next: 13, .. }
    ));
    let cuts = batcher.stop();
    assert_eq!((cuts[0].batch.range().start, cuts[0].batch.range().end), (10, 13));
}

#[test]
fn a_topic_made_anew_is_noticed() {
    let mut batcher = Batcher::new(limits());
    let record = Record {
        offset: 9,
        timestamp_ms: 1,
        value: Some(b"{}"),
    };
    let witness = Witness {
        offset: 9,
        checksum: record.checksum() ^ 1,
    };
    batcher.assign(
        source(0),
        Start {
            next: 10,
            due: None,
            witness: Some(witness),
        },
    );
    let pushed = batcher.push("t", 0, record, |_| Some(0), Instant::now());
    assert!(matches!(pushed, Pushed::Replaced { next: 10, .. }), "{pushed:?}");
}

#[test]
fn boundaries_of_the_clock_cut_everything_once() {
    let mut batcher = Batcher::new(Limits {
        rotate_ms: Some(3_600_000),
        ..limits()
    });
    let start = |next| Start {
        next,
        witness: None,
        due: None,
    };
    (0..2).for_each(|partition| batcher.assign(source(partition), start(0)));
    let push = |batcher: &mut Batcher, partition, offset| {
        let record = Record {
            offset,
            timestamp_ms: 0,
            value: Some(b"{}"),
        };
        assert!(matches!(
            batcher.push("t", partition, record, |_| Some(0), Instant::now()),
            Pushed::Kept
        ));
    };
    push(&mut batcher, 0, 0);
    assert!(
        batcher.rotate(3_599_000).is_empty(),
        "the first look only learns where the clock is"
    );
    push(&mut batcher, 1, 0);
    assert!(batcher.rotate(3_599_999).is_empty());
    let cuts = batcher.rotate(3_600_000);
    assert_eq!(cuts.len(), 2);
    assert!(
        cuts.iter()
            .all(|cut| cut.cause == Cause::Rotated && cut.batch.range().end == 1)
    );
    push(&mut batcher, 0, 1);
    assert!(batcher.rotate(3_600_001).is_empty() && batcher.rotate(3_599_999).is_empty());
    assert_eq!(batcher.rotate(9_000_000).len(), 1);
    assert!(batcher.rotate(12_000_000).is_empty(), "nothing is open");
}
