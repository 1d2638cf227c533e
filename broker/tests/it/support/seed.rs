//! Seeds that can be given again.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A generator with the seed in `TICKERTAPE_SEED`, or a new one that is printed (which a failing test shows).
pub(crate) fn seeded() -> ChaCha8Rng {
    let given = std::env::var("TICKERTAPE_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
    eprintln!("TICKERTAPE_SEED={seed} repeats this run");
    ChaCha8Rng::seed_from_u64(seed)
}
