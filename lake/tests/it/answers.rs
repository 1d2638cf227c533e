//! What a client of the catalog makes of those who answer: ours, AWS Glue, S3 servers without a catalog, proxies in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls;
use serde_json::json;
use tickertape_client::s3::S3Options;
use tickertape_lake::catalog::{
    Catalog, CatalogError, Column, GlueCatalog, Registered, Registration, Snapshot, TableFormat,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::registered::{batch, marked};
use crate::s3::{BUCKET, Fixture};
use crate::scripted::Scripted;

/// A catalog by its address and keys.
async fn catalog(endpoint: &str, access_key_id: &str, secret_access_key: &str) -> GlueCatalog {
    let config = S3Options::at(endpoint).sdk_config().await.unwrap();
    let keys = Credentials::new(access_key_id, secret_access_key, None, None, "test");
    let keys = aws_credential_types::provider::SharedCredentialsProvider::new(keys);
    GlueCatalog::new(&config.into_builder().credentials_provider(keys).build())
}

/// Answers the first `times` requests by itself, whatever they ask, and passes all others on to `server`.
async fn in_front(server: &str, times: usize, status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = server.trim_start_matches("http://").to_owned();
    let left = Arc::new(AtomicUsize::new(times));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (left, server) = (Arc::clone(&left), server.clone());
            tokio::spawn(async move {
                let take = |left: usize| left.checked_sub(1);
                if left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_err() {
                    let mut server = TcpStream::connect(&server).await.unwrap();
                    return tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop);
                }
                let mut head = Vec::new();
                let mut piece = [0; 4 << 10];
                // The requests here are short: the body is there when the head has ended, or comes to nobody.
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    let read = client.read(&mut piece).await?;
                    head.extend_from_slice(&piece[..read]);
                }
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
                client.write_all(answer.as_bytes()).await?;
                client.shutdown().await
            });
        }
    });
    endpoint
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_a_refusal() {
    let fixture = Fixture::start().await;
    let (endpoint, handle) = (fixture.handle.endpoint_url(), &fixture.handle);
    for (id, secret) in [
        (handle.access_key_id(), "wrong"),
        ("somebody", handle.secret_access_key()),
    ] {
        let refused = catalog(&endpoint, id, secret).await.databases().await;
        assert!(matches!(refused, Err(CatalogError::Refused(_))), "{refused:?}");
        let text = refused.unwrap_err().to_string();
        assert!(text.starts_with("the catalog refuses these credentials: "), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_is_taken_for_what_it_is() {
    #[derive(Debug, PartialEq)]
    enum Kind {
        Refused,
        NotServed,
        Unavailable,
    }
    let xml = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>";
    let denied = r#"{"__type":"AccessDeniedException","Message":"no"}"#;
    for (status, body, expected) in [
        ("403 Forbidden", denied, Kind::Refused),
        ("400 Bad Request", denied, Kind::Refused),
        (
            "400 Bad Request",
            r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"no"}"#,
            Kind::Refused,
        ),
        (
            "403 Forbidden",
            r#"{"__type":"SomethingNewException","message":"no"}"#,
            Kind::Refused,
        ),
        // S3 servers without a catalog.
        ("403 Forbidden", xml, Kind::NotServed),
        ("405 Method Not Allowed", xml, Kind::NotServed),
        ("501 Not Implemented", xml, Kind::NotServed),
        (
            "400 Bad Request",
            r#"{"__type":"UnknownOperationException"}"#,
            Kind::NotServed,
        ),
        // Whoever stands in between.
        ("408 Request Timeout", "", Kind::Unavailable),
        ("425 Too Early", "", Kind::Unavailable),
        ("429 Too Many Requests", "slow down", Kind::Unavailable),
        ("502 Bad Gateway", "<html></html>", Kind::Unavailable),
    ] {
        let endpoint = in_front("", usize::MAX, status, body).await;
        let answer = catalog(&endpoint, "key", "secret").await.database("default").await;
        let found = match answer {
            Err(CatalogError::Refused(_)) => Kind::Refused,
            Err(CatalogError::NotServed(_)) => Kind::NotServed,
            Err(CatalogError::Unavailable(_)) => Kind::Unavailable,
            other => panic!("{status} {body}: {other:?}"),
        };
        assert_eq!(found, expected, "{status} {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_failed_does_not_decide_whether_objects_are_kept() {
    let fixture = Fixture::start().await;
    let (handle, server) = (&fixture.handle, fixture.handle.endpoint_url());
    for (status, body) in [
        ("404 Not Found", "<html></html>"),
        ("429 Too Many Requests", ""),
        ("200 OK", "<html></html>"),
    ] {
        // What is asked is asked again by the client where the status says so.
        let endpoint = in_front(&server, 1, status, body).await;
        let catalog = catalog(&endpoint, handle.access_key_id(), handle.secret_access_key()).await;
        match catalog.keeps_objects().await {
            Err(_) => assert!(catalog.keeps_objects().await.unwrap(), "{status}"),
            kept => assert!(kept.unwrap(), "{status}"),
        }
    }
    // Nor, once it is known, do those that say nothing of it: the mark is not taken off for them.
    let endpoint = in_front(&server, 1, "404 Not Found", "<html></html>").await;
    let catalog = catalog(&endpoint, handle.access_key_id(), handle.secret_access_key()).await;
    fixture.handle.catalog().create_table(&marked("t")).await.unwrap();
    let one = batch("a/0", 0, 1, &["2012-01-01"]);
    let first = catalog.register_objects("default", "t", &one).await;
    assert!(matches!(first, Err(CatalogError::NotServed(_))), "{first:?}");
    let second = catalog.register_objects("default", "t", &one).await;
    assert_eq!(second.unwrap(), Registered::Done);
}

#[tokio::test]
async fn aws_glue_is_asked_once_and_only_what_it_knows() {
    for answer in [
        (
            400,
            json!({ "__type": "EntityNotFoundException", "Message": "Database - not found." }),
        ),
        (
            400,
            json!({ "__type": "AccessDeniedException", "Message": "is not authorized to perform: glue:GetTable" }),
        ),
    ] {
        let aws = Scripted::start([("GetTable", answer.0, answer.1)]).await;
        let catalog = GlueCatalog::new(&aws.config().await);
        assert!(!catalog.keeps_objects().await.unwrap());
        let registered = catalog.register_objects("default", "t", &Registration::default()).await;
        assert_eq!(registered.unwrap(), Registered::NotKept);
        assert_eq!(catalog.snapshot("default", "t", None).await.unwrap(), None);
        let objects = catalog.objects("default", "t", &Snapshot::default(), None).await;
        assert_eq!(objects.unwrap(), None);
        assert_eq!(aws.operations(), ["GetTable"]);
    }
}

/// `AWS_ENDPOINT_URL_GLUE` and a profile's `services` move Glue's client alone.
#[tokio::test(flavor = "multi_thread")]
async fn our_server_is_known_wherever_its_address_comes_from() {
    #![expect(deprecated, reason = "the SDK has no other name for it yet")]
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    let fixture = Fixture::start().await;
    let handle = &fixture.handle;
    let profile = format!(
        "[default]\nregion = eu-central-1\nservices = here\n[services here]\nglue =\n  endpoint_url = {}\n",
        handle.endpoint_url()
    );
    let files = ProfileFiles::builder().with_contents(ProfileFileKind::Config, profile);
    let keys = Credentials::new(handle.access_key_id(), handle.secret_access_key(), None, None, "test");
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .profile_files(files.build())
        .profile_name("default")
        .credentials_provider(keys)
        .http_client(http)
        .load()
        .await;
    assert_eq!(config.endpoint_url(), None);
    let catalog = GlueCatalog::new(&config);
    assert!(catalog.keeps_objects().await.unwrap());
    let keys = vec![Column::new("dt", "string")];
    let location = format!("s3://{BUCKET}/lake/t");
    let table = TableFormat::Parquet.table("default", "t", &location, Vec::new(), keys);
    catalog.create_table(&table.with_registered_objects()).await.unwrap();
    let registered = catalog
        .register_objects("default", "t", &batch("a/0", 0, 1, &["2012-01-01"]))
        .await;
    assert_eq!(registered.unwrap(), Registered::Done);
}
