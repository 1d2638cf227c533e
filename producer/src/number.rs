//! Numbers as a file writes them, and as JSON writes them: the same digits, never by way of a float.

use std::borrow::Cow;
use std::str::FromStr;

use rust_decimal::Decimal;

/// Whether a cell says that there is no value.
pub(crate) fn is_null(cell: &str) -> bool {
    const NULLS: [&str; 6] = ["", "null", "nan", "na", "n/a", "none"];
    NULLS.iter().any(|null| cell.eq_ignore_ascii_case(null))
}

/// Whether `text` is a number by JSON's grammar (RFC 8259, section 6), so that it may stand in JSON as it is.
/// `007` is none: it is probably a code.
pub(crate) fn is_json_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes()[1].is_ascii_digit();
    !leading_zero
        && parts(text).is_some_and(|parts| !parts.plus && !parts.whole.is_empty() && parts.fraction != Some(""))
}

/// The number that `text` is, in JSON's grammar and with the same digits: `.5` becomes `0.5`, `+1.50` becomes
/// `1.50`. `None` when it is no number.
pub(crate) fn json_number(text: &str) -> Option<Cow<'_, str>> {
    if is_json_number(text) {
        return Some(Cow::Borrowed(text));
    }
    let parts = parts(text)?;
    let whole = parts.whole.trim_start_matches('0');
    let mut number = String::with_capacity(text.len() + 1);
    if parts.minus {
        number.push('-');
    }
    number.push_str(if whole.is_empty() { "0" } else { whole });
    if let Some(fraction) = parts.fraction.filter(|fraction| !fraction.is_empty()) {
        number.push('.');
        number.push_str(fraction);
    }
    number.push_str(parts.exponent);
    Some(Cow::Owned(number))
}

/// The exact value of a number, with its decimal places. `None` when it is no number or has more digits than
/// 28.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    let parts = parts(text)?;
    match parts.exponent {
        "" => Decimal::from_str_exact(text).ok(),
        _ => Decimal::from_scientific(text).ok(),
    }
    .or_else(|| Decimal::from_str(&json_number(text)?).ok())
}

/// The value in units of 10^-`scale`, when it is a whole number of them and fits.
pub(crate) fn in_units(value: Decimal, scale: u32) -> Option<i128> {
    let mut rescaled = value;
    rescaled.rescale(scale);
    (rescaled.scale() == scale && rescaled == value).then(|| rescaled.mantissa())
}

/// Writes `mantissa` / 10^`scale` with exactly `scale` decimal places.
pub(crate) fn write_fixed(out: &mut Vec<u8>, mantissa: i64, scale: u8) {
    if mantissa < 0 {
        out.push(b'-');
    }
    write_fixed_u64(out, mantissa.unsigned_abs(), scale);
}

/// Writes `mantissa` / 10^`scale` with exactly `scale` decimal places.
pub(crate) fn write_fixed_u64(out: &mut Vec<u8>, mantissa: u64, scale: u8) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(mantissa).as_bytes();
    let scale = usize::from(scale);
    if scale == 0 {
        out.extend_from_slice(digits);
        return;
    }
    if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

/// Writes the time of day, `14:30:00.123`.
pub(crate) fn write_time_of_day(out: &mut Vec<u8>, ms_of_day: u32) {
    let (seconds, ms) = (ms_of_day / 1000, ms_of_day % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let pair = |number: u32| [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
    let ([h1, h2], [m1, m2], [s1, s2]) = (pair(hours), pair(minutes), pair(seconds));
    let [ms1, ms2] = pair(ms / 10);
    let ms3 = b'0' + (ms % 10) as u8;
    out.extend_from_slice(&[h1, h2, b':', m1, m2, b':', s1, s2, b'.', ms1, ms2, ms3]);
}

struct Parts<'a> {
    minus: bool,
    plus: bool,
    whole: &'a str,
    fraction: Option<&'a str>,
    /// With its `e`, or empty.
    exponent: &'a str,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let minus = text.starts_with('-');
    let plus = text.starts_with('+');
    let unsigned = if minus || plus { &text[1..] } else { text };
    let (digits, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => unsigned.split_at(at),
        None => (unsigned, ""),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.get(1..).unwrap_or("");
    let power = power.strip_prefix(['+', '-']).unwrap_or(power);
    let valid = all_digits(whole)
        && all_digits(fraction.unwrap_or(""))
        && !(whole.is_empty() && fraction.unwrap_or("").is_empty())
        && (exponent.is_empty() || (!power.is_empty() && all_digits(power)));
    valid.then_some(Parts {
        minus,
        plus,
        whole,
        fraction,
        exponent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_keep_their_digits() {
        for same in ["0", "-0.5", "118.50", "1e9", "1.25E-3", "333.87900637", "0.0"] {
            assert!(is_json_number(same), "{same}");
            assert_eq!(json_number(same).unwrap(), same);
        }
        for (text, json) in [
            (".5", "0.5"),
            ("+1.50", "1.50"),
            ("5.", "5"),
            ("007.10", "7.10"),
            ("-.25", "-0.25"),
        ] {
            assert!(!is_json_number(text), "{text}");
            assert_eq!(json_number(text).unwrap(), json);
        }
        for none in [
            "", "-", ".", "e5", "1e", "1,234", "0x10", "NaN", "1 2", "1.2.3", "--1", "1e+",
        ] {
            assert_eq!(json_number(none), None, "{none}");
            assert_eq!(decimal(none), None, "{none}");
        }
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal("118.50").unwrap().scale(), 2);
        assert_eq!(in_units(decimal("118.50").unwrap(), 4), Some(1_185_000));
        assert_eq!(in_units(decimal("118.55").unwrap(), 1), None);
        assert_eq!(in_units(decimal("1.5e9").unwrap(), 0), Some(1_500_000_000));
        assert_eq!(decimal("1".repeat(40).as_str()), None);
    }

    #[test]
    fn nulls_are_told_from_values() {
        assert!(is_null("") && is_null("NaN") && is_null("null"));
        assert!(!is_null("0") && !is_null("NYA"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(mantissa: i64, scale in 0u8..18) {
            let mut out = Vec::new();
            write_fixed(&mut out, mantissa, scale);
            let text = String::from_utf8(out).unwrap();
            prop_assert!(is_json_number(&text), "{text}");
            prop_assert_eq!(in_units(decimal(&text).unwrap(), u32::from(scale)), Some(i128::from(mantissa)));
        }

        #[test]
        fn json_agrees_with_serde(text in "[-+]?[0-9]{0,4}(\\.[0-9]{0,4})?([eE][-+]?[0-9]{0,2})?") {
            prop_assert_eq!(is_json_number(&text), serde_json::from_str::<serde_json::Number>(&text).is_ok(), "{}", text);
            if let Some(number) = json_number(&text) {
                prop_assert!(is_json_number(&number), "{} of {}", number, text);
            }
        }
    }

    #[test]
    fn times_are_written() {
        let mut out = Vec::new();
        write_time_of_day(&mut out, ((14 * 60 + 30) * 60 + 5) * 1000 + 42);
        assert_eq!(out, b"14:30:05.042");
    }
}
