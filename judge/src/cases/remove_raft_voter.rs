//! RemoveRaftVoter (81), of voters that there are not.

use serde_json::{Value, json};

use crate::run::{Case, ask};

fn voter(id: i32, directory: &str) -> Value {
    json!({ "ClusterId": null, "VoterId": id, "VoterDirectoryId": directory })
}

pub(super) fn cases() -> Vec<Case> {
    const DIRECTORY: &str = "AAAAAAAAAAAAAAAAAAAAqg";
    const NO_DIRECTORY: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    let mut elsewhere = voter(7, DIRECTORY);
    elsewhere["ClusterId"] = json!("nope");
    vec![
        ask("an unknown voter", voter(7, DIRECTORY)),
        ask("another directory of the voter that there is", voter(1, DIRECTORY)),
        ask("a voter of another cluster", elsewhere),
        ask("a voter without a directory", voter(7, NO_DIRECTORY)),
        ask("a voter below zero", voter(-1, DIRECTORY)),
    ]
}
