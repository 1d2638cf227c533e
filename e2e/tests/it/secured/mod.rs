//! Apache Kafka behind TLS and SASL: every command gets in by `-X` alone, and who does not get in is told why, soon.
//!
//! One Apache Kafka with a listener for each way of logging in; certificates, users and tokens are made for this run.

mod authority;
mod issuer;
mod recorder;

use std::process::Stdio;
use std::sync::OnceLock;

use tempfile::TempDir;
use tickertape_judge::apache::ApacheKafka;

use self::authority::{Authority, file};
use self::issuer::{AUDIENCE, CLIENT_ID, CLIENT_SECRET, Issuer};
use self::recorder::Recorder;
use crate::support::{Arguments, Server, eventually, ok, ok_with_input, signal, tickertape};

const USER: &str = "feed";
const PASSWORD: &str = "feed-password";

/// Apache Kafka with all its listeners, and what its clients need.
struct Secured {
    kafka: ApacheKafka,
    issuer: Issuer,
    files: TempDir,
}

impl Secured {
    fn shared() -> &'static Secured {
        static SHARED: OnceLock<Secured> = OnceLock::new();
        SHARED.get_or_init(Secured::start)
    }

    fn start() -> Secured {
        let files = tempfile::tempdir().unwrap();
        let authority = Authority::new("tickertape test CA");
        let issuer = Issuer::start();
        let client = authority.identity("feed", &[]);
        file(files.path(), "ca.pem", &authority.pem());
        file(files.path(), "other-ca.pem", &Authority::new("somebody else").pem());
        file(files.path(), "client.pem", &client.certificate);
        file(files.path(), "client.key", &client.key);
        let stranger = Authority::new("somebody else").identity("feed", &[]);
        file(files.path(), "stranger.pem", &stranger.certificate);
        file(files.path(), "stranger.key", &stranger.key);

        let good = authority.identity("kafka", &["127.0.0.1"]);
        let expired = authority.expired("kafka", &["127.0.0.1"]);
        let elsewhere = authority.identity("kafka", &["kafka.example.com"]);
        let listeners = [
            ("SCRAM", "SASL_SSL", &good),
            ("MUTUAL", "SSL", &good),
            ("UNSIGNED", "SASL_SSL", &good),
            ("OIDC", "SASL_SSL", &good),
            ("EXPIRED", "SSL", &expired),
            ("ELSEWHERE", "SSL", &elsewhere),
        ];
        let mut builder = ApacheKafka::builder().scram_user(USER, PASSWORD).jvm_argument(&format!(
            "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}/jwks",
            issuer.url()
        ));
        for (name, protocol, identity) in listeners {
            let property = |rest: &str| format!("listener.name.{}.{rest}", name.to_lowercase());
            builder = builder
                .listener(name, protocol)
                .property(&property("ssl.keystore.type"), "PEM")
                .property(&property("ssl.keystore.key"), &identity.key)
                .property(&property("ssl.keystore.certificate.chain"), &identity.certificate)
                .property(&property("ssl.truststore.type"), "PEM")
                .property(&property("ssl.truststore.certificates"), &authority.pem());
        }
        const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer";
        let oauth_module = format!("{OAUTH}.OAuthBearerLoginModule required;");
        let jwks = format!("{}/jwks", issuer.url());
        let properties = [
            ("scram.sasl.enabled.mechanisms", "SCRAM-SHA-512"),
            (
                "scram.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ),
            ("mutual.ssl.client.auth", "required"),
            ("unsigned.sasl.enabled.mechanisms", "OAUTHBEARER"),
            ("unsigned.oauthbearer.sasl.jaas.config", &oauth_module),
            ("oidc.sasl.enabled.mechanisms", "OAUTHBEARER"),
            ("oidc.oauthbearer.sasl.jaas.config", &oauth_module),
            (
                "oidc.oauthbearer.sasl.server.callback.handler.class",
                &format!("{OAUTH}.OAuthBearerValidatorCallbackHandler"),
            ),
            ("oidc.sasl.oauthbearer.jwks.endpoint.url", &jwks),
            ("oidc.sasl.oauthbearer.expected.issuer", &issuer.url()),
            ("oidc.sasl.oauthbearer.expected.audience", AUDIENCE),
        ];
        for (name, value) in properties {
            builder = builder.property(&format!("listener.name.{name}"), value);
        }
        Secured {
            kafka: builder.start().unwrap(),
            issuer,
            files,
        }
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// `-b HOST:PORT -X …` for a listener, by this authority.
    fn client(&self, listener: &str, ca: &str, properties: &[(&str, &str)]) -> Vec<String> {
        let mut arguments = vec!["-b".to_owned(), self.kafka.listener(listener).unwrap().to_owned()];
        let ca = self.path(ca);
        let authority = [("ssl.ca.location", ca.as_str())];
        let properties = properties.iter().chain(&authority);
        for (name, value) in properties {
            arguments.extend(["-X".to_owned(), format!("{name}={value}")]);
        }
        arguments
    }

    fn scram(&self, password: &str, ca: &str) -> Vec<String> {
        let properties = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", USER),
            ("sasl.password", password),
        ];
        self.client("SCRAM", ca, &properties)
    }

    fn mutual(&self, identity: Option<&str>) -> Vec<String> {
        let mut arguments = self.client("MUTUAL", "ca.pem", &[("security.protocol", "SSL")]);
        if let Some(name) = identity {
            let (certificate, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
            arguments.extend(["-X".to_owned(), format!("ssl.certificate.location={certificate}")]);
            arguments.extend(["-X".to_owned(), format!("ssl.key.location={key}")]);
        }
        arguments
    }

    fn unsigned(&self) -> Vec<String> {
        let properties = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("enable.sasl.oauthbearer.unsecure.jwt", "true"),
            // Short, so that it has to be made anew under way.
            ("sasl.oauthbearer.config", "principal=feed scope=feed lifeSeconds=3"),
        ];
        self.client("UNSIGNED", "ca.pem", &properties)
    }

    fn oidc(&self, secret: &str) -> Vec<String> {
        let endpoint = format!("{}/token", self.issuer.url());
        let properties = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.oauthbearer.method", "oidc"),
            ("sasl.oauthbearer.token.endpoint.url", endpoint.as_str()),
            ("sasl.oauthbearer.client.id", CLIENT_ID),
            ("sasl.oauthbearer.client.secret", secret),
            ("sasl.oauthbearer.scope", "feed"),
        ];
        self.client("OIDC", "ca.pem", &properties)
    }
}

/// What follows, then what points at Kafka.
fn with<'a>(arguments: &[&'a str], client: &'a [String]) -> Vec<&'a str> {
    let client = client.iter().map(String::as_str);
    arguments.iter().copied().chain(client).collect()
}

/// Every command that speaks to Kafka, one after the other, each a process of its own.
fn every_command_works(name: &str, client: &[String]) {
    let ticks = format!("{name}-ticks");
    let (lines, bars) = (format!("{name}-lines"), format!("{name}-bars"));
    ok(&with(&["topic", "create", &lines, "--partitions", "2"], client));
    let listed = ok(&with(&["topic", "list"], client));
    assert!(listed.lines().any(|line| line == lines), "{listed}");
    ok_with_input(
        &with(&["cat", "-P", "-q", "-t", &lines, "-K", ":"], client),
        "a:1\nb:2\n",
    );
    let read = ok(&with(&["cat", "-C", "-q", "-e", "-t", &lines], client));
    let mut read: Vec<&str> = read.split_whitespace().collect();
    read.sort_unstable();
    assert_eq!(read, ["1", "2"]);
    let described = ok(&with(&["topic", "describe", &lines], client));
    assert!(described.contains("PartitionCount: 2"), "{described}");
    ok(&with(
        &[
            "bench",
            "--size",
            "100",
            "--megabytes",
            "1",
            "--partitions",
            "1",
            "--latency-messages",
            "20",
        ],
        client,
    ));

    let feed = Arguments::feed("ticks").days("2012-06-01", "2012-06-04");
    let feed = feed.with(&["--ticks-per-day", "100", "--partitions", "1"]);
    let feed = feed.with(&["--topic", &ticks, "--bars-topic", &bars]);
    ok(&with(&feed.get(), client));
    let dir = tempfile::tempdir().unwrap();
    let s3 = Server::s3(&dir);
    let sink = Arguments::sink(&[&ticks], "s3://market/lake").with(&["--s3-endpoint", s3.get("endpoint")]);
    let sink = sink.get();
    let sink = with(&sink, client);
    let mut sink = tickertape(&sink)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let table = ticks.replace('-', "_");
    eventually("1000 rows", || {
        let count = format!("SELECT count(*) FROM {table}");
        let output = tickertape(&["sql", "--format", "csv", "--s3-endpoint", s3.get("endpoint"), &count]).output();
        let rows: i64 = String::from_utf8(output.unwrap().stdout)
            .unwrap()
            .lines()
            .nth(1)?
            .parse()
            .ok()?;
        (rows == 1000).then_some(())
    });
    signal(sink.id(), "TERM");
    assert_eq!(sink.wait().unwrap().code(), Some(0));
    let place = [
        "--lake",
        "s3://market/lake",
        "--s3-endpoint",
        s3.get("endpoint"),
        "--json",
    ];
    let verdict = ok(&with(&[&["verify", "--topic", &ticks][..], &place].concat(), client));
    let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
    assert_eq!((&verdict["records"], &verdict["rows"]), (&1000.into(), &1000.into()));
    ok(&with(&["topic", "delete", &lines, &ticks, &bars], client));
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn scram_over_tls() {
    let secured = Secured::shared();
    every_command_works("scram", &secured.scram(PASSWORD, "ca.pem"));
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn mutual_tls() {
    let secured = Secured::shared();
    every_command_works("mutual", &secured.mutual(Some("client")));
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn oauthbearer_with_unsigned_tokens() {
    let secured = Secured::shared();
    every_command_works("unsigned", &secured.unsigned());
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn oauthbearer_with_tokens_of_an_issuer() {
    let secured = Secured::shared();
    every_command_works("oidc", &secured.oidc(CLIENT_SECRET));
}

/// Who is refused, and each of the words by which that is explained.
fn refusals(secured: &Secured) -> Vec<(&'static str, Vec<String>, Vec<&'static str>)> {
    let tls = [("security.protocol", "SSL")];
    vec![
        (
            "a wrong password",
            secured.scram("guess", "ca.pem"),
            vec!["sasl.password", "SCRAM-SHA-512"],
        ),
        (
            "a mechanism that is not offered",
            {
                let mut client = secured.scram(PASSWORD, "ca.pem");
                client.extend(["-X".to_owned(), "sasl.mechanism=PLAIN".to_owned()]);
                client
            },
            vec!["sasl.mechanism"],
        ),
        (
            "a broker that somebody else signed",
            secured.scram(PASSWORD, "other-ca.pem"),
            vec!["not signed by", "other-ca.pem", "ssl.ca.location"],
        ),
        (
            "an expired certificate",
            secured.client("EXPIRED", "ca.pem", &tls),
            vec!["has expired", "2020"],
        ),
        (
            "a certificate for another name",
            secured.client("ELSEWHERE", "ca.pem", &tls),
            vec!["for kafka.example.com, not for 127.0.0.1"],
        ),
        (
            "no client certificate",
            secured.mutual(None),
            vec!["wants to see a client's certificate", "ssl.certificate.location"],
        ),
        (
            "a client certificate of a stranger",
            secured.mutual(Some("stranger")),
            vec!["does not take this client's certificate", "stranger"],
        ),
        (
            "a wrong client secret",
            secured.oidc("guess"),
            vec!["sasl.oauthbearer.client.secret"],
        ),
    ]
}

#[test]
#[cfg_attr(
    not(apache_kafka),
    ignore = "Apache Kafka is not here: cargo xtask kafka-libs, and Java 17"
)]
fn who_is_refused_is_told_why_without_waiting() {
    let secured = Secured::shared();
    let mut wrong = Vec::new();
    for (what, client, words) in refusals(secured) {
        // Who waits until then has another exit code.
        let arguments = with(&["cat", "-P", "-t", "refused", "--timeout", "30s"], &client);
        let output = tickertape(&arguments).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        println!("{what}: {said}");
        if output.status.code() != Some(2) || !words.iter().all(|word| said.contains(word)) || said.contains("guess") {
            wrong.push(format!("{what}: {:?} {said}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let topics = ok(&["topic", "list", "-b", secured.kafka.bootstrap_servers()]);
    assert!(!topics.contains("refused"), "{topics}");
}

#[test]
fn amazon_msk_is_told_a_signed_url() {
    let recorder = Recorder::start();
    let arguments = [
        "topic",
        "list",
        "-b",
        &recorder.address,
        "-X",
        "sasl.mechanism=AWS_MSK_IAM",
        "-X",
        "security.protocol=SASL_PLAINTEXT",
        "--timeout",
        "30s",
    ];
    let output = tickertape(&arguments)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret-key")
        .env("AWS_REGION", "eu-west-1")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("Access denied") && said.contains("kafka-cluster:Connect"),
        "{said}"
    );
    let login = recorder.logins.try_recv().unwrap();
    let token = login
        .split("auth=Bearer ")
        .nth(1)
        .unwrap()
        .split('\x01')
        .next()
        .unwrap();
    use base64::Engine as _;
    let url = String::from_utf8(base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
    assert!(
        url.starts_with("https://kafka.eu-west-1.amazonaws.com/?Action=kafka-cluster%3AConnect&"),
        "{url}"
    );
    for part in [
        "X-Amz-Credential=AKIDEXAMPLE%2F",
        "%2Feu-west-1%2Fkafka-cluster%2Faws4_request",
        "X-Amz-Expires=900",
        "X-Amz-SignedHeaders=host",
        "X-Amz-Signature=",
    ] {
        assert!(url.contains(part), "{part} in {url}");
    }
    assert!(!url.contains("secret-key"), "{url}");
}

#[test]
fn amazon_msk_without_credentials_says_where_it_looked() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["topic", "list", "-b", "127.0.0.1:1", "-X", "sasl.mechanism=AWS_MSK_IAM"];
    let without = |region: Option<&str>| {
        let mut command = tickertape(&arguments);
        command.env("HOME", home.path());
        command.envs(region.map(|region| ("AWS_REGION", region)));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = without(None);
    assert!(said.contains("AWS_REGION"), "{said}");
    let said = without(Some("eu-west-1"));
    assert!(
        said.contains("no AWS credentials") && said.contains("environment"),
        "{said}"
    );
}
