//! Credentials, region and endpoint are found as by every AWS tool: environment, profile, single sign-on, instance role.
//!
//! Asked is the catalog (`sql --catalog glue`), at a listener that records with whose key and for which region a request was
//! signed; it also plays an instance's metadata service and the portal of single sign-on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::support::tickertape;

/// Where one signs on.
const START_URL: &str = "https://tickertape.awsapps.com/start";

/// Records who signed each request for Glue, and answers for an instance's metadata service and for the portal.
struct Recorder {
    url: String,
    /// `AKID/20260101/eu-west-1/glue/aws4_request`, one for each request.
    signed: Receiver<String>,
}

impl Recorder {
    fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, signed) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let sender = sender.clone();
                std::thread::spawn(move || answer(connection, &sender));
            }
        });
        Recorder { url, signed }
    }

    /// Who signed the only question that `tickertape sql` asks the catalog: access key and region.
    fn asked_with(&self, home: &Path, environment: &[(&str, &str)], more: &[&str]) -> (String, String) {
        let arguments = [&["sql", "--catalog", "glue", "SELECT * FROM prices"], more].concat();
        let output = tickertape(&arguments)
            .env("HOME", home)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let scope = self
            .signed
            .try_recv()
            .unwrap_or_else(|_| panic!("nothing was asked: {said}"));
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("recorded"), "{said}");
        while self.signed.try_recv().is_ok() {}
        let mut parts = scope.split('/');
        let key = parts.next().unwrap().to_owned();
        (key, parts.nth(1).unwrap().to_owned())
    }
}

fn answer(mut connection: TcpStream, signed: &Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    loop {
        let mut first = String::new();
        reader.read_line(&mut first).ok().filter(|length| *length > 0)?;
        let (mut length, mut credential, mut signed_on) = (0, None, false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok()?;
            } else if name.eq_ignore_ascii_case("authorization") {
                let scope = value.split("Credential=").nth(1)?;
                credential = Some(scope.split(',').next()?.to_owned());
            } else if name.eq_ignore_ascii_case("x-amz-sso_bearer_token") {
                signed_on = value == "the-token";
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let asked = first.split_whitespace().nth(1)?;
        let role = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"AKIDROLE","SecretAccessKey":"secret","Token":"token",
            "Expiration":"2100-01-01T00:00:00Z","LastUpdated":"2020-01-01T00:00:00Z","AccountId":"123456789012"}"#;
        let (status, text) = match asked {
            "/" => {
                let _ = signed.send(credential?);
                (
                    "400 Bad Request",
                    r#"{"__type":"AccessDeniedException","Message":"recorded"}"#,
                )
            }
            "/federation/credentials?role_name=Trader&account_id=123456789012" if signed_on => (
                "200 OK",
                r#"{"roleCredentials":{"accessKeyId":"AKIDPORTAL","secretAccessKey":"s","sessionToken":"t","expiration":4102444800000}}"#,
            ),
            "/latest/api/token" => ("200 OK", "imds-token"),
            "/latest/meta-data/placement/region" => ("200 OK", "eu-north-1"),
            "/latest/meta-data/iam/security-credentials/" => ("200 OK", "the-role"),
            "/latest/meta-data/iam/security-credentials/the-role" => ("200 OK", role),
            _ => ("404 Not Found", ""),
        };
        let length = text.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {length}\r\n\
             x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\r\n"
        );
        connection.write_all((head + text).as_bytes()).ok()?;
    }
}

/// A home with profiles: keys, region and, for one of them, Glue's endpoint.
fn home(endpoint: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join(".aws");
    std::fs::create_dir(&dir).unwrap();
    let config = format!(
        "[default]\nregion = eu-west-2\n[profile trading]\nregion = eu-west-3\nservices = ours\n\
         [profile process]\nregion = eu-south-1\n\
         credential_process = printf '{{\"Version\":1,\"AccessKeyId\":\"AKIDPROCESS\",\"SecretAccessKey\":\"s\"}}'\n\
         [profile portal]\nregion = eu-central-2\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n\
         sso_account_id = 123456789012\nsso_role_name = Trader\n\
         [services ours]\nglue =\n  endpoint_url = {endpoint}\n"
    );
    std::fs::write(dir.join("config"), config).unwrap();
    let credentials = "[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = s\n\
                       [trading]\naws_access_key_id = AKIDTRADING\naws_secret_access_key = s\n";
    std::fs::write(dir.join("credentials"), credentials).unwrap();
    // What `aws sso login` leaves behind, under the SHA-1 of the start URL.
    let cache = dir.join("sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let token = r#"{"accessToken":"the-token","expiresAt":"2100-01-01T00:00:00Z","region":"eu-west-1"}"#;
    std::fs::write(cache.join("7d33de8d8dbd7033b9c926214e5cdc83aa6888ab.json"), token).unwrap();
    home
}

#[test]
fn environment_goes_before_profile_and_an_option_before_both() {
    let recorder = Recorder::start();
    let home = home(&recorder.url);
    let at = ("AWS_ENDPOINT_URL_GLUE", recorder.url.as_str());
    let asked = |environment: &[(&str, &str)], more: &[&str]| {
        let (key, region) = recorder.asked_with(home.path(), environment, more);
        format!("{key} {region}")
    };
    assert_eq!(asked(&[at], &[]), "AKIDDEFAULT eu-west-2");
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDENV"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", "eu-west-1"),
    ];
    assert_eq!(asked(&[&[at][..], &keys].concat(), &[]), "AKIDENV eu-west-1");
    assert_eq!(
        asked(&[&[at][..], &keys].concat(), &["--region", "us-west-2"]),
        "AKIDENV us-west-2"
    );
    assert_eq!(asked(&[at, ("AWS_PROFILE", "process")], &[]), "AKIDPROCESS eu-south-1");
    // The profile also says where Glue is.
    assert_eq!(asked(&[], &["--profile", "trading"]), "AKIDTRADING eu-west-3");
}

#[test]
fn who_has_signed_on_gets_a_role_of_the_portal() {
    let recorder = Recorder::start();
    let home = home(&recorder.url);
    let environment = [
        ("AWS_ENDPOINT_URL_GLUE", recorder.url.as_str()),
        ("AWS_ENDPOINT_URL_SSO", recorder.url.as_str()),
    ];
    let (key, region) = recorder.asked_with(home.path(), &environment, &["--profile", "portal"]);
    assert_eq!((key.as_str(), region.as_str()), ("AKIDPORTAL", "eu-central-2"));
}

#[test]
fn an_instances_role_is_found_by_its_metadata_service() {
    let recorder = Recorder::start();
    let home = tempfile::tempdir().unwrap();
    let environment = [
        ("AWS_ENDPOINT_URL_GLUE", recorder.url.as_str()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", recorder.url.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "false"),
    ];
    let (key, region) = recorder.asked_with(home.path(), &environment, &[]);
    assert_eq!((key.as_str(), region.as_str()), ("AKIDROLE", "eu-north-1"));
}
