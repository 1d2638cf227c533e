//! The demo, run as in a pipe.

use serde_json::Value;

use crate::support::tickertape;

fn demo(arguments: &[&str]) -> Value {
    let base = [
        "demo",
        "--json",
        "--broker-listen",
        "127.0.0.1:0",
        "--s3-listen",
        "127.0.0.1:0",
        "--ticks-per-day",
        "400",
    ];
    let output = tickertape(&[&base[..], arguments].concat()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let last = said.lines().last().unwrap_or_default().to_owned();
    assert!(
        output.status.success(),
        "{last}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&last).unwrap()
}

#[test]
fn every_event_arrives_once_every_day_adds_up_and_a_later_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("demo");
    let arguments = [
        "--for",
        "8s",
        "--past-days",
        "3",
        "--speed",
        "20000",
        "--data-dir",
        data_dir.to_str().unwrap(),
    ];
    let first = demo(&arguments);
    assert_eq!(first["ok"], true, "{first}");
    let count = |report: &Value, name: &str| report[name].as_u64().unwrap();
    assert_eq!(count(&first, "offsets_verified"), count(&first, "events_produced"));
    assert_eq!(count(&first, "rows_in_sql"), count(&first, "events_produced"));
    assert!(count(&first, "days_checked") >= 15, "{first}");

    let second = demo(&arguments);
    assert_eq!(second["ok"], true, "{second}");
    let events = count(&first, "events_produced") + count(&second, "events_produced");
    assert_eq!(count(&second, "rows_in_sql"), events);
    assert!(
        count(&second, "days_checked") > count(&first, "days_checked"),
        "{second}"
    );
}
