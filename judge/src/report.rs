//! What came out of a run, for a person, for a test and for `docs/compatibility.md`.

use std::fmt::Write as _;

use crate::run::{Found, Judged};

/// The table and each difference, as text.
#[must_use]
pub fn text(judged: &[Judged]) -> String {
    let mut text = format!(
        "{:<26} {:>9} {:>6} {:>9} {:>6} {:>9}\n",
        "API", "versions", "cases", "compared", "same", "differing"
    );
    for api in judged {
        let versions = match (api.versions.first(), api.versions.last()) {
            (Some(first), Some(last)) => format!("{first}-{last}"),
            _ => String::new(),
        };
        let same = api.runs - api.differing;
        let _ = writeln!(
            text,
            "{:<26} {versions:>9} {:>6} {:>9} {same:>6} {:>9}",
            api.api, api.cases, api.compared, api.differing
        );
    }
    for found in judged.iter().flat_map(|api| &api.found) {
        let _ = write!(text, "\n{}", difference(found));
    }
    for failed in judged.iter().flat_map(|api| &api.failed) {
        let _ = write!(text, "\nNOT JUDGED {failed}\n");
    }
    text
}

fn difference(found: &Found) -> String {
    let Found {
        api,
        case,
        versions,
        difference,
        also,
        why,
    } = found;
    let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
    let short = |value: &serde_json::Value| {
        let text = value.to_string();
        match text.char_indices().nth(600) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    let also = match also.as_slice() {
        [] => String::new(),
        also => format!("  also at: {}\n", also.join(" ")),
    };
    format!(
        "{} {api} ({case}) v{}: {}\n  ours:   {}\n  theirs: {}\n{also}{}",
        if why.is_some() { "deliberate" } else { "DIFFERENT" },
        versions.join(","),
        difference.place,
        short(&difference.ours),
        short(&difference.theirs),
        why.map(|why| format!("  {why}\n")).unwrap_or_default(),
    )
}

/// What a run must not have: differences that are not deliberate, cases that could not be judged.
#[must_use]
pub fn defects(judged: &[Judged]) -> Vec<String> {
    let found = judged
        .iter()
        .flat_map(|api| &api.found)
        .filter(|found| found.why.is_none())
        .map(difference);
    found.chain(judged.iter().flat_map(|api| api.failed.clone())).collect()
}

/// The table and each difference by name, as `docs/compatibility.md` has them.
#[must_use]
pub fn markdown(judged: &[Judged]) -> String {
    let mut text = String::from(
        "\n| API | versions | cases | answers compared | same | differing |\n|---|---|---:|---:|---:|---:|\n",
    );
    let mut total = [0; 4];
    for api in judged {
        let versions = match (api.versions.first(), api.versions.last()) {
            (Some(first), Some(last)) if first == last => first.to_string(),
            (Some(first), Some(last)) => format!("{first}–{last}"),
            _ => String::new(),
        };
        let same = api.runs - api.differing;
        let figures = [api.cases, api.compared, same, api.differing];
        total
            .iter_mut()
            .zip(figures)
            .for_each(|(total, figure)| *total += figure);
        let [cases, compared, same, differing] = figures;
        let _ = writeln!(
            text,
            "| {} | {versions} | {cases} | {compared} | {same} | {differing} |",
            api.api
        );
    }
    let [cases, compared, same, differing] = total;
    let _ = writeln!(text, "| all | | {cases} | {compared} | {same} | {differing} |\n");
    let mut named: Vec<(&str, &str)> = Vec::new();
    for found in judged.iter().flat_map(|api| &api.found) {
        let name = (found.api, found.why.unwrap_or("not explained"));
        if !named.contains(&name) {
            named.push(name);
        }
    }
    for (api, why) in named {
        let _ = writeln!(text, "- **{api}**: {why}");
    }
    text.push('\n');
    text
}
