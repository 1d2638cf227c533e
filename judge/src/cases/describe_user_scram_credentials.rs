//! DescribeUserScramCredentials (50).

use serde_json::{Value, json};

use crate::run::{Case, ask};

fn users(name: &'static str, users: &[&str]) -> Case {
    let users: Vec<Value> = users.iter().map(|user| json!({ "Name": user })).collect();
    ask(name, json!({ "Users": users }))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        ask("everybody", json!({ "Users": null })),
        users("nobody", &[]),
        users("an unknown user", &["alice"]),
        users("several unknown users", &["bob", "alice", "carol"]),
        users("a user twice", &["alice", "alice"]),
        users("a user twice and another", &["bob", "alice", "bob", "dave", "bob"]),
        users("a user of an empty name", &[""]),
        users("a user of an empty name among others", &["alice", "", "bob"]),
        users("names of other alphabets", &["ünï", "鍵", "a b/c=d,e"]),
    ]
}
