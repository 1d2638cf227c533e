//! The one place that makes librdkafka's clients, and gives them the tokens of SASL's OAUTHBEARER.
//!
//! librdkafka does PLAIN, SCRAM and TLS by itself. Tokens it asks its program for: those of Amazon MSK's IAM
//! (`-X sasl.mechanism=AWS_MSK_IAM`), those of an issuer (`-X sasl.oauthbearer.method=oidc`), and the unsigned ones for trying things out
//! (`-X enable.sasl.oauthbearer.unsecure.jwt=true`) once the first has run out. It asks through an event that
//! only a client that is polled sees, so [`connect`] also gives each client its first token; one that lives longer than a
//! token must be polled, and its context must answer by [`oauth_token`] (as [`Plain`] does).

use std::error::Error;
use std::ffi::CString;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::admin::AdminClient;
use rdkafka::bindings;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext, ThreadedProducer};

use crate::kafka::KafkaOptions;
use crate::msk::{self, Signer};
use crate::oidc::{self, Endpoint};
use crate::usage::UsageError;

/// A client of a configuration from [`KafkaOptions::client_config`], ready to log in.
///
/// # Errors
/// A [`UsageError`] for properties that exclude each other, and for a token that cannot be made.
pub fn connect<T, C>(config: &ClientConfig, context: C) -> anyhow::Result<T>
where
    C: ClientContext,
    T: FromClientConfigAndContext<C> + Native,
{
    let client = T::from_config_and_context(config, context).map_err(creation_error)?;
    let source = config.get(OAUTHBEARER_CONFIG).and_then(Source::from_config);
    if let Some(source) = source {
        match source.token() {
            Ok(token) => set_token(client.native(), &token)?,
            Err(error) if error.is::<UsageError>() => return Err(error),
            // An endpoint that is away is asked again when the client is polled.
            Err(error) => tracing::debug!("{error:#}"),
        }
    }
    Ok(client)
}

/// What a client's context answers when librdkafka wants a new token ([`ClientContext::generate_oauth_token`]; its
/// `ENABLE_REFRESH_OAUTH_TOKEN` must be true).
///
/// # Errors
/// No token can be made of this configuration, and why.
pub fn oauth_token(config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
    let config = config.unwrap_or_default();
    match Source::from_config(config) {
        Some(source) => source.token().map_err(|error| format!("{error:#}").into()),
        None => Ok(unsecured_token(config, SystemTime::now())?),
    }
}

/// Who makes tokens, as `sasl.oauthbearer.config` names it to us.
enum Source {
    Msk(Signer),
    Oidc(Endpoint),
}

impl Source {
    fn from_config(config: &str) -> Option<Source> {
        let endpoint = || Endpoint::from_config(config).map(Source::Oidc);
        Signer::from_config(config).map(Source::Msk).or_else(endpoint)
    }

    /// Blocks until there is a token.
    fn token(&self) -> anyhow::Result<OAuthToken> {
        let make = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                match self {
                    Source::Msk(signer) => signer.token().await,
                    Source::Oidc(endpoint) => endpoint.token().await,
                }
            })
        };
        // librdkafka asks from a thread that may or may not be one of a runtime's: so a thread of its own.
        let made = std::thread::scope(|scope| scope.spawn(make).join());
        made.unwrap_or_else(|_| anyhow::bail!("making a token panicked"))
    }
}

/// A context for a client of which nothing special is wanted. What goes wrong is told by the calls that fail.
#[derive(Clone, Debug, Default)]
pub struct Plain;

impl ClientContext for Plain {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("Kafka: {reason} ({error})");
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        oauth_token(config)
    }
}

impl ConsumerContext for Plain {}

impl ProducerContext for Plain {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::producer::DeliveryResult<'_>, (): ()) {}
}

/// A client that [`connect`] can make: it says where librdkafka's part of it is.
pub trait Native {
    /// librdkafka's own handle, which lives as long as `self`.
    fn native(&self) -> *mut bindings::rd_kafka_t;
}

impl<C: ProducerContext> Native for BaseProducer<C> {
    fn native(&self) -> *mut bindings::rd_kafka_t {
        self.client().native_ptr()
    }
}

impl<C: ProducerContext + 'static> Native for ThreadedProducer<C> {
    fn native(&self) -> *mut bindings::rd_kafka_t {
        self.client().native_ptr()
    }
}

impl<C: ConsumerContext> Native for BaseConsumer<C> {
    fn native(&self) -> *mut bindings::rd_kafka_t {
        self.client().native_ptr()
    }
}

impl<C: ClientContext> Native for AdminClient<C> {
    fn native(&self) -> *mut bindings::rd_kafka_t {
        self.inner().native_ptr()
    }
}

const MECHANISM: &str = "sasl.mechanism";
const PROTOCOL: &str = "security.protocol";
const CA_LOCATION: &str = "ssl.ca.location";
const UNSECURED: &str = "enable.sasl.oauthbearer.unsecure.jwt";
const OAUTHBEARER_METHOD: &str = "sasl.oauthbearer.method";
const OAUTHBEARER_CONFIG: &str = "sasl.oauthbearer.config";

/// Completes what the user said about TLS and SASL: MSK's mechanism in librdkafka's terms, and the certificates that this
/// machine trusts where none are named.
pub(crate) fn complete(options: &KafkaOptions, config: &mut ClientConfig) -> Result<(), UsageError> {
    let mechanism = options.property(MECHANISM).unwrap_or_default().to_owned();
    if mechanism == msk::MECHANISM {
        complete_msk(options, config)?;
    } else if mechanism == "OAUTHBEARER" {
        let unsecured = options.property(UNSECURED) == Some("true");
        if let Some(endpoint) = Endpoint::of(options)? {
            config.set(OAUTHBEARER_CONFIG, endpoint.to_config());
        } else if !unsecured {
            return Err(UsageError::new(
                "-X sasl.mechanism=OAUTHBEARER: say where tokens come from: -X sasl.oauthbearer.method=oidc with \
                 sasl.oauthbearer.token.endpoint.url, .client.id and .client.secret; or sasl.mechanism=AWS_MSK_IAM for \
                 Amazon MSK; or, to try things out, -X enable.sasl.oauthbearer.unsecure.jwt=true",
            ));
        }
    }
    let protocol = config.get(PROTOCOL).unwrap_or("plaintext").to_lowercase();
    if !mechanism.is_empty() && !protocol.starts_with("sasl") {
        return Err(UsageError::new(format!(
            "-X sasl.mechanism={mechanism} without -X security.protocol=SASL_SSL (or SASL_PLAINTEXT): nothing would log in"
        )));
    }
    if protocol.ends_with("ssl") && options.property(CA_LOCATION).is_none() && options.property("ssl.ca.pem").is_none()
    {
        // OpenSSL is built into the program, and looks where it would have been installed.
        config.set(CA_LOCATION, "probe");
    }
    Ok(())
}

fn complete_msk(options: &KafkaOptions, config: &mut ClientConfig) -> Result<(), UsageError> {
    for name in [OAUTHBEARER_CONFIG, OAUTHBEARER_METHOD, UNSECURED] {
        if let Some(value) = options.property(name) {
            return Err(UsageError::new(format!(
                "-X {name}={value} and sasl.mechanism={} exclude each other",
                msk::MECHANISM
            )));
        }
    }
    let signer = Signer::of(&options.bootstrap_server, options.aws_profile.as_deref());
    config.set("sasl.mechanisms", "OAUTHBEARER");
    config.set(OAUTHBEARER_CONFIG, signer.to_config());
    if options.property(PROTOCOL).is_none() {
        config.set(PROTOCOL, "SASL_SSL");
    }
    Ok(())
}

/// Whether a property is for [`complete`] and not for librdkafka.
pub(crate) fn is_ours(options: &KafkaOptions, name: &str, value: &str) -> bool {
    let is_msk = matches!(name, "sasl.mechanism" | "sasl.mechanisms") && value == msk::MECHANISM;
    is_msk || options.property(OAUTHBEARER_METHOD).is_some() && oidc::PROPERTIES.contains(&name)
}

/// What to tell the user when librdkafka refuses to make a client: properties that exclude each other are a
/// [`UsageError`], anything else is passed on.
pub(crate) fn creation_error(error: KafkaError) -> anyhow::Error {
    match error {
        KafkaError::ClientConfig(_, text, ..) | KafkaError::ClientCreation(text) => {
            UsageError(format!("Kafka client: {}", text.trim())).into()
        }
        other => other.into(),
    }
}

fn set_token(client: *mut bindings::rd_kafka_t, token: &OAuthToken) -> anyhow::Result<()> {
    let value = CString::new(token.token.as_str())?;
    let principal = CString::new(token.principal_name.as_str())?;
    let mut error = [0; 512];
    // SAFETY: the client lives, the strings are C strings that outlive the call, and the buffer is as long as is said.
    let code = unsafe {
        bindings::rd_kafka_oauthbearer_set_token(
            client,
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            error.as_mut_ptr(),
            error.len(),
        )
    };
    if code == bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // SAFETY: librdkafka ends what it writes with a zero, and the buffer was all zeros before.
    let text = unsafe { std::ffi::CStr::from_ptr(error.as_ptr()) };
    Err(anyhow::anyhow!("{}", text.to_string_lossy())).context("librdkafka refuses the token")
}

/// An unsigned JWT of `principal=… [principalClaimName=…] [scope=a,b] [scopeClaimName=…] [lifeSeconds=…]`, as librdkafka's
/// own first one is.
fn unsecured_token(config: &str, now: SystemTime) -> Result<OAuthToken, UsageError> {
    let of = |name: &str| {
        config
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let bad = |what: &str| UsageError::new(format!("-X {OAUTHBEARER_CONFIG}={config}: {what}"));
    let principal = of("principal").ok_or_else(|| bad("there is no principal=NAME"))?;
    let life_seconds = match of("lifeSeconds") {
        Some(text) => text.parse().map_err(|_| bad("lifeSeconds is no number"))?,
        None => 3600,
    };
    let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let expires = issued.saturating_add(life_seconds);
    let mut claims = serde_json::json!({ "iat": issued, "exp": expires });
    claims[of("principalClaimName").unwrap_or("sub")] = principal.into();
    if let Some(scopes) = of("scope") {
        claims[of("scopeClaimName").unwrap_or("scope")] = scopes.split(',').collect::<Vec<_>>().into();
    }
    let part = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
    Ok(OAuthToken {
        token: format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims.to_string())),
        principal_name: principal.to_owned(),
        lifetime_ms: i64::try_from(expires.saturating_mul(1000)).unwrap_or(i64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn options(bootstrap_server: &str, properties: &[(&str, &str)]) -> KafkaOptions {
        let properties = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        KafkaOptions {
            properties: properties.collect(),
            ..KafkaOptions::at(bootstrap_server)
        }
    }

    fn refused(properties: &[(&str, &str)]) -> String {
        options("a:1", properties).client_config(&[]).unwrap_err().to_string()
    }

    #[test]
    fn msk_is_oauthbearer_over_tls_with_the_clusters_region() {
        let server = "b-1.demo.abc123.c2.kafka.eu-west-1.amazonaws.com:9098";
        for name in ["sasl.mechanism", "sasl.mechanisms"] {
            let mut options = options(server, &[(name, "AWS_MSK_IAM")]);
            options.aws_profile = Some("trading".to_owned());
            let config = options.client_config(&[]).unwrap();
            let get = |name: &str| config.get(name);
            assert_eq!(get("sasl.mechanism"), None);
            assert_eq!(get("sasl.mechanisms"), Some("OAUTHBEARER"));
            assert_eq!(get("security.protocol"), Some("SASL_SSL"));
            assert_eq!(get("ssl.ca.location"), Some("probe"));
            let signer = Signer::from_config(get(OAUTHBEARER_CONFIG).unwrap()).unwrap();
            assert_eq!(
                (signer.region.as_deref(), signer.profile.as_deref()),
                (Some("eu-west-1"), Some("trading"))
            );
        }
        let text = refused(&[
            ("sasl.mechanism", "AWS_MSK_IAM"),
            ("sasl.oauthbearer.config", "principal=me"),
        ]);
        assert!(text.contains("exclude each other"), "{text}");
    }

    #[test]
    fn what_cannot_log_in_is_said_before() {
        let text = refused(&[("sasl.mechanism", "SCRAM-SHA-512"), ("sasl.username", "a")]);
        assert!(text.contains("security.protocol=SASL_SSL"), "{text}");
        let text = refused(&[("security.protocol", "SASL_SSL"), ("sasl.mechanism", "OAUTHBEARER")]);
        assert!(text.contains("sasl.oauthbearer.method=oidc"), "{text}");
        let text = refused(&[("sasl.jaas.config", "x")]);
        assert!(text.contains("sasl.username"), "{text}");
    }

    #[test]
    fn certificates_are_those_of_the_machine_unless_some_are_named() {
        let ca = |properties: &[(&str, &str)]| {
            let config = options("a:1", properties).client_config(&[]).unwrap();
            config.get("ssl.ca.location").map(str::to_owned)
        };
        assert_eq!(ca(&[]), None);
        assert_eq!(ca(&[("security.protocol", "SSL")]), Some("probe".to_owned()));
        assert_eq!(
            ca(&[("security.protocol", "ssl"), ("ssl.ca.location", "/dev/null")]),
            Some("/dev/null".to_owned())
        );
        assert_eq!(ca(&[("security.protocol", "ssl"), ("ssl.ca.pem", "PEM")]), None);
    }

    /// The same claims as librdkafka's own first token, by which it is tested there.
    #[test]
    fn an_unsigned_token_is_that_of_librdkafka() {
        let config = "principal=fubar principalClaimName=azp scope=role1,role2 scopeClaimName=roles lifeSeconds=60";
        let token = unsecured_token(config, UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        let mut parts = token.token.split('.');
        assert_eq!(parts.next(), Some("eyJhbGciOiJub25lIn0"));
        let claims = BASE64_URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            claims,
            serde_json::json!({"azp": "fubar", "iat": 1, "exp": 61, "roles": ["role1", "role2"]})
        );
        assert_eq!((parts.next(), token.lifetime_ms), (Some(""), 61_000));
        assert!(unsecured_token("scope=a", UNIX_EPOCH).is_err());
    }
}
