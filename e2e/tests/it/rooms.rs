//! What each room must not know, read off the dependency graph.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Every package that each workspace crate reaches by dependencies that ship (not those of tests).
fn reached() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let names: BTreeMap<String, String> = list(&metadata["packages"])
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let ships = |dependency: &Value| list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
    let graph: BTreeMap<String, Vec<String>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            let dependencies = list(&node["deps"]);
            let shipped = dependencies
                .iter()
                .filter(|dependency| ships(dependency))
                .map(|dependency| text(&dependency["pkg"]));
            (text(&node["id"]), shipped.collect())
        })
        .collect();
    let mut reached = BTreeMap::new();
    for member in list(&metadata["workspace_members"]) {
        let member = text(&member);
        let mut found = BTreeSet::new();
        let mut open = vec![member.clone()];
        while let Some(id) = open.pop() {
            for dependency in &graph[&id] {
                if found.insert(names[dependency].clone()) {
                    open.push(dependency.clone());
                }
            }
        }
        reached.insert(names[&member].clone(), found);
    }
    reached
}

#[test]
fn no_room_knows_what_it_must_not() {
    let reached = reached();
    let never = [
        (
            "tickertape-producer",
            &["tickertape-broker", "tickertape-lake", "sled", "datafusion"][..],
        ),
        (
            "tickertape-consumer",
            &[
                "tickertape-broker",
                "tickertape-lake",
                "tickertape-producer",
                "sled",
                "datafusion",
            ],
        ),
        (
            "tickertape-lake",
            &[
                "tickertape-broker",
                "tickertape-producer",
                "tickertape-consumer",
                "kafka-protocol",
            ],
        ),
        (
            "tickertape-client",
            &["tickertape-broker", "tickertape-lake", "sled", "datafusion"],
        ),
        (
            "tickertape-broker",
            &[
                "tickertape-client",
                "tickertape-lake",
                "aws-config",
                "aws-sdk-s3",
                "datafusion",
                "arrow",
                "rdkafka",
            ],
        ),
    ];
    for (room, strangers) in never {
        for stranger in strangers {
            assert!(!reached[room].contains(*stranger), "{room} depends on {stranger}");
        }
    }
}

#[test]
fn one_file_of_the_broker_imports_sled() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../broker/src");
    let importers: Vec<String> = rust_files(source.as_ref())
        .into_iter()
        .filter(|path| {
            std::fs::read_to_string(path)
                .expect("UTF-8")
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains("sled::"))
        })
        .map(|path| path.strip_prefix(source).expect("below").display().to_string())
        .collect();
    assert_eq!(importers, ["metadata/store.rs"]);
}

/// Else one of them would not log in.
#[test]
fn one_place_makes_clients_of_kafka() {
    let rooms = ["client", "producer", "consumer", "e2e"];
    let makers: Vec<String> = rooms
        .iter()
        .flat_map(|room| rust_files(format!("{}/../{room}/src", env!("CARGO_MANIFEST_DIR")).as_ref()))
        .filter(|path| !path.ends_with("tests.rs"))
        .filter(|path| {
            let text = std::fs::read_to_string(path).expect("UTF-8");
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            let makes = ["from_config_and_context(", ".create_with_context(", ".create()"];
            makes.iter().any(|call| shipped.contains(call))
        })
        .map(|path| path.file_name().expect("a file").to_string_lossy().into_owned())
        .collect();
    assert_eq!(makers, ["login.rs"]);
}

#[test]
fn coordinators_do_no_io_and_read_no_clock() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../broker/src/coordinator");
    // The simulation and the tests play the runtime's part.
    let is_test = |path: &std::path::Path| {
        path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "simulation")
    };
    for path in rust_files(source.as_ref()).into_iter().filter(|path| !is_test(path)) {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        for stranger in [
            "tokio::",
            "std::fs",
            "std::net",
            "std::thread",
            "Instant::now",
            "SystemTime::now",
            "crate::runtime",
            "crate::metadata::store",
        ] {
            let used = text
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains(stranger));
            assert!(!used, "{} uses {stranger}", path.display());
        }
    }
}

fn rust_files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
