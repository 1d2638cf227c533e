//! Transactions frame by frame: what each version is told, and what old and new clients may do.

use kafka_protocol::error::ResponseError::{self, *};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use tickertape_broker::Broker;
use tickertape_broker::clock::{Clock, ManualClock, SystemClock};
use tickertape_broker::coordinator::txn::{Record, State};
use tickertape_broker::metadata::store::Store;
use tickertape_broker::metadata::transactions::TransactionStore;

use crate::support::broker::{start, start_with};
use crate::support::calls::latest;
use crate::support::client::Client;
use crate::support::transactional::Me;

/// The first version of Produce that adds partitions by itself.
const ADDS: i16 = 12;
/// The last version of Produce that does not know `TRANSACTION_ABORTABLE`, and the first one that does.
const OLD: i16 = 10;
const ABORTABLE: i16 = 11;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn code(error: ResponseError) -> i16 {
    error.code()
}

#[tokio::test]
async fn old_clients_add_partitions_first_and_keep_their_epoch() {
    let broker = start().await;
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("t", 2, &[]);
    for (round, version) in (0..=3).enumerate() {
        let me = client.init(version, None).unwrap();
        assert_eq!(me, Me(0, round as i16), "each InitProducerId raises the epoch");
        // Nothing is in a log whose transaction is not known there.
        assert_eq!(client.write(OLD, &topic, 0, me, 0), Err(code(InvalidTxnState)));
        assert_eq!(
            client.write(ABORTABLE, &topic, 0, me, 0),
            Err(code(TransactionAbortable))
        );
        assert_eq!(client.add(version, me, "t", &[0], false), [0]);
        assert_eq!(client.add(version, me, "t", &[0, 1], false), [0, 0], "again, and more");
        assert_eq!(client.write(OLD, &topic, 0, me, 0), Ok(2 * round as i64));
        assert_eq!(
            client.write(OLD, &topic, 0, me, 0),
            Ok(2 * round as i64),
            "the same again"
        );
        let described = client.describe();
        assert_eq!(described.transaction_state.as_str(), "Ongoing");
        assert_eq!(described.topics[0].partitions, [0, 1]);
        assert_eq!(client.end(version, me, true), Ok(Me(-1, -1)));
        assert_eq!(client.end(version, me, true), Ok(Me(-1, -1)), "the retry");
        assert_eq!(client.end(version, me, false), Err(code(InvalidTxnState)));
        assert_eq!(client.describe().transaction_state.as_str(), "CompleteCommit");
        // What comes after the end needs to be added anew.
        assert_eq!(client.write(OLD, &topic, 0, me, 1), Err(code(InvalidTxnState)));
    }
}

#[tokio::test]
async fn new_clients_add_by_writing_and_get_a_new_epoch_with_each_end() {
    let broker = start().await;
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("t", 1, &[]);
    let mut me = client.init(5, None).unwrap();
    assert_eq!(client.end(5, me, true), Err(code(InvalidTxnState)), "nothing to commit");
    for round in 0..4_i16 {
        let commit = round % 2 == 0;
        assert_eq!(
            client.write(latest(ApiKey::Produce), &topic, 0, me, 1),
            Err(code(OutOfOrderSequenceNumber))
        );
        let offset = client.write(ADDS, &topic, 0, me, 0).unwrap();
        assert_eq!(client.write(latest(ApiKey::Produce), &topic, 0, me, 1), Ok(offset + 1));
        let before = me;
        me = client.end(5, me, commit).unwrap();
        assert_eq!(me, Me(0, round + 1));
        assert_eq!(client.end(5, before, commit), Ok(me), "the retry is told the same");
        assert_eq!(client.end(5, before, !commit), Err(code(InvalidTxnState)));
        assert_eq!(
            client.write(ADDS, &topic, 0, before, 2),
            Err(code(InvalidProducerEpoch))
        );
    }
    assert_eq!(client.aborted(&topic, 0), (12, vec![(0, 3), (0, 9)]));
    // An abort of what has not begun is taken, too.
    assert_eq!(client.end(5, me, false), Ok(Me(0, 5)));
}

#[tokio::test]
async fn fencing_is_told_as_the_version_knows_it() {
    let broker = start().await;
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("t", 1, &[]);
    let old = client.init(4, None).unwrap();
    assert_eq!(client.add(2, old, "t", &[0], false), [0]);
    assert_eq!(client.write(OLD, &topic, 0, old, 0), Ok(0));
    assert_eq!(
        client.init(4, None),
        Err(code(ConcurrentTransactions)),
        "what is open is aborted first"
    );
    let me = client.init(4, None).unwrap();
    assert_eq!(me, Me(0, 2));
    for (version, error) in [
        (0, InvalidProducerEpoch),
        (1, InvalidProducerEpoch),
        (2, ProducerFenced),
        (3, ProducerFenced),
    ] {
        assert_eq!(client.add(version, old, "t", &[0], false), [code(error)]);
        assert_eq!(client.add_offsets(version, old), code(error));
        assert_eq!(client.end(version, old, true), Err(code(error)));
    }
    assert_eq!(client.end(5, old, true), Err(code(ProducerFenced)));
    assert_eq!(client.add(5, old, "t", &[0], true), [code(ProducerFenced)]);
    for (version, error) in [(3, InvalidProducerEpoch), (4, ProducerFenced), (5, ProducerFenced)] {
        assert_eq!(client.init(version, Some(old)), Err(code(error)), "{version}");
    }
    assert_eq!(client.write(OLD, &topic, 0, old, 1), Err(code(InvalidProducerEpoch)));
    assert_eq!(client.write(ADDS, &topic, 0, old, 1), Err(code(InvalidProducerEpoch)));
    for version in 0..=5 {
        assert_eq!(client.commit_offset(version, old, "t", 1), code(InvalidProducerEpoch));
    }
    let stranger = Me(99, 0);
    assert_eq!(
        client.add(3, stranger, "t", &[0], false),
        [code(InvalidProducerIdMapping)]
    );
    assert_eq!(client.end(3, stranger, true), Err(code(InvalidProducerIdMapping)));
    assert_eq!(
        client.write(ADDS, &topic, 0, stranger, 0),
        Err(code(InvalidProducerIdMapping))
    );
    assert_eq!(client.aborted(&topic, 0), (2, vec![(0, 0)]));
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let broker = start().await;
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("t", 1, &[]);
    let me = client.init(5, None).unwrap();
    // One partition that does not exist keeps the others out.
    let errors = [code(OperationNotAttempted), code(UnknownTopicOrPartition)];
    assert_eq!(client.add(3, me, "t", &[0, 7], false), errors);
    assert_eq!(
        client.add(5, me, "nowhere", &[0], false),
        [code(UnknownTopicOrPartition)]
    );
    assert_eq!(client.describe().transaction_state.as_str(), "Empty");
    assert_eq!(
        client.add(5, me, "t", &[0], true),
        [code(TransactionAbortable)],
        "verified, not added"
    );
    assert_eq!(client.describe().transaction_state.as_str(), "Empty");
    assert_eq!(client.init(5, Some(Me(0, -1))), Err(code(InvalidRequest)));
    assert_eq!(client.init(5, Some(Me(-1, 0))), Err(code(InvalidRequest)));
    // A transactional batch needs a transactional id.
    let nobody = client.write_as(ADDS, &topic, 0, me, 0, None);
    assert_eq!(nobody, Err(code(TransactionalIdAuthorizationFailed)));
    assert_eq!(
        client.write_as(ADDS, &topic, 0, me, 0, Some("other")),
        Err(code(InvalidProducerIdMapping))
    );
    assert_eq!(
        client.write_as(ADDS, &topic, 0, me, 0, Some("")),
        Err(code(InvalidRequest))
    );
    assert_eq!(client.aborted(&topic, 0), (0, vec![]));
}

#[tokio::test]
async fn offsets_wait_for_the_end_of_their_transaction() {
    let broker = start().await;
    let mut client = Client::connect(broker.bootstrap_servers());
    client.create_topic("t", 1, &[]);
    let mut me = client.init(5, None).unwrap();
    for (version, error) in [(0, InvalidTxnState), (3, InvalidTxnState), (4, TransactionAbortable)] {
        assert_eq!(client.commit_offset(version, me, "t", 1), code(error), "not added");
    }
    let mut stable = -1;
    for (version, commit) in [(0, true), (3, false), (4, true), (5, false), (5, true)] {
        if version < 5 {
            assert_eq!(client.add_offsets(3, me), 0);
        }
        let offset = stable + 10;
        assert_eq!(client.commit_offset(version, me, "t", offset), 0);
        assert_eq!(client.fetch_offset("t", true), Err(code(UnstableOffsetCommit)));
        assert_eq!(client.fetch_offset("t", false), Ok(stable));
        assert_eq!(client.describe().topics[0].topic.as_str(), "__consumer_offsets");
        me = client.end(5, me, commit).unwrap();
        stable = if commit { offset } else { stable };
        assert_eq!(client.fetch_offset("t", true), Ok(stable));
    }
    assert_eq!(client.commit_offset(5, me, "nowhere", 1), code(UnknownTopicOrPartition));
    assert_eq!(client.commit_offset_as(5, me, "t", 1, 3, "m"), code(UnknownMemberId));
    assert_eq!(client.commit_offset_as(5, me, "t", 1, -1, ""), 0);
}

#[tokio::test]
async fn a_marker_by_hand_ends_a_transaction_in_one_partition() {
    let broker = start().await;
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("t", 1, &[]);
    let me = client.init(5, None).unwrap();
    assert_eq!(client.write(ADDS, &topic, 0, me, 0), Ok(0));
    let mut mark = |Me(id, epoch): Me, partition: i32, coordinator_epoch: i32| {
        let topic = WritableTxnMarkerTopic::default()
            .with_name(TopicName(text("t")))
            .with_partition_indexes(vec![partition]);
        let marker = WritableTxnMarker::default()
            .with_producer_id(id.into())
            .with_producer_epoch(epoch)
            .with_coordinator_epoch(coordinator_epoch)
            .with_transaction_result(false)
            .with_topics(vec![topic]);
        let response = client.call(1, &WriteTxnMarkersRequest::default().with_markers(vec![marker]));
        let marker = &response.markers[0];
        assert_eq!(marker.producer_id, id);
        marker.topics[0].partitions[0].error_code
    };
    assert_eq!(mark(me, 1, 0), code(UnknownTopicOrPartition));
    assert_eq!(mark(Me(0, 3), 0, 2), 0);
    assert_eq!(mark(Me(0, 2), 0, 2), code(InvalidProducerEpoch));
    assert_eq!(mark(Me(0, 3), 0, 1), code(TransactionCoordinatorFenced));
    assert_eq!(client.aborted(&topic, 0), (2, vec![(0, 0)]));
}

#[tokio::test]
async fn transactions_are_listed_by_what_they_are() {
    let broker = start().await;
    let mut client = Client::connect(broker.bootstrap_servers());
    client.create_topic("t", 1, &[]);
    let me = client.init(5, None).unwrap();
    assert_eq!(client.add(3, me, "t", &[0], false), [0]);
    let mut list = |states: &[&str], ids: &[i64], duration_ms: i64, pattern: Option<&str>| {
        let request = ListTransactionsRequest::default()
            .with_state_filters(states.iter().map(|state| text(state)).collect())
            .with_producer_id_filters(ids.iter().map(|id| (*id).into()).collect())
            .with_duration_filter(duration_ms)
            .with_transactional_id_pattern(pattern.map(text));
        let response = client.call(2, &request);
        let listed = response.transaction_states.iter();
        let listed: Vec<_> = listed.map(|listed| listed.transaction_state.to_string()).collect();
        (response.error_code, listed)
    };
    let found = (0, vec!["Ongoing".to_owned()]);
    assert_eq!(list(&[], &[], -1, None), found);
    assert_eq!(list(&["Ongoing", "Empty"], &[0, 7], -1, Some("s.nk")), found);
    for nothing in [
        list(&["Empty"], &[], -1, None),
        list(&["Asleep"], &[], -1, None),
        list(&[], &[7], -1, None),
        list(&[], &[], 3_600_000, None),
        list(&[], &[], -1, Some("sin")),
    ] {
        assert_eq!(nothing, (0, vec![]));
    }
    assert_eq!(list(&[], &[], -1, Some("(")), (code(InvalidRegularExpression), vec![]));
}

#[tokio::test]
async fn what_a_crash_left_prepared_is_completed_at_the_start() {
    for commit in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let builder = Broker::builder().data_dir(directory.path());
        let broker = start_with(builder.clone()).await;
        let mut client = Client::connect(broker.bootstrap_servers());
        let topic = client.create_topic("t", 3, &[]);
        let me = client.init(5, None).unwrap();
        for partition in 0..3 {
            assert_eq!(client.write(ADDS, &topic, partition, me, 0), Ok(0));
        }
        assert_eq!(client.commit_offset(5, me, "t", 7), 0);
        drop(client);
        broker.shutdown().await.unwrap();
        // The decision is stored, as EndTxn stores it; the broker died before any marker was written.
        let store = Store::open(directory.path()).unwrap();
        let transactions = TransactionStore::open(&store).unwrap();
        let (id, mut transaction) = transactions.load().unwrap().pop_first().unwrap();
        assert_eq!(transaction.state, State::Ongoing);
        transaction.state = if commit {
            State::PrepareCommit
        } else {
            State::PrepareAbort
        };
        transaction.last_producer_epoch = transaction.producer_epoch;
        transaction.producer_epoch += 1;
        transactions
            .write(&id, &[Record::Changed(Box::new(transaction))])
            .unwrap();
        store.flush().await.unwrap();
        drop((transactions, store));

        let broker = start_with(builder).await;
        let mut client = Client::connect(broker.bootstrap_servers());
        let state = if commit { "CompleteCommit" } else { "CompleteAbort" };
        assert_eq!(client.describe().transaction_state.as_str(), state);
        for partition in 0..3 {
            let aborted = if commit { vec![] } else { vec![(0, 0)] };
            assert_eq!(client.aborted(&topic, partition), (2, aborted));
        }
        assert_eq!(client.fetch_offset("t", true), Ok(if commit { 7 } else { -1 }));
        // The producer asks once more, and is told that it was done.
        assert_eq!(client.end(5, me, commit), Ok(Me(0, 1)));
        broker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn no_record_comes_behind_the_marker() {
    const ROUNDS: usize = 150;
    let broker = start().await;
    let address = broker.bootstrap_servers().to_owned();
    let mut client = Client::connect(&address);
    let topic = client.create_topic("t", 1, &[]);
    let me = client.init(3, None).unwrap();
    // Somebody else writes as the same producer, whenever that is let in; old clients keep their epoch.
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = {
        let (topic, stop) = (topic.clone(), std::sync::Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut client = Client::connect(&address);
            let mut written = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // Sequences go on over the ends of transactions.
                match client.write(OLD, &topic, 0, me, written) {
                    Ok(_) => written += 1,
                    // Not open, or just being ended.
                    Err(error) => assert!(
                        [code(InvalidTxnState), code(NotEnoughReplicas)].contains(&error),
                        "{error}"
                    ),
                }
            }
            written
        })
    };
    for round in 0..ROUNDS {
        assert_eq!(client.add(3, me, "t", &[0], false), [0]);
        assert_eq!(client.end(4, me, round % 2 == 0), Ok(Me(-1, -1)));
    }
    let (stable, _) = client.aborted(&topic, 0);
    let end = client
        .fetch(latest(ApiKey::Fetch), &topic, 0, 0, 1 << 20)
        .high_watermark;
    assert_eq!(stable, end, "something is open that nobody will end");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let written = writer.join().unwrap();
    println!("{written} records in {ROUNDS} transactions");
    let end = client
        .fetch(latest(ApiKey::Fetch), &topic, 0, 0, 1 << 20)
        .high_watermark;
    assert_eq!(client.aborted(&topic, 0).0, end);
}

#[tokio::test]
async fn without_verification_a_stray_is_ended_by_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Broker::builder()
        .data_dir(directory.path())
        .property("transaction.partition.verification.enable", "false");
    let broker = start_with(builder.clone()).await;
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("t", 1, &[]);
    let me = client.init(3, None).unwrap();
    assert_eq!(client.write(OLD, &topic, 0, me, 0), Ok(0));
    assert_eq!(client.aborted(&topic, 0), (0, vec![]));
    let described = |client: &mut Client| {
        let topic = describe_producers_request::TopicRequest::default()
            .with_name(TopicName(text("t")))
            .with_partition_indexes(vec![0]);
        let request = DescribeProducersRequest::default().with_topics(vec![topic]);
        let described = client.call(0, &request).topics.remove(0).partitions.remove(0);
        let producer = &described.active_producers[0];
        (
            *producer.producer_id,
            producer.current_txn_start_offset,
            producer.coordinator_epoch,
        )
    };
    assert_eq!(described(&mut client), (0, 0, -1));
    drop(client);
    broker.shutdown().await.unwrap();
    let broker = start_with(builder).await;
    let mut client = Client::connect(broker.bootstrap_servers());
    assert_eq!(client.aborted(&topic, 0), (2, vec![(0, 0)]));
    assert_eq!(described(&mut client), (0, -1, 0));
}

#[tokio::test]
async fn an_idle_transactional_id_is_forgotten_by_the_brokers_clock() {
    let clock = std::sync::Arc::new(ManualClock::new(SystemClock.now_ms()));
    let builder = Broker::builder()
        .clock(clock.clone())
        .property("transaction.remove.expired.transaction.cleanup.interval.ms", "5");
    let broker = start_with(builder).await;
    let mut client = Client::connect(broker.bootstrap_servers());
    client.create_topic("t", 1, &[]);
    let me = client.init(5, None).unwrap();
    assert_eq!(client.describe().transaction_state.as_str(), "Empty");
    clock.advance(7 * 24 * 3_600_000);
    while client.describe().error_code == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.describe().error_code, code(TransactionalIdNotFound));
    assert_eq!(client.add(3, me, "t", &[0], false), [code(InvalidProducerIdMapping)]);
    assert_eq!(client.end(5, me, false), Err(code(InvalidProducerIdMapping)));
    assert_eq!(client.init(5, Some(me)), Ok(Me(1, 0)), "it starts anew");
}
