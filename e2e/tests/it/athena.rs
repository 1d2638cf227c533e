//! `tickertape sql --engine athena` against moto's Athena, which gives the rows that were laid up for it.

use std::process::Stdio;

use serde_json::json;

use crate::moto::Moto;
use crate::support::{eventually, ok, signal};

const SQL: [&str; 5] = ["sql", "--engine", "athena", "--output", "s3://market/results"];

fn athena<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SQL, more].concat()
}

/// Every type that both engines have, twice: as Athena's texts and as a query of ours.
#[test]
#[cfg_attr(
    not(moto),
    ignore = "moto is not here: TICKERTAPE_PYTHON names a Python with moto[server]"
)]
fn rows_look_as_those_of_our_own_engine_do() {
    let moto = Moto::start();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let columns = [
        ("b", "boolean", 0, 0),
        ("i", "integer", 10, 0),
        ("n", "bigint", 19, 0),
        ("d", "double", 17, 0),
        ("m", "decimal", 12, 3),
        ("s", "varchar", 2_147_483_647, 0),
        ("day", "date", 0, 0),
        ("at", "timestamp", 3, 0),
    ];
    let names = columns.iter().map(|(name, ..)| Some(*name)).collect::<Vec<_>>();
    let full = [
        "true",
        "-7",
        "9223372036854775807",
        "1.5",
        "12.500",
        "it's \"so\", isn't it",
        "2012-06-01",
        "2012-06-01 13:30:00.123",
    ];
    let rows = [names, full.iter().map(|text| Some(*text)).collect(), vec![None; 8]];
    let ours = "SELECT true AS b, CAST(-7 AS INT) AS i, 9223372036854775807 AS n, CAST(1.5 AS DOUBLE) AS d, \
                CAST('12.500' AS DECIMAL(12,3)) AS m, 'it''s \"so\", isn''t it' AS s, CAST('2012-06-01' AS DATE) AS day, \
                arrow_cast('2012-06-01 13:30:00.123', 'Timestamp(Microsecond, None)') AS at \
                UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL";
    for format in ["table", "csv", "json"] {
        moto.next_result(&columns, &rows);
        let (code, there, said) = moto.run(&athena(&["--format", format, "SELECT * FROM everything"]));
        assert_eq!(code, 0, "{said}");
        let here = ok(&["sql", "--data-dir", dir, "--format", format, ours]);
        let lines = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&there), lines(&here), "{format}");
        assert!(
            said.contains("2 rows in ") && said.contains("10 MB charged: about $0.000048 at $5.00 per TB"),
            "{said}"
        );
    }
}

#[test]
#[cfg_attr(
    not(moto),
    ignore = "moto is not here: TICKERTAPE_PYTHON names a Python with moto[server]"
)]
fn what_the_command_line_says_reaches_athena() {
    let moto = Moto::start();
    moto.athena("CreateWorkGroup", &json!({ "Name": "market" }));
    moto.next_result(&[("n", "bigint", 19, 0)], &[vec![Some("n")], vec![Some("42")]]);
    let more = [
        "--workgroup",
        "market",
        "--database",
        "prices",
        "--price-per-tb",
        "9",
        "--format",
        "csv",
    ];
    let (code, rows, said) = moto.run(&[&athena(&more)[..], &["SELECT count(*) AS n FROM ticks;"]].concat());
    assert_eq!((code, rows.as_str()), (0, "n\n42\n"), "{said}");
    assert!(said.contains("at $9.00 per TB"), "{said}");
    let ids = moto.athena("ListQueryExecutions", &json!({ "WorkGroup": "market" }));
    let id = &ids["QueryExecutionIds"][0];
    assert!(said.contains(id.as_str().unwrap()), "{said}");
    let asked = moto.athena("GetQueryExecution", &json!({ "QueryExecutionId": id }));
    let asked = &asked["QueryExecution"];
    assert_eq!(asked["Query"], "SELECT count(*) AS n FROM ticks");
    assert_eq!(asked["QueryExecutionContext"], json!({ "Database": "prices" }));
    let place = asked["ResultConfiguration"]["OutputLocation"].as_str().unwrap();
    assert!(place.starts_with("s3://market/results/"), "{place}");

    let ddl = moto.ok(&athena(&["--format", "csv", "CREATE DATABASE other"]));
    assert_eq!(ddl, "", "a statement without columns prints none");
    let (code, _, said) = moto.run(&athena(&["--workgroup", "absent", "SELECT 1"]));
    assert_eq!(code, 2);
    assert!(said.contains("no such workgroup \"absent\""), "{said}");
}

#[test]
#[cfg_attr(
    not(moto),
    ignore = "moto is not here: TICKERTAPE_PYTHON names a Python with moto[server]"
)]
fn an_interrupted_query_is_stopped_there() {
    let moto = Moto::start();
    moto.progress(
        "athena::execution",
        &json!({ "progression": "manual", "times": 1_000_000 }),
    );
    let asking = moto
        .tickertape(&athena(&["SELECT 1"]))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = eventually("a query", || {
        let ids = moto.athena("ListQueryExecutions", &json!({}));
        Some(ids["QueryExecutionIds"][0].as_str()?.to_owned())
    });
    signal(asking.id(), "INT");
    let asked = asking.wait_with_output().unwrap();
    let said = String::from_utf8(asked.stderr).unwrap();
    assert_eq!(asked.status.code(), Some(130), "{said}");
    assert!(said.contains("the query was stopped") && said.contains(&id), "{said}");
    let state = moto.athena("GetQueryExecution", &json!({ "QueryExecutionId": id }));
    assert_eq!(state["QueryExecution"]["Status"]["State"], "CANCELLED");
}
