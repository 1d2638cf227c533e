//! The events of the feeds: their JSON, their order, their sums, and going on from a position.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDate};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;
use serde_json::value::RawValue;
use tickertape_producer::feed::sample::Sample;
use tickertape_producer::input::Input;
use tickertape_producer::table::Table;
use tickertape_producer::{Event, Feed, FeedKind, Position, ProduceOptions, Stream};

fn bundled(options: &ProduceOptions) -> Arc<Table> {
    let table = Table::read(Input::Bundled.open().unwrap(), "bundled", &options.read_options());
    Arc::new(table.unwrap())
}

fn ticks(ticks_per_day: u32) -> ProduceOptions {
    ProduceOptions {
        feed: FeedKind::Ticks,
        ticks_per_day,
        ..ProduceOptions::default()
    }
}

fn events(feed: &mut Feed) -> impl Iterator<Item = Event> + '_ {
    std::iter::from_fn(move || {
        let mut event = Event::default();
        feed.next_into(&mut event).then_some(event)
    })
}

#[derive(serde::Deserialize)]
struct Tick<'a> {
    symbol: String,
    date: String,
    event_time: String,
    seq: u64,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    size: &'a RawValue,
}

#[derive(serde::Deserialize)]
struct Bar<'a> {
    symbol: String,
    date: String,
    event_time: String,
    seq: u64,
    #[serde(borrow)]
    open: &'a RawValue,
    #[serde(borrow)]
    high: &'a RawValue,
    #[serde(borrow)]
    low: &'a RawValue,
    #[serde(borrow)]
    close: &'a RawValue,
    #[serde(borrow)]
    volume: &'a RawValue,
}

/// Open, high, low, close, volume and trades of a day.
type Day = (Decimal, Decimal, Decimal, Decimal, Decimal, u64);

fn exact(number: &RawValue) -> Decimal {
    Decimal::from_str_exact(number.get()).unwrap()
}

/// Adds the ticks of each day up, compares each with its bar, and returns how many days were compared. A day
/// without ticks is one without volume.
fn check_days(feed: &mut Feed) -> usize {
    let mut open_days: BTreeMap<(String, String), Day> = BTreeMap::new();
    let mut last_time: BTreeMap<String, i64> = BTreeMap::new();
    let (mut seq, mut bars_seq, mut market_ms, mut compared) = (0, 0, 0, 0);
    for event in events(feed) {
        assert!(event.market_ms >= market_ms, "market time goes back");
        market_ms = event.market_ms;
        if event.stream == Stream::Main {
            let tick: Tick<'_> = serde_json::from_slice(&event.json).unwrap();
            assert_eq!(tick.seq, seq);
            seq += 1;
            let time = DateTime::parse_from_rfc3339(&tick.event_time)
                .unwrap()
                .timestamp_millis();
            assert_eq!(time, event.event_time_ms);
            if let Some(before) = last_time.insert(tick.symbol.clone(), time) {
                assert!(before < time, "{} goes back in time", tick.symbol);
            }
            let (price, size) = (exact(tick.price), exact(tick.size));
            assert!(size > Decimal::ZERO);
            let day = open_days.entry((tick.symbol, tick.date));
            let day = day.or_insert((price, price, price, price, Decimal::ZERO, 0));
            *day = (
                day.0,
                day.1.max(price),
                day.2.min(price),
                price,
                day.4 + size,
                day.5 + 1,
            );
        } else {
            let bar: Bar<'_> = serde_json::from_slice(&event.json).unwrap();
            assert_eq!(bar.seq, bars_seq);
            bars_seq += 1;
            let of_bar = [bar.open, bar.high, bar.low, bar.close, bar.volume].map(exact);
            let Some(day) = open_days.remove(&(bar.symbol.clone(), bar.date.clone())) else {
                assert_eq!(of_bar[4], Decimal::ZERO);
                continue;
            };
            assert_eq!(
                [day.0, day.1, day.2, day.3, day.4],
                of_bar,
                "{} {}",
                bar.symbol,
                bar.date
            );
            assert!(bar.event_time.starts_with(&bar.date) && bar.event_time.ends_with(":00:00.000Z"));
            compared += 1;
        }
    }
    assert!(open_days.is_empty(), "days without a bar: {open_days:?}");
    compared
}

#[test]
fn every_day_of_the_bundled_prices_is_exactly_its_bar() {
    let options = ticks(60);
    let table = bundled(&options);
    assert_eq!((table.rows.len(), table.symbols.len()), (12_154, 5));
    let mut feed = Feed::new(table, &options);
    assert_eq!(feed.events_left(), Some(12_154 * 61));
    assert_eq!(check_days(&mut feed), 12_154);
    assert_eq!(feed.events_left(), Some(0));
}

#[test]
fn whole_days_of_a_trade_a_second_are_exactly_their_bars() {
    let options = ProduceOptions {
        from: NaiveDate::from_ymd_opt(2012, 11, 1),
        to: NaiveDate::from_ymd_opt(2012, 11, 6),
        ..ticks(23_400)
    };
    let table = bundled(&options);
    let days = table.rows.len();
    let mut feed = Feed::new(table, &options);
    assert_eq!(feed.events_left(), Some(days as u64 * 23_401));
    assert_eq!(check_days(&mut feed), days);
}

#[test]
fn the_first_tick_and_bar_are_as_documented() {
    let options = ticks(10);
    let mut feed = Feed::new(bundled(&options), &options);
    let all: Vec<Event> = events(&mut feed).take(33).collect();
    let tick: Value = serde_json::from_slice(&all[0].json).unwrap();
    let names: Vec<&String> = tick.as_object().unwrap().keys().collect();
    assert_eq!(names, ["date", "event_time", "price", "seq", "size", "symbol"]);
    assert_eq!(
        std::str::from_utf8(&all[30].json).unwrap(),
        r#"{"symbol":"AAPL","date":"2000-03-01","open":118.56,"high":132.06,"low":118.5,"close":130.31,"adj_close":4.186662803811,"volume":9616100,"event_time":"2000-03-01T21:00:00.000Z","seq":0}"#
    );
    let first = std::str::from_utf8(&all[0].json).unwrap();
    assert!(first.starts_with(r#"{"symbol":"AAPL","date":"2000-03-01","event_time":"2000-03-01T14:30:00.000Z","seq":0,"price":118.56,"size":"#), "{first}");
}

#[test]
fn a_symbols_ticks_do_not_depend_on_the_other_symbols() {
    let alone = ProduceOptions {
        symbols: vec!["IBM".to_owned()],
        to: NaiveDate::from_ymd_opt(2000, 3, 10),
        ..ticks(50)
    };
    let together = ProduceOptions {
        symbols: Vec::new(),
        ..alone.clone()
    };
    let prices = |options: &ProduceOptions| -> Vec<(i64, String, String)> {
        let mut feed = Feed::new(bundled(options), options);
        events(&mut feed)
            .filter(|event| event.stream == Stream::Main)
            .filter_map(|event| {
                let tick: Tick<'_> = serde_json::from_slice(&event.json).unwrap();
                let trade = (event.event_time_ms, tick.price.to_string(), tick.size.to_string());
                (tick.symbol == "IBM").then_some(trade)
            })
            .collect()
    };
    assert_eq!(prices(&alone), prices(&together));
    let other_seed = ProduceOptions {
        seed: 2,
        ..alone.clone()
    };
    assert_ne!(prices(&alone), prices(&other_seed));
}

#[test]
fn bars_are_played_by_date_with_all_their_columns() {
    let options = ProduceOptions {
        feed: FeedKind::Bars,
        ..ProduceOptions::default()
    };
    let mut feed = Feed::new(bundled(&options), &options);
    assert_eq!(feed.events_left(), Some(12_154));
    let all: Vec<Event> = events(&mut feed).collect();
    assert_eq!(all.len(), 12_154);
    assert!(all.is_sorted_by_key(|event| event.event_time_ms));
    assert!(all.iter().enumerate().all(|(seq, event)| {
        let bar: Bar<'_> = serde_json::from_slice(&event.json).unwrap();
        bar.seq == seq as u64
    }));
    assert_eq!(all[3].market_ms, 86_400_000);
}

#[test]
fn samples_are_the_same_for_the_same_seed() {
    let options = ProduceOptions::default();
    let table = bundled(&options);
    let draw = |options: &ProduceOptions, number: usize| -> Vec<String> {
        let mut feed = Feed::new(Arc::clone(&table), options);
        let rows = events(&mut feed).take(number).map(|event| {
            let json: Value = serde_json::from_slice(&event.json).unwrap();
            format!("{} {} {}", json["seq"], json["symbol"], json["date"])
        });
        rows.collect()
    };
    let twenty = draw(&options, 20);
    assert_eq!(twenty, draw(&options, 20));
    assert_ne!(
        twenty,
        draw(
            &ProduceOptions {
                seed: 2,
                ..options.clone()
            },
            20
        )
    );
    let later = ProduceOptions {
        start: Some(Position {
            seq: 5,
            ..Position::default()
        }),
        ..options
    };
    assert_eq!(twenty[5..], draw(&later, 15));
}

/// A row whose prices and volume have some decimal places, written as people do.
fn any_row() -> impl Strategy<Value = String> {
    let places = 0_u32..5;
    let volume = prop_oneof![Just(0_u64), 0_u64..8, 0_u64..100_000];
    (
        0_i64..1_000_000,
        0_i64..5000,
        0.0..=1.0,
        0.0..=1.0,
        places,
        volume,
        0_u32..3,
    )
        .prop_map(|(low, range, open, close, places, volume, volume_places)| {
            let price = |units: i64| Decimal::new(units, places);
            let within = |share: f64| low + (range as f64 * share) as i64;
            let [open, high, close] = [within(open), low + range, within(close)].map(price);
            let volume = Decimal::new(volume as i64, volume_places);
            format!("{open},{high},{},{close},{volume}", price(low))
        })
}

#[test]
fn a_sample_has_the_time_at_which_it_is_due() {
    let options = ProduceOptions::default();
    let time = Arc::new(AtomicI64::new(1_338_508_800_000));
    let clock = Arc::clone(&time);
    let clock = Box::new(move || clock.load(Ordering::Relaxed));
    let sample = Sample::new(bundled(&options), 1, options.interval, clock, Position::default());
    let mut feed = Feed::Sample(Box::new(sample));
    let mut event = Event::default();
    assert!(feed.next_into(&mut event));
    time.fetch_add(1500, Ordering::Relaxed);
    feed.stamp(&mut event);
    let json: Value = serde_json::from_slice(&event.json).unwrap();
    assert_eq!(
        (&json["event_time"], &json["seq"]),
        (&"2012-06-01T00:00:01.500Z".into(), &0.into())
    );
    assert_eq!(event.event_time_ms, 1_338_508_801_500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_files_days_are_exactly_their_bars(rows in prop::collection::vec(any_row(), 1..40), ticks_per_day in 1_u32..120) {
        let mut csv = "Index,Date,Open,High,Low,Close,Volume\n".to_owned();
        for (place, row) in rows.iter().enumerate() {
            csv += &format!("S{},2012-01-{:02},{row}\n", place % 3, 1 + place / 3);
        }
        let options = ticks(ticks_per_day);
        let table = Table::read(csv.as_bytes(), "any", &options.read_options()).unwrap();
        let traded = table.rows.iter().filter(|row| row.bar.unwrap().volume > 0).count();
        let mut feed = Feed::new(Arc::new(table), &options);
        prop_assert_eq!(check_days(&mut feed), traded);
    }

    #[test]
    fn a_feed_goes_on_where_another_stopped(kind in 0..2_usize, stop in 0_usize..1500, ticks_per_day in 1_u32..60) {
        let options = ProduceOptions {
            feed: [FeedKind::Bars, FeedKind::Ticks][kind],
            to: NaiveDate::from_ymd_opt(2000, 3, 31),
            ..ticks(ticks_per_day)
        };
        let table = bundled(&options);
        let mut whole = Feed::new(Arc::clone(&table), &options);
        let head = events(&mut whole).take(stop).count();
        let position = whole.position();
        let kept: Position = serde_json::from_str(&serde_json::to_string(&position).unwrap()).unwrap();
        prop_assert_eq!(kept, position);
        let mut rest = Feed::new(table, &ProduceOptions { start: Some(kept), ..options });
        prop_assert_eq!(rest.events_left(), whole.events_left());
        loop {
            let (mut expected, mut got) = (Event::default(), Event::default());
            prop_assert_eq!(whole.next_into(&mut expected), rest.next_into(&mut got));
            prop_assert_eq!(&expected.json, &got.json);
            prop_assert_eq!((expected.market_ms, expected.stream), (got.market_ms, got.stream));
            if expected.json.is_empty() {
                break;
            }
        }
        prop_assert!(head <= stop);
    }
}
