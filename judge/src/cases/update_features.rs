//! UpdateFeatures (57): both keep their features, so what would change them is only tried.

use serde_json::{Value, json};

use crate::run::{Case, ask, case};

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

fn update(feature: &str, level: i16, kind: i8) -> Value {
    json!({ "Feature": feature, "MaxVersionLevel": level, "UpgradeType": kind })
}

fn tried(name: &'static str, updates: &[Value]) -> Case {
    ask(name, json!({ "ValidateOnly": true, "FeatureUpdates": updates }))
}

/// In version 0, which cannot only try: what is refused, or is so already.
fn first_version(name: &'static str, feature: &str, level: i16, downgrade: bool) -> Case {
    ask(
        name,
        json!({ "FeatureUpdates": [{ "Feature": feature, "MaxVersionLevel": level, "AllowDowngrade": downgrade }] }),
    )
    .versions(0..=0)
}

pub(super) fn cases() -> Vec<Case> {
    [by_version(), by_kind(), several()].into_iter().flatten().collect()
}

fn by_version() -> Vec<Case> {
    vec![
        ask("nothing", json!({ "FeatureUpdates": [] })),
        first_version("the level that is", "group.version", 1, false),
        first_version("the level that is, downwards", "group.version", 1, true),
        first_version("a level above the highest", "group.version", 2, false),
        first_version("downwards without saying so", "group.version", 0, false),
        first_version("a feature that there is not", "no.such.feature", 1, false),
        first_version("below zero", "group.version", -1, true),
    ]
}

fn by_kind() -> Vec<Case> {
    let mut cases = Vec::new();
    for (feature, highest) in [
        ("group.version", 1),
        ("transaction.version", 2),
        ("share.version", 1),
        ("eligible.leader.replicas.version", 1),
        ("kraft.version", 1),
    ] {
        let updates: Vec<Value> = [UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE]
            .into_iter()
            .flat_map(|kind| [0, highest, highest + 1, i16::MAX].map(|level| update(feature, level, kind)))
            .collect();
        cases.push(each(feature, updates));
    }
    let kinds = [0, -1, 4, i8::MAX].map(|kind| update("group.version", 1, kind));
    cases.push(each("kinds of updates that there are not", kinds.to_vec()));
    let levels = [-1, i16::MIN].map(|level| update("group.version", level, SAFE_DOWNGRADE));
    cases.push(each("levels below zero", levels.to_vec()));
    let metadata = [UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE]
        .into_iter()
        .flat_map(|kind| [-1, 0, 1, 6, 7, 26, 27, 28, 100].map(|level| update("metadata.version", level, kind)));
    cases.push(each("metadata.version", metadata.collect()));
    let unknown = [UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE]
        .into_iter()
        .flat_map(|kind| [0, 1].map(|level| update("no.such.feature", level, kind)));
    cases.push(each("features that there are not", unknown.collect()));
    cases.push(each(
        "a feature without a name",
        vec![update("", 1, UPGRADE), update("", 0, SAFE_DOWNGRADE)],
    ));
    cases
}

/// One request for each update.
fn each(name: &'static str, updates: Vec<Value>) -> Case {
    case(name, move |run| {
        for update in &updates {
            run.ask(json!({ "ValidateOnly": true, "FeatureUpdates": [update] }))?;
        }
        Ok(())
    })
    .versions(1..=2)
}

fn several() -> Vec<Case> {
    let same = || {
        [
            update("group.version", 1, UPGRADE),
            update("metadata.version", 27, UPGRADE),
        ]
    };
    vec![
        tried("levels that are", &same()),
        ask(
            "levels that are, and not only tried",
            json!({ "FeatureUpdates": same() }),
        )
        .versions(1..=2),
        tried(
            "good and bad",
            &[
                update("group.version", 1, UPGRADE),
                update("no.such.feature", 1, UPGRADE),
            ],
        ),
        tried(
            "bad and good",
            &[
                update("no.such.feature", 1, UPGRADE),
                update("group.version", 1, UPGRADE),
            ],
        ),
        tried(
            "two mistakes",
            &[
                update("share.version", 9, UPGRADE),
                update("no.such.feature", 1, UPGRADE),
            ],
        ),
        tried(
            "a feature twice",
            &[update("group.version", 1, UPGRADE), update("group.version", 1, UPGRADE)],
        ),
        ask(
            "a time-out below zero",
            json!({ "timeoutMs": -1, "FeatureUpdates": [update("group.version", 1, UPGRADE)] }),
        )
        .versions(1..=2),
    ]
}
