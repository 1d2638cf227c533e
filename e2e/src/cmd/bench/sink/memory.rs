//! What memory the sink takes when as much as possible is open: many partitions, with messages of many days in each.

use std::fmt;
use std::time::Instant;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde::Serialize;
use tickertape_client::{Plain, connect};
use tokio_util::sync::CancellationToken;

use super::{House, TOPIC};
use crate::cmd::bench::{LOOK_EVERY, Measure, TIMEOUT, go_on};

const PARTITIONS: usize = 1_000;
const DAYS: usize = 30;

/// Peaks from the first message to the last.
#[derive(Debug, Serialize)]
pub(in super::super) struct Memory {
    measure: Measure,
    partitions: usize,
    days: usize,
    messages: usize,
    memory: String,
    /// The sink's own measure.
    peak_measured_mib: f64,
    /// The process's (`VmHWM`).
    peak_rss_mib: f64,
    pauses: u64,
    objects: u64,
    seconds: f64,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sink     --memory {}: at most {:.0} MiB resident ({:.0} MiB by its own measure) with {} partitions of {} days open; \
             {} messages in {:.1} s, {} objects, {} pauses",
            self.memory,
            self.peak_rss_mib,
            self.peak_measured_mib,
            self.partitions,
            self.days,
            self.messages,
            self.seconds,
            self.objects,
            self.pauses,
        )
    }
}

/// Produces `messages` and has them taken with that much memory.
pub(in super::super) fn measure(messages: usize, memory: &str, stop: &CancellationToken) -> anyhow::Result<Memory> {
    let house = House::open(stop)?;
    produce(&house, messages, stop)?;
    let mut sink = house.sink(&["--memory", memory, "--max-age", "10h"], false)?;
    let started = Instant::now();
    let mut most = 0;
    let metrics = sink.watch(messages as u64, stop, |_, metrics| {
        most = most.max(metrics.of("memory_bytes"));
        Ok(())
    })?;
    Ok(Memory {
        measure: Measure::SinkMemory,
        partitions: PARTITIONS,
        days: DAYS,
        messages,
        memory: memory.to_owned(),
        peak_measured_mib: most as f64 / 1_048_576.0,
        peak_rss_mib: sink.process.peak_rss_mib()?,
        pauses: metrics.of("pauses_total"),
        objects: metrics.of("objects_total"),
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn produce(house: &House, messages: usize, stop: &CancellationToken) -> anyhow::Result<()> {
    let config = house
        .kafka()
        .client_config(&[("linger.ms", "200"), ("compression.type", "lz4")])?;
    let admin: AdminClient<Plain> = connect(&config, Plain)?;
    let topic = NewTopic::new(TOPIC, i32::try_from(PARTITIONS)?, TopicReplication::Fixed(1));
    let made = futures::executor::block_on(admin.create_topics([&topic], &AdminOptions::new()))?;
    for made in made {
        made.map_err(|(name, code)| anyhow::anyhow!("cannot create topic `{name}`: {code}"))?;
    }
    let producer: BaseProducer<Plain> = connect(&config, Plain)?;
    for at in 0..messages {
        go_on(stop)?;
        // Each partition has its messages of all days in turn.
        let day = at / PARTITIONS % DAYS + 1;
        let value = format!(
            r#"{{"symbol":"AAPL","date":"2012-06-{day:02}","event_time":"2012-06-{day:02}T13:30:{:02}.{:06}Z","seq":{at},"price":{}.25,"size":100,"venue":"XNAS","note":"regular"}}"#,
            at % 60,
            at % 1_000_000,
            at % 700,
        );
        let mut record = BaseRecord::<(), String>::to(TOPIC)
            .partition(i32::try_from(at % PARTITIONS)?)
            .payload(&value);
        while let Err((error, again)) = producer.send(record) {
            anyhow::ensure!(
                error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull),
                error
            );
            go_on(stop)?;
            producer.poll(LOOK_EVERY);
            record = again;
        }
    }
    let flushed_by = Instant::now() + TIMEOUT;
    while producer.in_flight_count() > 0 {
        go_on(stop)?;
        anyhow::ensure!(Instant::now() < flushed_by, "the messages are not acknowledged");
        // Not all of them so soon.
        let _ = producer.flush(LOOK_EVERY);
    }
    anyhow::ensure!(
        house.messages(stop)? == messages as u64,
        "not all messages were acknowledged"
    );
    Ok(())
}
