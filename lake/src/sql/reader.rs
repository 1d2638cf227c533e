//! How bytes of objects are read: small objects whole and from the cache, large ones by range; with
//! counts of what a query read.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::{BoxFuture, FutureExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::cache::{ObjectCache, ObjectKey};
use super::footers;

/// Objects up to this size are read in one request and kept whole: a footer, a column chunk and a page
/// index of such an object would cost three requests, each dearer than the bytes.
pub(super) const SMALL_OBJECT_BYTES: u64 = 512 << 10;

/// What one query read.
#[derive(Debug, Default)]
pub(super) struct ScanCounters {
    /// Objects that were left by partitions and by what is known of the objects' columns.
    pub(super) files: AtomicU64,
    /// Bytes that were decoded.
    pub(super) bytes: AtomicU64,
    /// Bytes that came from the store: less than `bytes` where the cache had them.
    pub(super) fetched_bytes: AtomicU64,
}

impl ScanCounters {
    pub(super) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}

/// One bucket, its cache, and the counters of the query that reads.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    pub(super) bucket: Arc<str>,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) cache: Arc<ObjectCache>,
    pub(super) counters: Arc<ScanCounters>,
}

impl Objects {
    pub(super) fn key(&self, meta: &ObjectMeta) -> ObjectKey {
        ObjectKey::new(&self.bucket, meta)
    }

    /// The whole object, if it is small or in the cache; else `None`.
    pub(super) async fn small_body(&self, meta: &ObjectMeta) -> object_store::Result<Option<Bytes>> {
        let key = self.key(meta);
        if let Some(body) = self.cache.bodies.get(&key) {
            return Ok(Some(body));
        }
        match meta.size <= SMALL_OBJECT_BYTES {
            true => self.fetch_body(meta, key).await.map(Some),
            false => Ok(None),
        }
    }

    async fn fetch_body(&self, meta: &ObjectMeta, key: ObjectKey) -> object_store::Result<Bytes> {
        let body = self.store.get(&meta.location).await?.bytes().await?;
        ScanCounters::add(&self.counters.fetched_bytes, body.len() as u64);
        self.cache.bodies.put(key, body.clone(), body.len());
        Ok(body)
    }

    /// The whole object, whatever its size.
    pub(super) async fn body(&self, meta: &ObjectMeta) -> object_store::Result<Bytes> {
        let body = match self.small_body(meta).await? {
            Some(body) => body,
            None => self.fetch_body(meta, self.key(meta)).await?,
        };
        ScanCounters::add(&self.counters.bytes, body.len() as u64);
        Ok(body)
    }

    /// Ranges of an object, without counting them as decoded.
    pub(super) async fn ranges(&self, meta: &ObjectMeta, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        if let Some(body) = self.small_body(meta).await? {
            let cut = |range: &Range<u64>| {
                let end = (range.end as usize).min(body.len());
                body.slice((range.start as usize).min(end)..end)
            };
            return Ok(ranges.iter().map(cut).collect());
        }
        let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        ScanCounters::add(&self.counters.fetched_bytes, total);
        self.store.get_ranges(&meta.location, ranges).await
    }
}

/// Makes DataFusion read Parquet through [`Objects`].
#[derive(Debug)]
pub(super) struct LakeReaderFactory(pub(super) Objects);

impl ParquetFileReaderFactory for LakeReaderFactory {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(LakeReader {
            objects: self.0.clone(),
            meta: file.object_meta,
        }))
    }
}

struct LakeReader {
    objects: Objects,
    meta: ObjectMeta,
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for LakeReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            let mut parts = self.get_byte_ranges(vec![range]).await?;
            parts
                .pop()
                .ok_or_else(|| ParquetError::EOF(self.meta.location.to_string()))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move {
            let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
            ScanCounters::add(&self.objects.counters.bytes, total);
            let parts = self.objects.ranges(&self.meta, &ranges).await;
            parts.map_err(external)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let footer = footers::load(&self.objects, &self.meta).await?;
            Ok(Arc::clone(footer.metadata()))
        }
        .boxed()
    }
}
