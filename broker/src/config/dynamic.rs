//! What Apache Kafka asks of values that are changed while it runs, beyond what each property asks at the start.

use super::{BrokerConfig, ConfigError, Values};

/// Pools of threads: each change at most doubles or halves one.
const POOLS: &[&str] = &[
    "background.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
];

/// Checks new dynamic values beside those in force.
pub(crate) fn check_dynamic(config: &BrokerConfig, values: &Values) -> Result<(), ConfigError> {
    for name in POOLS {
        let wanted = values.get(*name).and_then(|value| value.parse::<i64>().ok());
        let now = config.int(name);
        let reason = match wanted {
            Some(wanted) if wanted < now / 2 => format!("value should be at least half the current value {now}"),
            Some(wanted) if wanted > now * 2 => {
                format!("value should not be greater than double the current value {now}")
            }
            _ => continue,
        };
        return Err(ConfigError(format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed \
             for {name}={}, {reason} for configuration Invalid dynamic configuration",
            values[*name]
        )));
    }
    if values.get("log.retention.ms").is_some_and(|value| value == "0") {
        let reason = "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1";
        return Err(ConfigError(reason.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_of_threads_is_doubled_or_halved_at_most() {
        let config = BrokerConfig::new([("num.io.threads".to_owned(), "8".to_owned())]).unwrap();
        let check = |value: &str| check_dynamic(&config, &Values::from([("num.io.threads".into(), value.into())]));
        for good in ["4", "8", "16"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let says = |value| check(value).unwrap_err().to_string();
        assert!(says("3").contains("at least half the current value 8"), "{}", says("3"));
        assert!(says("17").contains("not be greater than double the current value 8"));
    }

    #[test]
    fn a_retention_of_nothing_is_refused() {
        let config = BrokerConfig::new([]).unwrap();
        let check = |value: &str| check_dynamic(&config, &Values::from([("log.retention.ms".into(), value.into())]));
        assert!(check("0").is_err());
        assert!(check("-1").is_ok() && check("1").is_ok());
    }
}
