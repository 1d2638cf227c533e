//! What the command line says about catalog and query.

use std::sync::Arc;

use aws_config::SdkConfig;
use tickertape_client::UsageError;
use tickertape_client::s3::S3Options;

use super::answer::QueryEngine;
use super::connection::S3Connection;
use super::engine::Engine;
use super::output::OutputFormat;
use crate::athena::{Athena, AthenaOptions};
use crate::catalog::{Catalog, DEFAULT_DATABASE, GlueCatalog};

/// Where the catalog is.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Catalog options")]
pub struct CatalogOptions {
    /// The catalog: `glue` for AWS Glue, or the URL of a server that speaks its protocol
    /// [default: the server of --s3-endpoint, else AWS Glue].
    #[arg(long, value_name = "glue|URL", env = "TICKERTAPE_CATALOG", hide_env_values = true)]
    pub catalog: Option<String>,

    /// The catalog's database [default: default].
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
}

impl CatalogOptions {
    /// The database that is used where a table is named without one.
    pub fn database(&self) -> String {
        self.database.as_deref().unwrap_or(DEFAULT_DATABASE).to_lowercase()
    }

    /// The catalog that the options name, with the credentials and region of `s3`.
    ///
    /// # Errors
    /// As [`Self::config`].
    pub async fn open(&self, s3: &S3Options) -> anyhow::Result<Arc<dyn Catalog>> {
        Ok(Arc::new(GlueCatalog::new(&self.config(s3).await?)))
    }

    /// What a client of the catalog's server is built from. AWS Glue is found by the standard chain, and so can
    /// be moved by `AWS_ENDPOINT_URL_GLUE`; a server of one's own has the embedded server's keys by default.
    ///
    /// # Errors
    /// A [`UsageError`] where `--catalog` is neither `glue` nor a URL; else as [`S3Options::sdk_config`].
    pub async fn config(&self, s3: &S3Options) -> anyhow::Result<SdkConfig> {
        match self.catalog.as_deref() {
            None if std::env::var_os("AWS_ENDPOINT_URL_GLUE").is_some() => Ok(s3.aws_config().await?),
            None if s3.endpoint().is_none() => Ok(s3.aws_config().await?),
            None => Ok(s3.sdk_config().await?),
            Some("glue") => Ok(s3.aws_config().await?),
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                let mut own = s3.clone();
                own.s3_endpoint = Some(url.to_owned());
                Ok(own.sdk_config().await?)
            }
            Some(other) => {
                let text = format!("--catalog {other}: expected `glue` or an http:// or https:// URL");
                Err(UsageError::new(text).into())
            }
        }
    }
}

/// A query over the lake.
#[derive(clap::Args, Clone, Debug)]
pub struct SqlOptions {
    /// The query; without it, a prompt with history.
    #[arg(value_name = "QUERY")]
    pub query: Option<String>,

    /// Who answers: this process, or Amazon Athena.
    #[arg(long, value_enum, default_value_t, value_name = "ENGINE")]
    pub engine: EngineKind,

    /// How rows are written.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: OutputFormat,

    /// The store.
    #[command(flatten)]
    pub s3: S3Options,

    /// The catalog.
    #[command(flatten)]
    pub catalog: CatalogOptions,

    /// Athena.
    #[command(flatten)]
    pub athena: AthenaOptions,
}

/// Who answers a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum EngineKind {
    /// DataFusion, in this process.
    #[default]
    Local,
    /// Amazon Athena, in a workgroup.
    Athena,
}

impl SqlOptions {
    /// The engine that the options name: over the store and the catalog, or Athena's.
    ///
    /// # Errors
    /// As [`S3Options::sdk_config`] and [`CatalogOptions::config`].
    pub async fn engine(&self) -> anyhow::Result<Box<dyn QueryEngine>> {
        if self.engine == EngineKind::Athena {
            let config = self.s3.aws_config().await?;
            let database = self.catalog.database.clone();
            return Ok(Box::new(Athena::new(&config, &self.athena, database)));
        }
        let catalog = self.catalog.open(&self.s3).await?;
        let connection = S3Connection::from_options(&self.s3).await?;
        let engine = Engine::new(catalog, connection);
        Ok(Box::new(engine.in_database(&self.catalog.database())))
    }
}
