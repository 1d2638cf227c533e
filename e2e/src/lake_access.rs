//! How the subcommands reach a lake: a running S3 server or Amazon S3 by options, or the directory of a stopped demo.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tickertape_client::UsageError;
use tickertape_client::s3::{LOCAL_ENDPOINT, S3Options, S3Url};
use tickertape_lake::catalog::{Catalog, CatalogError};
use tickertape_lake::s3::{Handle, Server, ServerConfig};
use tickertape_lake::sql::{CatalogOptions, Engine, S3Connection};
use tokio_util::sync::CancellationToken;

/// How long to wait before asking again for a server that is away.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// Where AWS tools look for credentials without being told; any of them means that the person works with AWS.
const AWS_VARIABLES: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ENDPOINT_URL",
];

/// Takes the S3 server of this machine where nothing else was named, no AWS account is set up, and one is running.
pub(crate) fn prefer_local(s3: &mut S3Options) {
    // An empty one is none, as for every AWS tool.
    let given = |option: &Option<String>| option.as_ref().is_some_and(|value| !value.is_empty());
    let variable = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if given(&s3.s3_endpoint) || given(&s3.profile) || AWS_VARIABLES.iter().any(variable) {
        return;
    }
    let Some(address) = LOCAL_ENDPOINT
        .strip_prefix("http://")
        .and_then(|address| address.parse::<SocketAddr>().ok())
    else {
        return;
    };
    if TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok() {
        tracing::info!("no --s3-endpoint and no AWS account: using the S3 server at {LOCAL_ENDPOINT}");
        s3.s3_endpoint = Some(LOCAL_ENDPOINT.to_owned());
    }
}

/// The catalog that a sink tells what it writes: the one that was named, else that of the endpoint if it has one. `None` where
/// the endpoint has none, as other S3 servers, and for Amazon S3 where AWS Glue was not asked for; and where it was asked to
/// stop. A server that is away is waited for.
///
/// # Errors
/// At once where there is no catalog at what was named, or it refuses these credentials: what is written without one is not
/// found by SQL. After `timeout` where nobody answers.
pub(crate) async fn catalog_of(
    options: &CatalogOptions,
    s3: &S3Options,
    timeout: Duration,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<Arc<dyn Catalog>>> {
    let (place, option) = match (&options.catalog, s3.endpoint()) {
        (Some(named), _) => (format!("--catalog {named}"), "--catalog"),
        (None, Some(endpoint)) => (format!("the S3 server at {endpoint}"), "--s3-endpoint"),
        (None, None) => {
            tracing::info!("no catalog: name one with --catalog glue, or crawl the lake");
            return Ok(None);
        }
    };
    let catalog = options.open(s3).await?;
    let started = Instant::now();
    loop {
        // All that a sink has to be allowed, of what changes nothing.
        let error = match catalog.database(&options.database()).await {
            Ok(_) => return Ok(Some(catalog)),
            Err(error @ CatalogError::Refused(_)) => return Err(UsageError::new(format!("{place}: {error}")).into()),
            Err(error @ CatalogError::NotServed(_)) if options.catalog.is_some() => {
                return Err(UsageError::new(format!("{place}: {error}")).into());
            }
            Err(error @ CatalogError::NotServed(_)) => {
                tracing::info!(%error, "the S3 server has no catalog: crawl the lake, or name one with --catalog");
                return Ok(None);
            }
            Err(error) => error,
        };
        if started.elapsed() >= timeout {
            bail!("{place} does not answer ({error}); is it running there? ({option}, --timeout)");
        }
        tracing::warn!("{place} does not answer ({error}); waiting for it");
        tokio::select! {
            () = tokio::time::sleep(RETRY_PAUSE.min(timeout)) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}

/// A server over the directory of a stopped demo (or of a stopped `tickertape s3`), on a free port.
///
/// # Errors
/// There is no such directory, or a running process has it.
pub(crate) async fn serve_directory(dir: &Path) -> anyhow::Result<Handle> {
    let of_demo = dir.join("s3");
    let data_dir = if of_demo.is_dir() { of_demo } else { dir.to_owned() };
    if !data_dir.is_dir() {
        return Err(UsageError::new(format!("--data-dir {}: there is no such directory", dir.display())).into());
    }
    let mut config = ServerConfig::new(&data_dir);
    config.listen = "127.0.0.1:0".to_owned();
    Server::start(config).await.map_err(|error| {
        UsageError::new(format!(
            "--data-dir {}: {error} (of a running process, ask its server: --s3-endpoint)",
            dir.display()
        ))
        .into()
    })
}

/// SQL over what a server serves.
pub(crate) fn engine_of(server: &Handle) -> Engine {
    let connection = S3Connection::new(
        &server.endpoint_url(),
        server.access_key_id(),
        server.secret_access_key(),
    );
    Engine::new(server.catalog(), connection)
}

/// Fails unless the table is in the catalog and lies in the lake that was named.
pub(crate) async fn require_location(
    catalog: &dyn Catalog,
    database: &str,
    table: &str,
    lake: &S3Url,
) -> anyhow::Result<()> {
    let found = catalog.table(database, table).await;
    let found = found.context("cannot read the catalog")?;
    let Some(found) = found else {
        let tables = catalog.tables(database).await.unwrap_or_default();
        let names = tables.iter().map(|table| table.name.as_str());
        return Err(UsageError::unknown("table", table, names).into());
    };
    let location = found.location().unwrap_or_default().trim_end_matches('/').to_owned();
    let root = lake.to_string();
    let root = root.trim_end_matches('/');
    if location == root || location.starts_with(&format!("{root}/")) {
        return Ok(());
    }
    Err(UsageError::new(format!("the table `{table}` lies at {location}, not in {root}")).into())
}
