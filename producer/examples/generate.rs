//! How fast the feeds make events, without Kafka: `cargo run --release --example generate`.

use std::sync::Arc;
use std::time::Instant;

use tickertape_producer::input::Input;
use tickertape_producer::table::Table;
use tickertape_producer::{Event, Feed, FeedKind, ProduceOptions};

fn main() -> anyhow::Result<()> {
    for (kind, events_max) in [
        (FeedKind::Ticks, 5_000_000),
        (FeedKind::Bars, 5_000_000),
        (FeedKind::Sample, 2_000_000),
    ] {
        let options = ProduceOptions {
            feed: kind,
            ..ProduceOptions::default()
        };
        let started = Instant::now();
        let table = Table::read(Input::Bundled.open()?, "bundled", &options.read_options())?;
        let read = started.elapsed();
        let mut feed = Feed::new(Arc::new(table), &options);
        let mut event = Event::default();
        let (mut events, mut bytes) = (0_u64, 0);
        let started = Instant::now();
        while events < events_max && feed.next_into(&mut event) {
            events += 1;
            bytes += event.json.len();
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{kind:?}: {events} events in {seconds:.3} s, {:.0} events/s, {:.0} MB/s, {} bytes each; read in {read:?}",
            events as f64 / seconds,
            bytes as f64 / seconds / 1e6,
            bytes as u64 / events.max(1),
        );
    }
    Ok(())
}
