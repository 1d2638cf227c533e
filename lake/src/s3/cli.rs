//! `tickertape s3`: the server as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use tickertape_client::UsageError;
use tickertape_client::s3::{LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY};
use tokio_util::sync::CancellationToken;

use super::{Server, ServerConfig, StartError, StoreError};

/// What the server is started with.
#[derive(clap::Args, Clone, Debug)]
pub struct S3ServerOptions {
    /// Where to listen; port 0 takes a free one, which the ready line names
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    pub listen: String,

    /// Where buckets, objects and the catalog are kept
    #[arg(long, value_name = "DIR", default_value = "./tickertape-data/s3")]
    pub data_dir: PathBuf,

    /// A bucket to create at the start, if it is not there; repeatable
    #[arg(long = "bucket", value_name = "NAME")]
    pub buckets: Vec<String>,

    /// The access key that clients sign with
    #[arg(long, value_name = "ID", default_value = LOCAL_ACCESS_KEY_ID, value_parser = NonEmptyStringValueParser::new())]
    pub access_key_id: String,

    /// The secret that belongs to it
    #[arg(
        long, value_name = "SECRET", default_value = LOCAL_SECRET_ACCESS_KEY, hide_default_value = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub secret_access_key: String,

    /// Answer only when a write would survive the loss of power, not only the end of the process
    #[arg(long)]
    pub fsync: bool,
}

/// Serves until `shutdown`. Prints one line of JSON when it is ready.
pub async fn run(options: S3ServerOptions, shutdown: CancellationToken) -> anyhow::Result<()> {
    let config = ServerConfig {
        listen: options.listen.clone(),
        data_dir: options.data_dir.clone(),
        access_key_id: options.access_key_id.clone(),
        secret_access_key: options.secret_access_key.clone(),
        fsync: options.fsync,
    };
    let handle = Server::start(config).await.map_err(usage)?;
    for bucket in &options.buckets {
        match handle.ensure_bucket(bucket).await {
            Err(error @ StoreError::BucketName(_)) => return Err(UsageError::new(error.to_string()).into()),
            created => created.with_context(|| format!("cannot create the bucket {bucket}"))?,
        }
    }
    warn_if_open_to_others(handle.address(), &options);
    let data_dir = std::path::absolute(&options.data_dir).unwrap_or(options.data_dir);
    println!(
        "{}",
        json!({
            "ready": true,
            "endpoint": handle.endpoint_url(),
            "access_key_id": handle.access_key_id(),
            "secret_access_key": handle.secret_access_key(),
            "data_dir": data_dir,
            "pid": std::process::id(),
        })
    );
    shutdown.cancelled().await;
    handle.shutdown().await.context("the store was not closed cleanly")
}

/// What the user can change is a usage error; what the machine did is not.
fn usage(error: StartError) -> anyhow::Error {
    match error {
        StartError::AddressInUse { .. } | StartError::Listen { .. } => UsageError::new(error.to_string()).into(),
        StartError::Store(
            StoreError::InUse { .. }
            | StoreError::Format { .. }
            | StoreError::NoDirectory { .. }
            | StoreError::Foreign { .. },
        ) => UsageError::new(error.to_string()).into(),
        _ => error.into(),
    }
}

fn warn_if_open_to_others(address: SocketAddr, options: &S3ServerOptions) {
    if !address.ip().is_loopback() && options.secret_access_key == LOCAL_SECRET_ACCESS_KEY {
        tracing::warn!(%address, "other machines can reach this server, and its keys are the well-known ones: set --secret-access-key");
    }
}
