//! The order in which Apache Kafka comes to what it keeps in Java's `HashMap`.
//!
//! Where that order decides what a client is told (which of several refusals, which protocol of a tie), it is a function of
//! the names and their number alone, so the same answer can be given here.

/// The place of `name` in the iteration of a `HashMap` with `count` names, as far as names do not collide.
pub(crate) fn place(name: &str, count: usize) -> u32 {
    let hash = name
        .encode_utf16()
        .fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    // The table begins with 16 buckets and grows where it would be filled by more than three quarters.
    let buckets = (count * 4 / 3 + usize::from(!(count * 4).is_multiple_of(3)))
        .next_power_of_two()
        .max(16);
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
}
