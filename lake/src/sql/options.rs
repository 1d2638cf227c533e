//! What the command line says about catalog and query.

use std::sync::Arc;

use tickertape_client::UsageError;
use tickertape_client::s3::S3Options;

use super::connection::S3Connection;
use super::engine::Engine;
use super::output::OutputFormat;
use crate::catalog::{Catalog, GlueCatalog};

/// Where the catalog is.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Catalog options")]
pub struct CatalogOptions {
    /// The catalog: `glue` for AWS Glue, or the URL of a server that speaks its protocol
    /// [default: the server of --s3-endpoint, else AWS Glue].
    #[arg(long, value_name = "glue|URL", env = "TICKERTAPE_CATALOG")]
    pub catalog: Option<String>,
}

impl CatalogOptions {
    /// The catalog that the options name, with the credentials and region of `s3`.
    ///
    /// # Errors
    /// A [`UsageError`] where `--catalog` is neither `glue` nor a URL; else as [`S3Options::sdk_config`].
    pub async fn open(&self, s3: &S3Options) -> anyhow::Result<Arc<dyn Catalog>> {
        let config = match self.catalog.as_deref() {
            None => s3.sdk_config().await?,
            Some("glue") => {
                let mut aws = s3.clone();
                aws.s3_endpoint = None;
                let config = aws.sdk_config().await?;
                let mut builder = config.into_builder();
                builder.set_endpoint_url(None);
                builder.build()
            }
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                let mut own = s3.clone();
                own.s3_endpoint = Some(url.to_owned());
                own.sdk_config().await?
            }
            Some(other) => {
                return Err(UsageError::new(format!(
                    "--catalog {other}: expected `glue` or an http:// or https:// URL"
                ))
                .into());
            }
        };
        Ok(Arc::new(GlueCatalog::new(&config)))
    }
}

/// A query over the lake.
#[derive(clap::Args, Clone, Debug)]
pub struct SqlOptions {
    /// The query; without it, a prompt with history.
    #[arg(value_name = "QUERY")]
    pub query: Option<String>,

    /// How rows are written.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: OutputFormat,

    /// The store.
    #[command(flatten)]
    pub s3: S3Options,

    /// The catalog.
    #[command(flatten)]
    pub catalog: CatalogOptions,
}

impl SqlOptions {
    /// An engine over the store and the catalog that the options name.
    pub async fn engine(&self) -> anyhow::Result<Engine> {
        let catalog = self.catalog.open(&self.s3).await?;
        let connection = S3Connection::from_options(&self.s3).await?;
        Ok(Engine::new(catalog, connection))
    }
}
