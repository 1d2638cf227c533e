//! Decimal numbers by their digits.

/// A JSON number as an integer of so many digits, the last `scale` of them behind the point. `None` if it is no number,
/// or has digits that would be lost.
pub(super) fn decimal_of(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || (mantissa.contains('.') && fraction.is_empty()) {
        return None;
    }
    let mut value = 0_i128;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    // How often the integer of all digits is to be multiplied by ten.
    let shift = i32::from(scale)
        .checked_add(exponent)?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if value != 0 && shift > 0 {
        value = value.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?)?;
    } else if value != 0 && shift < 0 {
        let divisor = 10_i128.checked_pow(shift.unsigned_abs())?;
        if value % divisor != 0 {
            return None;
        }
        value /= divisor;
    }
    let fits = value < 10_i128.checked_pow(u32::from(precision))?;
    fits.then_some(if negative { -value } else { value })
}

/// The double that is this integer of at most 38 digits; `None` if the nearest one is another number.
pub(super) fn exact_double(value: i128) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "that is what is looked at")]
    let double = value as f64;
    #[expect(clippy::cast_possible_truncation, reason = "it is an integer within the bounds")]
    let back = double as i128;
    (back == value).then_some(double)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_are_kept_or_the_number_is_refused() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1.1", Some(11_000)),
            ("-0.0001", Some(-1)),
            ("1e2", Some(1_000_000)),
            ("12.5E-1", Some(12_500)),
            ("1.00000", Some(10_000)),
            ("99999999.9999", Some(999_999_999_999)),
            ("100000000", None),
            ("0.00001", None),
            ("1e400", None),
            ("0e400", Some(0)),
            ("1.", None),
            ("", None),
            ("-", None),
            ("abc", None),
            ("1.2.3", None),
            ("+1", None),
            ("99999999999999999999999999999999999999999999", None),
        ] {
            assert_eq!(decimal_of(text, 12, 4), expected, "{text}");
        }
    }

    #[test]
    fn doubles_hold_integers_up_to_53_bits_and_some_beyond() {
        for exact in [
            0,
            1 << 53,
            -(1 << 53),
            (1 << 53) + 2,
            1 << 62,
            i128::from(i64::MIN),
            1 << 63,
            1 << 100,
        ] {
            assert_eq!(
                exact_double(exact).map(|double| format!("{double:.0}")),
                Some(exact.to_string())
            );
        }
        for between in [
            (1 << 53) + 1,
            -(1 << 53) - 1,
            i128::from(i64::MAX),
            i128::from(u64::MAX),
        ] {
            assert_eq!(exact_double(between), None, "{between}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in -999_999_999_999_i128..1_000_000_000_000) {
            let digits = value.unsigned_abs();
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:04}", digits / 10_000, digits % 10_000);
            prop_assert_eq!(decimal_of(&text, 12, 4), Some(value));
        }
    }
}
