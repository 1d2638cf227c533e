//! How long one message takes to be acknowledged when nothing else is under way.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use serde::Serialize;

use tickertape_client::{connect, oauth_token};

use super::BenchOptions;

/// Milliseconds that half, 99 % and 99.9 % of the messages did not exceed.
#[derive(Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
}

impl Percentiles {
    /// `None` of no latencies.
    pub(super) fn of(mut latencies: Vec<Duration>) -> Option<Percentiles> {
        latencies.sort_unstable();
        let last = latencies.len().checked_sub(1)?;
        let at = |share: f64| latencies[(last as f64 * share).round() as usize].as_secs_f64() * 1e3;
        Some(Percentiles {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
        })
    }
}

struct Reply(mpsc::SyncSender<Option<String>>);

impl ClientContext for Reply {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth_token(config)
    }
}

impl ProducerContext for Reply {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let error = result.as_ref().err().map(|(error, _)| error.to_string());
        // The receiver is gone only when the measurement has failed already.
        self.0.send(error).unwrap_or_default();
    }
}

/// Produces one message after the other, each when the one before is acknowledged.
pub(super) fn one_in_flight(options: &BenchOptions, topic: &str, size_bytes: usize) -> anyhow::Result<Vec<Duration>> {
    let (sender, replies) = mpsc::sync_channel(1);
    let config = options.kafka.client_config(&[
        ("acks", &options.acks),
        ("linger.ms", "0"),
        ("compression.codec", &options.codec),
        ("enable.idempotence", if options.idempotent { "true" } else { "false" }),
    ])?;
    let producer: ThreadedProducer<Reply> = connect(&config, Reply(sender))?;
    let payload = vec![b'x'; size_bytes];
    let warm_up = options.latency_messages / 10 + 10;
    let mut latencies = Vec::with_capacity(options.latency_messages as usize);
    for index in 0..warm_up + options.latency_messages {
        let start = Instant::now();
        let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).payload(payload.as_slice()).partition(0);
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .context("cannot produce")?;
        let error = replies
            .recv_timeout(Duration::from_secs(60))
            .context("no acknowledgement for a minute")?;
        if let Some(error) = error {
            return Err(anyhow!("a message was not acknowledged: {error}"));
        }
        if index >= warm_up {
            latencies.push(start.elapsed());
        }
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_list() {
        let latencies = (1..=1001).map(Duration::from_millis).collect();
        let percentiles = Percentiles::of(latencies).unwrap();
        assert_eq!(
            (percentiles.p50, percentiles.p99, percentiles.p999),
            (501.0, 991.0, 1000.0)
        );
        assert!(Percentiles::of(Vec::new()).is_none());
    }
}
