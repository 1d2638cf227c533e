//! What goes wrong: half-written batches, offsets lost, topics made anew, messages deleted.

use serde_json::Value;
use tickertape_consumer::OnLost;

use crate::support::{Catalog, World, assert_is, event, events, until};

async fn written(world: &World, catalog: &Catalog, range: std::ops::Range<u32>) {
    let messages = u64::from(range.end - range.start);
    world.produce("ticks", 0, &events(range)).await;
    let sink = world.sink(world.options(&["ticks"]), catalog);
    sink.written(messages).await;
    sink.stop().await.unwrap();
}

async fn claims(world: &World) -> Vec<(String, Value)> {
    let mut claims = Vec::new();
    for key in world.keys("market/_ledger/ticks/0/").await {
        let claim = serde_json::from_slice(&world.object(&key).await).unwrap();
        claims.push((key, claim));
    }
    claims
}

/// A claim of messages 0 to 39 whose even half, one of its two days, was never written, and the group's offset behind it.
async fn half_a_claim(world: &World, catalog: &Catalog) {
    written(world, catalog, 0..40).await;
    let (_, claim) = claims(world).await.pop().unwrap();
    remove(world, claim["objects"][0]["key"].as_str().unwrap()).await;
    set_offset(world, 40).await;
}

/// A group is forgotten by giving the topic's claims to another one.
async fn forget_offsets(world: &World) {
    let owner = "market/_ledger/ticks/owner";
    let body = br#"{"group":"fresh"}"#.to_vec();
    world
        .client
        .put_object()
        .bucket("lake")
        .key(owner)
        .body(body.into())
        .send()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_without_its_objects_is_finished_and_with_lost_offsets_nothing_is_doubled() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    written(&world, &catalog, 0..100).await;
    written(&world, &catalog, 100..130).await;
    // As if the sink had died between the claim and the second of its objects, before the commit.
    let (_, last) = claims(&world).await.pop().unwrap();
    let lost = last["objects"][1]["key"].as_str().unwrap().to_owned();
    let before = world.object(&lost).await;
    world
        .client
        .delete_object()
        .bucket("lake")
        .key(&lost)
        .send()
        .await
        .unwrap();
    forget_offsets(&world).await;

    world.produce("ticks", 0, &events(130..140)).await;
    let mut options = world.options(&["ticks"]);
    options.group = "fresh".to_owned();
    let sink = world.sink(options, &catalog);
    // The claim's thirty and the ten new ones.
    sink.written(40).await;
    sink.stop().await.unwrap();
    assert_eq!(
        world.object(&lost).await,
        before,
        "written again, the object is the same"
    );
    let rows = world.rows("ticks").await;
    assert_eq!(rows.len(), 140);
    (0..140).for_each(|at| assert_is(&rows[&(0, i64::from(at))], "ticks", &event(at)));
    let ends: Vec<i64> = claims(&world)
        .await
        .iter()
        .map(|(_, claim)| claim["end"].as_i64().unwrap())
        .collect();
    assert_eq!(ends.last(), Some(&140));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_another_sink_claims_first_is_left_to_it() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    written(&world, &catalog, 0..50).await;
    let mut options = world.options(&["ticks"]);
    options.max_age = std::time::Duration::from_secs(3600);
    options.max_records = 40;
    let sleeper = world.sink(options, &catalog);
    world.produce("ticks", 0, &events(50..80)).await;
    until(|| sleeper.stats.consumed.load(std::sync::atomic::Ordering::Relaxed) >= 31).await;
    // While its batch is open another sink claims the range, and dies before it has written anything.
    let stolen = claim_of_rest(&world).await;
    let key = format!("market/_ledger/ticks/0/{:020}", 50);
    world
        .client
        .put_object()
        .bucket("lake")
        .key(key)
        .body(stolen.into())
        .send()
        .await
        .unwrap();
    // The batch is full at 90, and its claim comes too late: the sink finishes the other's and goes on at 80.
    world.produce("ticks", 0, &events(80..90)).await;
    sleeper.written(30).await;
    until(|| sleeper.stats.consumed.load(std::sync::atomic::Ordering::Relaxed) >= 52).await;
    assert_eq!(sleeper.stop().await.unwrap().total().records, 40);
    let rows = world.rows("ticks").await;
    assert_eq!(rows.len(), 90);
    (0..90).for_each(|at| assert_is(&rows[&(0, i64::from(at))], "ticks", &event(at)));
    world.shutdown().await;
}

/// The claim that a sink would make of the messages from 50 on.
async fn claim_of_rest(world: &World) -> Vec<u8> {
    let first = world.keys("market/_ledger/ticks/0/").await;
    for key in &first {
        let body = world.object(key).await;
        let copied = key.replace("market/", "third/");
        let body = String::from_utf8(body).unwrap().replace("market/", "third/");
        world
            .client
            .put_object()
            .bucket("lake")
            .key(copied)
            .body(body.into_bytes().into())
            .send()
            .await
            .unwrap();
    }
    for key in world.keys("market/ticks/").await {
        let body = world.object(&key).await;
        let key = key.replace("market/", "third/");
        world
            .client
            .put_object()
            .bucket("lake")
            .key(key)
            .body(body.into())
            .send()
            .await
            .unwrap();
    }
    let mut options = world.options(&["ticks"]);
    options.to = "s3://lake/third".parse().unwrap();
    options.group = "third".to_owned();
    options.max_age = std::time::Duration::from_secs(3600);
    // A catalog of its own: in the other one the table of that name lies elsewhere.
    let third = world.sink(options, &Catalog::default());
    until(|| third.stats.consumed.load(std::sync::atomic::Ordering::Relaxed) >= 31).await;
    assert_eq!(third.stop().await.unwrap().total().records, 30);
    let key = world.keys("third/_ledger/ticks/0/").await.pop().unwrap();
    let claim = String::from_utf8(world.object(&key).await).unwrap();
    claim.replace("third/", "market/").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_is_not_written_over_the_old_one() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    written(&world, &catalog, 0..50).await;
    world.delete_topic("ticks").await;
    world.topic("ticks", 1).await;
    world.produce("ticks", 0, &events(1_000..1_020)).await;
    let error = world
        .sink(world.options(&["ticks"]), &catalog)
        .ended()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("--epoch 1"), "{error}");
    // Also when it has grown beyond what was written.
    world.produce("ticks", 0, &events(1_020..1_100)).await;
    let error = world
        .sink(world.options(&["ticks"]), &catalog)
        .ended()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("--epoch 1"), "{error}");
    assert_eq!(world.rows("ticks").await.len(), 50);

    let mut options = world.options(&["ticks"]);
    options.epoch = 1;
    let sink = world.sink(options, &catalog);
    sink.written(100).await;
    sink.stop().await.unwrap();
    assert_eq!(
        world
            .keys("market/ticks/")
            .await
            .iter()
            .filter(|key| key.contains("/ticks@1-0-"))
            .count(),
        2
    );
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_deleted_before_they_were_written_are_counted_or_stop_the_sink() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    written(&world, &catalog, 0..50).await;
    world.produce("ticks", 0, &events(50..100)).await;
    world.delete_records("ticks", 0, 70).await;
    let mut options = world.options(&["ticks"]);
    options.on_lost = OnLost::Stop;
    let error = world.sink(options, &catalog).ended().await.unwrap_err();
    assert!(error.to_string().contains("[50, 70)"), "{error}");
    let sink = world.sink(world.options(&["ticks"]), &catalog);
    sink.written(30).await;
    assert_eq!(sink.stop().await.unwrap().lost, 20);
    let rows = world.rows("ticks").await;
    assert_eq!(rows.len(), 80);
    // The chain of claims has no hole.
    let claims = claims(&world).await;
    assert!(
        claims.windows(2).all(|pair| pair[0].1["end"] == pair[1].1["start"]),
        "{claims:?}"
    );
    world.shutdown().await;
}

/// Sets the group's offset as Kafka's own tool does, without a sink's note.
async fn set_offset(world: &World, offset: i64) {
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
    let mut config = rdkafka::ClientConfig::new();
    config
        .set("bootstrap.servers", world.broker.bootstrap_servers())
        .set("group.id", "tickertape-sink");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut offsets = rdkafka::TopicPartitionList::new();
    offsets
        .add_partition_offset("ticks", 0, rdkafka::Offset::Offset(offset))
        .unwrap();
    tokio::task::block_in_place(|| consumer.commit(&offsets, CommitMode::Sync)).unwrap();
}

async fn remove(world: &World, key: &str) {
    let removed = world.client.delete_object().bucket("lake").key(key).send().await;
    removed.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_set_by_hand_neither_double_nor_skip_a_row() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    written(&world, &catalog, 0..60).await;
    let mut produced = 60;
    for offset in [0, 17, 60, 65] {
        world.produce("ticks", 0, &events(produced..produced + 10)).await;
        set_offset(&world, offset).await;
        let sink = world.sink(world.options(&["ticks"]), &catalog);
        sink.written(10).await;
        sink.stop().await.unwrap();
        produced += 10;
        assert_eq!(world.rows("ticks").await.len(), produced as usize, "set to {offset}");
    }
    // Exactly at the end of a claim that isn't whole.
    let (_, last) = claims(&world).await.pop().unwrap();
    remove(&world, last["objects"][0]["key"].as_str().unwrap()).await;
    set_offset(&world, i64::from(produced)).await;
    let sink = world.sink(world.options(&["ticks"]), &catalog);
    sink.written(last["records"].as_u64().unwrap()).await;
    sink.stop().await.unwrap();
    assert_eq!(world.rows("ticks").await.len(), produced as usize);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_under_a_running_sink_stops_it() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let mut options = world.options(&["ticks"]);
    let refresh = ("topic.metadata.refresh.interval.ms".into(), "500".into());
    options.kafka.properties.push(refresh);
    let sink = world.sink(options, &Catalog::default());
    world.produce("ticks", 0, &events(0..20)).await;
    sink.written(20).await;
    world.delete_topic("ticks").await;
    world.topic("ticks", 1).await;
    // At once more than the old one had, so that no offset is out of range.
    world.produce("ticks", 0, &events(1_000..1_100)).await;
    let error = sink.ended().await.unwrap_err();
    assert!(error.to_string().contains("--epoch 1"), "{error}");
    let rows = world.rows("ticks").await;
    assert_eq!(rows.len(), 20);
    (0..20).for_each(|at| assert_is(&rows[&(0, i64::from(at))], "ticks", &event(at)));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_claim_is_written_and_what_is_gone_is_named() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    half_a_claim(&world, &catalog).await;
    world.delete_records("ticks", 0, 20).await;
    let mut options = world.options(&["ticks"]);
    options.on_lost = OnLost::Stop;
    let error = world.sink(options, &catalog).ended().await.unwrap_err();
    assert!(error.to_string().contains("[0, 20)"), "{error}");
    let sink = world.sink(world.options(&["ticks"]), &catalog);
    until(|| sink.stats.partitions.load(std::sync::atomic::Ordering::Relaxed) == 1).await;
    assert_eq!(sink.stop().await.unwrap().lost, 20);
    let rows = world.rows("ticks").await;
    let expected: Vec<i64> = (0..40).filter(|at| at % 2 == 1 || *at >= 20).collect();
    assert_eq!(rows.keys().map(|(_, offset)| *offset).collect::<Vec<_>>(), expected);
    assert_eq!(catalog.listed.lock().unwrap()[..], Vec::<String>::new()[..]);
    assert_eq!(lost_of_a_start(&world, &catalog).await, 0, "counted once");
    world.shutdown().await;
}

/// What a sink that has nothing to write finds lost.
async fn lost_of_a_start(world: &World, catalog: &Catalog) -> u64 {
    let sink = world.sink(world.options(&["ticks"]), catalog);
    until(|| sink.stats.partitions.load(std::sync::atomic::Ordering::Relaxed) == 1).await;
    sink.stop().await.unwrap().lost
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_behind_the_last_claim_is_counted_when_something_is_written_behind_it() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    written(&world, &catalog, 0..10).await;
    world.produce("ticks", 0, &events(10..60)).await;
    world.delete_records("ticks", 0, 60).await;
    assert_eq!(lost_of_a_start(&world, &catalog).await, 0);
    assert_eq!(lost_of_a_start(&world, &catalog).await, 0);
    world.produce("ticks", 0, &events(60..65)).await;
    let sink = world.sink(world.options(&["ticks"]), &catalog);
    sink.written(5).await;
    assert_eq!(sink.stop().await.unwrap().lost, 50);
    assert_eq!(lost_of_a_start(&world, &catalog).await, 0);
    world.shutdown().await;
}

/// A claim of which messages between the first and the last are gone: as it is when Kafka has compacted them.
#[tokio::test(flavor = "multi_thread")]
async fn what_compaction_has_left_of_a_claim_is_written_and_the_rest_counted() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    half_a_claim(&world, &catalog).await;
    let (key, mut claim) = claims(&world).await.pop().unwrap();
    claim["records"] = 45.into();
    claim["checksum"] = 7.into();
    let put = world.client.put_object().bucket("lake").key(&key);
    put.body(claim.to_string().into_bytes().into()).send().await.unwrap();
    let mut options = world.options(&["ticks"]);
    options.on_lost = OnLost::Stop;
    let error = world.sink(options, &catalog).ended().await.unwrap_err();
    assert!(error.to_string().contains("5 of the 45 messages in [0, 40)"), "{error}");
    assert_eq!(lost_of_a_start(&world, &catalog).await, 5);
    let rows = world.rows("ticks").await;
    assert_eq!(rows.len(), 40);
    (0..40).for_each(|at| assert_is(&rows[&(0, i64::from(at))], "ticks", &event(at)));
    assert_eq!(lost_of_a_start(&world, &catalog).await, 0);
    // Messages that are others are those of another topic, however many there are.
    remove(&world, claim["objects"][0]["key"].as_str().unwrap()).await;
    set_offset(&world, 40).await;
    claim["last"]["checksum"] = 7.into();
    let put = world.client.put_object().bucket("lake").key(&key);
    put.body(claim.to_string().into_bytes().into()).send().await.unwrap();
    let error = world
        .sink(world.options(&["ticks"]), &catalog)
        .ended()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not those that were claimed"), "{error}");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_which_nothing_is_left_is_listed_in_case_that_its_writer_wakes() {
    let world = World::new().await;
    world.topic("ticks", 1).await;
    let catalog = Catalog::default();
    half_a_claim(&world, &catalog).await;
    world.delete_records("ticks", 0, 40).await;
    // It was claimed and not registered.
    *catalog.end.lock().unwrap() = Some(0);
    let sink = world.sink(world.options(&["ticks"]), &catalog);
    until(|| sink.stats.partitions.load(std::sync::atomic::Ordering::Relaxed) == 1).await;
    assert_eq!(sink.stop().await.unwrap().lost, 40);
    let registered = catalog.registered.lock().unwrap().pop().unwrap();
    assert_eq!((registered.end, registered.partitions.len()), (40, 1));
    let listed = catalog.listed.lock().unwrap().clone();
    assert!(
        !listed.is_empty() && listed.iter().all(|table| table == "ticks"),
        "{listed:?}"
    );
    world.shutdown().await;
}
