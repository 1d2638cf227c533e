//! Amazon MSK's IAM authentication: a signed URL as the token of SASL's OAUTHBEARER.
//!
//! MSK takes `AWS_MSK_IAM`, a mechanism that only the Java client has, or OAUTHBEARER with a token that any client can
//! make: the base64url of `https://kafka.<region>.amazonaws.com/?Action=kafka-cluster:Connect`, presigned by SigV4 as the
//! service `kafka-cluster` for 15 minutes. Here it is made from the standard chain's credentials, without asking anybody:
//! MSK itself finds out whether it is good.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;

use crate::aws;
use crate::usage::UsageError;

/// The mechanism's name in the Java client, and ours.
pub(crate) const MECHANISM: &str = "AWS_MSK_IAM";

/// How long MSK takes a token for good.
const TOKEN_LIFETIME: Duration = Duration::from_secs(900);

/// Whose credentials sign the token, and for which region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signer {
    /// `None`: where the standard chain finds it.
    pub(crate) region: Option<String>,
    /// `None`: the standard chain's.
    pub(crate) profile: Option<String>,
}

impl Signer {
    /// The region of the cluster's own name, as the Java client reads it; that of the standard chain for a name of one's own.
    pub(crate) fn of(bootstrap_servers: &str, profile: Option<&str>) -> Signer {
        Signer {
            region: bootstrap_servers.split(',').find_map(region_of_host).map(str::to_owned),
            profile: profile.map(str::to_owned),
        }
    }

    /// As text for `sasl.oauthbearer.config`, which librdkafka hands back when it wants a token.
    pub(crate) fn to_config(&self) -> String {
        let region = self.region.as_deref().unwrap_or_default();
        let profile = self.profile.as_deref().unwrap_or_default();
        format!("{MECHANISM} region={region} profile={profile}")
    }

    /// What [`Self::to_config`] wrote; `None` for any other text.
    pub(crate) fn from_config(config: &str) -> Option<Signer> {
        let rest = config.strip_prefix(MECHANISM)?.strip_prefix(" region=")?;
        let (region, profile) = rest.split_once(" profile=")?;
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some(Signer {
            region: given(region),
            profile: given(profile),
        })
    }

    /// A token, signed now.
    ///
    /// # Errors
    /// A [`UsageError`] when no region or no credentials are found, which says where they were looked for.
    pub(crate) async fn token(&self) -> anyhow::Result<OAuthToken> {
        let config = aws::chain(self.profile.as_deref(), self.region.as_deref()).load().await;
        let region = config.region().ok_or_else(|| {
                UsageError::new(format!(
                    "sasl.mechanism={MECHANISM}: no AWS region: it is neither in the broker's name nor in AWS_REGION nor in \
                     the profile"
                ))
            })?;
        let provider = config.credentials_provider().context("no chain of credentials")?;
        let credentials = provider.provide_credentials().await.map_err(|error| {
                let error = anyhow::Error::new(error);
                UsageError::new(format!(
                    "sasl.mechanism={MECHANISM}: no AWS credentials: {error:#} (looked for in the environment, the profile and \
                     the instance's role)"
                ))
            })?;
        signed(region.as_ref(), &credentials, SystemTime::now())
    }
}

/// `eu-west-1` of `b-1.name.abc.c2.kafka.eu-west-1.amazonaws.com:9098` and of
/// `boot-x.c1.kafka-serverless.eu-west-1.amazonaws.com`.
fn region_of_host(server: &str) -> Option<&str> {
    let host = server.trim().rsplit_once(':').map_or(server.trim(), |(host, _)| host);
    let name = host
        .strip_suffix(".cn")
        .unwrap_or(host)
        .strip_suffix(".amazonaws.com")?;
    let (rest, region) = name.rsplit_once('.')?;
    let service = rest.rsplit('.').next()?;
    matches!(service, "kafka" | "kafka-serverless").then_some(region)
}

/// The token of these credentials, good for 15 minutes from `now` or as long as the credentials are.
fn signed(region: &str, credentials: &Credentials, now: SystemTime) -> anyhow::Result<OAuthToken> {
    let mut url = url::Url::parse(&format!("https://kafka.{region}.amazonaws.com/"))
        .with_context(|| format!("{region} is no name of a region"))?;
    url.query_pairs_mut().append_pair("Action", "kafka-cluster:Connect");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(TOKEN_LIFETIME);
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("kafka-cluster")
        .time(now)
        .settings(settings)
        .build()?;
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &params.into())?.into_parts();
    for (name, value) in instructions.params() {
        url.query_pairs_mut().append_pair(name, value);
    }
    // Not signed, for MSK's records only.
    let agent = concat!("tickertape/", env!("CARGO_PKG_VERSION"));
    url.query_pairs_mut().append_pair("User-Agent", agent);
    let end = now + TOKEN_LIFETIME;
    let end = credentials.expiry().map_or(end, |expiry| expiry.min(end));
    let lifetime_ms = end.duration_since(UNIX_EPOCH)?.as_millis();
    Ok(OAuthToken {
        token: BASE64_URL_SAFE_NO_PAD.encode(url.as_str()),
        principal_name: credentials.access_key_id().to_owned(),
        lifetime_ms: i64::try_from(lifetime_ms)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_region_is_read_from_the_clusters_name() {
        for (server, region) in [
            (
                "b-1.demo.abc123.c2.kafka.eu-west-1.amazonaws.com:9098",
                Some("eu-west-1"),
            ),
            (
                "boot-x1.c1.kafka-serverless.us-east-2.amazonaws.com:9098",
                Some("us-east-2"),
            ),
            (
                "b-1.demo.abc.c2.kafka.cn-north-1.amazonaws.com.cn:9098",
                Some("cn-north-1"),
            ),
            ("kafka.example.com:9098", None),
            ("s3.eu-west-1.amazonaws.com", None),
            ("127.0.0.1:9092", None),
        ] {
            assert_eq!(region_of_host(server), region, "{server}");
        }
    }

    #[test]
    fn what_goes_through_librdkafka_comes_back() {
        for (region, profile) in [(None, None), (Some("eu-west-1"), Some("my profile")), (None, Some("p"))] {
            let signer = Signer {
                region: region.map(str::to_owned),
                profile: profile.map(str::to_owned),
            };
            assert_eq!(Signer::from_config(&signer.to_config()), Some(signer));
        }
        assert_eq!(Signer::from_config("principal=me"), None);
    }

    /// The signature was worked out by the steps of SigV4 in another language (Python's hmac and hashlib) for the same key
    /// and time.
    #[test]
    fn the_token_is_a_presigned_url_of_connect() {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            Some("session+/=".into()),
            None,
            "test",
        );
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let token = signed("eu-west-1", &credentials, now).unwrap();
        assert_eq!(
            (token.principal_name.as_str(), token.lifetime_ms),
            ("AKIDEXAMPLE", 1_700_000_900_000)
        );
        let url = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(&token.token).unwrap()).unwrap();
        let url = url::Url::parse(&url).unwrap();
        assert_eq!(url.host_str(), Some("kafka.eu-west-1.amazonaws.com"));
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let query: Vec<(&str, &str)> = query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            query,
            [
                ("Action", "kafka-cluster:Connect"),
                ("User-Agent", concat!("tickertape/", env!("CARGO_PKG_VERSION"))),
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                (
                    "X-Amz-Credential",
                    "AKIDEXAMPLE/20231114/eu-west-1/kafka-cluster/aws4_request"
                ),
                ("X-Amz-Date", "20231114T221320Z"),
                ("X-Amz-Expires", "900"),
                ("X-Amz-Security-Token", "session+/="),
                (
                    "X-Amz-Signature",
                    "b3bcc3b0406293c6fd28372cb7ee90e950e2f86ba486ebb38891912eb4b405e3"
                ),
                ("X-Amz-SignedHeaders", "host"),
            ]
        );
    }

    #[test]
    fn a_token_ends_with_its_credentials() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "secret",
            None,
            Some(now + Duration::from_secs(60)),
            "test",
        );
        assert_eq!(
            signed("eu-west-1", &credentials, now).unwrap().lifetime_ms,
            1_700_000_060_000
        );
    }
}
