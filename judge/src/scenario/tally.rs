//! What a run of scenarios met: the actions and ways of straying, and the error codes in the answers.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::action::Action;

/// Counts of a run.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// Scenarios performed.
    pub scenarios: usize,
    /// Actions performed, by the words of the vocabulary.
    pub words: BTreeMap<String, usize>,
    /// Actions performed.
    pub actions: usize,
    /// Answers compared, by API.
    pub answers: BTreeMap<String, usize>,
    /// Error codes in answers, by API; 0 is none.
    pub codes: BTreeMap<(String, i64), usize>,
    /// Groups that changed to the next protocol while they had members.
    pub upgrades: usize,
    /// Groups that changed back to the classic protocol.
    pub downgrades: usize,
    /// Times that Apache Kafka was asked again for what it had acknowledged.
    pub settled: usize,
    /// Requests that were asked in another version, as theirs could not say them.
    pub unsayable: usize,
}

impl Tally {
    pub(super) fn acted(&mut self, action: &Action) {
        self.actions += 1;
        for word in action.words() {
            *self.words.entry(word).or_default() += 1;
        }
    }

    pub(super) fn answered(&mut self, api: &str, answer: &Value) {
        *self.answers.entry(api.to_owned()).or_default() += 1;
        self.codes_of(api, answer);
    }

    fn codes_of(&mut self, api: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_i64() {
                        Some(code) if name == "ErrorCode" => {
                            *self.codes.entry((api.to_owned(), code)).or_default() += 1;
                        }
                        _ => self.codes_of(api, value),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.codes_of(api, value)),
            _ => {}
        }
    }

    /// How often an error code was met, in any API.
    #[must_use]
    pub fn code(&self, code: i64) -> usize {
        let met = self.codes.iter().filter(|((_, met), _)| *met == code);
        met.map(|(_, count)| count).sum()
    }

    /// Answers compared.
    #[must_use]
    pub fn compared(&self) -> usize {
        self.answers.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} scenarios, {} actions, {} answers compared; {} upgrades and {} downgrades of groups; {} times asked again until settled, {} in another version",
            self.scenarios,
            self.actions,
            self.compared(),
            self.upgrades,
            self.downgrades,
            self.settled,
            self.unsayable
        )?;
        writeln!(f, "\nactions:")?;
        for (word, count) in &self.words {
            writeln!(f, "{count:>7} {word}")?;
        }
        writeln!(f, "\nanswers, with the error codes in them:")?;
        for (api, count) in &self.answers {
            let codes = self.codes.iter().filter(|((of, _), _)| of == api);
            let codes: Vec<String> = codes.map(|((_, code), count)| format!("{code}×{count}")).collect();
            writeln!(f, "{count:>7} {api}: {}", codes.join(" "))?;
        }
        Ok(())
    }
}
