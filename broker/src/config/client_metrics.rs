//! The properties of a subscription to clients' metrics (KIP-714), checked as Apache Kafka does.
//!
//! They are kept and shown. No client is asked for metrics, as in an Apache Kafka without a plug-in that takes them.

use super::Values;
use super::apache::{self, CLIENT_METRICS};
use super::definition::split_list;
use crate::error::{ApiError, ResponseError};

/// What of a client may be matched.
const MATCHED: &[&str] = &[
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// How often a client may be asked for its metrics at most and at least, in milliseconds.
const INTERVAL_MS: std::ops::RangeInclusive<i32> = 100..=3_600_000;

/// Checks what is set for a subscription.
pub(crate) fn check_client_metrics(values: &Values) -> Result<(), ApiError> {
    let invalid = |reason: String| Err(ApiError::new(ResponseError::InvalidRequest, reason));
    let invalid_config = |reason: String| ApiError::new(ResponseError::InvalidConfig, reason);
    if let Some(unknown) = values.keys().find(|name| apache::find(CLIENT_METRICS, name).is_none()) {
        return invalid(format!("Unknown client metrics configuration: {unknown}"));
    }
    for definition in CLIENT_METRICS {
        if let Some(value) = values.get(definition.name) {
            definition
                .check(value)
                .map_err(|error| invalid_config(error.to_string()))?;
        }
    }
    if let Some(interval) = values
        .get("interval.ms")
        .and_then(|value| value.trim().parse::<i32>().ok())
        && !INTERVAL_MS.contains(&interval)
    {
        return invalid(format!(
            "Invalid value {interval} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
        ));
    }
    let patterns = values.get("match").map_or_else(Vec::new, |value| split_list(value));
    match patterns.iter().find(|pattern| !is_pattern(pattern)) {
        None => Ok(()),
        Some(pattern) => Err(invalid_config(format!("Illegal client matching pattern: {pattern}"))),
    }
}

fn is_pattern(pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('=').map(str::trim).collect();
    matches!(parts[..], [name, expression] if MATCHED.contains(&name) && regex::Regex::new(expression).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_checked_in_apache_kafkas_words() {
        let check = |name: &str, value: &str| {
            let values = Values::from([(name.to_owned(), value.to_owned())]);
            check_client_metrics(&values).map_err(|error| error.message.unwrap_or_default().to_string())
        };
        for (name, value) in [
            ("interval.ms", " 500 "),
            ("match", ""),
            ("match", " client_id = a.* ,client_source_port=9"),
            ("metrics", "org.a,org.b"),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}={value}");
        }
        for (name, value, says) in [
            ("nope", "1", "Unknown client metrics configuration: nope"),
            (
                "interval.ms",
                "x",
                "Invalid value x for configuration interval.ms: Not a number of type INT",
            ),
            (
                "interval.ms",
                "99",
                "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
            ),
            ("match", "client_id", "Illegal client matching pattern: client_id"),
            (
                "match",
                "client_id=a=b",
                "Illegal client matching pattern: client_id=a=b",
            ),
            ("match", "other=a", "Illegal client matching pattern: other=a"),
            ("match", "client_id=[", "Illegal client matching pattern: client_id=["),
        ] {
            assert_eq!(check(name, value), Err(says.to_owned()), "{name}={value}");
        }
    }
}
