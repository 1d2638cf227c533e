//! What every engine owes for a query: typed rows and their cost. One printer for all of them.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::output::{self, OutputFormat};
use crate::athena::Scan;

/// Who answers SQL: the engine in this process ([`super::Engine`]) or Amazon's ([`crate::athena::Athena`]).
#[async_trait]
pub trait QueryEngine: Send + Sync {
    /// Runs one statement and collects its rows.
    ///
    /// # Errors
    /// A [`tickertape_client::UsageError`] where the statement is at fault; [`Interrupted`] where `stop` was
    /// cancelled first, after which nothing runs any more that costs anything.
    async fn answer(&self, sql: &str, stop: &CancellationToken) -> anyhow::Result<Answer>;
}

/// Rows, and what they cost.
#[derive(Debug)]
pub struct Answer {
    /// The columns; none for statements that give no rows.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// From the query's text to its last row.
    pub elapsed: Duration,
    /// What it took.
    pub cost: Cost,
}

/// What a query took, in its engine's own terms.
#[derive(Debug, Clone, PartialEq)]
pub enum Cost {
    /// Of the engine in this process.
    Local {
        /// Objects that were left by partitions and by what is known of the objects' columns.
        objects: u64,
        /// Bytes that were decoded.
        bytes: u64,
    },
    /// Of Amazon Athena.
    Athena(Scan),
}

impl Answer {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Writes the rows, and nothing where the statement has no columns.
    ///
    /// # Errors
    /// Where the writer fails, or a value can't be written in the format.
    pub fn write(&self, format: OutputFormat, to: &mut dyn Write) -> anyhow::Result<()> {
        if self.schema.fields().is_empty() {
            return Ok(());
        }
        output::write(format, &self.schema, &self.batches, to)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cost::Local { objects, bytes } => write!(f, "{objects} objects, {:.1} MB read", *bytes as f64 / 1e6),
            Cost::Athena(scan) => write!(f, "{scan}"),
        }
    }
}

/// The user asked to stop, and what was going on is over. The binary exits with 130 for it, as a shell expects.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(String);

impl Interrupted {
    /// An interruption that says what was stopped, and what was not.
    pub fn new(text: impl Into<String>) -> Interrupted {
        Interrupted(text.into())
    }
}
