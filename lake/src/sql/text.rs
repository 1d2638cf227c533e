//! JSON lines and CSV, plain or packed ([`super::unpack`]), as a source of DataFusion: rows go straight into the table's
//! types.
//!
//! A JSON number under a `string` column is taken as its text, an integer under `double` as a double:
//! the table may be wider than any one file. A column that a file lacks is null. CSV columns are found
//! by position, as Athena does. What can't be read as the column's type is an error that names the file.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::FutureExt;
use futures::stream::{self, StreamExt};
use object_store::ObjectStore;

use super::reader::Objects;
use super::unpack::plain;
use crate::catalog::CsvDialect;

const BATCH_ROWS_DEFAULT: usize = 8192;

/// Which text it is.
#[derive(Debug, Clone)]
pub(super) enum TextFormat {
    /// JSON lines; the map gives a column's own name in the objects where it isn't the table's.
    Json(Arc<BTreeMap<String, String>>),
    /// Delimited text.
    Csv(CsvDialect),
}

/// Text objects of one table.
#[derive(Clone)]
pub(super) struct TextSource {
    format: TextFormat,
    objects: Objects,
    table_schema: TableSchema,
    projection: SplitProjection,
    batch_rows: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl TextSource {
    pub(super) fn new(format: TextFormat, objects: Objects, table_schema: TableSchema) -> Self {
        TextSource {
            format,
            objects,
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            batch_rows: BATCH_ROWS_DEFAULT,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl FileSource for TextSource {
    fn create_file_opener(
        &self,
        _store: Arc<dyn ObjectStore>,
        _config: &FileScanConfig,
        _partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let columns = self.projection.file_indices.clone();
        let file_schema = self.table_schema.file_schema();
        let opener = Arc::new(TextOpener {
            format: self.format.clone(),
            objects: self.objects.clone(),
            projected: Arc::new(file_schema.project(&columns)?),
            file_schema: Arc::clone(file_schema),
            columns,
            batch_rows: self.batch_rows,
        });
        ProjectionOpener::try_new(self.projection.clone(), opener, file_schema)
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(TextSource {
            batch_rows: batch_size,
            ..self.clone()
        })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        match self.format {
            TextFormat::Json(_) => "json",
            TextFormat::Csv(_) => "csv",
        }
    }

    fn supports_repartitioning(&self) -> bool {
        // Objects are read whole: a part of a gzip file can't be read at all.
        false
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        Ok(Some(Arc::new(TextSource {
            projection: SplitProjection::new(self.table_schema.file_schema(), &merged),
            ..self.clone()
        })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for projected in self.projection.source.iter() {
            if f(&projected.expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

#[derive(Clone)]
struct TextOpener {
    format: TextFormat,
    objects: Objects,
    /// All columns of the file, in their order.
    file_schema: SchemaRef,
    /// Those that are wanted, as indices and as a schema.
    columns: Vec<usize>,
    projected: SchemaRef,
    batch_rows: usize,
}

impl FileOpener for TextOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let this = self.clone();
        Ok(async move {
            let meta = file.object_meta;
            let place = format!("s3://{}/{}", this.objects.bucket, meta.location);
            let body = this.objects.body(&meta).await?;
            let batches = this.decode(plain(body)).map_err(|e| at(&place, e))?;
            let batches = batches.map(move |batch| batch.map_err(|e| at(&place, e)));
            Ok(stream::iter(batches).boxed())
        }
        .boxed())
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

impl TextOpener {
    fn decode(&self, text: Box<dyn BufRead + Send>) -> Result<Batches, ArrowError> {
        match &self.format {
            TextFormat::Json(own_names) => {
                let named = |field: &Arc<arrow::datatypes::Field>| match own_names.get(field.name()) {
                    Some(own) => Arc::new(field.as_ref().clone().with_name(own)),
                    None => Arc::clone(field),
                };
                let in_file: Vec<_> = self.projected.fields().iter().map(named).collect();
                let reader = arrow::json::ReaderBuilder::new(Arc::new(Schema::new(in_file)))
                    .with_batch_size(self.batch_rows)
                    .with_coerce_primitive(true)
                    .build(text)?;
                let schema = Arc::clone(&self.projected);
                Ok(Box::new(reader.map(move |batch| {
                    let batch = batch?;
                    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                    RecordBatch::try_new_with_options(Arc::clone(&schema), batch.columns().to_vec(), &options)
                })))
            }
            TextFormat::Csv(dialect) => {
                let reader = arrow::csv::ReaderBuilder::new(Arc::clone(&self.file_schema))
                    .with_header(dialect.header)
                    .with_delimiter(dialect.delimiter)
                    .with_quote(dialect.quote)
                    .with_truncated_rows(true)
                    .with_projection(self.columns.clone())
                    .with_batch_size(self.batch_rows)
                    .build_buffered(text)?;
                Ok(Box::new(reader))
            }
        }
    }
}

fn at(place: &str, error: ArrowError) -> DataFusionError {
    DataFusionError::External(format!("{place}: {error}").into())
}
