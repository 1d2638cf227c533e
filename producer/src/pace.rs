//! When an event is due. Pure: moments are given, never read.

use std::time::{Duration, Instant};

use crate::options::{Rate, Speed};

/// Turns market time into moments. Market time is anchored at the first event that is paced, and anchored
/// anew after a stretch at full speed; time during which the feed could not go on (a full queue) does not
/// count, so that it is not made up for in a burst.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    speed: Speed,
    rate: Rate,
    warp_days: u32,
    market: Option<(u64, Instant)>,
    count: Option<(u64, Instant)>,
}

impl Pace {
    pub(crate) fn new(speed: Speed, rate: Rate, warp_days: u32) -> Pace {
        Pace {
            speed,
            rate,
            warp_days,
            market: None,
            count: None,
        }
    }

    /// The moment at which the next event is due, or `None`: at once. It is the `count`th of this run, of the
    /// run's `day`th day, and stands at `market_ms` on the clock that runs only while the market is open.
    pub(crate) fn due(&mut self, count: u64, day: u32, market_ms: u64, now: Instant) -> Option<Instant> {
        if day < self.warp_days {
            return None;
        }
        let by_speed = match self.speed {
            Speed::Max => None,
            Speed::Times(times) => {
                let (from_ms, at) = *self.market.get_or_insert((market_ms, now));
                let ms = market_ms.saturating_sub(from_ms) as f64 / times;
                later(at, ms / 1000.0)
            }
        };
        let by_rate = match self.rate {
            Rate::Max => None,
            Rate::PerSecond(rate) => {
                let (from, at) = *self.count.get_or_insert((count, now));
                later(at, (count - from) as f64 / rate)
            }
        };
        by_speed.max(by_rate)
    }

    /// The feed could not go on for so long: everything is due that much later.
    pub(crate) fn stalled(&mut self, time: Duration) {
        for anchor in [&mut self.market, &mut self.count] {
            if let Some((from, at)) = *anchor {
                *anchor = Some((from, at.checked_add(time).unwrap_or(at)));
            }
        }
    }
}

/// A moment too far away to be one is a year away.
fn later(at: Instant, seconds: f64) -> Option<Instant> {
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    let wait = Duration::try_from_secs_f64(seconds).unwrap_or(YEAR).min(YEAR);
    at.checked_add(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn market_time_runs_at_its_speed_from_the_first_event() {
        let start = crate::clock::now();
        let mut pace = Pace::new(Speed::Times(390.0), Rate::Max, 0);
        assert_eq!(pace.due(0, 5, 1_000_000, start), Some(start));
        assert_eq!(pace.due(1, 5, 1_390_000, start), Some(start + Duration::from_secs(1)));
        pace.stalled(Duration::from_secs(9));
        assert_eq!(pace.due(2, 5, 1_390_000, start), Some(start + Duration::from_secs(10)));
    }

    #[test]
    fn warped_days_are_due_at_once_and_take_no_time() {
        let start = crate::clock::now();
        let mut pace = Pace::new(Speed::Times(1.0), Rate::PerSecond(1.0), 2);
        assert_eq!(pace.due(0, 0, 0, start), None);
        assert_eq!(pace.due(1, 1, 23_400_000, start), None);
        let later = start + Duration::from_secs(3);
        assert_eq!(pace.due(2, 2, 46_800_000, later), Some(later));
        assert_eq!(pace.due(3, 2, 46_801_000, later), Some(later + Duration::from_secs(1)));
    }

    #[test]
    fn the_slower_of_speed_and_rate_counts() {
        let start = crate::clock::now();
        let mut pace = Pace::new(Speed::Times(1000.0), Rate::PerSecond(2.0), 0);
        pace.due(0, 0, 0, start);
        assert_eq!(pace.due(4, 0, 1000, start), Some(start + Duration::from_secs(2)));
        let mut pace = Pace::new(Speed::Max, Rate::Max, 0);
        assert_eq!(pace.due(9, 0, 1000, start), None);
    }
}
