//! The queries that the demo runs again and again, beside the feed, as a person at the prompt would.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use arrow::util::pretty::pretty_format_batches;
use chrono::DateTime;
use tickertape_lake::sql::Engine;
use tickertape_producer::Stats;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::gauges::{Freshness, QueryGauge};

/// A pause between two queries, so that looking costs less than working.
const PAUSE: Duration = Duration::from_millis(500);

/// Each day's trades brought back to a bar, against the real bar: one row, (checked, equal).
pub(super) const DAYS_EQUAL: &str = "
    WITH t AS (
        SELECT symbol, date, first_value(price ORDER BY seq) AS open, max(price) AS high, min(price) AS low,
               last_value(price ORDER BY seq) AS close, sum(size) AS volume
        FROM ticks GROUP BY symbol, date)
    SELECT count(*) AS days,
           count(*) FILTER (WHERE t.open = b.open AND t.high = b.high AND t.low = b.low AND t.close = b.close
                              AND t.volume = b.volume) AS equal
    FROM bars b LEFT JOIN t ON t.symbol = b.symbol AND t.date = b.date";

/// The titles, in the order of [`texts`].
const TITLES: [&str; 4] = [
    "the day's bars, from its trades",
    "volume-weighted average price",
    "biggest daily moves",
    "days whose trades add up to the real bar",
];

/// The texts, with the market's day in them: `dt` prunes the folders of all other days.
fn texts(day: &str) -> [String; 4] {
    [
        format!(
            "SELECT symbol, first_value(price ORDER BY seq) AS open, max(price) AS high, min(price) AS low,
                    last_value(price ORDER BY seq) AS close, sum(size) AS volume
             FROM ticks WHERE dt = '{day}' GROUP BY symbol ORDER BY symbol"
        ),
        format!(
            "SELECT symbol, count(*) AS trades, round(sum(price * size) / sum(size), 4) AS vwap
             FROM ticks WHERE dt = '{day}' GROUP BY symbol ORDER BY symbol"
        ),
        "SELECT symbol, date, round((close / open - 1) * 100, 2) AS percent
         FROM bars ORDER BY abs(close / open - 1) DESC, date, symbol LIMIT 5"
            .to_owned(),
        DAYS_EQUAL.to_owned(),
    ]
}

/// What the running queries have answered last.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) queries: Vec<QueryGauge>,
    pub(super) freshness: Freshness,
}

/// The queries, running in a task of their own until they are stopped.
pub(super) struct Queries {
    answers: Arc<Mutex<Answers>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Queries {
    /// Starts asking. `stats` tells which day the market is at.
    pub(super) fn start(engine: Arc<Engine>, stats: Arc<Stats>) -> Queries {
        let queries = TITLES
            .map(|title| QueryGauge {
                title,
                ..QueryGauge::default()
            })
            .to_vec();
        let answers = Arc::new(Mutex::new(Answers {
            queries,
            freshness: Freshness::default(),
        }));
        let stop = CancellationToken::new();
        let task = tokio::spawn(ask(engine, stats, Arc::clone(&answers), stop.clone()));
        Queries { answers, stop, task }
    }

    /// The last answers.
    pub(super) fn answers(&self) -> (Vec<QueryGauge>, Freshness) {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        (answers.queries.clone(), answers.freshness.clone())
    }

    /// Asks no more.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        Ok(self.task.await?)
    }
}

async fn ask(engine: Arc<Engine>, stats: Arc<Stats>, answers: Arc<Mutex<Answers>>, stop: CancellationToken) {
    for index in (0..TITLES.len()).cycle() {
        if let Some(day) = market_day(&stats) {
            if let Some(age_ms) = newest_row_age_ms(&engine, &day).await {
                answers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .freshness
                    .record(age_ms);
            }
            let gauge = answer(&engine, TITLES[index], &texts(&day)[index]).await;
            answers.lock().unwrap_or_else(PoisonError::into_inner).queries[index] = gauge;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// The day that the market is at, as the lake's folders are named.
pub(super) fn market_day(stats: &Stats) -> Option<String> {
    let ms = stats.event_time_ms();
    let time = DateTime::from_timestamp_millis(ms).filter(|_| ms > 0)?;
    Some(time.format("%Y-%m-%d").to_string())
}

async fn answer(engine: &Engine, title: &'static str, text: &str) -> QueryGauge {
    let start = Instant::now();
    match engine.query(text).await {
        Ok(output) => QueryGauge {
            title,
            latency: Some(start.elapsed()),
            answer: pretty_format_batches(&output.batches)
                .map_or_else(|error| error.to_string(), |text| text.to_string()),
            days: days_equal(&output.batches),
        },
        // The table is not there before its first file.
        Err(error) => QueryGauge {
            title,
            answer: format!("{error:#}"),
            ..QueryGauge::default()
        },
    }
}

/// (checked, equal) of [`DAYS_EQUAL`]'s answer.
pub(super) fn days_equal(batches: &[RecordBatch]) -> Option<(u64, u64)> {
    let batch = batches.iter().find(|batch| batch.num_rows() == 1)?;
    let number = |name: &str| -> Option<u64> {
        let column = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        u64::try_from(column.value(0)).ok()
    };
    Some((number("days")?, number("equal")?))
}

/// How old the newest row of the day is that SQL sees now, by the time at which its record was produced.
async fn newest_row_age_ms(engine: &Engine, day: &str) -> Option<u64> {
    let query = format!("SELECT CAST(max(_timestamp) AS TIMESTAMP(3)) AS newest FROM ticks WHERE dt = '{day}'");
    let output = engine.query(&query).await.ok()?;
    let batch = output.batches.iter().find(|batch| batch.num_rows() == 1)?;
    let column = batch.column(0).as_primitive_opt::<TimestampMillisecondType>()?;
    let newest_ms = (!arrow::array::Array::is_null(column, 0)).then(|| column.value(0))?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis() as i64;
    u64::try_from(now_ms - newest_ms).ok()
}
