//! Whose directory it is: the topic id in Kafka's `partition.metadata`.

use std::path::Path;

use uuid::Uuid;

use super::disk::{Disk, Open};

/// Kafka's file that says whose directory this is.
pub(super) const METADATA_FILE: &str = "partition.metadata";

/// A topic id as Kafka writes it: base64 for URLs, without padding.
pub(super) fn kafka_id(id: Uuid) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = id.as_u128();
    // 21 digits of 6 bits, and a last one of 2 bits and 4 zeros.
    let digit = |at: u32| if at < 21 { number >> (122 - 6 * at) } else { number << 4 };
    (0..22)
        .map(|at| char::from(DIGITS[(digit(at) & 63) as usize]))
        .collect()
}

/// The inverse of [`kafka_id`].
pub(super) fn parse_kafka_id(text: &str) -> Option<Uuid> {
    let digit = |byte: u8| {
        Some(u128::from(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        }))
    };
    let (last, digits) = text.as_bytes().split_last()?;
    if digits.len() != 21 {
        return None;
    }
    let number = digits
        .iter()
        .try_fold(0u128, |number, byte| Some(number << 6 | digit(*byte)?))?;
    Some(Uuid::from_u128(number << 2 | digit(*last)? >> 4))
}

/// The topic id that a partition's directory says it belongs to.
pub(super) fn read_topic_id(disk: &dyn Disk, dir: &Path) -> Option<Uuid> {
    let file = disk.open(&dir.join(METADATA_FILE), Open::Existing).ok()?;
    let mut buffer = [0; 256];
    let read = file.read_at(&mut buffer, 0).ok()?;
    let text = std::str::from_utf8(&buffer[..read]).ok()?;
    text.lines()
        .find_map(|line| parse_kafka_id(line.strip_prefix("topic_id:")?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_ids_are_written_as_kafka_does() {
        // Kafka's own id of `__cluster_metadata`.
        let id = Uuid::from_u128(1);
        assert_eq!(kafka_id(id), "AAAAAAAAAAAAAAAAAAAAAQ");
        for id in [
            id,
            Uuid::max(),
            Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        ] {
            assert_eq!(parse_kafka_id(&kafka_id(id)), Some(id));
        }
        assert_eq!(parse_kafka_id("short"), None);
    }
}
