//! The consumer group protocol (KIP-848) as librdkafka speaks it, over real sockets.

use std::time::Duration;

use kafka_protocol::messages::{ConsumerGroupDescribeRequest, GroupId, ListGroupsRequest};
use kafka_protocol::protocol::StrBytes;
use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use tickertape_broker::{Broker, BrokerHandle};

use crate::groups::{Reader, TOPIC, create_topic, produce, sizes, until};
use crate::support::client::Client;

const PATIENCE: Duration = Duration::from_secs(60);

fn builder() -> tickertape_broker::BrokerBuilder {
    // A rebalance is noticed by the next heartbeat, so tests send them often.
    Broker::builder()
        .listen("127.0.0.1:0")
        .property("group.consumer.heartbeat.interval.ms", "100")
}

fn broker() -> BrokerHandle {
    builder().start_blocking().unwrap()
}

fn reader(broker: &BrokerHandle, properties: &[(&str, &str)], topics: &[&str]) -> Reader {
    let mut all = vec![("group.protocol", "consumer")];
    all.extend(properties);
    Reader::subscribed(broker, "g", &all, topics)
}

fn describe(broker: &BrokerHandle) -> kafka_protocol::messages::consumer_group_describe_response::DescribedGroup {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(StrBytes::from_static_str("g"))]);
    Client::connect(broker.bootstrap_servers())
        .call(1, &request)
        .groups
        .remove(0)
}

#[test]
fn a_group_goes_on_where_it_stopped_also_after_a_restart_of_the_broker() {
    let directory = tempfile::tempdir().unwrap();
    let broker = builder().data_dir(directory.path()).start_blocking().unwrap();
    create_topic(&broker, 3);
    produce(&broker, 3, 10);
    let mut first = reader(&broker, &[], &[TOPIC]);
    until(&mut [&mut first], "all read", |readers| readers[0].seen.len() == 30);
    first.commit();
    drop(first);
    drop(broker);

    let broker = builder().data_dir(directory.path()).start_blocking().unwrap();
    produce(&broker, 3, 1);
    let mut second = reader(&broker, &[], &[TOPIC]);
    until(&mut [&mut second], "the rest read", |readers| {
        readers[0].seen.len() == 3
    });
    second.seen.sort();
    assert_eq!(second.seen, ["0-0", "1-0", "2-0"]);
    let committed = second.consumer.committed(PATIENCE).unwrap();
    assert!(
        committed
            .elements()
            .iter()
            .all(|element| element.offset() == Offset::Offset(10))
    );
}

#[test]
fn members_share_by_the_servers_assignors() {
    for assignor in ["uniform", "range"] {
        let broker = broker();
        create_topic(&broker, 4);
        let properties = [("group.remote.assignor", assignor)];
        let mut first = reader(&broker, &properties, &[TOPIC]);
        let alone = until(&mut [&mut first], "the first owns all", |readers| sizes(readers) == [4]);
        let mut second = reader(&broker, &properties, &[TOPIC]);
        let shared = until(&mut [&mut first, &mut second], "both own half", |readers| {
            sizes(readers) == [2, 2]
        });
        assert!(first.owned().is_disjoint(&second.owned()));
        println!("{assignor}: alone after {alone:?}, shared after {shared:?}");
        until(&mut [&mut first, &mut second], "the group is stable", |_| {
            describe(&broker).group_state.as_str() == "Stable"
        });
        let described = describe(&broker);
        assert_eq!(
            (described.assignor_name.as_str(), described.members.len()),
            (assignor, 2)
        );
        assert!(
            described
                .members
                .iter()
                .all(|member| member.assignment == member.target_assignment && member.member_type == 1)
        );
        drop(second);
        until(&mut [&mut first], "the one that is left owns all", |readers| {
            sizes(readers) == [4]
        });
        let listed = Client::connect(broker.bootstrap_servers())
            .call(5, &ListGroupsRequest::default())
            .groups;
        assert_eq!(
            (listed[0].group_type.as_str(), listed[0].protocol_type.as_str()),
            ("consumer", "consumer")
        );
    }
}

#[test]
fn a_subscription_by_expression_follows_new_topics_and_partitions() {
    let broker = broker();
    let mut reader = reader(&broker, &[], &["^pri.*"]);
    until(&mut [&mut reader], "it is a member", |_| {
        describe(&broker).members.len() == 1
    });
    create_topic(&broker, 2);
    until(&mut [&mut reader], "it reads the new topic", |readers| {
        sizes(readers) == [2]
    });
    produce(&broker, 2, 1);
    until(&mut [&mut reader], "it has read", |readers| readers[0].seen.len() == 2);
}

#[test]
fn a_static_member_that_restarts_disturbs_nobody() {
    let broker = broker();
    create_topic(&broker, 4);
    let mut one = reader(&broker, &[("group.instance.id", "one")], &[TOPIC]);
    let mut two = reader(&broker, &[("group.instance.id", "two")], &[TOPIC]);
    until(&mut [&mut one, &mut two], "both own half", |readers| {
        sizes(readers) == [2, 2]
    });
    until(&mut [&mut one, &mut two], "the group is stable", |_| {
        describe(&broker).group_state.as_str() == "Stable"
    });
    let (owned, epoch) = (two.owned(), describe(&broker).group_epoch);
    drop(two);
    let mut two = reader(&broker, &[("group.instance.id", "two")], &[TOPIC]);
    until(&mut [&mut one, &mut two], "it is back", |readers| {
        readers[1].owned() == owned
    });
    assert_eq!(
        (describe(&broker).group_epoch, describe(&broker).members.len()),
        (epoch, 2)
    );
}

/// The type of the group, as ListGroups tells it.
fn group_type(broker: &BrokerHandle) -> String {
    let listed = Client::connect(broker.bootstrap_servers()).call(5, &ListGroupsRequest::default());
    listed
        .groups
        .first()
        .map(|group| group.group_type.to_string())
        .unwrap_or_default()
}

/// librdkafka's `cooperative-sticky` says more in an assignment than partitions, which Apache Kafka does not change over either.
#[test]
fn consumers_change_over_one_by_one_and_back() {
    for assignor in ["range", "roundrobin"] {
        let broker = broker();
        create_topic(&broker, 6);
        let classic = [
            ("partition.assignment.strategy", assignor),
            ("heartbeat.interval.ms", "100"),
        ];
        let classic = || Reader::subscribed(&broker, "g", &classic, &[TOPIC]);
        let (mut one, mut two) = (classic(), classic());
        until(&mut [&mut one, &mut two], "both own half", |readers| {
            sizes(readers) == [3, 3]
        });
        assert_eq!(group_type(&broker), "classic");
        let mut three = reader(&broker, &[], &[TOPIC]);
        until(&mut [&mut one, &mut two, &mut three], "all own a third", |readers| {
            sizes(readers) == [2, 2, 2]
        });
        assert_eq!(group_type(&broker), "consumer");
        let types: Vec<i8> = describe(&broker)
            .members
            .iter()
            .map(|member| member.member_type)
            .collect();
        assert_eq!((types.len(), types.iter().sum::<i8>()), (3, 1), "{assignor}: {types:?}");
        produce(&broker, 6, 10);
        until(&mut [&mut one, &mut two, &mut three], "all read", |readers| {
            readers.iter().map(|reader| reader.seen.len()).sum::<usize>() == 60
        });
        for reader in [&mut one, &mut two, &mut three] {
            reader.commit();
        }
        drop(three);
        until(&mut [&mut one, &mut two], "the classic ones own all", |readers| {
            sizes(readers) == [3, 3]
        });
        assert_eq!(group_type(&broker), "classic");
        let before = one.seen.len() + two.seen.len();
        produce(&broker, 6, 1);
        until(&mut [&mut one, &mut two], "they go on where all stopped", |readers| {
            readers.iter().map(|reader| reader.seen.len()).sum::<usize>() >= before + 6
        });
        assert_eq!(one.seen.len() + two.seen.len(), before + 6, "nothing is read again");
    }
}
