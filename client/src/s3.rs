//! How a program reaches Amazon S3, or anything that speaks its protocol.
//!
//! Credentials, region and endpoint come from where every AWS tool looks for them (environment, `~/.aws`,
//! the instance's role); the options here only override. With an endpoint of one's own and no credentials
//! in the environment or a profile, the keys of the embedded server (`tickertape s3`) are used, so that it
//! needs no set-up. Nothing here opens a connection before the first request, and nothing logs a secret.

use std::{fmt, str::FromStr};

use aws_config::{
    ConfigLoader, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider,
    meta::credentials::CredentialsProviderChain, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_credential_types::Credentials;

use crate::aws;
use crate::usage::{UsageError, chain_of};

/// The access key that `tickertape s3` accepts by default.
pub const LOCAL_ACCESS_KEY_ID: &str = "tickertape";
/// The secret that belongs to [`LOCAL_ACCESS_KEY_ID`].
pub const LOCAL_SECRET_ACCESS_KEY: &str = "tickertape-secret";
/// Where `tickertape s3` listens by default.
pub const LOCAL_ENDPOINT: &str = "http://127.0.0.1:9000";
/// The region used with an endpoint of one's own when none is given: such servers accept any.
pub const LOCAL_REGION: &str = "us-east-1";

/// Where the store is. Credentials are found as by every AWS tool and have no option, since command lines
/// are read by others.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "S3 options")]
pub struct S3Options {
    /// The store's URL, when it isn't Amazon S3: `http://127.0.0.1:9000` for `tickertape s3`.
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_S3", hide_env_values = true)]
    pub s3_endpoint: Option<String>,

    /// The AWS region [default: that of the profile or instance; us-east-1 with --s3-endpoint].
    #[arg(long, value_name = "NAME", env = "AWS_REGION", hide_env_values = true)]
    pub region: Option<String>,

    /// The profile of `~/.aws/config` and `~/.aws/credentials` to use.
    #[arg(long, value_name = "NAME", env = "AWS_PROFILE", hide_env_values = true)]
    pub profile: Option<String>,
}

/// Why a value given for the store can't be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum S3OptionError {
    /// The endpoint is not an http or https URL.
    #[error("--s3-endpoint {got}: expected an http:// or https:// URL such as {LOCAL_ENDPOINT}")]
    Endpoint {
        /// What was given.
        got: String,
    },
    /// The location is not of the form `s3://bucket/prefix`.
    #[error("{got:?}: expected s3://bucket/prefix")]
    Url {
        /// What was given.
        got: String,
    },
    /// Neither an option nor the environment nor a profile says which region to use.
    #[error(
        "no AWS region: give --region or AWS_REGION, or --s3-endpoint for a store of your own ({LOCAL_ENDPOINT} is that of `tickertape s3`)"
    )]
    NoRegion,
    /// There is no profile of this name.
    #[error("--profile: {unknown}")]
    Profile {
        /// What was given, with the nearest there is.
        unknown: UsageError,
    },
    /// A profile was named, and what would have it cannot be read.
    #[error("--profile {got}: {reason}")]
    ProfileFiles {
        /// What was given.
        got: String,
        /// What is wrong with which file.
        reason: String,
    },
}

/// The profile that every AWS tool uses where none is named, whether or not it stands anywhere.
const DEFAULT_PROFILE: &str = "default";

impl S3Options {
    /// Options for a server of one's own, such as the embedded one.
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self {
            s3_endpoint: Some(endpoint.into()),
            ..Self::default()
        }
    }

    /// The endpoint in force, if it isn't Amazon's: the option, else `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> Option<String> {
        let given = given(self.s3_endpoint.as_deref()).map(str::to_owned);
        given.or_else(|| variable("AWS_ENDPOINT_URL"))
    }

    /// The profile that was named, which has to be there.
    async fn check_profile(&self) -> Result<(), S3OptionError> {
        let Some(got) = given(self.profile.as_deref()).filter(|name| *name != DEFAULT_PROFILE) else {
            return Ok(());
        };
        let known = aws::profiles().await.map_err(|error| S3OptionError::ProfileFiles {
            got: got.to_owned(),
            reason: chain_of(&error),
        })?;
        match known.get_profile(got) {
            Some(_) => Ok(()),
            None => Err(S3OptionError::Profile {
                unknown: UsageError::unknown("AWS profile", got, known.profiles()),
            }),
        }
    }

    /// What every AWS client of this process is built from: credentials, region, HTTP client and endpoint.
    ///
    /// # Errors
    /// An [`S3OptionError`] when the endpoint isn't a URL, there is no such profile, or no region is known.
    pub async fn sdk_config(&self) -> Result<SdkConfig, S3OptionError> {
        let endpoint = self.endpoint();
        if let Some(got) = &endpoint {
            let parsed = url::Url::parse(got).ok();
            if !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
                return Err(S3OptionError::Endpoint { got: got.clone() });
            }
        }
        self.check_profile().await?;
        let mut loader = aws::chain(self.profile.as_deref(), self.region.as_deref());
        if let Some(endpoint) = endpoint.as_ref() {
            loader = loader.endpoint_url(endpoint);
        }
        // One of Amazon's own, such as a VPC's, has the whole chain's credentials and region.
        if endpoint.is_some_and(|endpoint| !is_amazons(&endpoint)) {
            loader = loader.credentials_provider(self.own_store_credentials());
            if given(self.region.as_deref()).is_none() {
                // Asked before the default chain, which would wait for an instance's metadata service.
                let region = variable("AWS_DEFAULT_REGION").unwrap_or_else(|| LOCAL_REGION.to_owned());
                loader = loader.region(Region::new(region));
            }
        }
        loaded(loader).await
    }

    /// What clients of AWS's other services (Glue, Athena) are built from: credentials, region and endpoint by
    /// the standard chain and nothing else. `--s3-endpoint` is the store's alone; another place for one of them
    /// is named as for every AWS tool, by `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL` or the profile.
    ///
    /// # Errors
    /// [`S3OptionError::NoRegion`], and that there is no such profile.
    pub async fn aws_config(&self) -> Result<SdkConfig, S3OptionError> {
        self.check_profile().await?;
        loaded(aws::chain(self.profile.as_deref(), self.region.as_deref())).await
    }

    /// A client of the store. Buckets are addressed by path when the endpoint is one's own, since a local
    /// server has no name per bucket.
    ///
    /// # Errors
    /// As [`Self::sdk_config`].
    pub async fn client(&self) -> anyhow::Result<aws_sdk_s3::Client> {
        let shared = self.sdk_config().await?;
        let config = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(shared.endpoint_url().is_some_and(|endpoint| !is_amazons(endpoint)))
            .build();
        Ok(aws_sdk_s3::Client::from_conf(config))
    }

    /// Environment, then profile, then the embedded server's keys.
    fn own_store_credentials(&self) -> CredentialsProviderChain {
        let context = ProviderConfig::without_region().with_http_client(aws::http_client());
        let mut profile = ProfileFileCredentialsProvider::builder().configure(&context);
        if let Some(name) = given(self.profile.as_deref()) {
            profile = profile.profile_name(name);
        }
        let local = Credentials::new(
            LOCAL_ACCESS_KEY_ID,
            LOCAL_SECRET_ACCESS_KEY,
            None,
            None,
            "embedded server",
        );
        CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("Profile", profile.build())
            .or_else("Embedded", local)
    }
}

/// An option's value. An empty one is none: so a variable of the environment is taken back.
fn given(option: Option<&str>) -> Option<&str> {
    option.filter(|value| !value.is_empty())
}

/// The same, of the environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether an endpoint is one of Amazon's: `https://bucket.vpce-1a2b3c4d.s3.us-east-1.vpce.amazonaws.com`.
fn is_amazons(endpoint: &str) -> bool {
    let url = url::Url::parse(endpoint).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

async fn loaded(loader: ConfigLoader) -> Result<SdkConfig, S3OptionError> {
    let config = loader.load().await;
    match config.region() {
        Some(_) => Ok(config),
        None => Err(S3OptionError::NoRegion),
    }
}

/// A bucket and what keys in it start with: `s3://bucket/prefix`. The prefix has no slash at either end and
/// may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct S3Url {
    /// The bucket's name.
    pub bucket: String,
    /// What every key starts with, without the slash that follows it.
    pub prefix: String,
}

impl S3Url {
    /// The key of `name` below this prefix.
    pub fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.prefix)
        }
    }

    /// The URL of `name` below this prefix.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self {
            bucket: self.bucket.clone(),
            prefix: self.key(name.trim_matches('/')),
        }
    }
}

impl FromStr for S3Url {
    type Err = S3OptionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || S3OptionError::Url { got: text.to_owned() };
        let rest = text
            .strip_prefix("s3://")
            .or_else(|| text.strip_prefix("s3a://"))
            .ok_or_else(bad)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        // Some readers of a lake take `.` and `..` for a file system's, others refuse them.
        let unreadable = |part: &str| matches!(part, "" | "." | "..");
        if bucket.is_empty() || !prefix.is_empty() && prefix.split('/').any(unreadable) {
            return Err(bad());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for S3Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix.is_empty() {
            write!(f, "s3://{}", self.bucket)
        } else {
            write!(f, "s3://{}/{}", self.bucket, self.prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_bucket_and_a_prefix_without_slashes() {
        for (text, bucket, prefix, shown) in [
            ("s3://lake", "lake", "", "s3://lake"),
            ("s3://lake/", "lake", "", "s3://lake"),
            ("s3://lake/a/b/", "lake", "a/b", "s3://lake/a/b"),
            ("s3a://lake/a", "lake", "a", "s3://lake/a"),
        ] {
            let url: S3Url = text.parse().unwrap();
            assert_eq!(
                (url.bucket.as_str(), url.prefix.as_str(), url.to_string().as_str()),
                (bucket, prefix, shown)
            );
        }
        for text in [
            "",
            "lake/a",
            "s3://",
            "s3:///a",
            "http://lake/a",
            "s3://lake/a//b",
            "s3://lake/a/../b",
        ] {
            assert_eq!(
                text.parse::<S3Url>(),
                Err(S3OptionError::Url { got: text.to_owned() }),
                "{text}"
            );
        }
    }

    #[test]
    fn keys_stand_below_the_prefix() {
        let bare: S3Url = "s3://lake".parse().unwrap();
        let deep: S3Url = "s3://lake/a".parse().unwrap();
        assert_eq!(
            (bare.key("t/x"), deep.key("t/x")),
            ("t/x".to_owned(), "a/t/x".to_owned())
        );
        assert_eq!(deep.join("t").to_string(), "s3://lake/a/t");
    }

    #[tokio::test]
    async fn an_endpoint_that_is_no_url_is_named() {
        let error = S3Options::at("localhost:9000").sdk_config().await.unwrap_err();
        assert!(error.to_string().contains("localhost:9000"), "{error}");
    }

    #[tokio::test]
    async fn a_store_of_ones_own_needs_no_set_up() {
        let config = S3Options::at(LOCAL_ENDPOINT).sdk_config().await.unwrap();
        assert_eq!(config.endpoint_url(), Some(LOCAL_ENDPOINT));
        assert!(config.region().is_some());
    }
}
