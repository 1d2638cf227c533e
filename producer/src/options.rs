//! What `tickertape produce` can be told.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use tickertape_client::{KafkaOptions, UsageError, check_topic_name};

use crate::feed::Position;
use crate::input::Input;
use crate::stats::Stats;
use crate::table::ReadOptions;

/// Which feed is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FeedKind {
    /// A random row each --interval, without end
    #[default]
    Sample,
    /// Every row, by date
    Bars,
    /// A simulated session per symbol and day: trades that add up to the day's bar exactly
    Ticks,
}

impl FeedKind {
    /// The topic that it goes to unless another is named.
    pub fn default_topic(self) -> &'static str {
        match self {
            FeedKind::Sample => "prices",
            FeedKind::Bars => "bars",
            FeedKind::Ticks => "ticks",
        }
    }
}

/// What to do with a row that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnBadRow {
    /// Stop, and name line, column and value
    #[default]
    Fail,
    /// Leave it out, and say how many there were
    Skip,
}

/// How fast market time runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many market seconds in a second.
    Times(f64),
    /// As fast as Kafka takes it.
    Max,
}

/// How many events a second there may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// At most so many.
    PerSecond(f64),
    /// As many as Kafka takes.
    Max,
}

fn positive_or_max(text: &str) -> Result<Option<f64>, String> {
    if text.eq_ignore_ascii_case("max") {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(Some(number)),
        _ => Err("it is a number above 0, or \"max\"".to_owned()),
    }
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        Ok(positive_or_max(text)?.map_or(Speed::Max, Speed::Times))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        Ok(positive_or_max(text)?.map_or(Rate::Max, Rate::PerSecond))
    }
}

/// A worked example, for the end of `--help`.
const EXAMPLE: &str = "\
Examples:
  A random price each second, from the prices in the binary:
    tickertape produce

  The simulated market of two stocks, a trading day a minute, to a broker elsewhere:
    tickertape produce --feed ticks --symbols AAPL,IBM --speed 390 -b broker:9092

  Another file, whose columns are named otherwise, as fast as it goes:
    tickertape produce --feed bars --input indexProcessed.csv \\
        --columns symbol=Index,close=CloseUSD --rate max -X compression.type=zstd

It ends by saying how many events were acknowledged; anything unacknowledged is an error.";

/// Play historical prices to Kafka as a live market feed.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct ProduceOptions {
    /// The topic [default: prices, bars or ticks, by the feed]
    #[arg(long, short = 't', value_name = "TOPIC")]
    pub topic: Option<String>,

    /// The topic for each day's bar at its close, beside the ticks
    #[arg(long, value_name = "TOPIC", default_value = "bars")]
    pub bars_topic: String,

    /// Make the topics with so many partitions where they are missing; without it the broker may make them
    /// by itself
    #[arg(long, value_name = "N")]
    pub partitions: Option<NonZeroU32>,

    /// What is played
    #[arg(long, value_enum, default_value_t = FeedKind::Sample)]
    pub feed: FeedKind,

    /// A .csv or .csv.gz, or - for stdin [default: the prices in the binary, five stocks, 2000 to 2013]
    #[arg(long, value_name = "FILE")]
    pub input: Option<String>,

    /// Which header stands for symbol, date, open, high, low, close, adj_close or volume, where the file
    /// names it otherwise; all other columns travel along
    #[arg(long, value_name = "NAME=HEADER", value_delimiter = ',', value_parser = parse_column)]
    pub columns: Vec<(String, String)>,

    /// Only these symbols
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    pub symbols: Vec<String>,

    /// No day before this one
    #[arg(long, value_name = "DATE")]
    pub from: Option<NaiveDate>,

    /// No day after this one
    #[arg(long, value_name = "DATE")]
    pub to: Option<NaiveDate>,

    /// What to do with a row that cannot be read
    #[arg(long, value_enum, default_value_t = OnBadRow::Fail)]
    pub on_bad_row: OnBadRow,

    /// The time between two rows of the sample feed
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    pub interval: Duration,

    /// Market seconds per second, or max. A day of ticks has 23,400 of them, 09:30 to 16:00 in New York: nights
    /// and weekends take no time. A day of bars counts as 86,400. [default: 390 for ticks, a day a minute;
    /// 86400 for bars, a day a second; max where --rate is given]
    #[arg(long, value_name = "N|max")]
    pub speed: Option<Speed>,

    /// Events per second at most, or max
    #[arg(long, value_name = "N|max")]
    pub rate: Option<Rate>,

    /// Play the first N days as fast as it goes, and only then at --speed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub warp_days: u32,

    /// Stop after so many events
    #[arg(long, value_name = "N")]
    pub max_events: Option<u64>,

    /// Trades per symbol and day; fewer where the day's volume is
    #[arg(long, value_name = "N", default_value_t = 23_400, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    pub ticks_per_day: u32,

    /// The same seed gives the same events
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Go on where the topics end: events that they have are left out, whatever way the run that wrote them
    /// ended
    #[arg(long)]
    pub resume: bool,

    /// How Kafka is reached.
    #[command(flatten)]
    pub kafka: KafkaOptions,

    /// Where to begin: the position that an earlier run's summary gives; `resume` finds it by itself. For
    /// programs; not on the command line.
    #[arg(skip)]
    pub start: Option<Position>,

    /// What is going on, for a live view. For programs; not on the command line.
    #[arg(skip)]
    pub stats: Arc<Stats>,
}

impl Default for ProduceOptions {
    fn default() -> Self {
        ProduceOptions {
            topic: None,
            bars_topic: "bars".to_owned(),
            partitions: None,
            feed: FeedKind::default(),
            input: None,
            columns: Vec::new(),
            symbols: Vec::new(),
            from: None,
            to: None,
            on_bad_row: OnBadRow::default(),
            interval: Duration::from_secs(1),
            speed: None,
            rate: None,
            warp_days: 0,
            max_events: None,
            ticks_per_day: 23_400,
            seed: 1,
            kafka: KafkaOptions::default(),
            resume: false,
            start: None,
            stats: Arc::default(),
        }
    }
}

impl ProduceOptions {
    /// The topics that the feed goes to: the first is that of its events, the second, with ticks, that of the
    /// bars.
    pub fn topics(&self) -> Vec<&str> {
        let topic = self.topic.as_deref();
        let mut topics = vec![topic.unwrap_or(self.feed.default_topic())];
        if self.feed == FeedKind::Ticks && topics[0] != self.bars_topic {
            topics.push(&self.bars_topic);
        }
        topics
    }

    /// Where the rows come from.
    pub fn input(&self) -> Input {
        self.input.as_deref().map_or(Input::Bundled, Input::from_argument)
    }

    /// How the rows are read.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions {
            columns: self.columns.clone(),
            on_bad_row: self.on_bad_row,
            symbols: self.symbols.clone(),
            from: self.from,
            to: self.to,
            for_ticks: self.feed == FeedKind::Ticks,
        }
    }

    /// How fast market time runs, where nothing was said by `--speed`.
    pub fn speed(&self) -> Speed {
        match (self.speed, self.rate, self.feed) {
            (Some(speed), ..) => speed,
            (None, Some(_), _) => Speed::Max,
            (None, None, FeedKind::Ticks) => Speed::Times(390.0),
            (None, None, FeedKind::Bars) => Speed::Times(86_400.0),
            (None, None, FeedKind::Sample) => Speed::Times(1.0),
        }
    }

    /// What cannot be.
    ///
    /// # Errors
    /// Names the two options that exclude each other, or the topic whose name no topic can have.
    pub fn check(&self) -> Result<(), UsageError> {
        self.topics().into_iter().try_for_each(check_topic_name)?;
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(UsageError(format!("--from {from} is after --to {to}")));
        }
        if self.feed == FeedKind::Ticks && self.topic.as_deref() == Some(&self.bars_topic) {
            return Err(UsageError(format!(
                "ticks and bars cannot both go to \"{}\"; name another --topic or --bars-topic",
                self.bars_topic
            )));
        }
        Ok(())
    }
}

fn parse_column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, header)) if !name.trim().is_empty() && !header.trim().is_empty() => {
            Ok((name.trim().to_lowercase(), header.trim().to_owned()))
        }
        _ => Err("it is written symbol=Index,close=CloseUSD".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        produce: ProduceOptions,
    }

    fn parse(arguments: &[&str]) -> ProduceOptions {
        let arguments = ["produce"].iter().chain(arguments);
        Command::try_parse_from(arguments).unwrap().produce
    }

    #[test]
    fn the_command_lines_defaults_are_the_librarys() {
        assert_eq!(format!("{:?}", parse(&[])), format!("{:?}", ProduceOptions::default()));
    }

    #[test]
    fn speed_is_max_where_only_a_rate_is_given() {
        assert_eq!(parse(&["--feed", "ticks"]).speed(), Speed::Times(390.0));
        assert_eq!(parse(&["--feed", "ticks", "--rate", "max"]).speed(), Speed::Max);
        assert_eq!(
            parse(&["--feed", "bars", "--speed", "7", "--rate", "9"]).speed(),
            Speed::Times(7.0)
        );
        assert!(Command::try_parse_from(["produce", "--speed", "-3"]).is_err());
        assert!(Command::try_parse_from(["produce", "--speed", "NaN"]).is_err());
    }

    #[test]
    fn help_shows_a_worked_example() {
        let help = <Command as clap::CommandFactory>::command()
            .render_long_help()
            .to_string();
        assert!(
            help.contains("tickertape produce --feed ticks --symbols AAPL,IBM"),
            "{help}"
        );
    }

    #[test]
    fn columns_and_topics() {
        let options = parse(&["--columns", "symbol=Index,close=CloseUSD", "--feed", "ticks"]);
        assert_eq!(options.columns[1], ("close".to_owned(), "CloseUSD".to_owned()));
        assert_eq!(options.topics(), ["ticks", "bars"]);
        assert_eq!(parse(&["--feed", "bars"]).topics(), ["bars"]);
        assert_eq!(parse(&[]).topics(), ["prices"]);
    }

    #[test]
    fn what_excludes_each_other_is_named() {
        assert!(parse(&["--from", "2012-01-02", "--to", "2012-01-01"]).check().is_err());
        assert!(parse(&["--feed", "ticks", "--topic", "bars"]).check().is_err());
        assert!(parse(&["--topic", "bad topic!"]).check().is_err());
        assert!(parse(&["--feed", "ticks", "--bars-topic", ""]).check().is_err());
    }
}
