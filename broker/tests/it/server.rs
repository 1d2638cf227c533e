//! Connections: their order, their limits, their end; starting and stopping.

use std::process::Command;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
};
use kafka_protocol::protocol::StrBytes;
use tickertape_broker::wire::build::BatchBuilder;
use tickertape_broker::{Broker, BrokerError};

use crate::support::calls::{Topic, latest};
use crate::support::client::{Client, frame, frame_of};

/// A fetch that nothing but an append, or the end of something, ends.
fn endless(topic: &Topic) -> FetchRequest {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    FetchRequest::default()
        .with_max_wait_ms(i32::MAX)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![
            FetchTopic::default()
                .with_topic_id(topic.id)
                .with_partitions(vec![partition]),
        ])
}

fn versions() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("it"))
        .with_client_software_version(StrBytes::from_static_str("1"))
}

#[test]
fn requests_of_one_burst_are_answered_in_their_order() {
    let broker = Broker::builder().start_blocking().unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let mut burst = Vec::new();
    for round in 0..100 {
        burst.extend(frame(4, round * 3, &versions()));
        burst.extend(frame(13, round * 3 + 1, &MetadataRequest::default()));
        burst.extend(frame(10, round * 3 + 2, &ListOffsetsRequest::default()));
    }
    client.send_bytes(&burst).unwrap();
    for round in 0..100 {
        assert_eq!(client.receive::<ApiVersionsRequest>(4).0, round * 3);
        assert_eq!(client.receive::<MetadataRequest>(13).0, round * 3 + 1);
        assert_eq!(client.receive::<ListOffsetsRequest>(10).0, round * 3 + 2);
    }
}

#[test]
fn a_parked_fetch_holds_back_what_follows_but_not_what_went_before() {
    let broker = Broker::builder().start_blocking().unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let mut other = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("parked", 1, &[]);
    let fetch = latest(ApiKey::Fetch);
    let burst = [
        frame(4, 1, &versions()),
        frame(fetch, 2, &endless(&topic)),
        frame(4, 3, &versions()),
    ]
    .concat();
    client.send_bytes(&burst).unwrap();
    assert_eq!(
        client.receive::<ApiVersionsRequest>(4).0,
        1,
        "before the fetch has ended"
    );
    let batch = BatchBuilder::new().record(1, None, Some(b"x")).build().unwrap();
    other.produce(latest(ApiKey::Produce), &topic, 0, batch);
    assert_eq!(client.receive::<FetchRequest>(fetch).0, 2);
    assert_eq!(client.receive::<ApiVersionsRequest>(4).0, 3);
}

#[test]
fn a_stop_answers_who_waits_and_closes_the_connections() {
    let broker = Broker::builder().start_blocking().unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("stopped", 1, &[]);
    let fetch = latest(ApiKey::Fetch);
    client
        .send_bytes(&[frame(4, 1, &versions()), frame(fetch, 2, &endless(&topic))].concat())
        .unwrap();
    assert_eq!(
        client.receive::<ApiVersionsRequest>(4).0,
        1,
        "the fetch has arrived as well"
    );
    drop(broker);
    let (correlation_id, response) = client.receive::<FetchRequest>(fetch);
    assert_eq!((correlation_id, response.error_code), (2, 0));
    assert_eq!(client.receive_frame(), None);
}

#[test]
fn a_client_that_leaves_while_it_waits_is_noticed() {
    let broker = Broker::builder()
        .property("max.connections", "2")
        .start_blocking()
        .unwrap();
    let mut admin = Client::connect(broker.bootstrap_servers());
    let topic = admin.create_topic("left", 1, &[]);
    for _ in 0..20 {
        // Each of these takes the second and last place until the broker sees that it is gone.
        let mut client = loop {
            let mut client = Client::connect(broker.bootstrap_servers());
            if client.send_bytes(&frame(4, 1, &versions())).is_ok() && client.receive_frame().is_some() {
                break client;
            }
        };
        client.send(latest(ApiKey::Fetch), &endless(&topic));
    }
}

#[test]
fn one_connection_too_many_is_closed() {
    let broker = Broker::builder()
        .property("max.connections.per.ip", "2")
        .start_blocking()
        .unwrap();
    let mut clients: Vec<_> = (0..2).map(|_| Client::connect(broker.bootstrap_servers())).collect();
    for client in &mut clients {
        client.call(4, &versions());
    }
    let mut third = Client::connect(broker.bootstrap_servers());
    assert_eq!(third.receive_frame(), None);
    for client in &mut clients {
        client.call(4, &versions());
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let broker = Broker::builder()
        .property("connections.max.idle.ms", "50")
        .start_blocking()
        .unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    assert_eq!(client.receive_frame(), None);
}

#[test]
fn what_kafka_does_not_answer_closes_the_connection() {
    let broker = Broker::builder().start_blocking().unwrap();
    // An API key of nobody, one of the controller's, and versions that are gone or yet to come.
    for (key, version) in [(999, 0), (59, 0), (0, 2), (1, 3), (3, 99)] {
        let mut client = Client::connect(broker.bootstrap_servers());
        client.send_bytes(&frame_of(key, version, 1, &[0; 64])).unwrap();
        assert_eq!(client.receive_frame(), None, "key {key} version {version}");
    }
}

#[test]
fn an_unacknowledged_produce_is_silent_and_its_error_closes() {
    let broker = Broker::builder().start_blocking().unwrap();
    let mut client = Client::connect(broker.bootstrap_servers());
    let topic = client.create_topic("silent", 1, &[]);
    let produce = |index| {
        let batch = BatchBuilder::new().record(1, None, Some(b"x")).build().unwrap();
        let partition = kafka_protocol::messages::produce_request::PartitionProduceData::default()
            .with_index(index)
            .with_records(Some(batch.into()));
        let data = kafka_protocol::messages::produce_request::TopicProduceData::default()
            .with_topic_id(topic.id)
            .with_partition_data(vec![partition]);
        ProduceRequest::default().with_acks(0).with_topic_data(vec![data])
    };
    let version = latest(ApiKey::Produce);
    client.send(version, &produce(0));
    client.call(4, &versions());
    assert_eq!(client.list_offset(latest(ApiKey::ListOffsets), &topic, 0, -1).1, 1);
    client.send(version, &produce(7));
    assert_eq!(client.receive_frame(), None);
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let broker = Broker::builder().start_blocking().unwrap();
    let error = Broker::builder()
        .listen(broker.bootstrap_servers())
        .start_blocking()
        .unwrap_err();
    assert!(matches!(error, BrokerError::PortInUse { .. }) && error.is_usage());
    let text = error.to_string();
    assert!(
        text.contains(broker.bootstrap_servers()) && text.contains("--listen 127.0.0.1:0"),
        "{text}"
    );
}

#[test]
fn a_data_directory_in_use_is_named() {
    let broker = Broker::builder().start_blocking().unwrap();
    let error = Broker::builder()
        .data_dir(broker.data_dir())
        .start_blocking()
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&broker.data_dir().display().to_string()) && text.contains("use"),
        "{text}"
    );
}

#[test]
fn a_data_directory_is_free_again_when_the_broker_has_stopped() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let broker = Broker::builder().data_dir(directory.path()).start_blocking().unwrap();
        Client::connect(broker.bootstrap_servers()).call(4, &versions());
    }
}

#[test]
fn a_server_properties_file_is_obeyed_and_bad_values_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("server.properties");
    let data = directory.path().join("data");
    let text = format!(
        "process.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\nlog.dirs={}\n\
         num.partitions=nine\n",
        data.display()
    );
    std::fs::write(&file, &text).unwrap();
    let run = |file: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickertape-broker"));
        command.arg("--config").arg(file).output().unwrap()
    };
    let output = run(&file);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("num.partitions") && stderr.contains("nine"), "{stderr}");
    let output = run(&directory.path().join("nowhere.properties"));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("nowhere.properties"));

    let properties = [("num.partitions".to_owned(), "9".to_owned())];
    let options = tickertape_broker::cli::BrokerOptions {
        config: Some(file),
        properties: properties.to_vec(),
        ..Default::default()
    };
    let broker = options.builder().unwrap().start_blocking().unwrap();
    assert_eq!(broker.data_dir(), data);
}
