//! `tickertape log`: what is in a broker's files, whether it is whole, and its metadata made anew from them.
//!
//! `dump` and `verify` only read, and may run beside a broker; what it appends meanwhile may look cut off.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tickertape_broker::log::inspect::{self, FoundBatch, SegmentFile};
use tickertape_broker::wire::batch::{Batch, BatchHeader, TimestampType, validate_crc};
use tickertape_broker::wire::record::{Record, Records};
use tickertape_client::UsageError;
use tokio_util::sync::CancellationToken;

/// What one batch may expand to.
const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Look into the log files of a broker.
#[derive(Subcommand)]
pub(crate) enum LogCommand {
    /// Print the batches of the log files, one a line, in the words of kafka-dump-log.
    #[command(
        after_help = "Example:\n  tickertape log dump --data-dir tickertape-data --topic ticks --partition 0 --records"
    )]
    Dump(Dump),
    /// Check every byte of the log files: exit code 1 and file, byte and reason where a batch is not whole.
    #[command(after_help = "Example:\n  tickertape log verify --data-dir tickertape-data")]
    Verify(Verify),
    /// Make indexes and the list of topics anew from the log files alone; no broker may run on the directory.
    #[command(after_help = REBUILD_HELP)]
    Rebuild(Rebuild),
}

const REBUILD_HELP: &str = "Every whole batch is kept, also those after damage. What is only in the metadata store \
(properties of topics, offsets of groups) stays if the store is there. If it is damaged, move metadata.sled away first.

Example:
  mv tickertape-data/metadata.sled /tmp/ && tickertape log rebuild --data-dir tickertape-data";

#[derive(Args)]
pub(crate) struct Dump {
    #[command(flatten)]
    files: Files,
    /// Print each record, too.
    #[arg(long, alias = "print-data-log")]
    records: bool,
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    files: Files,
}

#[derive(Args)]
pub(crate) struct Rebuild {
    /// The broker's data directory.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

/// Which files.
#[derive(Args)]
struct Files {
    /// The broker's data directory.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Only this topic.
    #[arg(long, short = 't')]
    topic: Option<String>,
    /// Only this partition.
    #[arg(long, short = 'p', value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
}

impl Files {
    fn find(&self) -> anyhow::Result<Vec<SegmentFile>> {
        require_directory(&self.data_dir)?;
        let mut files = inspect::segments(&self.data_dir)?;
        if let Some(topic) = &self.topic
            && files.iter().all(|file| file.topic != *topic)
        {
            let mut known: Vec<_> = files.iter().map(|file| file.topic.as_str()).collect();
            known.dedup();
            return Err(UsageError::unknown("topic", topic, known).into());
        }
        files.retain(|file| {
            self.topic.as_ref().is_none_or(|topic| file.topic == *topic)
                && self.partition.is_none_or(|partition| file.partition == partition)
        });
        if let (true, Some(partition)) = (files.is_empty(), self.partition) {
            return Err(UsageError::new(format!("no log of partition {partition}")).into());
        }
        Ok(files)
    }
}

fn require_directory(path: &Path) -> Result<(), UsageError> {
    match path.is_dir() {
        true => Ok(()),
        false => Err(UsageError::new(format!("no such directory: {}", path.display()))),
    }
}

/// Runs one `tickertape log` subcommand.
pub(crate) async fn run(command: LogCommand, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let working = tokio::task::spawn_blocking(|| {
        let mut out = BufWriter::new(io::stdout().lock());
        let done = match command {
            LogCommand::Dump(options) => dump(&options, &mut out),
            LogCommand::Verify(options) => verify(&options, &mut out),
            LogCommand::Rebuild(options) => rebuild(&options, &mut out),
        };
        // What was found before a failure is said, too.
        match done.and_then(|code| Ok(out.flush().map(|()| code)?)) {
            // Whoever reads has seen enough.
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
            done => done,
        }
    });
    tokio::select! {
        done = working => done?,
        () = shutdown.cancelled() => Ok(ExitCode::FAILURE),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn dump(options: &Dump, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    for file in options.files.find()? {
        writeln!(out, "Dumping {}", file.path.display())?;
        writeln!(out, "Log starting offset: {}", file.base_offset)?;
        let mut stopped = None;
        inspect::dump(&file, |batch| match dump_batch(&file, &batch, options.records, out) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                stopped = Some(error);
                ControlFlow::Break(())
            }
        })?;
        if let Some(error) = stopped {
            return Err(error);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn dump_batch(file: &SegmentFile, batch: &FoundBatch, records: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let bytes = inspect::read_batch(file, batch)?;
    let is_valid = validate_crc(&bytes).is_ok();
    writeln!(out, "{}", batch_line(&batch.header, batch.position, is_valid))?;
    if !records || !is_valid {
        return Ok(());
    }
    let whole = Batch {
        position: 0,
        header: batch.header.clone(),
        bytes: &bytes,
    };
    let at = || format!("{}, batch at byte {}", file.path.display(), batch.position);
    let payload = whole.decompressed(BATCH_BYTES_MAX).with_context(at)?;
    for record in Records::new(&batch.header, &payload) {
        let record = record.with_context(at)?;
        writeln!(out, "{}", record_line(&batch.header, &record))?;
    }
    Ok(())
}

/// A batch as kafka-dump-log prints it.
fn batch_line(header: &BatchHeader, position: u64, is_valid: bool) -> String {
    let last_sequence = if header.base_sequence < 0 {
        -1
    } else {
        header.last_sequence()
    };
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {last_sequence} producerId: {} \
         producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} position: {position} {}: {} \
         size: {} magic: {} compresscodec: {} crc: {} isvalid: {is_valid}",
        header.base_offset,
        header.last_offset(),
        header.records_count,
        header.base_sequence,
        header.producer_id,
        header.producer_epoch,
        header.partition_leader_epoch,
        header.is_transactional(),
        header.is_control(),
        time_name(header),
        header.max_timestamp,
        header.size_in_bytes(),
        header.magic,
        header.compression().map_or("unknown", |codec| codec.name()),
        header.crc,
    )
}

fn record_line(header: &BatchHeader, record: &Record<'_>) -> String {
    let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    let mut line = format!(
        "| offset: {} {}: {} keySize: {} valueSize: {}",
        record.offset,
        time_name(header),
        record.timestamp,
        size(record.key),
        size(record.value),
    );
    if header.base_sequence >= 0 {
        line += &format!(" sequence: {}", header.base_sequence.wrapping_add(record.offset_delta));
    }
    let headers: Vec<_> = record
        .headers
        .iter()
        .map(|(name, value)| format!("{}:{}", text(Some(name)), text(value)))
        .collect();
    line += &format!(" headerKeys: [{}]", headers.join(","));
    if !header.is_control() {
        line += &format!(" key: {} payload: {}", text(record.key), text(record.value));
    }
    line
}

fn time_name(header: &BatchHeader) -> &'static str {
    match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

/// Bytes as text on one line: what is not printable is escaped.
fn text(bytes: Option<&[u8]>) -> String {
    match bytes.map(std::str::from_utf8) {
        None => "null".to_owned(),
        Some(Ok(text)) if !text.contains(char::is_control) => text.to_owned(),
        _ => bytes.unwrap_or_default().escape_ascii().to_string(),
    }
}

fn verify(options: &Verify, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let (mut batches, mut records, mut damaged) = (0, 0, 0);
    let files = options.files.find()?;
    for file in &files {
        let found = inspect::verify(file)?;
        let path = file.path.display();
        batches += found.batches;
        records += found.records;
        match found.damage {
            None => writeln!(
                out,
                "{path}: {} batches, {} records, offsets {} to {}: whole",
                found.batches, found.records, file.base_offset, found.next_offset
            )?,
            Some(damage) => {
                damaged += 1;
                writeln!(
                    out,
                    "{path}: damaged at byte {} ({} bytes from there to the end): {}; before it {} batches, {} records",
                    damage.position, damage.bytes, damage.reason, found.batches, found.records
                )?;
            }
        }
    }
    writeln!(
        out,
        "{} segments, {batches} whole batches, {records} records, {damaged} segments damaged",
        files.len()
    )?;
    Ok(match damaged {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn rebuild(options: &Rebuild, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    require_directory(&options.data_dir)?;
    let rebuilt = tickertape_broker::rebuild(&options.data_dir)?;
    for log in &rebuilt {
        writeln!(
            out,
            "{}-{}: {} segments, offsets {} to {}, topic id {}",
            log.topic, log.partition, log.segments, log.log_start_offset, log.log_end_offset, log.topic_id
        )?;
    }
    writeln!(out, "{} partitions rebuilt", rebuilt.len())?;
    Ok(ExitCode::SUCCESS)
}
