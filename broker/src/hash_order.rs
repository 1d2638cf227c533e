//! The order in which Apache Kafka comes to what it keeps in Java's `HashMap`.
//!
//! Where that order decides what a client is told (which of several refusals, which protocol of a tie), it is a function of
//! the names and their number alone, so the same answer can be given here.

/// The buckets of a `HashMap` that nobody says a size of.
const BUCKETS: usize = 16;

/// The place of `name` in the iteration of a `HashMap` with `count` names, as far as names do not collide.
pub(crate) fn place(name: &str, count: usize) -> u32 {
    place_in(name, BUCKETS, count)
}

/// As [`place`], of a map that was made for `capacity` names.
pub(crate) fn place_in(name: &str, capacity: usize, count: usize) -> u32 {
    let hash = name
        .encode_utf16()
        .fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    // The table grows where it would be filled by more than three quarters.
    let mut buckets = capacity.max(1).next_power_of_two();
    while count > buckets * 3 / 4 {
        buckets *= 2;
    }
    (hash ^ hash >> 16) & u32::try_from(buckets - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_javas_order() {
        let place = |name| place(name, 2);
        // "range".hashCode() is 108280125.
        assert_eq!(place("range"), (108_280_125 ^ 108_280_125 >> 16) & 15);
        assert_eq!(place("a"), 1);
        assert_eq!(place(""), 0);
        assert!(place("range") < place("roundrobin"));
    }

    #[test]
    fn a_map_made_for_few_names_has_fewer_buckets() {
        // "z" is 122.
        let maps = [(0, 1), (1, 1), (2, 2), (3, 3), (4, 4), (16, 12), (16, 13)];
        let places = maps.map(|(capacity, count)| place_in("z", capacity, count));
        assert_eq!(places, [0, 0, 2, 2, 2, 10, 26]);
    }
}
