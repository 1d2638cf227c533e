//! Every difference that is to stay, explained.

use super::Deliberate;

/// What differs on purpose, by API key.
pub const DELIBERATE: &[Deliberate] = &[];
