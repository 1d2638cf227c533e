//! How a running demo is shown: a live view on a terminal, one line a second in a pipe, JSON where it was asked for.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use serde_json::json;

use super::gauges::Gauges;
use super::places::Places;
use super::view::{View, grouped};
use crate::logs::ToFile;

/// Where the pictures of the demo go.
pub(super) enum Show {
    /// The whole terminal; log lines go to a file meanwhile.
    Terminal(View, ToFile),
    /// A line of text a second.
    Lines,
    /// A JSON object a second.
    Json,
}

impl Show {
    /// Chooses by what was asked for and by where standard output goes.
    pub(super) fn open(json: bool, data_dir: &Path) -> anyhow::Result<Show> {
        let log = data_dir.join("demo.log");
        let on_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        Ok(match (json, on_terminal) {
            (true, _) => Show::Json,
            (false, true) => Show::Terminal(View::open()?, ToFile::open(&log)?),
            (false, false) => Show::Lines,
        })
    }

    /// True where a person reads, who is spared the closing JSON.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Show::Terminal(..))
    }

    /// Shows one picture; `note` says what is being waited for, if anything is.
    pub(super) fn draw(&mut self, gauges: &Gauges, places: &Places, note: &str) -> anyhow::Result<()> {
        match self {
            Show::Terminal(view, _) => view.draw(gauges, places, note)?,
            Show::Lines => write_line(&line(gauges, note))?,
            Show::Json => write_line(&as_json(gauges, note))?,
        }
        Ok(())
    }

    /// True if the person at the terminal has asked to stop.
    pub(super) fn stop_asked(&mut self) -> anyhow::Result<bool> {
        match self {
            Show::Terminal(view, _) => Ok(view.stop_asked()?),
            Show::Lines | Show::Json => Ok(false),
        }
    }
}

fn write_line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

fn line(gauges: &Gauges, note: &str) -> String {
    let age = |ms: Option<u64>| ms.map_or("–".to_owned(), |ms| format!("{:.2} s", ms as f64 / 1e3));
    let days = gauges.days().map_or(String::new(), |(checked, equal)| {
        format!(", days equal {equal} of {checked}")
    });
    let note = if note.is_empty() {
        String::new()
    } else {
        format!(", {note}")
    };
    format!(
        "{:>3} s  market {}  in {}/s  out {}/s  lag {}  newest row {} old  {} objects, {:.1} MB{days}{note}",
        gauges.elapsed.as_secs(),
        gauges.market_time,
        grouped(gauges.events_per_s as u64),
        grouped(gauges.sunk_per_s as u64),
        grouped(gauges.lag.max(0) as u64),
        age(gauges.freshness.last_ms()),
        gauges.objects,
        gauges.bytes as f64 / 1e6,
    )
}

fn as_json(gauges: &Gauges, note: &str) -> String {
    json!({
        "seconds": gauges.elapsed.as_secs_f64(),
        "market_time": gauges.market_time,
        "events": gauges.events,
        "events_per_s": gauges.events_per_s,
        "rows_per_s": gauges.sunk_per_s,
        "lag": gauges.lag,
        "freshness_ms": gauges.freshness.last_ms(),
        "objects": gauges.objects,
        "bytes": gauges.bytes,
        "days": gauges.days().map(|(checked, equal)| json!({ "checked": checked, "equal": equal })),
        "note": note,
    })
    .to_string()
}
