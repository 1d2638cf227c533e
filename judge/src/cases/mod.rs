//! What is asked of both: one file per API, one row each in [`TABLE`].
//!
//! An API is added by a file with `pub(super) fn cases() -> Vec<Case>` and a row here.

use crate::run::{Case, Judged, Runner};

mod api_versions;
mod metadata;

/// A function that lists an API's cases.
type Cases = fn() -> Vec<Case>;

/// Every API by name, with its cases, in key order.
pub const TABLE: &[(&str, Cases)] = &[("Metadata", metadata::cases), ("ApiVersions", api_versions::cases)];

/// Runs the cases of every API, or of those whose name contains `only`.
pub fn run(runner: &mut Runner, only: &str, case: &str) -> Vec<Judged> {
    let only = only.to_lowercase();
    let wanted = TABLE.iter().filter(|(api, _)| api.to_lowercase().contains(&only));
    wanted
        .map(|(api, cases)| {
            let cases: Vec<Case> = cases().into_iter().filter(|known| known.name.contains(case)).collect();
            runner.api(api, &cases)
        })
        .collect()
}
