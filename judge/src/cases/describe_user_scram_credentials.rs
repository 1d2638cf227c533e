//! DescribeUserScramCredentials (50).

use serde_json::{Value, json};

use crate::run::{Case, Outcome, Run, ask, case};

fn users(name: &'static str, users: &[&str]) -> Case {
    let users: Vec<Value> = users.iter().map(|user| json!({ "Name": user })).collect();
    ask(name, json!({ "Users": users }))
}

/// Asks when Ann has a credential of each mechanism, and Ben one.
fn with_users(name: &'static str, request: Value) -> Case {
    case(name, move |run| {
        make(run)?;
        let version = run.version();
        run.soon("DescribeUserScramCredentials", version, &request).map(drop)
    })
}

fn make(run: &mut Run<'_>) -> Outcome {
    run.once("users with credentials", |both| {
        for (user, mechanism, iterations) in [("ann", 1, 4096), ("ann", 2, 8192), ("ben", 2, 16_384)] {
            let upsertion = json!({
                "Name": user, "Mechanism": mechanism, "Iterations": iterations, "Salt": "0102", "SaltedPassword": "0304",
            });
            both.must("AlterUserScramCredentials", &json!({ "Upsertions": [upsertion] }))?;
        }
        Ok(())
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        users("an unknown user", &["alice"]),
        users("several unknown users", &["bob", "alice", "carol"]),
        users("a user twice", &["alice", "alice"]),
        users("a user twice and another", &["bob", "alice", "bob", "dave", "bob"]),
        users("a user of an empty name", &[""]),
        users("a user of an empty name among others", &["alice", "", "bob"]),
        users("names of other alphabets", &["ünï", "鍵", "a b/c=d,e"]),
        with_users("everybody", json!({ "Users": null })),
        with_users("nobody, which is everybody", json!({ "Users": [] })),
        with_users("a user with credentials", json!({ "Users": [{ "Name": "ben" }] })),
        with_users("a user in capitals", json!({ "Users": [{ "Name": "BEN" }] })),
        with_users(
            "users with credentials and without, and twice",
            json!({ "Users": [{ "Name": "ben" }, { "Name": "cid" }, { "Name": "ann" }, { "Name": "ben" }] }),
        ),
    ]
}
