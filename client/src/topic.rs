//! What may be the name of a topic.

use crate::usage::UsageError;

/// As many characters as a topic's name may have (Kafka's `Topic.MAX_NAME_LENGTH`).
const LENGTH_MAX: usize = 249;

/// Whether a topic can have this name, by Kafka's rule: a broker never has one of another.
///
/// # Errors
/// Names it, and says what a name is made of.
pub fn check_topic_name(name: &str) -> Result<(), UsageError> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !matches!(name, "" | "." | "..") && name.len() <= LENGTH_MAX && name.bytes().all(is_legal) {
        return Ok(());
    }
    Err(UsageError(format!(
        "no topic can be called \"{name}\": a name has 1 to {LENGTH_MAX} letters, digits, dots, underscores and hyphens, \
         and is neither . nor .."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_kafka_takes_for_one() {
        for name in [
            "a",
            "ticks",
            "Ticks_2.raw-1",
            "...",
            "__consumer_offsets",
            &"x".repeat(LENGTH_MAX),
        ] {
            assert_eq!(check_topic_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "bad topic!",
            "kurse-\u{e4}",
            "a/b",
            "a:b",
            &"x".repeat(LENGTH_MAX + 1),
        ] {
            let error = check_topic_name(name).unwrap_err().to_string();
            assert!(
                error.contains(&format!("\"{name}\"")) && error.contains("249"),
                "{error}"
            );
        }
    }
}
