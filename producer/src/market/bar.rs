//! One day of one symbol, in whole units: what a session has to reproduce.

use crate::market::SESSION_MS;

/// One day's bar. Prices count units of 10^-`price_scale`, volume counts units of 10^-`size_scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayBar {
    /// The first price.
    pub open: i64,
    /// The highest price.
    pub high: i64,
    /// The lowest price.
    pub low: i64,
    /// The last price.
    pub close: i64,
    /// The decimal places of the prices.
    pub price_scale: u8,
    /// The shares traded, in units of 10^-`size_scale`.
    pub volume: u64,
    /// The decimal places of the volume, at most [`DayBar::SIZE_SCALE_MAX`].
    pub size_scale: u8,
}

/// A bar that no trades can have made: which column is wrong, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Inconsistent {
    /// The name of the column, as in the event: `open`, `high`, `close`.
    pub column: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// How the shares of a day are dealt out: `count` trades of at least `least` units each; `spread` more shares
/// of `unit` units each are spread over them, and the last trade also gets the `remainder`. All in units of
/// 10^-`size_scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deal {
    pub(crate) count: u32,
    pub(crate) least: u64,
    pub(crate) spread: u64,
    pub(crate) unit: u64,
    pub(crate) remainder: u64,
    pub(crate) size_scale: u8,
}

impl DayBar {
    /// The most decimal places that a volume may have.
    pub const SIZE_SCALE_MAX: u8 = 9;

    /// Whether trades can have made this bar: low is the lowest, high the highest.
    pub fn check(&self) -> Result<(), Inconsistent> {
        let wrong = |column, reason| Err(Inconsistent { column, reason });
        if self.high < self.low {
            return wrong("high", "is below the low");
        }
        if self.open > self.high {
            return wrong("open", "is above the high");
        }
        if self.open < self.low {
            return wrong("open", "is below the low");
        }
        if self.close > self.high {
            return wrong("close", "is above the high");
        }
        if self.close < self.low {
            return wrong("close", "is below the low");
        }
        Ok(())
    }

    /// The fewest trades that can show open, high, low and close: 1 (all are equal) to 4.
    pub fn trades_min(&self) -> u32 {
        let at_an_end = |price| price == self.open || price == self.close;
        let ends = if self.open == self.close { 1 } else { 2 };
        let (high, low) = (!at_an_end(self.high), !at_an_end(self.low));
        match (high, low) {
            // Open equals close, and one more price lies between them: both ends are needed.
            (false, false) => ends,
            (true, true) => 4,
            _ => 3,
        }
    }

    /// How many trades the day has when `wanted` are asked for: none without volume; never more than whole
    /// shares, than milliseconds in the session, nor fewer than it takes to show open, high, low and close.
    /// A day of fewer whole shares than those one to four prices is traded in quarters of its volume, so that
    /// it still has exactly its prices and its volume.
    pub fn trade_count(&self, wanted: u32) -> u32 {
        self.deal(wanted).count
    }

    /// The decimal places of the trades' sizes: the volume's own, and two more on a day that is traded in
    /// quarters.
    pub fn trade_size_scale(&self, wanted: u32) -> u8 {
        self.deal(wanted).size_scale
    }

    pub(crate) fn deal(&self, wanted: u32) -> Deal {
        let needed = self.trades_min();
        let unit = 10_u64.pow(u32::from(self.size_scale.min(Self::SIZE_SCALE_MAX)));
        let shares = self.volume / unit;
        let mut deal = Deal {
            count: 0,
            least: unit,
            spread: 0,
            unit,
            remainder: self.volume % unit,
            size_scale: self.size_scale,
        };
        if self.volume == 0 {
            return deal;
        }
        if shares >= u64::from(needed) {
            let wanted = wanted.clamp(needed, SESSION_MS);
            deal.count = u32::try_from(shares).unwrap_or(u32::MAX).min(wanted);
            deal.spread = shares - u64::from(deal.count);
        } else if needed == 1 {
            (deal.count, deal.least, deal.remainder) = (1, self.volume, 0);
        } else {
            // Fewer than four shares: a quarter of the volume each, the rest in the last trade.
            let total = self.volume * 100;
            deal.count = needed;
            deal.least = self.volume * 25;
            deal.remainder = total - deal.least * u64::from(needed);
            deal.size_scale += 2;
        }
        deal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(open: i64, high: i64, low: i64, close: i64, volume: u64) -> DayBar {
        DayBar {
            open,
            high,
            low,
            close,
            price_scale: 2,
            volume,
            size_scale: 0,
        }
    }

    #[test]
    fn trades_needed() {
        assert_eq!(bar(5, 5, 5, 5, 9).trades_min(), 1);
        assert_eq!(bar(5, 6, 5, 6, 9).trades_min(), 2);
        assert_eq!(bar(6, 6, 5, 5, 9).trades_min(), 2);
        assert_eq!(bar(5, 7, 5, 6, 9).trades_min(), 3);
        assert_eq!(bar(5, 7, 5, 5, 9).trades_min(), 3);
        assert_eq!(bar(5, 7, 4, 5, 9).trades_min(), 4);
    }

    #[test]
    fn trades_are_as_many_as_wanted_where_there_are_shares() {
        let day = bar(5, 7, 4, 6, 1000);
        assert_eq!(day.trade_count(100), 100);
        assert_eq!(day.trade_count(5000), 1000);
        assert_eq!(day.trade_count(1), 4);
        assert_eq!(bar(5, 7, 4, 6, 0).trade_count(100), 0);
        assert_eq!(bar(5, 7, 4, 6, 2).trade_count(100), 4);
        assert_eq!(bar(5, 7, 4, 6, 2).trade_size_scale(100), 2);
        assert_eq!(bar(5, 7, 4, 6, u64::MAX).trade_count(u32::MAX), SESSION_MS);
    }

    #[test]
    fn impossible_bars_are_told() {
        assert_eq!(bar(5, 7, 4, 6, 1).check(), Ok(()));
        for (day, column) in [
            (bar(5, 4, 7, 6, 1), "high"),
            (bar(8, 7, 4, 6, 1), "open"),
            (bar(3, 7, 4, 6, 1), "open"),
            (bar(5, 7, 4, 8, 1), "close"),
            (bar(5, 7, 4, 3, 1), "close"),
        ] {
            assert_eq!(day.check().unwrap_err().column, column);
        }
    }
}
