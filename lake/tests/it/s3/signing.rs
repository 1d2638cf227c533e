//! Who may ask, and until when.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;

use super::{BUCKET, Fixture, config, refusal};

/// A URL that puts an object.
pub(crate) async fn presigned_put(fixture: &Fixture, key: &str) -> String {
    let presigning = PresigningConfig::expires_in(Duration::from_secs(600)).unwrap();
    let request = fixture
        .client
        .put_object()
        .bucket(BUCKET)
        .key(key)
        .presigned(presigning)
        .await
        .unwrap();
    request.uri().to_owned()
}

/// Asks without a client library: the status and the body of the answer.
pub(crate) async fn ask(method: &'static str, url: &str, body: &'static str) -> (u16, String) {
    use std::io::{Read as _, Write as _};
    let uri: http::Uri = url.parse().unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let (authority, path) = (uri.authority().unwrap().as_str(), uri.path_and_query().unwrap());
        let mut stream = std::net::TcpStream::connect(authority).unwrap();
        let len = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {len}\r\n");
        write!(stream, "{head}connection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn presigned_urls() {
    let fixture = Fixture::start().await;
    let url = presigned_put(&fixture, "a key/ä").await;
    assert_eq!(ask("PUT", &url, "by url").await.0, 200);
    assert_eq!(fixture.get("a key/ä").await, b"by url");
    let get = |valid: PresigningConfig| {
        fixture
            .client
            .get_object()
            .bucket(BUCKET)
            .key("a key/ä")
            .presigned(valid)
    };
    let hour = PresigningConfig::expires_in(Duration::from_secs(3600)).unwrap();
    let url = get(hour).await.unwrap().uri().to_owned();
    assert_eq!(ask("GET", &url, "").await, (200, "by url".to_owned()));
    // For another method, another key, or with another signature it is not good.
    for (method, url) in [
        ("PUT", url.clone()),
        ("GET", url.replace("a%20key", "b%20key")),
        ("GET", with_other_signature(&url)),
    ] {
        let (status, body) = ask(method, &url, "").await;
        assert_eq!(status, 403, "{body}");
        assert!(body.contains("SignatureDoesNotMatch"), "{body}");
        for part in [
            "<Message>The request signature we calculated",
            "<Resource>/",
            "<RequestId>",
        ] {
            assert!(body.contains(part), "{part} in {body}");
        }
    }
    let old = PresigningConfig::builder()
        .start_time(SystemTime::now() - Duration::from_secs(60))
        .expires_in(Duration::from_secs(1))
        .build();
    let (status, body) = ask("GET", get(old.unwrap()).await.unwrap().uri(), "").await;
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("AccessDenied") && body.contains("expired"), "{body}");
}

/// The last digit of the signature is another.
fn with_other_signature(url: &str) -> String {
    let name = "X-Amz-Signature=";
    let last = url.find(name).unwrap() + name.len() + 63;
    let other = if url.as_bytes()[last] == b'0' { "1" } else { "0" };
    format!("{}{other}{}", &url[..last], &url[last + 1..])
}

#[tokio::test]
async fn who_does_not_have_the_keys_is_refused() {
    let fixture = Fixture::start().await;
    let endpoint = fixture.handle.endpoint_url();
    let (id, secret) = (fixture.handle.access_key_id(), fixture.handle.secret_access_key());
    let get = |id: &str, secret: &str| {
        let client = Client::from_conf(config(&endpoint, id, secret).build());
        async move { client.get_object().bucket(BUCKET).key("k").send().await }
    };
    assert_eq!(refusal(get(id, "wrong").await), (403, "SignatureDoesNotMatch".into()));
    assert_eq!(
        refusal(get("somebody", secret).await),
        (403, "InvalidAccessKeyId".into())
    );
    let (status, body) = ask("GET", &format!("{endpoint}/{BUCKET}/k"), "").await;
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("AccessDenied"), "{body}");
    let (status, _) = ask("PUT", &format!("{endpoint}/{BUCKET}/k"), "anonymous").await;
    assert_eq!(status, 403);
    assert_eq!(refusal(get(id, secret).await), (404, "NoSuchKey".into()));
}

#[tokio::test]
async fn a_clock_that_is_off_is_refused() {
    let fixture = Fixture::start().await;
    for (minutes, status) in [(0, 200), (10, 200), (16, 403)] {
        for time in [
            SystemTime::now() - Duration::from_secs(minutes * 60),
            SystemTime::now() + Duration::from_secs(minutes * 60),
        ] {
            let (found, body) = list_buckets_signed_at(&fixture, time).await;
            assert_eq!(found, status, "{minutes} minutes: {body}");
            assert!(status == 200 || body.contains("RequestTimeTooSkewed"), "{body}");
        }
    }
}

async fn list_buckets_signed_at(fixture: &Fixture, time: SystemTime) -> (u16, String) {
    use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
    use std::io::{Read as _, Write as _};
    let handle = &fixture.handle;
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let credentials =
        aws_credential_types::Credentials::new(handle.access_key_id(), handle.secret_access_key(), None, None, "test");
    let identity = credentials.into();
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("s3")
        .time(time)
        .settings(settings)
        .build()
        .unwrap();
    let url = format!("{}/", handle.endpoint_url());
    let signable = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(b"")).unwrap();
    let (signed, _) = sign(signable, &params.into()).unwrap().into_parts();
    let address = handle.address();
    let mut head = format!("GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in signed.headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "{head}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}
