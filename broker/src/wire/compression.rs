//! The codecs of record batches in the framings that Kafka's clients write, each with a limit on its output.
//!
//! | id | codec | framing |
//! |---|---|---|
//! | 1 | gzip | one gzip member or several |
//! | 2 | snappy | xerial's stream (Java: a magic, then length-prefixed blocks), or one raw block (librdkafka and others) |
//! | 3 | lz4 | the LZ4 frame format |
//! | 4 | zstd | one zstd frame or several |
//!
//! A peer's bytes never expand beyond the caller's limit. What a frame merely declares costs at most the codec's own
//! working memory (a few blocks of 4 MiB for lz4, a window for zstd), for as long as it is expanded.

use std::io::{Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

/// How a batch's records are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// All of them, in the order of their ids.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// From the id in a batch's attributes.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// The id in a batch's attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// From the name that `compression.type` uses (`none` and `uncompressed` both mean [`Compression::None`]).
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "uncompressed" => Some(Self::None),
            _ => Self::ALL.into_iter().find(|codec| codec.name() == name),
        }
    }

    /// The name in Kafka's documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Why bytes could not be expanded or compressed.
#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    /// They are not what the codec writes.
    #[error("not valid {codec}: {reason}")]
    Corrupt {
        /// Name of the codec.
        codec: &'static str,
        /// What the codec says.
        reason: String,
    },
    /// They expand to more than the limit.
    #[error("expands to more than {limit_bytes} bytes")]
    TooLarge {
        /// The caller's limit.
        limit_bytes: usize,
    },
}

/// How xerial's stream begins; a version and the least compatible one, four bytes each, follow.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_LEN: usize = 16;
/// Block size of xerial's streams.
const XERIAL_BLOCK_LEN: usize = 32 * 1024;
/// A snappy copy takes three bytes and gives 64, and no element of it gives more.
const SNAPPY_RATIO_MAX: usize = 22;
/// Frames written by streaming clients declare windows of up to 8 MiB whatever they hold.
const ZSTD_WINDOW_LOG_MIN: u32 = 23;
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
const ZSTD_LEVEL: i32 = 3;

/// Expands `bytes`, to no more than `limit_bytes`.
pub fn decompress(codec: Compression, bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, CompressionError> {
    match codec {
        // No frame of zstd at all is nothing; the others have to begin.
        Compression::Zstd if bytes.is_empty() => Ok(Vec::new()),
        Compression::Gzip | Compression::Lz4 if bytes.is_empty() => Err(corrupt(codec, &"there is nothing")),
        Compression::None if bytes.len() > limit_bytes => Err(CompressionError::TooLarge { limit_bytes }),
        Compression::None => Ok(bytes.to_vec()),
        Compression::Gzip => read_all(
            codec,
            flate2::read::MultiGzDecoder::new(bytes),
            bytes.len(),
            limit_bytes,
        ),
        Compression::Snappy => match bytes.strip_prefix(&XERIAL_MAGIC) {
            Some(_) => xerial(bytes, limit_bytes),
            None => {
                let mut out = Vec::new();
                snappy_block(bytes, limit_bytes, &mut out)?;
                Ok(out)
            }
        },
        Compression::Lz4 => read_all(codec, FrameDecoder::new(bytes), bytes.len(), limit_bytes),
        Compression::Zstd => read_all(codec, zstd_decoder(bytes, limit_bytes)?, bytes.len(), limit_bytes),
    }
}

/// A reader that expands `bytes` as it is read. It stops nowhere: whoever reads counts. `limit_bytes` bounds what a block of
/// snappy, which is expanded at once, and zstd's window may take.
pub fn expanding<'a>(
    codec: Compression,
    bytes: &'a [u8],
    limit_bytes: usize,
) -> Result<Box<dyn Read + 'a>, CompressionError> {
    Ok(match codec {
        _ if bytes.is_empty() => Box::new(std::io::Cursor::new(decompress(codec, bytes, limit_bytes)?)),
        Compression::None => Box::new(bytes),
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        Compression::Snappy if bytes.starts_with(&XERIAL_MAGIC) => Box::new(XerialReader {
            rest: bytes,
            block: Vec::new(),
            at: 0,
            limit_bytes,
        }),
        Compression::Snappy => Box::new(std::io::Cursor::new(decompress(codec, bytes, limit_bytes)?)),
        Compression::Lz4 => Box::new(FrameDecoder::new(bytes)),
        Compression::Zstd => Box::new(zstd_decoder(bytes, limit_bytes)?),
    })
}

fn zstd_decoder(
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<zstd::stream::read::Decoder<'static, &[u8]>, CompressionError> {
    let failed = |error: std::io::Error| corrupt(Compression::Zstd, &error);
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(failed)?;
    let window_log = limit_bytes.checked_ilog2().map_or(0, |log| log + 1);
    decoder
        .window_log_max(window_log.clamp(ZSTD_WINDOW_LOG_MIN, ZSTD_WINDOW_LOG_MAX))
        .map_err(failed)?;
    Ok(decoder)
}

/// Compresses `bytes` as Kafka's Java client does.
pub fn compress(codec: Compression, bytes: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let failed = |error: std::io::Error| corrupt(codec, &error);
    match codec {
        Compression::None => Ok(bytes.to_vec()),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).map_err(failed)?;
            encoder.finish().map_err(failed)
        }
        Compression::Snappy => {
            let mut out = Vec::from(XERIAL_MAGIC);
            out.extend_from_slice(&1i32.to_be_bytes());
            out.extend_from_slice(&1i32.to_be_bytes());
            let mut encoder = snap::raw::Encoder::new();
            for block in bytes.chunks(XERIAL_BLOCK_LEN) {
                let block = encoder.compress_vec(block).map_err(|error| corrupt(codec, &error))?;
                out.extend_from_slice(&(block.len() as i32).to_be_bytes());
                out.extend_from_slice(&block);
            }
            Ok(out)
        }
        Compression::Lz4 => {
            let info = FrameInfo::new()
                .block_size(BlockSize::Max64KB)
                .block_mode(BlockMode::Independent);
            let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(bytes).map_err(failed)?;
            encoder.finish().map_err(|error| corrupt(codec, &error))
        }
        Compression::Zstd => zstd::stream::encode_all(bytes, ZSTD_LEVEL).map_err(failed),
    }
}

fn read_all(
    codec: Compression,
    reader: impl Read,
    compressed_len: usize,
    limit_bytes: usize,
) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::with_capacity(compressed_len.saturating_mul(2).min(limit_bytes));
    let beyond = (limit_bytes as u64).saturating_add(1);
    reader
        .take(beyond)
        .read_to_end(&mut out)
        .map_err(|error| corrupt(codec, &error))?;
    if out.len() > limit_bytes {
        return Err(CompressionError::TooLarge { limit_bytes });
    }
    Ok(out)
}

fn xerial(bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, CompressionError> {
    let mut rest = bytes;
    let mut out = Vec::new();
    while let Some(block) = xerial_block(&mut rest)? {
        snappy_block(block, limit_bytes, &mut out)?;
    }
    Ok(out)
}

/// The next block of xerial's stream; `None` at its end.
fn xerial_block<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, CompressionError> {
    let cut = || corrupt(Compression::Snappy, &"the stream is cut off");
    // Streams may be concatenated.
    while rest.starts_with(&XERIAL_MAGIC) {
        *rest = rest.get(XERIAL_HEADER_LEN..).ok_or_else(cut)?;
    }
    if rest.is_empty() {
        return Ok(None);
    }
    let (length, after) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (block, after) = after.split_at_checked(length).ok_or_else(cut)?;
    *rest = after;
    Ok(Some(block))
}

/// Expands xerial's stream block by block.
struct XerialReader<'a> {
    rest: &'a [u8],
    block: Vec<u8>,
    at: usize,
    /// Of one block.
    limit_bytes: usize,
}

impl Read for XerialReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.block.len() {
            let Some(block) = xerial_block(&mut self.rest).map_err(std::io::Error::other)? else {
                return Ok(0);
            };
            self.block.clear();
            self.at = 0;
            snappy_block(block, self.limit_bytes, &mut self.block).map_err(std::io::Error::other)?;
        }
        let len = buffer.len().min(self.block.len() - self.at);
        buffer[..len].copy_from_slice(&self.block[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

/// Expands one raw block and appends it.
fn snappy_block(block: &[u8], limit_bytes: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let failed = |error: snap::Error| corrupt(Compression::Snappy, &error);
    let length = snap::raw::decompress_len(block).map_err(failed)?;
    if length > block.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(corrupt(Compression::Snappy, &"a block declares more than it can hold"));
    }
    let start = out.len();
    let end = start.saturating_add(length);
    if end > limit_bytes {
        return Err(CompressionError::TooLarge { limit_bytes });
    }
    out.resize(end, 0);
    let written = snap::raw::Decoder::new()
        .decompress(block, &mut out[start..])
        .map_err(failed)?;
    out.truncate(start + written);
    Ok(())
}

fn corrupt(codec: Compression, reason: &dyn std::fmt::Display) -> CompressionError {
    CompressionError::Corrupt {
        codec: codec.name(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CODECS: [Compression; 4] = [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(seed in prop::collection::vec(any::<u8>(), 0..64), repeat in 1usize..4000) {
            let bytes = seed.repeat(repeat);
            for codec in Compression::ALL {
                let packed = compress(codec, &bytes).unwrap();
                prop_assert_eq!(&decompress(codec, &packed, bytes.len()).unwrap(), &bytes);
                if !bytes.is_empty() {
                    let refused = decompress(codec, &packed, bytes.len() - 1);
                    prop_assert!(matches!(refused, Err(CompressionError::TooLarge { .. })), "{:?} {:?}", codec, refused);
                }
            }
        }

        #[test]
        fn any_bytes_end_in_a_result(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for codec in CODECS {
                let _ = decompress(codec, &bytes, 1 << 16);
            }
        }

        #[test]
        fn a_changed_byte_never_passes_the_limit(at: prop::sample::Index, to: u8) {
            for codec in CODECS {
                let mut packed = compress(codec, &b"abcdefgh".repeat(500)).unwrap();
                let at = at.index(packed.len());
                packed[at] = to;
                if let Ok(out) = decompress(codec, &packed, 4096) {
                    prop_assert!(out.len() <= 4096);
                }
            }
        }
    }

    #[test]
    fn a_raw_snappy_block_is_taken_too() {
        let packed = snap::raw::Encoder::new().compress_vec(b"hello hello hello").unwrap();
        assert_eq!(
            decompress(Compression::Snappy, &packed, 100).unwrap(),
            b"hello hello hello"
        );
    }

    #[test]
    fn several_members_are_one_stream() {
        for codec in CODECS {
            let mut packed = compress(codec, b"one ").unwrap();
            packed.extend(compress(codec, b"two").unwrap());
            if codec != Compression::Lz4 {
                assert_eq!(decompress(codec, &packed, 100).unwrap(), b"one two", "{codec:?}");
            }
        }
    }

    #[test]
    fn a_bomb_is_cut_at_the_limit() {
        let zeros = vec![0; 8 << 20];
        for codec in CODECS {
            let packed = compress(codec, &zeros).unwrap();
            assert!(
                matches!(
                    decompress(codec, &packed, 1 << 20),
                    Err(CompressionError::TooLarge { .. })
                ),
                "{codec:?}"
            );
        }
    }

    #[test]
    fn a_snappy_length_that_is_only_declared_allocates_nothing() {
        // 100 MiB in the length field, and no data.
        let block = [0x80, 0x80, 0x80, 0x32, 0];
        assert!(matches!(
            decompress(Compression::Snappy, &block, usize::MAX),
            Err(CompressionError::Corrupt { .. })
        ));
    }

    #[test]
    fn names_and_ids_agree_with_kafka() {
        let names: Vec<_> = (0..5).map(|id| Compression::from_id(id).unwrap().name()).collect();
        assert_eq!(names, ["none", "gzip", "snappy", "lz4", "zstd"]);
        assert_eq!(Compression::from_id(5), None);
        assert_eq!(Compression::from_name("uncompressed"), Some(Compression::None));
        assert_eq!(Compression::from_name("producer"), None);
    }
}
