//! The one place from which every AWS client of this process gets its credentials and region: S3, Glue, Athena, and Amazon
//! MSK's IAM.
//!
//! It is the chain that every AWS tool goes through: environment variables, the profile of `~/.aws/config` and
//! `~/.aws/credentials` (static keys, `credential_process`, roles, SSO), a web identity, a container's role, an instance's
//! role. Nothing here opens a connection before credentials are asked for, and nothing logs a secret.

use aws_config::profile::{self, ProfileFileLoadError, ProfileSet};
use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_smithy_http_client::tls;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::os_shim_internal::{Env, Fs};

/// How long a connection may take to be made before the attempt counts as failed.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// The HTTP client of every AWS client: TLS by rustls on ring, with the system's certificates.
pub(crate) fn http_client() -> aws_sdk_s3::config::SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https()
}

/// What stands in `~/.aws/config` and `~/.aws/credentials`, or where `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` say.
pub(crate) async fn profiles() -> Result<ProfileSet, ProfileFileLoadError> {
    profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await
}

/// The standard chain, with a profile and a region over what it would find itself.
pub(crate) fn chain(profile: Option<&str>, region: Option<&str>) -> ConfigLoader {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build());
    if let Some(profile) = profile.filter(|name| !name.is_empty()) {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region.filter(|name| !name.is_empty()) {
        loader = loader.region(Region::new(region.to_owned()));
    }
    loader
}
