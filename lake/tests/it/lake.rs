//! Lakes to ask questions of: ticks of which every answer is known beforehand, written as Parquet (or
//! JSON lines) into days, and registered in the catalog.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use aws_sdk_s3::Client;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::{self, StreamExt};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as ParquetCompression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tickertape_lake::catalog::{
    Catalog, Column, TableFormat, columns_of_schema, ensure_database, ensure_table, register_partitions,
};

/// A lake of ticks: `files` objects, spread evenly over `days` days.
#[derive(Debug, Clone)]
pub(crate) struct Ticks {
    pub(crate) rows: u64,
    pub(crate) files: u64,
    pub(crate) days: u64,
    pub(crate) symbols: u64,
}

/// 2012-01-01, in days since 1970.
const FIRST_DAY: i64 = 15_340;
const DAY_MS: i64 = 86_400_000;

impl Ticks {
    /// The `dt` of a day, counted from 0.
    pub(crate) fn date(day: u64) -> String {
        let date = chrono::DateTime::from_timestamp_millis((FIRST_DAY + day as i64) * DAY_MS).unwrap();
        date.format("%Y-%m-%d").to_string()
    }

    /// The rows of one file, in order of time. Row `n` of the lake has `seq` n, `price` 1 + n mod 1000
    /// in hundredths, `size` 1 + n mod 7, and symbol `S<n mod symbols>`.
    pub(crate) fn batch(&self, file: u64) -> RecordBatch {
        let per_file = self.rows / self.files;
        let rows = file * per_file..(file + 1) * per_file;
        let day = FIRST_DAY + self.day(file) as i64;
        let time = |n: u64| day * DAY_MS + (n % per_file) as i64 * 10;
        let column = |array: ArrayRef| array;
        RecordBatch::try_from_iter([
            (
                "symbol",
                column(Arc::new(StringArray::from_iter_values(
                    rows.clone().map(|n| format!("S{}", n % self.symbols)),
                ))),
            ),
            (
                "event_time",
                column(Arc::new(
                    TimestampMillisecondArray::from_iter_values(rows.clone().map(time)).with_timezone("UTC"),
                )),
            ),
            (
                "seq",
                column(Arc::new(Int64Array::from_iter_values(rows.clone().map(|n| n as i64)))),
            ),
            (
                "price",
                column(Arc::new(Float64Array::from_iter_values(
                    rows.clone().map(|n| (1 + n % 1000) as f64 / 100.0),
                ))),
            ),
            (
                "size",
                column(Arc::new(Int64Array::from_iter_values(rows.map(|n| (1 + n % 7) as i64)))),
            ),
        ])
        .unwrap()
    }

    fn day(&self, file: u64) -> u64 {
        file / self.files.div_ceil(self.days)
    }

    /// Writes all files under `<bucket>/<prefix>/ticks/dt=…/` and registers table and partitions.
    pub(crate) async fn write(&self, client: &Client, catalog: &dyn Catalog, bucket: &str, prefix: &str) {
        let location = format!("s3://{bucket}/{prefix}/ticks");
        stream::iter(0..self.files)
            .for_each_concurrent(16, |file| async move {
                let key = format!(
                    "{prefix}/ticks/dt={}/ticks-0-{file:06}.parquet",
                    Self::date(self.day(file))
                );
                put(client, bucket, &key, parquet(&self.batch(file))).await;
            })
            .await;
        let columns = columns_of_schema(&self.batch(0).schema());
        let keys = vec![Column::new("dt", "string")];
        let table = TableFormat::Parquet.table("default", "ticks", &location, columns, keys);
        ensure_database(catalog, "default").await.unwrap();
        let table = ensure_table(catalog, &table).await.unwrap().table;
        let days: std::collections::BTreeSet<String> = (0..self.files).map(|file| Self::date(self.day(file))).collect();
        let partitions: Vec<_> = days
            .into_iter()
            .map(|dt| (vec![dt.clone()], format!("{location}/dt={dt}")))
            .collect();
        register_partitions(catalog, &table, &partitions).await.unwrap();
    }
}

/// A batch as a Parquet file, compressed as our sink does.
pub(crate) fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(ParquetCompression::ZSTD(ZstdLevel::try_new(1).unwrap()))
        .build();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    file
}

/// Text as gzip.
pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// Puts an object.
pub(crate) async fn put(client: &Client, bucket: &str, key: &str, body: Vec<u8>) {
    client
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(body.into())
        .send()
        .await
        .unwrap();
}
