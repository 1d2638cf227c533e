//! Seeds that can be given again.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A generator with the seed in `TICKERTAPE_SEED`, or a new one that is printed (which a failing test shows).
pub(crate) fn seeded() -> ChaCha8Rng {
    let seed = seed();
    eprintln!("TICKERTAPE_SEED={seed} repeats this run");
    ChaCha8Rng::seed_from_u64(seed)
}

/// The seed in `TICKERTAPE_SEED`, or a new one.
pub(crate) fn seed() -> u64 {
    number("TICKERTAPE_SEED").unwrap_or_else(rand::random)
}

/// A number in the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    let given = std::env::var(name).ok()?;
    Some(given.parse().unwrap_or_else(|error| panic!("{name}={given}: {error}")))
}

/// A generator for the part of a run that has a number of its own.
pub(crate) fn part(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}
