//! What librdkafka says in its log and nowhere else.

/// Whether librdkafka says that a topic has another id than it had. It comes, in the order of the consumer's queue, before
/// the first message of the new topic, which is fetched by that id; there is no other sign of it.
pub(super) fn is_of_new_id(message: &str) -> bool {
    const NONE: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    let before = message.split_once(" changed id from ").map(|(_, ids)| ids);
    before.is_some_and(|ids| !ids.starts_with(NONE))
}

/// The partition of which librdkafka says that the offset it asked for is not there, so that it goes on at the first that is.
/// That comes before the first message from there. Messages deleted before they were read show in no other way: a fetch from
/// an offset that is still there answers all from it on, and what is missing in between was never to be read.
pub(super) fn reset_partition(message: &str) -> Option<(String, i32)> {
    let (head, _) = message.split_once(": offset reset (at ")?;
    let (topic, partition) = head.strip_suffix(']')?.rsplit_once(" [")?;
    let topic = topic.rsplit(' ').next()?;
    Some((topic.to_owned(), partition.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_librdkafka_says_is_understood() {
        let reset = "[thrd:main]: market.ticks [17]: offset reset (at offset 5 (leader epoch 0), broker 1) to offset \
                     BEGINNING (leader epoch -1): fetch failed: Broker: Offset out of range";
        assert_eq!(reset_partition(reset), Some(("market.ticks".to_owned(), 17)));
        assert_eq!(reset_partition("t [0]: offset reset (at x"), Some(("t".to_owned(), 0)));
        for other in [
            "",
            "t [0]: offset",
            "t: offset reset (at x",
            "t [a]: offset reset (at x",
        ] {
            assert_eq!(reset_partition(other), None, "{other}");
        }
    }
}
