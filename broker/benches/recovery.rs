//! What a restart takes: of one long log, and of many partitions. The real binary, started, fed by librdkafka, killed.
//!
//! `cargo bench -p tickertape-broker --bench recovery -- 10GiB 10000-partitions` (the default is `1GiB` and
//! `10000-partitions`). Each argument is a size, or a number of partitions. Everything is written below `TMPDIR` and deleted.
//! Linux only, as it reads `/proc`.

use std::{
    error::Error,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(120);
const TOPIC: &str = "long";
const RECORD_BYTES: usize = 64 * 1024;
const PARTITIONS_PER_TOPIC: i32 = 100;

fn main() -> Outcome<()> {
    let mut wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if wanted.is_empty() {
        wanted = vec!["1GiB".to_owned(), "10000-partitions".to_owned()];
    }
    for what in wanted {
        if let Some(size) = what.strip_suffix("GiB") {
            one_log(size.parse::<u64>()? << 30)?;
        } else if let Some(size) = what.strip_suffix("MiB") {
            one_log(size.parse::<u64>()? << 20)?;
        } else if let Some(count) = what.strip_suffix("-partitions") {
            many_partitions(count.parse()?)?;
        } else {
            return Err(format!("{what} is neither a size, as 10GiB, nor a number, as 10000-partitions").into());
        }
    }
    Ok(())
}

/// The binary, running. Killed when dropped.
struct Broker {
    child: Child,
    bootstrap_servers: String,
    started: Instant,
    ready_ms: f64,
}

impl Broker {
    fn start(data_dir: &Path) -> Outcome<Self> {
        let started = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tickertape-broker"))
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready_ms = millis(started);
        let ready: serde_json::Value = serde_json::from_str(&line)?;
        let bootstrap_servers = ready["bootstrap_servers"].as_str().ok_or("not ready")?.to_owned();
        Ok(Self {
            child,
            bootstrap_servers,
            started,
            ready_ms,
        })
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("log_level", "0");
        config
    }

    /// Resident memory in MiB, and open files.
    fn usage(&self) -> Outcome<(u64, usize)> {
        let mut status = String::new();
        std::fs::File::open(format!("/proc/{}/status", self.child.id()))?.read_to_string(&mut status)?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
            .ok_or("no VmRSS")?
            .parse::<u64>()?;
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count();
        Ok((kib / 1024, files))
    }

    /// SIGTERM, and how long it took to end.
    fn terminate(mut self) -> Outcome<f64> {
        let started = Instant::now();
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(millis(started))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // SIGKILL; an error means that it has ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Counts acknowledgements.
#[derive(Default)]
struct Counting(std::sync::atomic::AtomicI64);

impl rdkafka::ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Ok(message) = result {
            self.0
                .fetch_max(message.offset() + 1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

fn send(producer: &BaseProducer<Counting>, topic: &str, partition: i32, payload: &[u8]) -> Outcome<()> {
    loop {
        let record = BaseRecord::<(), _>::to(topic).partition(partition).payload(payload);
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

fn create(broker: &Broker, topics: &[(String, i32)]) -> Outcome<()> {
    let admin: AdminClient<DefaultClientContext> = broker.client().create()?;
    let new: Vec<_> = topics
        .iter()
        .map(|(name, partitions)| {
            NewTopic::new(name, *partitions, TopicReplication::Fixed(1)).set("retention.ms", "-1")
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE));
    let results = futures::executor::block_on(admin.create_topics(&new, &options))?;
    match results.into_iter().find_map(Result::err) {
        Some((topic, error)) => Err(format!("{topic}: {error}").into()),
        None => Ok(()),
    }
}

/// Where the log ends, and how long after its start the broker said so.
fn log_end(broker: &Broker, topic: &str) -> Outcome<(i64, f64)> {
    let consumer: BaseConsumer = broker.client().set("group.id", "recovery").create()?;
    let (_, end) = consumer.fetch_watermarks(topic, 0, PATIENCE)?;
    Ok((end, millis(broker.started)))
}

fn one_log(size_bytes: u64) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let broker = Broker::start(directory.path())?;
    create(&broker, &[(TOPIC.to_owned(), 1)])?;
    let mut config = broker.client();
    config.set("acks", "all").set("queue.buffering.max.kbytes", "65536");
    let producer: BaseProducer<Counting> = config.create_with_context(Counting::default())?;
    let payload = vec![b'x'; RECORD_BYTES];
    let started = Instant::now();
    for _ in 0..size_bytes / RECORD_BYTES as u64 {
        send(&producer, TOPIC, 0, &payload)?;
        producer.poll(Duration::ZERO);
    }
    let seconds = started.elapsed().as_secs_f64();
    let (rss_mib, _) = broker.usage()?;
    // In the middle of its work: what the client has queued is still on its way.
    drop(broker);
    let acknowledged = producer.context().0.load(std::sync::atomic::Ordering::Relaxed);
    drop(producer);
    let gib = size_bytes as f64 / f64::from(1 << 30);
    println!("one log of {gib:.2} GiB: written in {seconds:.1} s, {rss_mib} MiB resident, {acknowledged} acknowledged");
    for how in ["kill -9", "kill -9 at once again", "SIGTERM"] {
        let broker = Broker::start(directory.path())?;
        let (end, answered_ms) = log_end(&broker, TOPIC)?;
        if end < acknowledged {
            return Err(format!("{acknowledged} records were acknowledged and {end} are there").into());
        }
        let (rss_mib, files) = broker.usage()?;
        println!(
            "  restart after {how}: ready in {:.0} ms, first answer after {answered_ms:.0} ms, {end} records, {rss_mib} \
             MiB resident, {files} open files",
            broker.ready_ms
        );
        if how == "kill -9 at once again" {
            broker.terminate()?;
        }
    }
    Ok(())
}

fn many_partitions(count: i32) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let broker = Broker::start(directory.path())?;
    let topics: Vec<_> = (0..count / PARTITIONS_PER_TOPIC)
        .map(|n| (format!("topic-{n}"), PARTITIONS_PER_TOPIC))
        .collect();
    let started = Instant::now();
    create(&broker, &topics)?;
    let create_ms = millis(started);
    let (idle_mib, idle_files) = broker.usage()?;
    let producer: BaseProducer<Counting> = broker.client().create_with_context(Counting::default())?;
    for (topic, partitions) in &topics {
        for partition in 0..*partitions {
            send(&producer, topic, partition, b"a record")?;
        }
    }
    producer.flush(PATIENCE)?;
    drop(producer);
    let (rss_mib, files) = broker.usage()?;
    println!(
        "{count} partitions in {} topics: made in {create_ms:.0} ms, idle {idle_mib} MiB resident and {idle_files} open \
         files; with a record in each {rss_mib} MiB and {files} files",
        topics.len()
    );
    let mut stopped = Some(broker.terminate()?);
    for how in ["SIGTERM", "kill -9", "kill -9 again"] {
        let broker = Broker::start(directory.path())?;
        let (end, answered_ms) = log_end(&broker, &topics[0].0)?;
        if end != 1 {
            return Err(format!("one record was written and {end} are there").into());
        }
        let (rss_mib, files) = broker.usage()?;
        let stop = stopped
            .take()
            .map(|ms| format!(" (which took {ms:.0} ms)"))
            .unwrap_or_default();
        println!(
            "  restart after {how}{stop}: ready in {:.0} ms, first answer after {answered_ms:.0} ms, {rss_mib} MiB \
             resident, {files} open files",
            broker.ready_ms
        );
    }
    Ok(())
}
