//! AlterReplicaLogDirs (34), to directories that there are not: each has its own, and to stay in it is no change.

use serde_json::json;

use crate::run::{Case, ask, case};

pub(super) fn cases() -> Vec<Case> {
    let dir = |topic: &str, partitions: &[i32]| json!({ "Path": "/nowhere", "Topics": [{ "Name": topic, "Partitions": partitions }] });
    vec![
        ask("nothing", json!({ "Dirs": [] })),
        ask("an unknown topic", json!({ "Dirs": [dir("nowhere", &[0])] })),
        ask(
            "a name that is too long",
            json!({ "Dirs": [dir(&"n".repeat(230), &[0])] }),
        ),
        case("an unknown directory", move |run| {
            let topic = run.topic(2)?;
            run.ask(json!({ "Dirs": [dir(&topic, &[0, 1])] })).map(drop)
        }),
    ]
}
