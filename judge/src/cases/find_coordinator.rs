//! FindCoordinator (10).

use serde_json::json;

use super::group::group;
use super::transactions::{coordinated, transactional_id};
use crate::run::{Case, ask, case};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a group's", |run| {
            let group = group(run)?;
            run.ask(json!({ "Key": group })).map(drop)
        })
        .versions(0..=3),
        case("several groups'", |run| {
            let (first, second) = (group(run)?, group(run)?);
            run.ask(json!({ "CoordinatorKeys": [first, second, first] })).map(drop)
        })
        .versions(4..=6),
        case("a transactional id's", |run| {
            let id = transactional_id(run)?;
            run.ask(json!({ "Key": id, "KeyType": 1 })).map(drop)
        })
        .versions(1..=3),
        case("several transactional ids', one of them empty", |run| {
            let id = transactional_id(run)?;
            run.ask(json!({ "CoordinatorKeys": [id, "", "another", id], "KeyType": 1 }))
                .map(drop)
        })
        .versions(4..=6),
        case("an empty transactional id's", |run| {
            coordinated(run)?;
            run.ask(json!({ "Key": "", "KeyType": 1 })).map(drop)
        })
        .versions(1..=3),
        ask("nothing", json!({ "CoordinatorKeys": [] })).versions(4..=6),
        ask("no name", json!({ "Key": "" })).versions(0..=3),
        ask("no name among names", json!({ "CoordinatorKeys": [""] })).versions(4..=6),
        ask("an unknown kind", json!({ "Key": "x", "KeyType": 7 })).versions(1..=3),
        ask(
            "an unknown kind of several",
            json!({ "CoordinatorKeys": ["x", "y"], "KeyType": 7 }),
        )
        .versions(4..=6),
        ask("a negative kind", json!({ "CoordinatorKeys": ["x"], "KeyType": -1 })).versions(4..=6),
    ]
}
