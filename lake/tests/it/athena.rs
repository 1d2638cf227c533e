//! Athena's client against its documented answers.

use arrow::array::{Array, RecordBatch};
use serde_json::{Value, json};
use tickertape_client::exit_code;
use tickertape_lake::athena::{Athena, AthenaOptions};
use tickertape_lake::sql::{Answer, Cost, Interrupted, OutputFormat, QueryEngine};
use tokio_util::sync::CancellationToken;

use crate::scripted::Scripted;

fn options() -> AthenaOptions {
    AthenaOptions {
        workgroup: "market".to_owned(),
        output: Some("s3://market/results".parse().unwrap()),
        price_per_tb: 5.0,
    }
}

async fn ask(server: &Scripted, sql: &str) -> anyhow::Result<Answer> {
    let athena = Athena::new(&server.config().await, &options(), Some("prices".to_owned()));
    athena.answer(sql, &CancellationToken::new()).await
}

fn started() -> (&'static str, u16, Value) {
    ("StartQueryExecution", 200, json!({ "QueryExecutionId": "q-1" }))
}

fn execution(state: &str, more: &Value) -> (&'static str, u16, Value) {
    let mut execution = json!({
        "QueryExecutionId": "q-1",
        "StatementType": "DML",
        "Status": { "State": state },
        "Statistics": { "DataScannedInBytes": 20_971_521 },
    });
    for (name, value) in more.as_object().unwrap() {
        execution[name] = value.clone();
    }
    ("GetQueryExecution", 200, json!({ "QueryExecution": execution }))
}

fn row(cells: &[&str]) -> Value {
    let cells: Vec<Value> = cells.iter().map(|cell| json!({ "VarCharValue": cell })).collect();
    json!({ "Data": cells })
}

fn column(name: &str, kind: &str) -> Value {
    json!({ "Name": name, "Label": name, "Type": kind, "Precision": 0, "Scale": 0, "CaseSensitive": false })
}

fn page(rows: &[Value], columns: &[Value], next: Option<&str>) -> (&'static str, u16, Value) {
    let set = json!({ "Rows": rows, "ResultSetMetadata": { "ColumnInfo": columns } });
    let mut page = json!({ "UpdateCount": 0, "ResultSet": set });
    if let Some(token) = next {
        page["NextToken"] = json!(token);
    }
    ("GetQueryResults", 200, page)
}

fn written(answer: &Answer, format: OutputFormat) -> String {
    let mut text = Vec::new();
    answer.write(format, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn pages_become_one_result_and_the_names_no_row() {
    let columns = [column("n", "bigint"), column("name", "varchar")];
    let numbered = |range: std::ops::Range<u32>| -> Vec<Value> {
        range.map(|n| row(&[&n.to_string(), &format!("S{n}")])).collect()
    };
    // The first page has a row less: the names are one. A row that is as the names on a later page is a row.
    let first = [vec![row(&["n", "name"])], numbered(0..999)].concat();
    let last = [
        numbered(1999..2500),
        vec![json!({ "Data": [{}, { "VarCharValue": "name" }] })],
    ]
    .concat();
    let server = Scripted::start([
        started(),
        execution("QUEUED", &json!({})),
        execution("RUNNING", &json!({})),
        execution("SUCCEEDED", &json!({})),
        page(&first, &columns, Some("second")),
        page(&numbered(999..1999), &columns, Some("third")),
        page(&last, &columns, None),
    ])
    .await;
    let answer = ask(&server, "SELECT n, name FROM numbers;").await.unwrap();
    assert_eq!(answer.rows(), 2501);
    let text = written(&answer, OutputFormat::Csv);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        (lines[0], lines[1], lines[2500], lines[2501]),
        ("n,name", "0,S0", "2499,S2499", ",name")
    );
    let nulls: usize = answer
        .batches
        .iter()
        .map(|batch: &RecordBatch| batch.column(0).null_count())
        .sum();
    assert_eq!(nulls, 1);
    let Cost::Athena(scan) = &answer.cost else {
        panic!("{:?}", answer.cost)
    };
    assert_eq!((scan.bytes, scan.billed_mb), (20_971_521, 21));

    let asked = server.asked();
    let start = &asked[0].1;
    assert_eq!(start["QueryString"], "SELECT n, name FROM numbers");
    assert_eq!(start["WorkGroup"], "market");
    assert_eq!(start["QueryExecutionContext"], json!({ "Database": "prices" }));
    assert_eq!(
        start["ResultConfiguration"],
        json!({ "OutputLocation": "s3://market/results/" })
    );
    assert!(
        start["ClientRequestToken"].as_str().unwrap().len() >= 32,
        "a repeated request starts nothing twice"
    );
    let tokens: Vec<&Value> = asked[4..].iter().map(|(_, body)| &body["NextToken"]).collect();
    assert_eq!(tokens, [&Value::Null, &json!("second"), &json!("third")]);
    assert!(asked[4..].iter().all(|(_, body)| body["MaxResults"] == 1000));
}

#[tokio::test]
async fn ddl_has_no_row_of_names_and_costs_nothing() {
    let ddl = json!({ "StatementType": "DDL", "Statistics": { "DataScannedInBytes": 0 } });
    let rows = [row(&["tab_name"]), row(&["ticks"])];
    let columns = [column("tab_name", "string")];
    let server = Scripted::start([started(), execution("SUCCEEDED", &ddl), page(&rows, &columns, None)]).await;
    let answer = ask(&server, "SHOW TABLES").await.unwrap();
    assert_eq!(written(&answer, OutputFormat::Csv), "tab_name\ntab_name\nticks\n");
    assert!(answer.cost.to_string().contains("DDL is free"), "{}", answer.cost);
}

#[tokio::test]
async fn what_a_statement_wrote_is_said() {
    let mut inserted = page(&[], &[], None);
    inserted.2["UpdateCount"] = json!(17);
    let server = Scripted::start([started(), execution("SUCCEEDED", &json!({})), inserted]).await;
    let answer = ask(&server, "INSERT INTO a SELECT * FROM b").await.unwrap();
    assert_eq!(written(&answer, OutputFormat::Table), "");
    assert!(
        answer.cost.to_string().starts_with("17 rows written"),
        "{}",
        answer.cost
    );
}

#[tokio::test]
async fn a_failed_query_says_whose_fault_it_is() {
    let missing = "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.prices.tick' does not exist";
    for (reason, category, code, wanted) in [
        (missing, 2, 2, missing),
        (
            "GENERIC_INTERNAL_ERROR: sorry",
            1,
            1,
            "the query failed: GENERIC_INTERNAL_ERROR: sorry",
        ),
        (
            "Permission denied on S3 path: s3://market/lake/ticks/dt=2012-06-01",
            2,
            1,
            "needed are athena:StartQueryExecution",
        ),
    ] {
        let status = json!({ "Status": { "State": "FAILED", "StateChangeReason": reason,
                                         "AthenaError": { "ErrorCategory": category, "Retryable": false } } });
        let server = Scripted::start([started(), execution("FAILED", &status)]).await;
        let error = ask(&server, "SELECT * FROM tick").await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error:#}");
        assert!(error.to_string().contains("q-1"), "{error:#}");
        assert_eq!(exit_code(&error), code, "{error:#}");
    }
    let limit = "Query cancelled! : Bytes scanned limit was exceeded";
    let status = json!({ "Status": { "State": "CANCELLED", "StateChangeReason": limit } });
    let server = Scripted::start([started(), execution("CANCELLED", &status)]).await;
    let error = ask(&server, "SELECT 1").await.unwrap_err();
    assert!(
        error.to_string().contains(limit) && error.to_string().contains("21 MB charged"),
        "{error:#}"
    );
    assert_eq!(exit_code(&error), 1);
}

#[tokio::test]
async fn a_refused_query_says_what_to_do() {
    let refusal = |code: &str, message: &str| {
        let body = json!({ "__type": code, "Message": message });
        ("StartQueryExecution", 400, body)
    };
    let no_output = "No output location provided. An output location is required either through the Workgroup result \
                     configuration setting or as an API input.";
    let denied = "User: arn:aws:iam::123456789012:user/x is not authorized to perform: athena:StartQueryExecution";
    for (code, message, exit, wanted) in [
        (
            "InvalidRequestException",
            no_output,
            2,
            "give --output s3://bucket/prefix",
        ),
        (
            "InvalidRequestException",
            "WorkGroup market is not found.",
            2,
            "no such workgroup \"market\"",
        ),
        (
            "InvalidRequestException",
            "line 1:1: mismatched input 'SELEC'",
            2,
            "Athena: line 1:1: mismatched input",
        ),
        (
            "AccessDeniedException",
            denied,
            1,
            "no permission for starting the query",
        ),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            1,
            "no permission",
        ),
    ] {
        let server = Scripted::start([refusal(code, message)]).await;
        let error = ask(&server, "SELEC").await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error:#}");
        assert_eq!(exit_code(&error), exit, "{error:#}");
    }
}

#[tokio::test]
async fn an_interrupted_query_is_stopped_and_waited_for() {
    let cancelled = json!({ "Status": { "State": "CANCELLED" } });
    let server = Scripted::start([
        started(),
        execution("RUNNING", &json!({})),
        ("StopQueryExecution", 200, json!({})),
        execution("RUNNING", &json!({})),
        execution("CANCELLED", &cancelled),
    ])
    .await;
    let athena = Athena::new(&server.config().await, &options(), None);
    let stop = CancellationToken::new();
    let interrupt = async {
        while server.operations().len() < 2 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (answer, ()) = tokio::join!(athena.answer("SELECT 1", &stop), interrupt);
    let error = answer.unwrap_err();
    assert!(error.is::<Interrupted>(), "{error:#}");
    assert!(error.to_string().contains("21 MB charged"), "{error:#}");
    assert!(server.operations().contains(&"StopQueryExecution".to_owned()));
    assert_eq!(
        server.asked()[0].1.get("QueryExecutionContext"),
        None,
        "Athena's own default database"
    );
}
