//! aws-sdk-s3 against the server.

mod objects;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Region};
use aws_smithy_http_client::tls;
use tempfile::TempDir;
use tickertape_lake::s3::{Handle, Server, ServerConfig};

/// A running server over a directory of its own, with one bucket.
pub(crate) struct Fixture {
    pub(crate) handle: Handle,
    pub(crate) client: Client,
    pub(crate) dir: TempDir,
}

pub(crate) const BUCKET: &str = "bucket";

impl Fixture {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let handle = Server::start(ServerConfig::new(dir.path())).await.unwrap();
        handle.ensure_bucket(BUCKET).await.unwrap();
        let client = client(&handle);
        Self { handle, client, dir }
    }

    /// Stops the server and starts another over the same directory.
    pub(crate) async fn restart(self) -> Self {
        self.handle.shutdown().await.unwrap();
        let handle = Server::start(ServerConfig::new(self.dir.path())).await.unwrap();
        let client = client(&handle);
        Self {
            handle,
            client,
            dir: self.dir,
        }
    }
}

/// What every client of the tests is configured with.
pub(crate) fn config(endpoint: &str, access_key_id: &str, secret_access_key: &str) -> Builder {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    aws_sdk_s3::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .credentials_provider(Credentials::new(access_key_id, secret_access_key, None, None, "test"))
        .http_client(http)
}

pub(crate) fn client(handle: &Handle) -> Client {
    let config = config(
        &handle.endpoint_url(),
        handle.access_key_id(),
        handle.secret_access_key(),
    );
    Client::from_conf(config.build())
}
