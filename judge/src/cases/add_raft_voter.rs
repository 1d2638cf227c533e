//! AddRaftVoter (80), of voters that cannot be.

use serde_json::{Value, json};

use crate::run::{Case, ask};

fn voter(id: i32, directory: &str, listeners: Value) -> Value {
    json!({ "ClusterId": null, "TimeoutMs": 1_000, "VoterId": id, "VoterDirectoryId": directory, "Listeners": listeners })
}

pub(super) fn cases() -> Vec<Case> {
    const DIRECTORY: &str = "AAAAAAAAAAAAAAAAAAAAqg";
    const NO_DIRECTORY: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    // Nobody listens there.
    let listener = |name: &str| json!([{ "Name": name, "Host": "127.0.0.1", "Port": 1 }]);
    let mut elsewhere = voter(7, DIRECTORY, listener("CONTROLLER"));
    elsewhere["ClusterId"] = json!("nope");
    vec![
        ask(
            "a voter that does not answer",
            voter(7, DIRECTORY, listener("CONTROLLER")),
        ),
        ask("a voter of another cluster", elsewhere),
        ask(
            "a voter without a directory",
            voter(7, NO_DIRECTORY, listener("CONTROLLER")),
        ),
        ask("a voter below zero", voter(-1, DIRECTORY, listener("CONTROLLER"))),
        ask("a voter without listeners", voter(7, DIRECTORY, json!([]))),
        ask(
            "a voter that listens to no controller",
            voter(7, DIRECTORY, listener("OTHER")),
        ),
        ask("the voter that there is", voter(1, DIRECTORY, listener("CONTROLLER"))),
    ]
}
