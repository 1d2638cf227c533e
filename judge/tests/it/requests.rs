//! Every case in every version on both, and what `docs/compatibility.md` says of it.
//!
//! Told to (`TICKERTAPE_WRITE_DOCS`, as `cargo xtask docs` does), it writes the page instead of comparing it.

use std::path::Path;

use tickertape_judge::both::Both;
use tickertape_judge::run::Runner;
use tickertape_judge::{cases, report};

const BEGIN: &str = "<!-- judged by `cargo xtask docs` -->\n";
const END: &str = "<!-- end of what is judged -->\n";

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn answers_are_apache_kafkas_but_for_what_is_listed() {
    let mut runner = Runner::new(Both::shared().unwrap());
    let judged = cases::run(&mut runner, "", "");
    println!("{}", report::text(&judged));
    let defects = report::defects(&judged);
    assert!(defects.is_empty(), "{} defects:\n{}", defects.len(), defects.join("\n"));
    let unused = runner.lists.unused();
    assert!(unused.is_empty(), "entries that nothing needs:\n{}", unused.join("\n"));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", report::markdown(&judged));
    if std::env::var_os("TICKERTAPE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert!(
            page == wanted,
            "run `cargo xtask docs`; it would be:\n{}",
            report::markdown(&judged)
        );
    }
}
