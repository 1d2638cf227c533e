//! What a property is: its type, what it may be, and what Kafka says when it is not.

use super::ConfigError;

/// A property's type; the numbers are DescribeConfigs'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Boolean = 1,
    /// Text.
    String = 2,
    /// 32 bits, signed.
    Int = 3,
    /// 16 bits, signed.
    Short = 4,
    /// 64 bits, signed.
    Long = 5,
    /// A floating-point number.
    Double = 6,
    /// Text split at commas.
    List = 7,
    /// The name of a class in Java.
    Class = 8,
    /// Text that nobody is shown.
    Password = 9,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// Which values of the type are good.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Valid {
    /// All.
    Any,
    /// From this number up.
    AtLeast(&'static str),
    /// From the first to the second number, both included.
    Between(&'static str, &'static str),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words, in capitals or not.
    OneOfAnyCase(&'static [&'static str]),
    /// A list of these words.
    ListOf(&'static [&'static str]),
    /// gzip's levels 1 to 9, or -1 for its default.
    GzipLevel,
    /// Text that is not empty.
    NonEmpty,
    /// `earliest`, `latest`, or `by_duration:` with a duration of ISO 8601.
    OffsetReset,
    /// `partition:broker` pairs, or `*`.
    ThrottledReplicas,
}

/// Whether and how a property can be changed while the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// Only at the start.
    ReadOnly,
    /// For one broker alone.
    PerBroker,
    /// For all brokers or one.
    ClusterWide,
}

/// One property.
#[derive(Debug)]
pub(crate) struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its default; `None` is null.
    pub default: Option<&'static str>,
    /// Which values are good.
    pub valid: Valid,
    /// Whether it can be changed while the broker runs.
    pub update: Update,
    /// Whether DescribeConfigs keeps silent about it, as Kafka does about its own internal properties.
    pub internal: bool,
    /// What Apache Kafka says of it.
    pub documentation: &'static str,
}

impl Definition {
    /// Whether nobody is shown its value.
    pub(crate) fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// Checks a value as it was written and returns it as Kafka shows it (trimmed, booleans in lower case).
    pub(crate) fn check(&self, written: &str) -> Result<String, ConfigError> {
        let value = written.trim();
        let shown = match self.kind {
            Kind::Boolean => match value.to_ascii_lowercase() {
                lower if lower == "true" || lower == "false" => lower,
                _ => return Err(self.bad(written, "Expected value to be either true or false")),
            },
            Kind::Int => self.number::<i32>(written)?.to_string(),
            Kind::Short => self.number::<i16>(written)?.to_string(),
            Kind::Long => self.number::<i64>(written)?.to_string(),
            Kind::Double => {
                let number = self.number::<f64>(written)?;
                java_double(number)
            }
            Kind::List => split_list(value).join(","),
            Kind::String | Kind::Class | Kind::Password => value.to_owned(),
        };
        self.check_range(&shown)?;
        Ok(shown)
    }

    fn number<N: std::str::FromStr>(&self, written: &str) -> Result<N, ConfigError> {
        let reason = || format!("Not a number of type {}", self.kind.name());
        written.trim().parse().map_err(|_| self.bad(written, &reason()))
    }

    fn check_range(&self, value: &str) -> Result<(), ConfigError> {
        let number = || value.parse::<f64>().unwrap_or(f64::NAN);
        let limit = |limit: &str| limit.parse::<f64>().unwrap_or(f64::NAN);
        let words = |words: &[&str]| format!("String must be one of: {}", words.join(", "));
        match self.valid {
            Valid::Any => Ok(()),
            Valid::AtLeast(least) | Valid::Between(least, _) if number() < limit(least) => {
                Err(self.bad(value, &format!("Value must be at least {least}")))
            }
            Valid::Between(_, most) if number() > limit(most) => {
                Err(self.bad(value, &format!("Value must be no more than {most}")))
            }
            Valid::AtLeast(_) | Valid::Between(..) => Ok(()),
            Valid::OneOf(known) if known.contains(&value) => Ok(()),
            Valid::OneOf(known) => Err(self.bad(value, &words(known))),
            Valid::OneOfAnyCase(known) if known.iter().any(|word| word.eq_ignore_ascii_case(value)) => Ok(()),
            Valid::OneOfAnyCase(known) => Err(self.bad(
                value,
                &format!("String must be one of (case insensitive): {}", known.join(", ")),
            )),
            Valid::NonEmpty if value.is_empty() => Err(self.bad(value, "String must be non-empty")),
            Valid::NonEmpty => Ok(()),
            Valid::OffsetReset if is_offset_reset(value) => Ok(()),
            Valid::OffsetReset => Err(self.bad(
                value,
                &format!(
                    "Invalid value `{value}` for configuration {}. The value must be either 'earliest', 'latest' or of the \
                     format 'by_duration:<PnDTnHnMn.nS>'.",
                    self.name
                ),
            )),
            Valid::ListOf(known) => split_list(value)
                .iter()
                .find(|word| !known.contains(&word.as_str()))
                .map_or(Ok(()), |word| Err(self.bad(word, &words(known)))),
            Valid::GzipLevel if matches!(value.parse::<i32>(), Ok(-1 | 1..=9)) => Ok(()),
            Valid::GzipLevel => Err(self.bad(value, "Value must be between 1 and 9 or equal to -1")),
            Valid::ThrottledReplicas if is_throttled_replicas(value) => Ok(()),
            Valid::ThrottledReplicas => Err(self.bad(
                &format!("[{}]", split_list(value).join(", ")),
                &format!(
                    "{} must be the literal '*' or a list of replicas in the following format: \
                     [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                    self.name
                ),
            )),
        }
    }

    fn bad(&self, value: &str, reason: &str) -> ConfigError {
        ConfigError(format!(
            "Invalid value {value} for configuration {}: {reason}",
            self.name
        ))
    }
}

/// The items of a list as it is written; an empty text is an empty list.
pub(crate) fn split_list(value: &str) -> Vec<String> {
    let value = value.trim();
    if value.is_empty() {
        return Vec::new();
    }
    value.split(',').map(|item| item.trim().to_owned()).collect()
}

fn is_offset_reset(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let is_duration = |duration: &str| {
        let digits_and_units = |char: char| char.is_ascii_digit() || "dthms.".contains(char);
        duration
            .strip_prefix('p')
            .is_some_and(|rest| rest.contains(|char: char| char.is_ascii_digit()) && rest.chars().all(digits_and_units))
    };
    matches!(value.as_str(), "earliest" | "latest") || value.strip_prefix("by_duration:").is_some_and(is_duration)
}

fn is_throttled_replicas(value: &str) -> bool {
    let pair = |item: &String| {
        item.split_once(':')
            .is_some_and(|(partition, broker)| partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok())
    };
    value == "*" || split_list(value).iter().all(pair)
}

/// A number as Java prints it, so that DescribeConfigs shows what Kafka shows.
fn java_double(number: f64) -> String {
    let magnitude = number.abs();
    if number != 0.0 && !(1e-3..1e7).contains(&magnitude) {
        let text = format!("{number:E}");
        return match text.split_once('E') {
            Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
            _ => text,
        };
    }
    if number.fract() == 0.0 {
        format!("{number:.1}")
    } else {
        number.to_string()
    }
}
