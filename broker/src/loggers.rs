//! What is logged, as Kafka's tools see and change it (KIP-412): `root` is all of the broker, and each part is a logger of its
//! own by its target.
//!
//! Levels are those of the process, whoever set them (`RUST_LOG`, or the program around the broker). They can be changed where
//! that program says how ([`changed_by`]), until it ends; nothing of it is stored.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use parking_lot::Mutex;
use tracing::{Level, enabled};

/// The logger of everything in the broker.
pub(crate) const ROOT: &str = "root";

/// Levels by Apache Kafka's names, in the order in which it lists them, with what they are in a filter's directive.
pub(crate) const LEVELS: [(&str, &str); 6] = [
    ("DEBUG", "debug"),
    ("ERROR", "error"),
    ("FATAL", "off"),
    ("INFO", "info"),
    ("TRACE", "trace"),
    ("WARN", "warn"),
];

type Reload = Box<dyn Fn(&str) -> bool + Send + Sync>;

struct Changeable {
    base: String,
    reload: Reload,
    /// Directives' levels by logger.
    changed: Mutex<BTreeMap<&'static str, &'static str>>,
}

static CHANGEABLE: OnceLock<Changeable> = OnceLock::new();

/// Lets levels be changed: `reload` puts the directives of a filter (`base`, and more after it) in force and says whether it
/// could. The first call in a process counts.
pub fn changed_by(base: String, reload: impl Fn(&str) -> bool + Send + Sync + 'static) {
    let changeable = Changeable {
        base,
        reload: Box::new(reload),
        changed: Mutex::default(),
    };
    // Logging is set up once in a process.
    drop(CHANGEABLE.set(changeable));
}

macro_rules! loggers {
    ($($name:literal = $target:literal),* $(,)?) => {
        /// Each logger and its target.
        const LOGGERS: &[(&str, &str)] = &[$(($name, $target)),*];

        /// The most that a logger lets through.
        fn level_of(logger: &str) -> Option<&'static str> {
            match logger {
                $($name => Some(if enabled!(target: $target, Level::TRACE) {
                    "TRACE"
                } else if enabled!(target: $target, Level::DEBUG) {
                    "DEBUG"
                } else if enabled!(target: $target, Level::INFO) {
                    "INFO"
                } else if enabled!(target: $target, Level::WARN) {
                    "WARN"
                } else if enabled!(target: $target, Level::ERROR) {
                    "ERROR"
                } else {
                    "FATAL"
                }),)*
                _ => None,
            }
        }
    };
}

loggers! {
    "root" = "tickertape_broker",
    "tickertape_broker::api" = "tickertape_broker::api",
    "tickertape_broker::coordinator" = "tickertape_broker::coordinator",
    "tickertape_broker::log" = "tickertape_broker::log",
    "tickertape_broker::metadata" = "tickertape_broker::metadata",
    "tickertape_broker::runtime" = "tickertape_broker::runtime",
    "tickertape_broker::server" = "tickertape_broker::server",
}

/// Every logger with its level.
pub(crate) fn levels() -> impl Iterator<Item = (&'static str, &'static str)> {
    LOGGERS.iter().filter_map(|(name, _)| Some((*name, level_of(name)?)))
}

/// Whether there is a logger of this name.
pub(crate) fn exists(name: &str) -> bool {
    LOGGERS.iter().any(|(known, _)| *known == name)
}

/// Gives loggers other levels, or with none the one above them again. Says whether that can be done in this process.
pub(crate) fn change(changes: &[(&str, Option<&str>)]) -> bool {
    let Some(changeable) = CHANGEABLE.get() else {
        return false;
    };
    let mut changed = changeable.changed.lock();
    for (name, level) in changes {
        let Some((_, target)) = LOGGERS.iter().find(|(known, _)| known == name) else {
            continue;
        };
        match level.and_then(|level| LEVELS.iter().find(|(known, _)| *known == level)) {
            Some((_, directive)) => changed.insert(target, directive),
            None => changed.remove(target),
        };
    }
    // Of directives for one target the last counts.
    let changes: String = changed
        .iter()
        .map(|(target, level)| format!(",{target}={level}"))
        .collect();
    (changeable.reload)(&format!("{}{changes}", changeable.base))
}
