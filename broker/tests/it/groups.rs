//! Consumer groups as librdkafka's consumers use them, over real sockets.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::{GroupId, HeartbeatRequest, JoinGroupRequest};
use kafka_protocol::protocol::StrBytes;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tickertape_broker::{Broker, BrokerHandle};

use crate::support::client::Client;

/// Nothing here takes that long; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const TOPIC: &str = "prices";

fn broker() -> BrokerHandle {
    Broker::builder().listen("127.0.0.1:0").start_blocking().unwrap()
}

fn config(broker: &BrokerHandle) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    config
}

fn admin(broker: &BrokerHandle) -> AdminClient<DefaultClientContext> {
    config(broker).create().unwrap()
}

pub(crate) fn create_topic(broker: &BrokerHandle, partitions: i32) {
    let topic = NewTopic::new(TOPIC, partitions, TopicReplication::Fixed(1));
    let results = block_on(admin(broker).create_topics([&topic], &AdminOptions::new())).unwrap();
    results.into_iter().for_each(|result| drop(result.unwrap()));
}

/// Produces `count` messages to each partition.
pub(crate) fn produce(broker: &BrokerHandle, partitions: i32, count: usize) {
    let producer: BaseProducer = config(broker).create().unwrap();
    for number in 0..count {
        for partition in 0..partitions {
            let payload = format!("{partition}-{number}");
            let record: BaseRecord<'_, (), _> = BaseRecord::to(TOPIC).partition(partition).payload(&payload);
            producer.send(record).unwrap();
        }
    }
    producer.flush(PATIENCE).unwrap();
}

/// What a consumer was given and what was taken from it.
#[derive(Clone, Default)]
pub(crate) struct Events {
    assigned: Arc<AtomicUsize>,
    revoked: Arc<Mutex<Vec<i32>>>,
}

impl ClientContext for Events {}

impl ConsumerContext for Events {
    fn pre_rebalance(&self, _: &BaseConsumer<Events>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(_) => drop(self.assigned.fetch_add(1, Ordering::SeqCst)),
            Rebalance::Revoke(partitions) => {
                let partitions = partitions.elements();
                self.revoked
                    .lock()
                    .unwrap()
                    .extend(partitions.iter().map(|element| element.partition()));
            }
            Rebalance::Error(error) => panic!("{error}"),
        }
    }
}

pub(crate) struct Reader {
    pub(crate) consumer: BaseConsumer<Events>,
    events: Events,
    pub(crate) seen: Vec<String>,
}

impl Reader {
    fn new(broker: &BrokerHandle, group: &str, properties: &[(&str, &str)]) -> Reader {
        // A rebalance is noticed by the next heartbeat, so tests send them often.
        let mut all = vec![("heartbeat.interval.ms", "50"), ("session.timeout.ms", "6000")];
        all.extend(properties);
        Reader::subscribed(broker, group, &all, &[TOPIC])
    }

    pub(crate) fn subscribed(
        broker: &BrokerHandle,
        group: &str,
        properties: &[(&str, &str)],
        topics: &[&str],
    ) -> Reader {
        let events = Events::default();
        let mut config = config(broker);
        config
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        let consumer: BaseConsumer<Events> = config.create_with_context(events.clone()).unwrap();
        consumer.subscribe(topics).unwrap();
        Reader {
            consumer,
            events,
            seen: Vec::new(),
        }
    }

    fn step(&mut self) {
        match self.consumer.poll(Duration::from_millis(5)) {
            Some(Ok(message)) => self
                .seen
                .push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap()),
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }

    pub(crate) fn owned(&self) -> BTreeSet<i32> {
        let assignment = self.consumer.assignment().unwrap();
        assignment
            .elements()
            .iter()
            .map(|element| element.partition())
            .collect()
    }

    pub(crate) fn commit(&self) {
        self.consumer.commit_consumer_state(CommitMode::Sync).unwrap();
    }
}

/// Polls all readers until they are where they should be.
pub(crate) fn until(readers: &mut [&mut Reader], what: &str, mut done: impl FnMut(&[&mut Reader]) -> bool) -> Duration {
    let started = Instant::now();
    while !done(readers) {
        assert!(
            started.elapsed() < PATIENCE,
            "{what}: {:?}",
            readers.iter().map(|reader| reader.owned()).collect::<Vec<_>>()
        );
        readers.iter_mut().for_each(|reader| reader.step());
    }
    started.elapsed()
}

pub(crate) fn sizes(readers: &[&mut Reader]) -> Vec<usize> {
    readers.iter().map(|reader| reader.owned().len()).collect()
}

#[test]
fn a_group_goes_on_where_it_stopped_also_after_a_restart_of_the_broker() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        Broker::builder()
            .listen("127.0.0.1:0")
            .data_dir(directory.path())
            .start_blocking()
            .unwrap()
    };
    let broker = start();
    create_topic(&broker, 3);
    produce(&broker, 3, 10);
    let mut reader = Reader::new(&broker, "g", &[]);
    until(&mut [&mut reader], "all read", |readers| readers[0].seen.len() == 30);
    reader.commit();
    drop(reader);
    drop(broker);

    let broker = start();
    produce(&broker, 3, 1);
    let mut reader = Reader::new(&broker, "g", &[]);
    until(&mut [&mut reader], "the rest read", |readers| {
        readers[0].seen.len() == 3
    });
    reader.seen.sort();
    assert_eq!(reader.seen, ["0-0", "1-0", "2-0"]);
    let committed = reader.consumer.committed(PATIENCE).unwrap();
    assert!(
        committed
            .elements()
            .iter()
            .all(|element| element.offset() == Offset::Offset(10))
    );
}

fn two_members_share(properties: &[(&str, &str)]) -> (Reader, Reader, BrokerHandle) {
    let broker = broker();
    create_topic(&broker, 4);
    let mut first = Reader::new(&broker, "g", properties);
    let alone = until(&mut [&mut first], "the first owns all", |readers| sizes(readers) == [4]);
    let mut second = Reader::new(&broker, "g", properties);
    let shared = until(&mut [&mut first, &mut second], "both own half", |readers| {
        sizes(readers) == [2, 2]
    });
    assert!(first.owned().is_disjoint(&second.owned()));
    println!("{properties:?}: alone after {alone:?}, shared after {shared:?}");
    (first, second, broker)
}

#[test]
fn two_members_share_and_one_takes_over() {
    for strategy in ["range", "roundrobin"] {
        let (mut first, second, _broker) = two_members_share(&[("partition.assignment.strategy", strategy)]);
        drop(second);
        until(&mut [&mut first], "the one that is left owns all", |readers| {
            sizes(readers) == [4]
        });
    }
}

#[test]
fn a_cooperative_rebalance_takes_only_what_moves() {
    let (mut first, second, _broker) = two_members_share(&[("partition.assignment.strategy", "cooperative-sticky")]);
    let kept = first.owned();
    let revoked: BTreeSet<i32> = first.events.revoked.lock().unwrap().iter().copied().collect();
    assert_eq!(revoked, second.owned());
    assert!(kept.is_disjoint(&revoked));
    drop(second);
    until(&mut [&mut first], "the one that is left owns all", |readers| {
        sizes(readers) == [4]
    });
    assert_eq!(
        first.events.revoked.lock().unwrap().len(),
        2,
        "nothing was taken from it to give it more"
    );
}

#[test]
fn a_member_that_dies_is_missed() {
    let broker = Broker::builder()
        .listen("127.0.0.1:0")
        .property("group.min.session.timeout.ms", "100")
        .start_blocking()
        .unwrap();
    create_topic(&broker, 4);
    // Joins with a socket of its own, takes part in one rebalance, and is never heard of again.
    let mut dying = Client::connect(broker.bootstrap_servers());
    let mut subscription = 0_i16.to_be_bytes().to_vec();
    subscription.extend(1_i32.to_be_bytes());
    subscription.extend((TOPIC.len() as i16).to_be_bytes());
    subscription.extend(TOPIC.as_bytes());
    subscription.extend((-1_i32).to_be_bytes());
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(StrBytes::from_static_str("range"))
        .with_metadata(subscription.into());
    let group_id = GroupId(StrBytes::from_static_str("g"));
    let request = JoinGroupRequest::default()
        .with_group_id(group_id.clone())
        .with_session_timeout_ms(1_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol]);
    let joined = dying.call(3, &request);
    assert_eq!(joined.error_code, 0);
    let mut reader = Reader::new(&broker, "g", &[("partition.assignment.strategy", "range")]);
    let heartbeat = HeartbeatRequest::default()
        .with_group_id(group_id)
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id);
    until(&mut [&mut reader], "the newcomer waits for it", |_| {
        dying.call(3, &heartbeat).error_code != 0
    });
    dying.send(3, &request.with_member_id(joined.member_id));
    let mut answered = None;
    until(&mut [&mut reader], "both have joined", |_| {
        answered.get_or_insert_with(|| dying.receive::<JoinGroupRequest>(3).1.generation_id);
        true
    });
    assert_eq!(answered, Some(2));
    drop(dying);
    until(&mut [&mut reader], "the one that is left owns all", |readers| {
        sizes(readers) == [4]
    });
}

#[test]
fn a_static_member_that_restarts_disturbs_nobody() {
    let broker = broker();
    create_topic(&broker, 4);
    let named = |name: &'static str| [("group.instance.id", name)];
    let mut one = Reader::new(&broker, "g", &named("one"));
    let mut two = Reader::new(&broker, "g", &named("two"));
    until(&mut [&mut one, &mut two], "both own half", |readers| {
        sizes(readers) == [2, 2]
    });
    let (owned, rebalances) = (two.owned(), one.events.assigned.load(Ordering::SeqCst));
    drop(two);
    let mut two = Reader::new(&broker, "g", &named("two"));
    until(&mut [&mut one, &mut two], "it is back", |readers| {
        readers[1].owned().len() == 2
    });
    assert_eq!(two.owned(), owned);
    assert_eq!(one.events.assigned.load(Ordering::SeqCst), rebalances);
}

#[test]
fn the_former_self_of_a_static_member_is_fenced() {
    let broker = broker();
    create_topic(&broker, 2);
    let named = [("group.instance.id", "one")];
    let mut one = Reader::new(&broker, "g", &named);
    until(&mut [&mut one], "it owns all", |readers| sizes(readers) == [2]);
    let mut other = Reader::new(&broker, "g", &named);
    until(&mut [&mut other], "the other owns all", |readers| sizes(readers) == [2]);
    let started = Instant::now();
    while one.consumer.client().fatal_error().is_none() {
        assert!(started.elapsed() < PATIENCE);
        let _ = one.consumer.poll(Duration::from_millis(5));
    }
    assert_eq!(
        one.consumer.client().fatal_error().unwrap().0,
        RDKafkaErrorCode::FencedInstanceId
    );
}

#[test]
fn administrators_list_describe_and_delete_groups() {
    let broker = broker();
    create_topic(&broker, 1);
    produce(&broker, 1, 1);
    let mut reader = Reader::new(&broker, "g", &[]);
    until(&mut [&mut reader], "all read", |readers| readers[0].seen.len() == 1);
    reader.commit();
    let outsider: BaseConsumer = config(&broker).set("group.id", "outside").create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(TOPIC, 0, Offset::Offset(1)).unwrap();
    outsider.commit(&offsets, CommitMode::Sync).unwrap();

    let groups = outsider.fetch_group_list(None, PATIENCE).unwrap();
    let mut listed: Vec<_> = groups
        .groups()
        .iter()
        .map(|group| (group.name(), group.state(), group.members().len()))
        .collect();
    listed.sort();
    assert_eq!(listed, [("g", "Stable", 1), ("outside", "Empty", 0)]);
    let group = groups.groups().iter().find(|group| group.name() == "g").unwrap();
    assert_eq!((group.protocol_type(), group.protocol()), ("consumer", "range"));
    let member = &group.members()[0];
    assert_eq!((member.client_id(), member.client_host()), ("rdkafka", "/127.0.0.1"));
    assert!(!member.assignment().unwrap().is_empty());

    let delete = |group: &str| {
        block_on(admin(&broker).delete_groups(&[group], &AdminOptions::new()))
            .unwrap()
            .remove(0)
    };
    assert_eq!(delete("g").unwrap_err().1, RDKafkaErrorCode::NonEmptyGroup);
    drop(reader);
    assert_eq!(delete("g").unwrap(), "g");
    assert_eq!(delete("g").unwrap_err().1, RDKafkaErrorCode::GroupIdNotFound);
    let groups = outsider.fetch_group_list(None, PATIENCE).unwrap();
    assert_eq!(
        groups.groups().iter().map(|group| group.name()).collect::<Vec<_>>(),
        ["outside"]
    );
    // With the topic go its offsets.
    block_on(admin(&broker).delete_topics(&[TOPIC], &AdminOptions::new())).unwrap();
    create_topic(&broker, 1);
    let committed = outsider.committed_offsets(offsets, PATIENCE).unwrap();
    assert_eq!(committed.elements()[0].offset(), Offset::Invalid);
}

#[test]
fn many_members_come_to_rest() {
    let broker = broker();
    create_topic(&broker, 12);
    let mut readers: Vec<Reader> = (0..6).map(|_| Reader::new(&broker, "g", &[])).collect();
    let mut all: Vec<&mut Reader> = readers.iter_mut().collect();
    let taken = until(&mut all, "everybody owns two", |readers| sizes(readers) == [2; 6]);
    println!("six members at once: {taken:?}");
}
