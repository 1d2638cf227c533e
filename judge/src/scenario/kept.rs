//! Scenarios that once failed, made as small as they get: `judge/scenarios.jsonl`, one a line, with what it showed.
//!
//! They are kept as actions rather than as seeds, so that they stay what they are when the vocabulary grows.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::action::Action;

const KEPT: &str = include_str!("../../scenarios.jsonl");

/// A scenario that once failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// What it showed.
    pub showed: String,
    /// What it does.
    pub actions: Vec<Action>,
}

/// All of them.
///
/// # Errors
/// A line that cannot be read.
pub fn all() -> anyhow::Result<Vec<Kept>> {
    let lines = KEPT.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).with_context(|| format!("scenarios.jsonl: {line}")))
        .collect()
}
