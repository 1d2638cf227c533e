//! OIDC's client credentials grant (RFC 6749, 4.4): tokens of an issuer for SASL's OAUTHBEARER.
//!
//! It takes librdkafka's own properties (`sasl.oauthbearer.method=oidc`, `.token.endpoint.url`, `.client.id`,
//! `.client.secret`, `.scope`). librdkafka would ask the endpoint itself where it is built with libcurl; asked from here, the
//! program needs neither libcurl on the machine nor a second TLS.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use serde_json::{Value, json};

use crate::kafka::KafkaOptions;
use crate::usage::UsageError;

/// The properties that are for us and not for librdkafka, where the method is OIDC.
pub(crate) const PROPERTIES: [&str; 5] = [
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope",
];

/// How long the endpoint may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const MARK: &str = "OIDC ";

/// Where tokens come from, and who asks for them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: String,
    client_id: String,
    client_secret: String,
    scope: Option<String>,
}

impl Endpoint {
    /// What the user said; `None` where the method is another.
    ///
    /// # Errors
    /// Something is missing, or the endpoint is no URL.
    pub(crate) fn of(options: &KafkaOptions) -> Result<Option<Endpoint>, UsageError> {
        match options.property("sasl.oauthbearer.method") {
            None | Some("default") => return Ok(None),
            Some("oidc") => {}
            Some(other) => {
                return Err(UsageError::new(format!(
                    "-X sasl.oauthbearer.method={other}: expected oidc or default"
                )));
            }
        }
        let required = |name: &str| {
            options
                .property(name)
                .map(str::to_owned)
                .ok_or_else(|| UsageError::new(format!("-X sasl.oauthbearer.method=oidc without -X {name}=…")))
        };
        let url = required("sasl.oauthbearer.token.endpoint.url")?;
        let parsed = url::Url::parse(&url).ok();
        if !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            return Err(UsageError::new(format!(
                "-X sasl.oauthbearer.token.endpoint.url={url}: expected an https:// URL"
            )));
        }
        Ok(Some(Endpoint {
            url,
            client_id: required("sasl.oauthbearer.client.id")?,
            client_secret: required("sasl.oauthbearer.client.secret")?,
            scope: options.property("sasl.oauthbearer.scope").map(str::to_owned),
        }))
    }

    /// As text for `sasl.oauthbearer.config`, which librdkafka hands back when it wants a token.
    pub(crate) fn to_config(&self) -> String {
        let Endpoint {
            url,
            client_id,
            client_secret,
            scope,
        } = self;
        format!(
            "{MARK}{}",
            json!({ "url": url, "id": client_id, "secret": client_secret, "scope": scope })
        )
    }

    /// What [`Self::to_config`] wrote; `None` for any other text.
    pub(crate) fn from_config(config: &str) -> Option<Endpoint> {
        let value: Value = serde_json::from_str(config.strip_prefix(MARK)?).ok()?;
        let text = |name: &str| Some(value[name].as_str()?.to_owned());
        Some(Endpoint {
            url: text("url")?,
            client_id: text("id")?,
            client_secret: text("secret")?,
            scope: text("scope"),
        })
    }

    /// A token, asked for now.
    ///
    /// # Errors
    /// A [`UsageError`] where the endpoint refuses; any other error where it is away.
    pub(crate) async fn token(&self) -> anyhow::Result<OAuthToken> {
        let url = &self.url;
        let client = reqwest::Client::builder().timeout(ANSWER_MAX).build()?;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &self.scope {
            form.append_pair("scope", scope);
        }
        let asked = client
            .post(url)
            .basic_auth(&self.client_id, Some(&self.client_secret))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form.finish());
        let answer = asked.send().await.with_context(|| format!("{url} gives no token"))?;
        let status = answer.status();
        let text = answer.text().await.with_context(|| format!("{url} gives no token"))?;
        if status.is_client_error() {
            let said: String = text.chars().take(200).collect();
            return Err(UsageError::new(format!(
                "{url} gives no token: {status} {said}: look at -X sasl.oauthbearer.client.id, \
                 sasl.oauthbearer.client.secret and sasl.oauthbearer.scope"
            ))
            .into());
        }
        anyhow::ensure!(status.is_success(), "{url} gives no token: {status}");
        let answer: Value = serde_json::from_str(&text).with_context(|| format!("{url} answers no JSON"))?;
        let token = answer["access_token"].as_str();
        let token = token.with_context(|| format!("{url} answers without an access_token"))?;
        token_of(token, answer["expires_in"].as_u64(), &self.client_id, SystemTime::now())
    }
}

/// A token with its subject and end, which are the token's own where it is a JWT.
fn token_of(
    token: &str,
    expires_in_seconds: Option<u64>,
    client_id: &str,
    now: SystemTime,
) -> anyhow::Result<OAuthToken> {
    let claims = token.split('.').nth(1);
    let claims = claims.and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
    let claims: Value = claims
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    let now_seconds = now.duration_since(UNIX_EPOCH)?.as_secs();
    let end = claims["exp"].as_f64().map(|seconds| seconds as u64);
    let end = end.or_else(|| Some(now_seconds.saturating_add(expires_in_seconds?)));
    let end = end.context("the token says not until when it is good, nor does the endpoint")?;
    Ok(OAuthToken {
        token: token.to_owned(),
        principal_name: claims["sub"].as_str().unwrap_or(client_id).to_owned(),
        lifetime_ms: i64::try_from(end.saturating_mul(1000))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(properties: &[(&str, &str)]) -> KafkaOptions {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        KafkaOptions {
            properties: properties.iter().map(own).collect(),
            ..KafkaOptions::default()
        }
    }

    const ALL: [(&str, &str); 4] = [
        ("sasl.oauthbearer.method", "oidc"),
        (
            "sasl.oauthbearer.token.endpoint.url",
            "https://issuer.example.com/token",
        ),
        ("sasl.oauthbearer.client.id", "feed"),
        ("sasl.oauthbearer.client.secret", "s\"3cret="),
    ];

    #[test]
    fn what_goes_through_librdkafka_comes_back() {
        let endpoint = Endpoint::of(&options(&ALL)).unwrap().unwrap();
        assert!(Endpoint::from_config(&endpoint.to_config()).is_some_and(|back| back == endpoint));
        assert!(Endpoint::from_config("principal=me").is_none());
        assert!(Endpoint::of(&options(&[])).unwrap().is_none());
    }

    #[test]
    fn what_is_missing_is_named() {
        for place in 1..ALL.len() {
            let mut properties = ALL.to_vec();
            let (name, _) = properties.remove(place);
            let Err(error) = Endpoint::of(&options(&properties)) else {
                panic!("{name}")
            };
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_token_ends_when_it_says_else_when_the_endpoint_says() {
        let now = UNIX_EPOCH + Duration::from_secs(100);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"me","exp":160}"#);
        let token = token_of(&format!("x.{claims}.y"), Some(9), "feed", now).unwrap();
        assert_eq!((token.principal_name.as_str(), token.lifetime_ms), ("me", 160_000));
        let token = token_of("opaque", Some(9), "feed", now).unwrap();
        assert_eq!((token.principal_name.as_str(), token.lifetime_ms), ("feed", 109_000));
        assert!(token_of("opaque", None, "feed", now).is_err());
    }
}
