//! The simulated market: what trades a day must have had, given its bar.
//!
//! [`Session`] is a pure function of a [`DayBar`], a number of trades and a seed. Its contract, which the
//! property tests hold it to:
//!
//! - the first price is the bar's open, the last its close, the highest its high, the lowest its low;
//! - the sizes sum to the bar's volume, exactly, and each is at least one share (see [`DayBar::trade_count`]
//!   for a day of fewer shares than prices);
//! - every price has the bar's own decimal places and lies between low and high;
//! - times are milliseconds since the open, strictly increasing, within the session of 6 h 30 min;
//! - the same arguments give the same trades, on every machine: no transcendental function is used, and the
//!   generator is ChaCha8, seeded by [`day_seed`] from seed, symbol and date, so that neither the order of
//!   symbols nor the other symbols of a file matter.
//!
//! Between those fixed points the price is a random walk that is drawn towards the next of them, reflected at
//! low and high; volume is U-shaped over the day. It is plausible, not a model of anything.
//!
//! Nothing here reads a clock, a file or an option.

mod bar;
mod hours;
mod session;

pub use bar::{DayBar, Inconsistent};
pub use hours::{SESSION_MS, close_ms, open_ms};
pub use session::{Session, Trade, day_seed};
