//! The demo's live view on a terminal.
//!
//! It draws [`Gauges`] and reads keys; it measures nothing itself. The terminal is given back as it was, also after a panic
//! (ratatui's hook sees to that).

use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};
use ratatui::{DefaultTerminal, Frame};

use super::gauges::{Gauges, QueryGauge};
use super::places::Places;

/// A terminal that shows the demo.
pub(super) struct View {
    terminal: DefaultTerminal,
}

impl View {
    /// Takes the terminal over.
    pub(super) fn open() -> std::io::Result<View> {
        Ok(View {
            terminal: ratatui::try_init()?,
        })
    }

    /// Draws one picture.
    pub(super) fn draw(&mut self, gauges: &Gauges, places: &Places, note: &str) -> std::io::Result<()> {
        self.terminal.draw(|frame| draw(frame, gauges, places, note))?;
        Ok(())
    }

    /// True if the person has asked to stop (`q`, Esc or Ctrl-C) since the last call. Never waits.
    pub(super) fn stop_asked(&mut self) -> std::io::Result<bool> {
        let mut asked = false;
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                asked |= key.kind == KeyEventKind::Press
                    && (control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc));
            }
        }
        Ok(asked)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn draw(frame: &mut Frame<'_>, gauges: &Gauges, places: &Places, note: &str) {
    let symbols_height = gauges.symbols.len().max(7) as u16 + 3;
    let [head, middle, queries, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(symbols_height),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let [symbols, pipeline] = Layout::horizontal([Constraint::Min(40), Constraint::Length(44)]).areas(middle);
    draw_head(frame, head, gauges);
    draw_symbols(frame, symbols, gauges);
    draw_pipeline(frame, pipeline, gauges);
    draw_queries(frame, queries, &gauges.queries);
    let foot_text = if note.is_empty() {
        format!(
            " q stops · Kafka {} · S3 {} · {}",
            places.bootstrap_servers,
            places.s3_endpoint,
            places.data_dir.display()
        )
    } else {
        format!(" {note}")
    };
    frame.render_widget(Paragraph::new(foot_text).dim(), foot);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, gauges: &Gauges) {
    let line = Line::from(vec![
        Span::from(" tickertape ").bold().reversed(),
        Span::from(format!("  market time {}", gauges.market_time)),
        Span::from(format!("  ·  running for {} s", gauges.elapsed.as_secs())).dim(),
    ]);
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_symbols(frame: &mut Frame<'_>, area: Rect, gauges: &Gauges) {
    let rows = gauges.symbols.iter().map(|gauge| {
        let change = gauge.change_percent();
        let color = if change < 0.0 { Color::Red } else { Color::Green };
        Row::new([
            Cell::from(gauge.symbol.clone()).bold(),
            Cell::from(format!("{:>10.2}", gauge.last)),
            Cell::from(format!("{change:>+7.2} %")).fg(color),
            Cell::from(gauge.sparkline()).fg(color),
        ])
    });
    let widths = [
        Constraint::Length(8),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Min(10),
    ];
    let header = Row::new(["symbol", "      last", "  the day", "the last minute"]).dim();
    let table = Table::new(rows, widths)
        .header(header)
        .block(Block::bordered().title(" market "));
    frame.render_widget(table, area);
}

fn draw_pipeline(frame: &mut Frame<'_>, area: Rect, gauges: &Gauges) {
    let age = |ms: Option<u64>| ms.map_or("–".to_owned(), |ms| format!("{:.2} s", ms as f64 / 1000.0));
    let days = gauges
        .days()
        .map_or("–".to_owned(), |(checked, equal)| format!("{equal} of {checked}"));
    let rows = [
        ("events in", format!("{} /s", grouped(gauges.events_per_s as u64))),
        ("rows out", format!("{} /s", grouped(gauges.sunk_per_s as u64))),
        ("events", grouped(gauges.events)),
        ("lag", grouped(gauges.lag.max(0) as u64)),
        ("newest row in SQL", format!("{} old", age(gauges.freshness.last_ms()))),
        (
            "p50, p99",
            format!(
                "{}, {}",
                age(gauges.freshness.percentile_ms(0.5)),
                age(gauges.freshness.percentile_ms(0.99))
            ),
        ),
        (
            "in S3",
            format!(
                "{} objects, {:.1} MB",
                grouped(gauges.objects),
                gauges.bytes as f64 / 1e6
            ),
        ),
        ("days equal", days),
    ];
    let rows = rows.map(|(name, value)| Row::new([Cell::from(name).dim(), Cell::from(value)]));
    let table =
        Table::new(rows, [Constraint::Length(18), Constraint::Min(10)]).block(Block::bordered().title(" pipeline "));
    frame.render_widget(table, area);
}

fn draw_queries(frame: &mut Frame<'_>, area: Rect, queries: &[QueryGauge]) {
    let [upper, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    for (half, pair) in [upper, lower].into_iter().zip(queries.chunks(2)) {
        let areas = Layout::horizontal(vec![Constraint::Fill(1); pair.len()]).split(half);
        for (area, query) in areas.iter().zip(pair) {
            let latency = query
                .latency
                .map_or("…".to_owned(), |latency| format!("{} ms", latency.as_millis()));
            let title = Line::from(vec![
                Span::from(format!(" {} ", query.title)),
                Span::styled(
                    format!("{latency} "),
                    Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
                ),
            ]);
            let block = Block::bordered().title(title);
            frame.render_widget(Paragraph::new(query.answer.as_str()).block(block), *area);
        }
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
