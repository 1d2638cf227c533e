//! Which day a message belongs to, found without parsing the message.
//!
//! A partition's folder is named by the day of the event (or of the record's timestamp), in UTC. This module
//! promises to look no further into a message than it needs to find that day; whether the rest of it is
//! valid JSON is the decoder's business.

use chrono::{DateTime, Datelike, NaiveDate};

use crate::{
    decode::{DEPTH_MAX, nesting_exceeds},
    names::column_name,
};

/// The day from which days are counted, as chrono counts them.
const EPOCH_DAYS_FROM_CE: i32 = 719_163;
/// 0000-01-01 and 9999-12-31: what four digits can name.
const DAYS: std::ops::RangeInclusive<i32> = -719_528..=2_932_896;

/// What the date of a message is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartitionBy {
    /// The event's own time: the first of the date fields that the message has.
    #[default]
    Event,
    /// The timestamp of the Kafka record.
    Record,
}

/// How dates are found; part of what a claim has to name, since whoever redoes it must find the same ones.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DateRule {
    /// Event or record.
    pub by: PartitionBy,
    /// The fields to look at, in order, when it is the event's own date.
    pub fields: Vec<String>,
    /// Where none of them is there as it is spelled here, names are matched as columns are; and numbers are times. Claims of
    /// versions that did neither have none of this.
    #[serde(default)]
    pub lenient: bool,
}

/// Why a message has no place in the table before anything was decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A tombstone.
    #[error("the message has no value (a tombstone)")]
    NoValue,
    /// Bytes that are no text, so no JSON either.
    #[error("the value is not UTF-8")]
    NotUtf8,
    /// Something other than `{…}`.
    #[error("the value is not a JSON object")]
    NotAnObject,
    /// Nested so deep that no parser should see it.
    #[error("nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// An object without any of the date fields.
    #[error("the object has no date: none of the fields {0}")]
    NoDate(String),
    /// A date field that is not a date.
    #[error(
        "field {field}: {value} is not a date (YYYY-MM-DD), a time (RFC 3339), or a number of seconds, milliseconds, \
         microseconds or nanoseconds since 1970 (of the years 1980 to 2099)"
    )]
    BadDate {
        /// The field looked at.
        field: String,
        /// What it holds, shortened.
        value: String,
    },
    /// By the record's timestamp, and it has none, or one beyond the year 9999.
    #[error("the record's timestamp ({0} ms) has no date")]
    BadTimestamp(i64),
}

impl DateRule {
    /// The day of a message, in days since 1970-01-01. Cheap for messages that are fine.
    ///
    /// # Errors
    /// A [`Fault`], which sends the message to the rejected ones.
    pub fn day_of(&self, value: Option<&[u8]>, timestamp_ms: i64) -> Result<i32, Fault> {
        let value = value.ok_or(Fault::NoValue)?;
        let text = std::str::from_utf8(value).map_err(|_| Fault::NotUtf8)?;
        if !text.trim_ascii_start().starts_with('{') {
            return Err(Fault::NotAnObject);
        }
        if nesting_exceeds(text, DEPTH_MAX) {
            return Err(Fault::TooDeep);
        }
        match self.by {
            PartitionBy::Event => self.event_day(text),
            PartitionBy::Record => {
                let day = i32::try_from(timestamp_ms.div_euclid(86_400_000)).ok();
                // -1 is how Kafka says that a record has no timestamp.
                day.filter(|day| timestamp_ms != -1 && DAYS.contains(day))
                    .ok_or(Fault::BadTimestamp(timestamp_ms))
            }
        }
    }

    fn event_day(&self, text: &str) -> Result<i32, Fault> {
        for field in &self.fields {
            let Ok(value) = sonic_rs::get_from_str(text, [field.as_str()]) else {
                continue;
            };
            if let Some(day) = self.day_of_value(field, value.as_raw_str()) {
                return day;
            }
        }
        if self.lenient
            && let Some(day) = self.day_by_column(text)
        {
            return day;
        }
        if sonic_rs::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return Err(Fault::NotAnObject);
        }
        Err(Fault::NoDate(self.fields.join(", ")))
    }

    /// The day of a field whose column is that of one of the date fields.
    #[cold]
    fn day_by_column(&self, text: &str) -> Option<Result<i32, Fault>> {
        let mut found: Vec<Option<Result<i32, Fault>>> = vec![None; self.fields.len()];
        for field in sonic_rs::to_object_iter(text) {
            let Ok((spelling, value)) = field else { break };
            let column = column_name(&spelling);
            let at = self.fields.iter().position(|field| column_name(field) == column);
            if let Some(of) = at.and_then(|at| found.get_mut(at)) {
                *of = self.day_of_value(&spelling, value.as_raw_str());
            }
        }
        found.into_iter().flatten().next()
    }

    /// The day of a field's value; none if it is null.
    fn day_of_value(&self, field: &str, raw: &str) -> Option<Result<i32, Fault>> {
        if raw == "null" {
            return None;
        }
        let day = match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(text) => day_of_text(text),
            None if self.lenient => day_of_number(raw),
            None => None,
        };
        Some(day.ok_or_else(|| Fault::BadDate {
            field: field.to_owned(),
            value: raw.chars().take(64).collect(),
        }))
    }
}

/// 1980-01-01 and 2100-01-01, in seconds since 1970.
const NUMBERED: std::ops::Range<i64> = 315_532_800..4_102_444_800;

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, of the years in which one of them alone can be meant:
/// neither as another of them, nor are the digits those of a date, such as 20120601 or 20120601133000.
fn day_of_number(raw: &str) -> Option<i32> {
    let (whole, fraction) = raw.split_once('.').unwrap_or((raw, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let units = [1, 1_000, 1_000_000, 1_000_000_000];
    let seconds = units.into_iter().map(|unit| number.div_euclid(unit));
    let seconds = seconds.into_iter().find(|seconds| NUMBERED.contains(seconds))?;
    i32::try_from(seconds / 86_400).ok()
}

/// `2012-06-01` or an RFC 3339 time, which counts by its day in UTC.
fn day_of_text(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    match bytes.len() {
        10 => day_of_digits(bytes),
        11.. if matches!(bytes.last(), Some(b'Z' | b'z')) && matches!(bytes[10], b'T' | b't' | b' ') => {
            day_of_digits(&bytes[..10])
        }
        11.. => day_of_date(DateTime::parse_from_rfc3339(text).ok()?.to_utc().date_naive()),
        _ => None,
    }
}

/// Exactly `YYYY-MM-DD`.
pub(crate) fn day_of_digits(bytes: &[u8]) -> Option<i32> {
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = digits(&bytes[..4])?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, digits(&bytes[5..7])?, digits(&bytes[8..])?)?;
    day_of_date(date)
}

fn day_of_date(date: NaiveDate) -> Option<i32> {
    Some(date.num_days_from_ce() - EPOCH_DAYS_FROM_CE).filter(|day| DAYS.contains(day))
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0u32, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'))
    })
}

/// `YYYY-MM-DD` of a day since 1970-01-01.
pub(crate) fn day_name(day: i32) -> String {
    let date = NaiveDate::from_num_days_from_ce_opt(day.saturating_add(EPOCH_DAYS_FROM_CE));
    date.map_or_else(|| day.to_string(), |date| date.format("%Y-%m-%d").to_string())
}

/// Microseconds since 1970-01-01T00:00:00Z of an RFC 3339 time.
pub(crate) fn micros_of_rfc3339(text: &str) -> Option<i64> {
    plain_micros(text.as_bytes()).or_else(|| Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros()))
}

/// The form that nearly every event has, `YYYY-MM-DDTHH:MM:SS[.fraction]Z`, without the general parser.
fn plain_micros(bytes: &[u8]) -> Option<i64> {
    let (b'T', Some((b'Z', _))) = (*bytes.get(10)?, bytes.split_last()) else {
        return None;
    };
    if bytes.len() < 20 || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let (hour, minute, second) = (
        digits(&bytes[11..13])?,
        digits(&bytes[14..16])?,
        digits(&bytes[17..19])?,
    );
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match &bytes[19..bytes.len() - 1] {
        [] => 0,
        [b'.', fraction @ ..] if (1..=6).contains(&fraction.len()) => {
            i64::from(digits(fraction)?) * 10_i64.pow(6 - u32::try_from(fraction.len()).ok()?)
        }
        _ => return None,
    };
    let seconds = i64::from(day_of_digits(&bytes[..10])?) * 86_400 + i64::from(hour * 3_600 + minute * 60 + second);
    Some(seconds * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_event() -> DateRule {
        DateRule {
            by: PartitionBy::Event,
            fields: vec!["event_time".into(), "date".into()],
            lenient: true,
        }
    }

    fn named(rule: &DateRule, value: &str) -> Result<String, Fault> {
        rule.day_of(Some(value.as_bytes()), 0).map(day_name)
    }

    #[test]
    fn the_event_time_comes_before_the_date() {
        let rule = by_event();
        for (value, day) in [
            (
                r#"{"date":"2012-06-01","event_time":"2012-06-02T13:30:00Z"}"#,
                "2012-06-02",
            ),
            (r#" {"date":"2012-06-01","event_time":null}"#, "2012-06-01"),
            (r#"{"event_time":"2012-06-02T23:30:00-04:00"}"#, "2012-06-03"),
            (r#"{"event_time":"1969-12-31T23:59:59.999999Z"}"#, "1969-12-31"),
            (r#"{"nested":{"date":"2000-01-01"},"date":"2012-02-29"}"#, "2012-02-29"),
        ] {
            assert_eq!(named(&rule, value).as_deref(), Ok(day), "{value}");
        }
    }

    #[test]
    fn what_has_no_day_says_why() {
        let rule = by_event();
        assert_eq!(rule.day_of(None, 0), Err(Fault::NoValue));
        assert_eq!(rule.day_of(Some(b"\xff{}"), 0), Err(Fault::NotUtf8));
        let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
        assert_eq!(named(&rule, &deep), Err(Fault::TooDeep));
        for value in ["", "7", "[1]", "null", "{\"a\":", "{"] {
            assert_eq!(named(&rule, value), Err(Fault::NotAnObject), "{value}");
        }
        assert!(matches!(named(&rule, r#"{"a":1}"#), Err(Fault::NoDate(_))));
        for date in ["\"2012-02-30\"", "\"June\"", "20120601", "\"2012-6-1\"", "\"\"", "{}"] {
            let got = named(&rule, &format!("{{\"date\":{date}}}"));
            assert!(matches!(got, Err(Fault::BadDate { .. })), "{date}: {got:?}");
        }
    }

    #[test]
    fn numbers_are_times_where_they_can_be_nothing_else() {
        let rule = by_event();
        for (number, day) in [
            ("1704276000", "2024-01-03"),
            ("1704276000.75", "2024-01-03"),
            ("1704276000000", "2024-01-03"),
            ("1704276000000000", "2024-01-03"),
            ("1704276000000000000", "2024-01-03"),
            ("315532800", "1980-01-01"),
            ("4102444799999", "2099-12-31"),
        ] {
            assert_eq!(
                named(&rule, &format!("{{\"event_time\":{number}}}")).as_deref(),
                Ok(day),
                "{number}"
            );
        }
        for number in [
            "0",
            "-1",
            "20240103",
            "202401031000",
            "20240103100000",
            "20240103100000123",
            "1e9",
            "true",
            "[]",
        ] {
            let got = named(&rule, &format!("{{\"event_time\":{number}}}"));
            assert!(matches!(got, Err(Fault::BadDate { .. })), "{number}: {got:?}");
        }
        // A claim of a version that didn't know them is redone as it was made.
        let strict: DateRule = serde_json::from_str(r#"{"by":"event","fields":["event_time"]}"#).unwrap();
        assert!(matches!(
            named(&strict, r#"{"event_time":1704276000}"#),
            Err(Fault::BadDate { .. })
        ));
        assert!(matches!(
            named(&strict, r#"{"Event_Time":"2024-01-03"}"#),
            Err(Fault::NoDate(_))
        ));
    }

    #[test]
    fn the_date_fields_are_matched_as_columns_are_if_none_is_there_to_the_letter() {
        let rule = by_event();
        for (value, day) in [
            (r#"{"Date":"2012-06-01"}"#, "2012-06-01"),
            (
                r#"{"DATE":"2012-06-01","Event_Time":"2012-06-02T00:00:00Z"}"#,
                "2012-06-02",
            ),
            (
                r#"{"date":"2012-06-01","EVENT_TIME":"2012-06-02T00:00:00Z"}"#,
                "2012-06-01",
            ),
            (r#"{"EVENT_TIME":null,"Date":"2012-06-01"}"#, "2012-06-01"),
        ] {
            assert_eq!(named(&rule, value).as_deref(), Ok(day), "{value}");
        }
        assert!(matches!(named(&rule, r#"{"Date":"June"}"#), Err(Fault::BadDate { .. })));
        assert!(matches!(
            named(&rule, r#"{"o":{"Date":"2012-06-01"}}"#),
            Err(Fault::NoDate(_))
        ));
    }

    #[test]
    fn the_records_timestamp_is_used_when_asked() {
        let rule = DateRule {
            by: PartitionBy::Record,
            fields: Vec::new(),
            lenient: true,
        };
        assert_eq!(rule.day_of(Some(b"{}"), 86_400_000), Ok(1));
        assert_eq!(rule.day_of(Some(b"{}"), -1), Err(Fault::BadTimestamp(-1)));
        assert_eq!(rule.day_of(Some(b"{}"), -2), Ok(-1));
        assert_eq!(rule.day_of(Some(b"{}"), i64::MAX), Err(Fault::BadTimestamp(i64::MAX)));
    }

    proptest! {
        #[test]
        fn the_short_way_and_the_general_parser_agree(micros in -62_000_000_000_000_000_i64..250_000_000_000_000_000) {
            let time = DateTime::from_timestamp_micros(micros).unwrap();
            for text in [time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), time.to_rfc3339()] {
                prop_assert_eq!(micros_of_rfc3339(&text), Some(micros), "{}", text);
                let rule = by_event();
                let day = rule.day_of(Some(format!("{{\"event_time\":\"{text}\"}}").as_bytes()), 0);
                prop_assert_eq!(day, Ok(i32::try_from(micros.div_euclid(86_400_000_000)).unwrap()));
            }
        }
    }
}
