//! aws-sdk-s3 against the server.

mod buckets;
mod conditions;
mod crash;
mod integrity;
mod keys;
mod large;
mod listing;
mod model;
mod multipart;
mod object_store;
mod objects;
mod power;
mod process;
mod signing;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
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

    /// Puts an object and gives its ETag.
    pub(crate) async fn put(&self, key: &str, body: impl Into<Vec<u8>>) -> String {
        let body = ByteStream::from(body.into());
        let put = self
            .client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(body)
            .send()
            .await
            .unwrap();
        put.e_tag().unwrap().to_owned()
    }

    /// The bytes of an object.
    pub(crate) async fn get(&self, key: &str) -> Vec<u8> {
        let got = self.client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        got.body.collect().await.unwrap().to_vec()
    }

    /// How many files hold bytes, waiting until there are `expected`: removal is not waited for by anybody.
    pub(crate) async fn files_become(&self, expected: usize) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while self.files() != expected {
            assert!(
                std::time::Instant::now() < deadline,
                "{} files, not {expected}",
                self.files()
            );
            tokio::task::yield_now().await;
        }
    }

    fn files(&self) -> usize {
        let in_dir = |dir: std::path::PathBuf| std::fs::read_dir(dir).unwrap();
        let folders = in_dir(self.dir.path().join("blobs"));
        let blobs: usize = folders.map(|folder| in_dir(folder.unwrap().path()).count()).sum();
        blobs + in_dir(self.dir.path().join("tmp")).count()
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

/// The status and S3's code of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> (u16, String) {
    let error = result.unwrap_err();
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or_default().to_owned())
}
