//! When the market is open: 09:30 to 16:00 in New York, on every day that the file has a bar for.
//!
//! Daylight saving is New York's. Half-days (the day after Thanksgiving) are played as whole ones: a bar does
//! not tell.

use chrono::{NaiveDate, NaiveTime, TimeZone};
use chrono_tz::America::New_York;

/// How long a session lasts: 6 h 30 min, in milliseconds.
pub const SESSION_MS: u32 = 23_400_000;

/// When the session of this date opens, 09:30 in New York, in milliseconds since the epoch (UTC).
pub fn open_ms(date: NaiveDate) -> i64 {
    let open = date.and_time(NaiveTime::MIN) + chrono::TimeDelta::minutes(9 * 60 + 30);
    // New York's clock never jumps at half past nine, so there is exactly one such moment a day; were there
    // none, UTC would be as good as any.
    New_York
        .from_local_datetime(&open)
        .earliest()
        .map_or(open.and_utc().timestamp_millis(), |open| open.timestamp_millis())
}

/// When the session of this date closes, 16:00 in New York, in milliseconds since the epoch (UTC).
pub fn close_ms(date: NaiveDate) -> i64 {
    open_ms(date) + i64::from(SESSION_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn open(year: i32, month: u32, day: u32) -> String {
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        DateTime::from_timestamp_millis(open_ms(date)).unwrap().to_rfc3339()
    }

    #[test]
    fn the_session_follows_new_yorks_daylight_saving() {
        assert_eq!(open(2012, 1, 3), "2012-01-03T14:30:00+00:00");
        assert_eq!(open(2012, 6, 1), "2012-06-01T13:30:00+00:00");
        // In 2007 the change moved from April to March.
        assert_eq!(open(2006, 3, 20), "2006-03-20T14:30:00+00:00");
        assert_eq!(open(2007, 3, 20), "2007-03-20T13:30:00+00:00");
    }

    #[test]
    fn it_lasts_six_hours_and_a_half() {
        let date = NaiveDate::from_ymd_opt(2012, 6, 1).unwrap();
        let close = DateTime::from_timestamp_millis(close_ms(date)).unwrap();
        assert_eq!(close.to_rfc3339(), "2012-06-01T20:00:00+00:00");
    }
}
