//! `tickertape cat -P`: produces delimited messages from standard input or from files.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use tickertape_client::{UsageError, connect, oauth_token};
use tokio_util::sync::CancellationToken;

use super::CatOptions;
use super::format::unescape;

/// Counts what the broker acknowledged and keeps the first failure.
#[derive(Clone, Default)]
struct Deliveries {
    acknowledged: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    first_failure: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth_token(config)
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let mut first = self.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

/// Produces all input, waits for every acknowledgement, and fails if one message has none.
pub(super) fn run(options: &CatOptions, shutdown: &CancellationToken) -> anyhow::Result<ExitCode> {
    let topic = options.topic()?;
    let mut config = options.kafka.client_config(&[("acks", "all"), ("linger.ms", "5")])?;
    if let Some(codec) = &options.codec {
        config.set("compression.codec", codec);
    }
    let deliveries = Deliveries::default();
    let producer: ThreadedProducer<Deliveries> = connect(&config, deliveries.clone())?;
    let sender = Sender::new(options, topic, &producer)?;
    let mut sent = 0;
    if options.arguments.is_empty() {
        sender.stream(std::io::stdin().lock(), &mut sent, shutdown)?;
    }
    for path in &options.arguments {
        let file = open(path)?;
        if options.lines {
            sender.stream(BufReader::new(file), &mut sent, shutdown)?;
        } else if !shutdown.is_cancelled() {
            sender.whole(file, path, &mut sent)?;
        }
    }
    producer
        .flush(options.kafka.timeout)
        .context("not every message was acknowledged in time")?;
    let failed = deliveries.failed.load(Ordering::Relaxed);
    if failed > 0 {
        let first = deliveries
            .first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        bail!(
            "{failed} of {sent} messages were not acknowledged: {}",
            first.unwrap_or_default()
        );
    }
    options.say(format_args!(
        "{} messages acknowledged",
        deliveries.acknowledged.load(Ordering::Relaxed)
    ));
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).map_err(|error| UsageError::new(format!("cannot open `{}`: {error}", path.display())).into())
}

struct Sender<'a> {
    options: &'a CatOptions,
    topic: &'a str,
    producer: &'a ThreadedProducer<Deliveries>,
    delimiter: Vec<u8>,
    key_delimiter: Option<Vec<u8>>,
    headers: Option<OwnedHeaders>,
}

impl<'a> Sender<'a> {
    fn new(
        options: &'a CatOptions,
        topic: &'a str,
        producer: &'a ThreadedProducer<Deliveries>,
    ) -> Result<Sender<'a>, UsageError> {
        let delimiter = unescape(&options.delimiter)?;
        if delimiter.is_empty() {
            return Err(UsageError::new("-D: the delimiter is empty"));
        }
        let key_delimiter = options.key_delimiter.as_deref().map(unescape).transpose()?;
        Ok(Sender {
            options,
            topic,
            producer,
            delimiter,
            key_delimiter,
            headers: headers(&options.headers)?,
        })
    }

    /// Produces the delimited messages of `input`; an empty one is skipped, as kcat does.
    fn stream(&self, mut input: impl BufRead, sent: &mut u64, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut message = Vec::new();
        while !shutdown.is_cancelled() && self.options.count.is_none_or(|count| *sent < count) {
            message.clear();
            if !read_message(&mut input, &self.delimiter, &mut message).context("cannot read the input")? {
                break;
            }
            if !message.is_empty() {
                self.send(&message, sent)?;
            }
        }
        Ok(())
    }

    /// Produces a whole file as one message.
    fn whole(&self, mut file: File, path: &Path, sent: &mut u64) -> anyhow::Result<()> {
        let mut message = Vec::new();
        file.read_to_end(&mut message)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        self.send(&message, sent)
    }

    fn send(&self, message: &[u8], sent: &mut u64) -> anyhow::Result<()> {
        let (key, value) = self.split(message);
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(self.topic);
        record.key = key.filter(|key| !(self.options.null && key.is_empty()));
        record.payload = Some(value).filter(|value| !(self.options.null && value.is_empty()));
        record.partition = self.options.partition;
        record.headers = self.headers.clone();
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                // A full queue slows the reader down; nothing is dropped.
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(Duration::from_millis(50));
                }
                Err((error, _)) => return Err(error).context("cannot produce a message"),
            }
        }
        *sent += 1;
        if self.options.tee {
            let mut out = std::io::stdout().lock();
            out.write_all(message)
                .and_then(|()| out.write_all(&self.delimiter))
                .context("cannot write to standard output")?;
        }
        Ok(())
    }

    fn split<'m>(&'m self, message: &'m [u8]) -> (Option<&'m [u8]>, &'m [u8]) {
        if let Some(key) = &self.options.key {
            return (Some(key.as_bytes()), message);
        }
        let Some(delimiter) = self.key_delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()) else {
            return (None, message);
        };
        match message.windows(delimiter.len()).position(|window| window == delimiter) {
            Some(at) => (Some(&message[..at]), &message[at + delimiter.len()..]),
            None => (None, message),
        }
    }
}

fn headers(pairs: &[String]) -> Result<Option<OwnedHeaders>, UsageError> {
    let mut headers = None;
    for pair in pairs {
        let (key, value) = match pair.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (pair.as_str(), None),
        };
        if key.is_empty() {
            return Err(UsageError::new(format!("-H {pair}: expected name=value")));
        }
        headers = Some(headers.unwrap_or_else(OwnedHeaders::new).insert(Header { key, value }));
    }
    Ok(headers)
}

/// Reads up to the next delimiter, which is left out. False at the end of the input.
fn read_message(input: &mut impl BufRead, delimiter: &[u8], message: &mut Vec<u8>) -> std::io::Result<bool> {
    let Some(last) = delimiter.last() else { return Ok(false) };
    loop {
        if input.read_until(*last, message)? == 0 {
            return Ok(!message.is_empty());
        }
        if message.ends_with(delimiter) {
            message.truncate(message.len() - delimiter.len());
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(input: &str, delimiter: &str) -> Vec<String> {
        let mut input = input.as_bytes();
        let mut messages = Vec::new();
        let mut message = Vec::new();
        while read_message(&mut input, delimiter.as_bytes(), &mut message).unwrap() {
            messages.push(String::from_utf8(std::mem::take(&mut message)).unwrap());
        }
        messages
    }

    #[test]
    fn input_is_cut_at_delimiters_of_any_length() {
        assert_eq!(split("a\nb\n\nc", "\n"), ["a", "b", "", "c"]);
        assert_eq!(split("a--b-c--d", "--"), ["a", "b-c", "d"]);
        assert_eq!(split("", "\n"), [""; 0]);
    }
}
