//! Errors that are the user's to mend: they name what was asked for and the nearest thing that exists.

use crate::s3::S3OptionError;

/// The user asked for something that cannot be: a file, a topic or a property that does not exist, a value
/// that is none. The binary exits with 2 when it finds one anywhere in the chain of an error ([`exit_code`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

impl UsageError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> UsageError {
        UsageError(text.into())
    }

    /// `no such <kind> "<wanted>"`, with the nearest of the `known` names or, when none is near and they are
    /// few, all of them.
    pub fn unknown<'a>(kind: &str, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> UsageError {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = match nearest(wanted, known.iter().copied()) {
            Some(near) => format!("; did you mean \"{near}\"?"),
            None if known.is_empty() => String::new(),
            None if known.len() <= LISTED_MAX => format!("; there are: {}", known.join(", ")),
            None => format!("; there are {} others, none of a similar name", known.len()),
        };
        UsageError(format!("no such {kind} \"{wanted}\"{hint}"))
    }
}

/// How many names an error lists when none of them is near to what was asked.
const LISTED_MAX: usize = 12;

/// An error with all its causes, each once, from the outermost on: what was asked for stands in one, and what is wrong in another.
pub fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

/// The exit code that a program owes for this error: 2 when a [`UsageError`] or an [`S3OptionError`] is in its chain, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    match error
        .chain()
        .any(|cause| cause.is::<UsageError>() || cause.is::<S3OptionError>())
    {
        true => 2,
        false => 1,
    }
}

/// The name among `known` that was probably meant by `wanted`: the fewest edits away (a swap of neighbours is
/// one edit, case does not count), and no more than a third of the longer one's length.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    known
        .into_iter()
        .filter_map(|name| {
            let edits = strsim::damerau_levenshtein(&wanted, &name.to_lowercase());
            let edits_max = (wanted.chars().count().max(name.chars().count()) / 3).max(1);
            (edits <= edits_max).then_some((edits, name))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn nearest_finds_a_slip_and_nothing_far() {
        let known = ["ticks", "bars", "prices", "linger.ms"];
        assert_eq!(nearest("prcies", known), Some("prices"));
        assert_eq!(nearest("TICK", known), Some("ticks"));
        assert_eq!(nearest("linger.m", known), Some("linger.ms"));
        assert_eq!(nearest("orders", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn unknown_names_and_suggests() {
        assert_eq!(
            UsageError::unknown("topic", "tick", ["ticks", "bars"]).to_string(),
            "no such topic \"tick\"; did you mean \"ticks\"?"
        );
        assert_eq!(
            UsageError::unknown("column", "zzz", ["date", "open"]).to_string(),
            "no such column \"zzz\"; there are: date, open"
        );
        assert_eq!(
            UsageError::unknown("topic", "zzz", []).to_string(),
            "no such topic \"zzz\""
        );
    }

    #[test]
    fn a_usage_error_is_found_below_its_context() {
        let usage: anyhow::Result<()> = Err(UsageError::new("no")).context("reading").context("run");
        assert_eq!(usage.map_err(|error| exit_code(&error)), Err(2));
        assert_eq!(exit_code(&anyhow::anyhow!("disk on fire")), 1);
    }
}
