//! The trades of one symbol's day.

use chrono::{Datelike, NaiveDate};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::market::bar::{DayBar, Deal};
use crate::market::hours::SESSION_MS;

/// One trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Milliseconds since the open.
    pub offset_ms: u32,
    /// In units of 10^-[`DayBar::price_scale`].
    pub price: i64,
    /// In units of 10^-[`Session::size_scale`].
    pub size: u64,
}

/// The trades of one day, in time order; the contract is the module's ([`crate::market`]).
#[derive(Clone, Debug)]
pub struct Session {
    bar: DayBar,
    deal: Deal,
    random: ChaCha8Rng,
    /// The index of the next trade.
    index: u32,
    /// The trades whose prices are fixed, as (index, price), and which of them is the next.
    fixed: [(u32, i64); 4],
    fixed_next: usize,
    /// The walk's own price, finer than the market's.
    latent: f64,
    step: f64,
    /// The end of the last trade's slot of time, and how many of the spread shares are dealt.
    slot_end_ms: u32,
    dealt: u64,
}

/// The seed of one symbol's day: a function of the feed's seed, the symbol and the date alone (FNV-1a).
pub fn day_seed(seed: u64, symbol: &str, date: NaiveDate) -> u64 {
    let day = date.num_days_from_ce().to_le_bytes();
    let bytes = seed.to_le_bytes().into_iter().chain(symbol.bytes());
    bytes.chain(day).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Session {
    /// The session of `bar` with `wanted` trades, or as many as [`DayBar::trade_count`] allows. The bar must
    /// have passed [`DayBar::check`]; of one that has not, the prices are clamped to its range.
    pub fn new(bar: DayBar, wanted: u32, seed: u64) -> Session {
        let deal = bar.deal(wanted);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let fixed = fixed_prices(&bar, deal.count, &mut random);
        let range = bar.high as f64 - bar.low as f64;
        Session {
            bar,
            deal,
            random,
            index: 0,
            fixed,
            fixed_next: 0,
            latent: bar.open as f64,
            step: WALK_SHARE_OF_RANGE * range / f64::from(deal.count.max(1)).sqrt(),
            slot_end_ms: 0,
            dealt: 0,
        }
    }

    /// How many trades the whole session has.
    pub fn trades(&self) -> u32 {
        self.deal.count
    }

    /// The decimal places of the sizes.
    pub fn size_scale(&self) -> u8 {
        self.deal.size_scale
    }

    /// Slot `index` of the session belongs to trade `index`: it is somewhere in it, but for the first, at the
    /// open, and the last, in the last millisecond.
    fn next_offset_ms(&mut self, random: u32) -> u32 {
        let start = self.slot_end_ms;
        let count = u64::from(self.deal.count);
        let end = (u64::from(self.index) + 1) * u64::from(SESSION_MS) / count;
        self.slot_end_ms = end as u32;
        if self.index + 1 == self.deal.count {
            self.slot_end_ms - 1
        } else if self.index == 0 {
            start
        } else {
            let width = u64::from(self.slot_end_ms - start);
            start + ((u64::from(random) * width) >> 32) as u32
        }
    }

    fn next_price(&mut self, random: u64) -> i64 {
        let (index, price) = self.fixed[self.fixed_next];
        if index == self.index {
            self.fixed_next = (self.fixed_next + 1).min(self.fixed.len() - 1);
            self.latent = price as f64;
            return price;
        }
        // A step of the walk, and a step towards the next fixed price, the firmer the nearer it is.
        let near = 1.0 / f64::from(index - self.index + 1);
        let drift = (price as f64 - self.latent) * near;
        let walk = self.step * bell(random) * (1.0 - near);
        let (low, high) = (self.bar.low as f64, self.bar.high as f64);
        let mut next = self.latent + drift + walk;
        if next > high {
            next = high + high - next;
        } else if next < low {
            next = low + low - next;
        }
        self.latent = next.clamp(low, high);
        (self.latent.round() as i64).clamp(self.bar.low, self.bar.high)
    }

    /// The shares up to this trade are those under the U-shaped curve up to a random moment in the next
    /// trade's slot; so every size differs, none is negative, and the last trade closes the sum.
    fn next_size(&mut self, random: u32) -> u64 {
        let Deal {
            count,
            least,
            spread,
            unit,
            remainder,
            ..
        } = self.deal;
        let before = self.dealt;
        if self.index + 1 == count {
            self.dealt = spread;
            return least + (spread - before) * unit + remainder;
        }
        if spread > 0 {
            let jitter = f64::from(random) * (1.0 / 4_294_967_296.0);
            let moment = (f64::from(self.index) + 1.0 + jitter) / f64::from(count);
            let dealt = (volume_until(moment) * spread as f64) as u64;
            self.dealt = dealt.clamp(before, spread);
        }
        least + (self.dealt - before) * unit
    }
}

impl Iterator for Session {
    type Item = Trade;

    fn next(&mut self) -> Option<Trade> {
        if self.index >= self.deal.count {
            return None;
        }
        let (first, second) = (self.random.next_u64(), self.random.next_u64());
        let trade = Trade {
            offset_ms: self.next_offset_ms(second as u32),
            price: self.next_price(first),
            size: self.next_size((second >> 32) as u32),
        };
        self.index += 1;
        Some(trade)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.deal.count - self.index) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Session {}

/// How far the free walk would wander in a day, as a share of the day's range.
const WALK_SHARE_OF_RANGE: f64 = 0.7;

/// Which trades have fixed prices: the first is the open, the last the close, and where neither of them is
/// the high or the low, two others chosen at random. Sorted by index; unused places repeat the close.
fn fixed_prices(bar: &DayBar, count: u32, random: &mut ChaCha8Rng) -> [(u32, i64); 4] {
    let last = count.saturating_sub(1);
    let mut fixed = [(last, bar.close); 4];
    fixed[0] = (0, bar.open);
    if count <= 1 {
        return [(0, bar.open); 4];
    }
    let inner = [bar.high, bar.low]
        .into_iter()
        .filter(|price| *price != bar.open && *price != bar.close);
    let places = u64::from(count - 2);
    let mut used = 1;
    for price in inner {
        // Among the inner trades that are not taken yet. The deal has one for each.
        let taken = used as u64 - 1;
        let free = places.saturating_sub(taken).max(1);
        let mut place = 1 + (random.next_u64() % free) as u32;
        if taken == 1 && place >= fixed[1].0 {
            place += 1;
        }
        fixed[used] = (place, price);
        used += 1;
    }
    fixed[1..used].sort_unstable();
    fixed
}

/// A bell-shaped random number of mean 0 and variance 1: the sum of four uniform ones.
fn bell(random: u64) -> f64 {
    let part = |shift: u32| ((random >> shift) & 0xffff) as i64;
    let sum = part(0) + part(16) + part(32) + part(48);
    (sum - 131_070) as f64 * (1.0 / 37_837.226)
}

/// The share of the day's volume that is traded in the first `moment` (0 to 1) of the session: the integral
/// of 1/2 + 3/2 (2x-1)^2, which is 2 at both ends and 1/2 at noon.
fn volume_until(moment: f64) -> f64 {
    let centred = 2.0 * moment - 1.0;
    0.5 * moment + 0.25 * (centred * centred * centred + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_bar() -> impl Strategy<Value = DayBar> {
        let price = -1_000_i64..2_000_000;
        let range = prop_oneof![Just(0_i64), 0_i64..4, 0_i64..100_000];
        let volume = prop_oneof![Just(0_u64), 0_u64..6, 0_u64..5_000, 0_u64..20_000_000_000_000];
        (price, range, 0.0..=1.0, 0.0..=1.0, volume, 0_u8..=4).prop_map(
            |(low, range, open, close, volume, size_scale)| {
                let within = |share: f64| low + (range as f64 * share).round() as i64;
                DayBar {
                    open: within(open),
                    high: low + range,
                    low,
                    close: within(close),
                    price_scale: 2,
                    volume,
                    size_scale,
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn a_session_is_exactly_its_bar(bar in any_bar(), wanted in prop_oneof![1_u32..8, 1_u32..3000], seed: u64) {
            prop_assert_eq!(bar.check(), Ok(()));
            let session = Session::new(bar, wanted, seed);
            let (count, scale) = (session.trades(), session.size_scale());
            let trades: Vec<Trade> = session.collect();
            prop_assert_eq!(trades.len() as u32, count);
            let sum: u128 = trades.iter().map(|trade| u128::from(trade.size)).sum();
            prop_assert_eq!(sum, u128::from(bar.volume) * 10_u128.pow(u32::from(scale - bar.size_scale)));
            if bar.volume == 0 {
                prop_assert!(trades.is_empty());
                return Ok(());
            }
            let prices = || trades.iter().map(|trade| trade.price);
            prop_assert_eq!(prices().next(), Some(bar.open));
            prop_assert_eq!(prices().next_back(), Some(bar.close));
            prop_assert_eq!(prices().max(), Some(bar.high));
            prop_assert_eq!(prices().min(), Some(bar.low));
            prop_assert!(trades.windows(2).all(|pair| pair[0].offset_ms < pair[1].offset_ms));
            prop_assert!(trades.iter().all(|trade| trade.offset_ms < SESSION_MS));
            let share = 10_u64.pow(u32::from(bar.size_scale));
            let shares = bar.volume / share;
            if shares >= u64::from(bar.trades_min()) {
                prop_assert!(trades.iter().all(|trade| trade.size >= share));
                prop_assert_eq!(u64::from(count), u64::from(wanted.max(bar.trades_min())).min(shares));
            } else {
                prop_assert!(trades.iter().all(|trade| trade.size > 0));
                prop_assert_eq!(count, bar.trades_min());
            }
        }

        #[test]
        fn the_same_seed_gives_the_same_session(bar in any_bar(), wanted in 1_u32..300, seed: u64) {
            prop_assert!(Session::new(bar, wanted, seed).eq(Session::new(bar, wanted, seed)));
        }
    }

    fn apple() -> DayBar {
        DayBar {
            open: 11_856,
            high: 13_206,
            low: 11_850,
            close: 13_031,
            price_scale: 2,
            volume: 9_616_100,
            size_scale: 0,
        }
    }

    #[test]
    fn the_seed_is_of_symbol_and_day() {
        let date = NaiveDate::from_ymd_opt(2000, 3, 1).unwrap();
        let seeds = [
            day_seed(1, "AAPL", date),
            day_seed(2, "AAPL", date),
            day_seed(1, "IBM", date),
            day_seed(1, "AAPL", date.succ_opt().unwrap()),
        ];
        for (place, seed) in seeds.iter().enumerate() {
            assert!(!seeds[place + 1..].contains(seed));
        }
        // Pinned: another value would change every feed that was ever played.
        assert_eq!(seeds[0], 711_415_079_751_500_677);
        let first: Vec<Trade> = Session::new(apple(), 23_400, 7).take(3).collect();
        let other: Vec<Trade> = Session::new(apple(), 23_400, 8).take(3).collect();
        assert_ne!(first, other);
    }

    #[test]
    fn the_walk_wanders_and_volume_is_u_shaped() {
        let trades: Vec<Trade> = Session::new(apple(), 23_400, 7).collect();
        let distinct: std::collections::BTreeSet<i64> = trades.iter().map(|trade| trade.price).collect();
        assert!(distinct.len() > 300, "{} prices", distinct.len());
        let jump = trades
            .windows(2)
            .map(|pair| (pair[1].price - pair[0].price).abs())
            .max();
        assert!(jump < Some(200), "{jump:?}");
        let volume = |from: usize, to: usize| trades[from..to].iter().map(|trade| trade.size).sum::<u64>();
        let (morning, noon, evening) = (volume(0, 2340), volume(10_530, 12_870), volume(21_060, 23_400));
        assert!(morning > 2 * noon && evening > 2 * noon, "{morning} {noon} {evening}");
    }
}
