//! Starting AWS Glue's crawler and waiting for it, against its documented answers.

use serde_json::{Value, json};
use tickertape_client::exit_code;
use tickertape_lake::crawl::{CrawlerCounts, GlueCrawlReport, GlueCrawler};
use tokio_util::sync::CancellationToken;

use crate::scripted::Scripted;

type Line = (&'static str, u16, Value);

fn crawler(state: &str, last: Option<Value>) -> Line {
    let mut crawler = json!({ "Name": "prices", "State": state, "DatabaseName": "market", "CrawlElapsedTime": 1000 });
    if let Some(last) = last {
        crawler["LastCrawl"] = last;
    }
    ("GetCrawler", 200, json!({ "Crawler": crawler }))
}

fn last(status: &str, at: u64) -> Value {
    json!({ "Status": status, "StartTime": at, "MessagePrefix": format!("run-{at}"),
            "LogGroup": "/aws-glue/crawlers", "LogStream": "prices" })
}

fn tables(of: &[(&str, &str)]) -> Line {
    let table = |(name, version): &(&str, &str)| json!({ "Name": name, "VersionId": version });
    (
        "GetTables",
        200,
        json!({ "TableList": of.iter().map(table).collect::<Vec<_>>() }),
    )
}

async fn run(lines: impl IntoIterator<Item = Line>) -> (Scripted, anyhow::Result<GlueCrawlReport>) {
    let server = Scripted::start(lines).await;
    let crawler = GlueCrawler::new(&server.config().await, "prices");
    let report = crawler.run(&CancellationToken::new()).await;
    (server, report)
}

#[tokio::test]
async fn a_crawl_is_over_when_another_than_before_has_ended() {
    let metrics = json!({ "CrawlerName": "prices", "TablesCreated": 3, "TablesUpdated": 2, "TablesDeleted": 1 });
    let (server, report) = run([
        // Somebody else's crawl is under way, and then another begins in between.
        crawler("RUNNING", Some(last("SUCCEEDED", 1))),
        crawler("STOPPING", Some(last("SUCCEEDED", 1))),
        crawler("READY", Some(last("SUCCEEDED", 2))),
        tables(&[("bars", "1"), ("old", "1"), ("ticks", "1")]),
        (
            "StartCrawler",
            400,
            json!({ "__type": "CrawlerRunningException", "Message": "already started" }),
        ),
        crawler("READY", Some(last("FAILED", 3))),
        tables(&[("bars", "1"), ("old", "1"), ("ticks", "1")]),
        ("StartCrawler", 200, json!({})),
        // Glue has not noticed yet; this is still the run before.
        crawler("READY", Some(last("FAILED", 3))),
        crawler("RUNNING", Some(last("FAILED", 3))),
        crawler("STOPPING", Some(last("FAILED", 3))),
        crawler("READY", Some(last("SUCCEEDED", 4))),
        tables(&[("bars", "1"), ("new", "0"), ("ticks", "2")]),
        ("GetCrawlerMetrics", 200, json!({ "CrawlerMetricsList": [metrics] })),
        (
            "ListCrawls",
            200,
            json!({ "Crawls": [{ "CrawlId": "c", "State": "COMPLETED", "DPUHour": 0.25 }] }),
        ),
    ])
    .await;
    let report = report.unwrap();
    assert_eq!(
        (
            &report.tables_created[..],
            &report.tables_updated[..],
            &report.tables_deleted[..]
        ),
        (
            &["new".to_owned()][..],
            &["ticks".to_owned()][..],
            &["old".to_owned()][..]
        )
    );
    let counts = CrawlerCounts {
        created: 3,
        updated: 2,
        deleted: 1,
    };
    assert_eq!((report.metrics, report.dpu_hours), (Some(counts), Some(0.25)));
    assert_eq!(report.log.as_deref(), Some("/aws-glue/crawlers prices run-4"));
    assert_eq!(report.database.as_deref(), Some("market"));
    let said = report.to_string();
    assert!(
        said.contains("created table new\n") && said.contains("updated table ticks\n"),
        "{said}"
    );
    assert!(said.contains("0.25 DPU-hours"), "{said}");
    assert_eq!(
        server
            .operations()
            .iter()
            .filter(|name| *name == "StartCrawler")
            .count(),
        2
    );
}

#[tokio::test]
async fn a_crawl_that_fails_says_why_and_where_its_log_is() {
    for (status, wanted) in [("FAILED", "failed: "), ("CANCELLED", "was cancelled: ")] {
        let mut ended = last(status, 2);
        ended["ErrorMessage"] = json!("Insufficient Lake Formation permission(s) on market");
        let (_, report) = run([
            crawler("READY", None),
            tables(&[]),
            ("StartCrawler", 200, json!({})),
            crawler("RUNNING", None),
            crawler("READY", Some(ended)),
        ])
        .await;
        let error = report.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error:#}");
        assert!(
            error.to_string().contains("Insufficient Lake Formation") && error.to_string().contains("run-2"),
            "{error:#}"
        );
        assert_eq!(exit_code(&error), 1);
    }
}

#[tokio::test]
async fn what_glue_refuses_is_explained() {
    let refusal = |code: &str| ("GetCrawler", 400, json!({ "__type": code, "Message": "said Glue" }));
    let (_, absent) = run([
        refusal("EntityNotFoundException"),
        ("ListCrawlers", 200, json!({ "CrawlerNames": ["bars", "price"] })),
    ])
    .await;
    let absent = absent.unwrap_err();
    assert_eq!(exit_code(&absent), 2);
    assert_eq!(
        absent.to_string(),
        "no such crawler \"prices\"; did you mean \"price\"?"
    );
    let (_, denied) = run([refusal("AccessDeniedException")]).await;
    let denied = denied.unwrap_err();
    assert!(
        denied.to_string().contains("needed are glue:StartCrawler"),
        "{denied:#}"
    );
    assert_eq!(exit_code(&denied), 1);
    let (_, ours) = run([refusal("UnknownOperationException")]).await;
    assert!(ours.unwrap_err().to_string().contains("has no crawlers"));
}
