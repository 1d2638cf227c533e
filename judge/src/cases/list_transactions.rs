//! ListTransactions (66).

use serde_json::json;

use crate::run::{Case, ask};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask(
            "states that there are not",
            json!({ "StateFilters": ["Asleep", "ongoing", "Asleep", ""] }),
        ),
        ask(
            "each state, of nobody",
            json!({
                "StateFilters": [
                    "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort",
                    "PrepareEpochFence", "Dead",
                ],
                "ProducerIdFilters": [987_654_321],
            }),
        ),
        ask(
            "a state and one that there is not",
            json!({ "StateFilters": ["Dead", "Alive"] }),
        ),
        ask("an id of nobody's", json!({ "ProducerIdFilters": [987_654_321, -1] })),
        ask(
            "for longer than can be",
            json!({ "DurationFilter": i64::MAX, "ProducerIdFilters": [987_654_321] }),
        ),
        ask(
            "a duration below -1",
            json!({ "DurationFilter": -2, "ProducerIdFilters": [987_654_321] }),
        ),
        ask(
            "a pattern of nobody's",
            json!({ "TransactionalIdPattern": "nobody-.*" }),
        ),
        ask(
            "an empty pattern, of nobody",
            json!({ "TransactionalIdPattern": "", "ProducerIdFilters": [987_654_321] }),
        ),
        ask("a pattern that is none", json!({ "TransactionalIdPattern": "(nobody" })),
        ask("another pattern that is none", json!({ "TransactionalIdPattern": "*" })),
        ask(
            "a pattern that is none and a state that there is not",
            json!({ "TransactionalIdPattern": "[", "StateFilters": ["Asleep"] }),
        ),
    ]
}
