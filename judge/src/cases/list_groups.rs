//! ListGroups (16): only what it says of the case's own groups, as both have those of every other case too.

use serde_json::{Value, json};

use super::group::{committed, consuming, stable};
use crate::run::{Case, Outcome, Run, case};

fn listed(name: &'static str, filter: Value) -> Case {
    case(name, move |run| listing(run, &filter))
}

fn listing(run: &mut Run<'_>, filter: &Value) -> Outcome {
    let topic = run.topic(1)?;
    let made = [stable(run)?.group, committed(run, &topic)?, consuming(run, 1)?.0];
    let made = made.each_ref().map(String::as_str);
    run.ask_own(filter, "Groups", "GroupId", &made).map(drop)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        listed("everything", json!({})),
        listed("stable", json!({ "StatesFilter": ["Stable"] })).versions(4..=5),
        listed("states in any case", json!({ "StatesFilter": ["eMPTY", "stable"] })).versions(4..=5),
        listed(
            "a state of consumer groups",
            json!({ "StatesFilter": ["Assigning", "Reconciling"] }),
        )
        .versions(4..=5),
        listed("an unknown state", json!({ "StatesFilter": ["Asleep"] })).versions(4..=5),
        listed("classic", json!({ "TypesFilter": ["classic"] })).versions(5..=5),
        listed("consumer", json!({ "TypesFilter": ["Consumer"] })).versions(5..=5),
        listed("an unknown type", json!({ "TypesFilter": ["other"] })).versions(5..=5),
        listed(
            "both filters",
            json!({ "TypesFilter": ["classic"], "StatesFilter": ["Empty"] }),
        )
        .versions(5..=5),
    ]
}
