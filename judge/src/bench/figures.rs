//! Named figures, each measured several times.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;

pub(super) const START: &str = "start";
pub(super) const RSS_IDLE: &str = "rss idle";
pub(super) const RSS_LOADED: &str = "rss loaded";
pub(super) const TRANSACTIONS: &str = "transactions";
pub(super) const JOIN_CLASSIC: &str = "join classic";
pub(super) const JOIN_CONSUMER: &str = "join consumer";
pub(super) const JOIN_MANY: &str = "join of a hundred";
pub(super) const REBALANCE: &str = "rebalance of two";

/// The figures of one broker.
#[derive(Debug, Default)]
pub(super) struct Figures {
    of: BTreeMap<String, Vec<f64>>,
}

impl Figures {
    pub(super) fn add(&mut self, name: &str, value: f64) {
        self.of.entry(name.to_owned()).or_default().push(value);
    }

    /// What `tickertape bench` found: `produce 100 cpu` (s/GB), `produce 100 rate` (MB/s), `latency 100` (ms, p50), ….
    pub(super) fn add_bench(&mut self, lines: &[Value]) -> anyhow::Result<()> {
        for line in lines {
            let number = |pointer: &str| {
                let found = line.pointer(pointer).and_then(Value::as_f64);
                found.with_context(|| format!("no {pointer} in {line}"))
            };
            let measure = line["measure"]
                .as_str()
                .with_context(|| format!("no measure in {line}"))?;
            let size = number("/size_bytes")?;
            let name = format!("{measure} {size}");
            if measure == "latency" {
                self.add(&name, number("/latency_ms/p50")?);
                continue;
            }
            let megabytes = number("/messages")? * size / 1e6;
            self.add(
                &format!("{name} cpu"),
                number("/broker/cpu_seconds")? / (megabytes / 1e3),
            );
            self.add(&format!("{name} rate"), megabytes / number("/seconds")?);
        }
        Ok(())
    }

    /// Median, least and greatest of a figure.
    pub(super) fn get(&self, name: &str) -> anyhow::Result<[f64; 3]> {
        let mut all = self.of.get(name).with_context(|| format!("no figure {name}"))?.clone();
        all.sort_unstable_by(f64::total_cmp);
        let (first, last) = (all.first().copied(), all.last().copied());
        let (Some(least), Some(greatest)) = (first, last) else {
            anyhow::bail!("no figure {name}");
        };
        let middle = (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0;
        Ok([middle, least, greatest])
    }

    /// How many rounds there were.
    pub(super) fn rounds(&self) -> usize {
        self.of.get(START).map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn medians_and_bounds() {
        let mut figures = Figures::default();
        for value in [3.0, 1.0, 2.0, 10.0] {
            figures.add("a", value);
        }
        assert_eq!(figures.get("a").unwrap(), [2.5, 1.0, 10.0]);
        assert!(figures.get("b").is_err());
    }

    #[test]
    fn bench_lines_become_cost_and_rate() {
        let mut figures = Figures::default();
        let produce = json!({ "measure": "produce", "size_bytes": 1024, "messages": 1_000_000, "seconds": 2.0,
            "broker": { "cpu_seconds": 0.512, "rss_mib": 5.0 } });
        let latency = json!({ "measure": "latency", "size_bytes": 100, "messages": 10, "seconds": 1.0,
            "latency_ms": { "p50": 0.07, "p99": 0.1, "p999": 0.2 } });
        figures.add_bench(&[produce.clone(), latency]).unwrap();
        assert_eq!(figures.get("produce 1024 cpu").unwrap()[0], 0.5);
        assert_eq!(figures.get("produce 1024 rate").unwrap()[0], 512.0);
        assert_eq!(figures.get("latency 100").unwrap()[0], 0.07);
        assert!(
            figures
                .add_bench(&[json!({ "measure": "produce", "size_bytes": 1 })])
                .is_err()
        );
    }
}
