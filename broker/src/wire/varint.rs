//! Kafka's variable-length integers: base 128, low group first; the signed ones in zigzag order.
//!
//! An encoding may be longer than it needs to be, as in Apache Kafka, but never longer than five bytes for 32 bits
//! or ten for 64.

/// Reads an unsigned 32-bit varint. Gives the value and the number of bytes it took; `None` when the bytes end
/// within it or it is longer than five bytes.
#[inline]
pub fn read_u32(bytes: &[u8]) -> Option<(u32, usize)> {
    if let Some(short) = read_short(bytes) {
        return Some(short);
    }
    // The fifth group holds four bits that count; Apache Kafka drops the others, and so do we.
    read_long(bytes, 5).map(|(value, len)| (value as u32, len))
}

/// Reads an unsigned 64-bit varint; see [`read_u32`].
#[inline]
pub fn read_u64(bytes: &[u8]) -> Option<(u64, usize)> {
    if let Some((value, len)) = read_short(bytes) {
        return Some((u64::from(value), len));
    }
    read_long(bytes, 10)
}

/// Nearly every number in a record takes one to three bytes.
#[inline]
fn read_short(bytes: &[u8]) -> Option<(u32, usize)> {
    let low = |byte: u8| u32::from(byte & 0x7f);
    match *bytes {
        [a, ..] if a < 0x80 => Some((u32::from(a), 1)),
        [a, b, ..] if b < 0x80 => Some((low(a) | u32::from(b) << 7, 2)),
        [a, b, c, ..] if c < 0x80 => Some((low(a) | low(b) << 7 | u32::from(c) << 14, 3)),
        _ => None,
    }
}

#[inline(never)]
fn read_long(bytes: &[u8], len_max: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().enumerate().take(len_max) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Reads a zigzag 32-bit varint; see [`read_u32`].
#[inline]
pub fn read_i32(bytes: &[u8]) -> Option<(i32, usize)> {
    let (value, len) = read_u32(bytes)?;
    Some(((value >> 1) as i32 ^ -((value & 1) as i32), len))
}

/// Reads a zigzag 64-bit varint; see [`read_u32`].
#[inline]
pub fn read_i64(bytes: &[u8]) -> Option<(i64, usize)> {
    let (value, len) = read_u64(bytes)?;
    Some(((value >> 1) as i64 ^ -((value & 1) as i64), len))
}

/// Appends an unsigned 32-bit varint.
pub fn write_u32(value: u32, out: &mut Vec<u8>) {
    write_u64(u64::from(value), out);
}

/// Appends an unsigned 64-bit varint.
pub fn write_u64(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a zigzag 32-bit varint.
pub fn write_i32(value: i32, out: &mut Vec<u8>) {
    write_u32(((value << 1) ^ (value >> 31)) as u32, out);
}

/// Appends a zigzag 64-bit varint.
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    write_u64(((value << 1) ^ (value >> 63)) as u64, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn signed_values_survive(a: i32, b: i64) {
            let mut out = Vec::new();
            write_i32(a, &mut out);
            let len = out.len();
            write_i64(b, &mut out);
            prop_assert_eq!(read_i32(&out), Some((a, len)));
            prop_assert_eq!(read_i64(&out[len..]), Some((b, out.len() - len)));
        }

        #[test]
        fn unsigned_values_survive(a: u32, b: u64) {
            let mut out = Vec::new();
            write_u32(a, &mut out);
            let len = out.len();
            write_u64(b, &mut out);
            prop_assert_eq!(read_u32(&out), Some((a, len)));
            prop_assert_eq!(read_u64(&out[len..]), Some((b, out.len() - len)));
        }
    }

    #[test]
    fn the_documented_examples_hold() {
        for (value, bytes) in [
            (0, &[0u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[127]),
            (64, &[128, 1]),
            (300, &[216, 4]),
        ] {
            let mut out = Vec::new();
            write_i32(value, &mut out);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn what_does_not_end_is_refused() {
        assert_eq!(read_u32(&[]), None);
        assert_eq!(read_u32(&[0x80, 0x80]), None);
        assert_eq!(read_u32(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]), None);
        assert_eq!(read_u32(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some((u32::MAX, 5)));
        assert_eq!(read_u64(&[0x80; 11]), None);
    }
}
