//! Looking into a data directory without a broker: what is in the files, whether every batch is whole, and the store made
//! anew from the bytes alone.
//!
//! [`segments`] and [`dump`] only read, and may be used while a broker runs. [`rebuild`] needs the directory for itself.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicUsize},
};

use uuid::Uuid;

use super::{
    LogConfig, LogDir, LogError, PartitionLog,
    dir::log_error,
    disk::{Disk, LogFile, Open, os::OsDisk},
    segment::base_offset_of,
    topic_id::read_topic_id,
    walk::{Scanned, Scanner, walk},
};
use crate::{metadata::store::Store, wire::batch::BatchHeader};

/// A segment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Whose.
    pub topic: String,
    /// By its directory; `None` where that does not say.
    pub topic_id: Option<Uuid>,
    /// Of the topic.
    pub partition: i32,
    /// Of its first batch.
    pub base_offset: i64,
    /// Where it is.
    pub path: PathBuf,
    /// Of the file.
    pub size_bytes: u64,
}

/// A batch in a segment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBatch {
    /// As it is stored.
    pub header: BatchHeader,
    /// Where it starts.
    pub position: u64,
}

/// What is wrong with a segment file, from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The first byte that does not belong to a whole batch.
    pub position: u64,
    /// How many bytes follow from there.
    pub bytes: u64,
    /// Why.
    pub reason: String,
}

/// What was found in a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Whole batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Offset after the last of them; the base offset where there are none.
    pub next_offset: i64,
    /// Where it ends being whole, if it does.
    pub damage: Option<Damage>,
}

/// What was made anew of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Whose.
    pub topic: String,
    /// Of the topic.
    pub topic_id: Uuid,
    /// Of the topic.
    pub partition: i32,
    /// What can be read: from
    pub log_start_offset: i64,
    /// up to, exclusively.
    pub log_end_offset: i64,
    /// In how many segments.
    pub segments: usize,
    /// The epoch of the last leader that appended; -1 where nobody did.
    pub leader_epoch: i32,
    /// The largest of the idempotent producers' ids that the log remembers.
    pub producer_id_max: Option<i64>,
}

/// The segment files of a data directory, by topic, partition and offset.
///
/// # Errors
/// The disk's.
pub fn segments(data_dir: &Path) -> Result<Vec<SegmentFile>, LogError> {
    let mut found = Vec::new();
    for entry in OsDisk.list(data_dir).map_err(log_error("listing", data_dir))? {
        let Some((topic, partition)) = topic_partition(&entry.name).filter(|_| entry.is_dir) else {
            continue;
        };
        let dir = data_dir.join(&entry.name);
        let topic_id = read_topic_id(&OsDisk, &dir);
        for file in OsDisk.list(&dir).map_err(log_error("listing", &dir))? {
            let Some(base_offset) = base_offset_of(&file.name) else {
                continue;
            };
            let (topic, path) = (topic.to_owned(), dir.join(&file.name));
            let size_bytes = file.size_bytes;
            found.push(SegmentFile {
                topic,
                topic_id,
                partition,
                base_offset,
                path,
                size_bytes,
            });
        }
    }
    found.sort_unstable_by(|a, b| (&a.topic, a.partition, a.base_offset).cmp(&(&b.topic, b.partition, b.base_offset)));
    Ok(found)
}

/// The topic and partition that a directory's name says.
fn topic_partition(name: &str) -> Option<(&str, i32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let is_number = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
    Some((topic, partition.parse().ok()?)).filter(|_| is_number && !topic.is_empty())
}

/// Calls `visit` with the batches of a segment file, in order, until it breaks. Reads the headers alone.
///
/// # Errors
/// The disk's; `InvalidData` where something is not a batch.
pub fn dump(file: &SegmentFile, mut visit: impl FnMut(FoundBatch) -> ControlFlow<()>) -> Result<(), LogError> {
    let log_file = open(file)?;
    walk(&log_file, 0, file.size_bytes, |header, position| {
        visit(FoundBatch { header, position })
    })
    .map_err(log_error("reading", &file.path))?;
    Ok(())
}

/// The bytes of a batch that [`dump`] found.
///
/// # Errors
/// The disk's.
pub fn read_batch(file: &SegmentFile, batch: &FoundBatch) -> Result<Vec<u8>, LogError> {
    let log_file = open(file)?;
    let mut bytes = vec![0; batch.header.size_in_bytes()];
    log_file
        .read_exact_at(&mut bytes, batch.position)
        .map_err(log_error("reading", &file.path))?;
    Ok(bytes)
}

/// Reads all of a segment file and checks every batch: length, magic, CRC, offsets in order.
///
/// # Errors
/// The disk's. Damage is a finding, not an error.
pub fn verify(file: &SegmentFile) -> Result<Verified, LogError> {
    let log_file = open(file)?;
    let mut scanner = Scanner::new(&log_file, 0, file.size_bytes);
    let mut verified = Verified {
        next_offset: file.base_offset,
        ..Verified::default()
    };
    loop {
        let damaged = match scanner.next().map_err(log_error("reading", &file.path))? {
            Scanned::End => return Ok(verified),
            Scanned::Torn(reason) => Some((scanner.position(), reason)),
            Scanned::Batch { header, position } if header.base_offset < verified.next_offset => {
                let expected = verified.next_offset;
                Some((
                    position,
                    format!("offset {} where {expected} is due", header.base_offset),
                ))
            }
            Scanned::Batch { header, .. } => {
                verified.batches += 1;
                verified.records += u64::try_from(header.records_count).unwrap_or(0);
                verified.next_offset = header.next_offset();
                None
            }
        };
        if let Some((position, reason)) = damaged {
            verified.damage = Some(Damage {
                position,
                bytes: file.size_bytes - position,
                reason,
            });
            return Ok(verified);
        }
    }
}

fn open(file: &SegmentFile) -> Result<LogFile, LogError> {
    let opened = OsDisk
        .open(&file.path, Open::Existing)
        .map_err(log_error("opening", &file.path))?;
    Ok(LogFile::new(opened, &Arc::new(AtomicUsize::new(0))))
}

/// Makes what the store has of every partition's log anew from the files, keeping all whole batches: also those after
/// damage. Topics themselves, their properties and what groups committed are not in the files; [`crate::rebuild()`] puts back
/// the topics that this finds.
///
/// # Errors
/// The disk's or the store's.
pub fn rebuild(data_dir: &Path, store: &Store, now_ms: i64) -> Result<Vec<Rebuilt>, LogError> {
    const OPEN_FILES_MAX: usize = 256;
    let dir = LogDir::open(data_dir, store, OPEN_FILES_MAX)?;
    dir.salvage();
    let config = Arc::new(LogConfig::default());
    let mut rebuilt: Vec<Rebuilt> = Vec::new();
    for entry in OsDisk.list(data_dir).map_err(log_error("listing", data_dir))? {
        let Some((topic, partition)) = topic_partition(&entry.name).filter(|_| entry.is_dir) else {
            continue;
        };
        let Some(topic_id) = read_topic_id(&OsDisk, &data_dir.join(&entry.name)) else {
            tracing::warn!(
                directory = entry.name,
                "left alone: it does not say which topic it belongs to"
            );
            continue;
        };
        PartitionLog::forget(&dir, topic_id, partition)?;
        let log = PartitionLog::open(&dir, topic, topic_id, partition, Arc::clone(&config), now_ms)?;
        let offsets = log.offsets();
        let segments = log.segments().len();
        let (leader_epoch, producer_id_max) = (log.latest_epoch(), log.producer_id_max());
        log.close()?;
        rebuilt.push(Rebuilt {
            topic: topic.to_owned(),
            topic_id,
            partition,
            log_start_offset: offsets.log_start_offset,
            log_end_offset: offsets.log_end_offset,
            segments,
            leader_epoch,
            producer_id_max,
        });
    }
    dir.close()?;
    rebuilt.sort_unstable_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Ok(rebuilt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{log::Origin, wire::build::BatchBuilder};

    fn fill(dir: &Path) {
        let log_dir = LogDir::open(dir, &Store::in_memory(), 10).unwrap();
        let config = Arc::new(LogConfig {
            segment_bytes: 400,
            ..LogConfig::default()
        });
        for partition in 0..2 {
            let log =
                PartitionLog::open(&log_dir, "a-b", Uuid::from_u128(9), partition, Arc::clone(&config), 0).unwrap();
            for n in 0..10 {
                let batch = BatchBuilder::new()
                    .record(n, None, Some(&[1; 60]))
                    .record(n, None, None)
                    .build()
                    .unwrap();
                log.append(&batch, Origin::Client, 0, n).unwrap();
            }
            log.close().unwrap();
        }
    }

    #[test]
    fn segments_are_found_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        let found = segments(dir.path()).unwrap();
        assert_eq!(
            found.iter().map(|file| file.base_offset).collect::<Vec<_>>(),
            [0, 4, 8, 12, 16, 0, 4, 8, 12, 16]
        );
        for file in &found {
            assert_eq!((file.topic.as_str(), file.topic_id), ("a-b", Some(Uuid::from_u128(9))));
            let verified = verify(file).unwrap();
            let expected = Verified {
                batches: 2,
                records: 4,
                next_offset: file.base_offset + 4,
                damage: None,
            };
            assert_eq!(verified, expected);
            let mut offsets = Vec::new();
            dump(file, |batch| {
                offsets.push(batch.header.base_offset);
                assert_eq!(read_batch(file, &batch).unwrap().len(), batch.header.size_in_bytes());
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(offsets, [file.base_offset, file.base_offset + 2]);
        }
    }

    #[test]
    fn damage_is_found_and_named() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        let file = segments(dir.path()).unwrap().remove(1);
        let mut bytes = std::fs::read(&file.path).unwrap();
        let second = bytes.len() / 2;
        bytes[second + 70] ^= 1;
        std::fs::write(&file.path, &bytes).unwrap();
        let verified = verify(&file).unwrap();
        assert_eq!(verified.batches, 1);
        let damage = verified.damage.unwrap();
        assert_eq!((damage.position, damage.bytes), (second as u64, second as u64));
        assert!(damage.reason.contains("CRC"), "{}", damage.reason);
    }

    #[test]
    fn without_the_store_all_records_are_back() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        let store = Store::open(dir.path()).unwrap();
        let rebuilt = rebuild(dir.path(), &store, 0).unwrap();
        assert_eq!(rebuilt.len(), 2);
        for (partition, found) in (0..).zip(&rebuilt) {
            assert_eq!(
                (found.partition, found.log_start_offset, found.log_end_offset),
                (partition, 0, 20)
            );
            assert_eq!((found.topic_id, found.segments), (Uuid::from_u128(9), 5));
        }
    }

    #[test]
    fn only_topic_directories_are_looked_into() {
        assert_eq!(topic_partition("my-topic-12"), Some(("my-topic", 12)));
        for name in ["metadata.sled", "t-0.4711-delete", "t-0.4711-stray", "-1", "t-", "t-+1"] {
            assert_eq!(topic_partition(name), None, "{name}");
        }
    }
}
