//! The text of an object that may be packed. How it is packed is told by its first bytes, never by its name, which its writer may
//! have chosen otherwise.
//!
//! | | known by |
//! |---|---|
//! | gzip, also several in a row | `1f 8b` |
//! | zlib, which Hadoop and Athena call deflate | `78 01`, `78 9c`, `78 da` |
//! | bzip2, also several in a row | `BZh1` to `BZh9`, and the mark of a block or of the end |
//! | zstd | `28 b5 2f fd` |
//! | LZ4 in frames | `04 22 4d 18` |
//! | Snappy in frames | its stream identifier |
//! | Snappy and LZ4 as Hadoop writes them, and so Hive, Spark and Athena | lengths that no text begins with, and that fit |
//!
//! Packings that are known and not read (LZO, xz, zip) are an error that names them.
//!
//! Hadoop's form is a row of blocks: the length of the text, then chunks until the text is that long, each with its packed
//! length before it; all lengths are four bytes, the highest first.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use bytes::{Buf, Bytes};
use bzip2::read::MultiBzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// No text has such second bytes, by level of compression: none, default, best.
const ZLIB: [[u8; 2]; 3] = [[0x78, 0x01], [0x78, 0x9c], [0x78, 0xda]];
const BZIP2: &[u8] = b"BZh";
/// Behind the level: of the first block, or of the end where there is none.
const BZIP2_MARKS: [[u8; 6]; 2] = [
    [0x31, 0x41, 0x59, 0x26, 0x53, 0x59],
    [0x17, 0x72, 0x45, 0x38, 0x50, 0x90],
];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const LZ4_FRAME: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const SNAPPY_FRAME: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// A block of Hadoop's is 256 KiB by default; text begins with a byte of at least 0x09, and so with a larger number.
const HADOOP_BLOCK_BYTES_MAX: u32 = 0x08ff_ffff;
/// Packings that nothing here unpacks.
const NOT_READ: [(&[u8], &str); 3] = [
    (&[0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a], "LZO"),
    (&[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "xz"),
    (b"PK\x03\x04", "a zip archive"),
];
const BUFFER_BYTES: usize = 64 << 10;

/// The text of an object, unpacked where it is packed.
pub(crate) fn plain(body: Bytes) -> Box<dyn BufRead + Send> {
    fn buffered(text: impl Read + Send + 'static) -> Box<dyn BufRead + Send> {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, text))
    }
    let packed = Cursor::new(body.clone());
    if body.starts_with(&GZIP) {
        return buffered(MultiGzDecoder::new(packed));
    }
    if ZLIB.iter().any(|start| body.starts_with(start)) {
        return buffered(ZlibDecoder::new(packed));
    }
    if is_bzip2(&body) {
        return buffered(MultiBzDecoder::new(packed));
    }
    if body.starts_with(&ZSTD)
        && let Ok(text) = zstd::stream::read::Decoder::with_buffer(packed.clone())
    {
        return buffered(text);
    }
    if body.starts_with(&LZ4_FRAME) {
        return buffered(lz4_flex::frame::FrameDecoder::new(packed));
    }
    if body.starts_with(SNAPPY_FRAME) {
        return buffered(snap::read::FrameDecoder::new(packed));
    }
    if let Some((_, name)) = NOT_READ.iter().find(|(start, _)| body.starts_with(start)) {
        return buffered(NotRead(name));
    }
    match Hadoop::of(&body) {
        Some(text) => buffered(text),
        None => Box::new(Cursor::new(body)),
    }
}

/// A level, and a mark that no text has by chance.
fn is_bzip2(body: &[u8]) -> bool {
    match body.strip_prefix(BZIP2).and_then(<[u8]>::split_first) {
        Some((b'1'..=b'9', rest)) => BZIP2_MARKS.iter().any(|mark| rest.starts_with(mark)),
        _ => false,
    }
}

/// Says what it is instead of being read.
struct NotRead(&'static str);

impl Read for NotRead {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let why = format!(
            "it is {}: text is read plain or packed by gzip, deflate, bzip2, zstd, LZ4 or Snappy",
            self.0
        );
        Err(io::Error::new(io::ErrorKind::Unsupported, why))
    }
}

#[derive(Clone, Copy)]
enum Codec {
    Snappy,
    Lz4,
}

impl Codec {
    /// One chunk, which becomes no longer than `bytes_max`.
    fn unpack(self, chunk: &[u8], bytes_max: usize) -> io::Result<Vec<u8>> {
        let bad = |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        match self {
            Codec::Snappy => {
                let bytes = snap::raw::decompress_len(chunk).map_err(|error| bad(&error))?;
                if bytes > bytes_max {
                    return Err(bad(&"a Snappy chunk is longer than its block"));
                }
                let text = snap::raw::Decoder::new().decompress_vec(chunk);
                text.map_err(|error| bad(&error))
            }
            Codec::Lz4 => lz4_flex::block::decompress(chunk, bytes_max).map_err(|error| bad(&error)),
        }
    }
}

/// Reads Hadoop's blocks.
struct Hadoop {
    codec: Codec,
    rest: Bytes,
    /// Bytes of the block's text that were not unpacked yet.
    block_bytes: usize,
    text: Cursor<Vec<u8>>,
}

impl Hadoop {
    /// A reader of a body that is in this form: its first chunk can be unpacked.
    fn of(body: &Bytes) -> Option<Hadoop> {
        let length = |at: usize| Some(u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?));
        let (block, chunk) = (length(0)?, length(4)? as usize);
        if !(1..=HADOOP_BLOCK_BYTES_MAX).contains(&block) || chunk == 0 {
            return None;
        }
        let first = body.get(8..8 + chunk)?;
        let fits = |codec: &Codec| codec.unpack(first, block as usize).is_ok_and(|text| !text.is_empty());
        let codec = [Codec::Snappy, Codec::Lz4].into_iter().find(fits)?;
        Some(Hadoop {
            codec,
            rest: body.clone(),
            block_bytes: 0,
            text: Cursor::default(),
        })
    }

    fn length(&mut self) -> io::Result<usize> {
        let length = self.rest.try_get_u32().map_err(|_| io::ErrorKind::UnexpectedEof)?;
        Ok(length as usize)
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        if self.block_bytes == 0 {
            self.block_bytes = self.length()?;
            // A block of nothing has no chunk.
            if self.block_bytes == 0 {
                return Ok(());
            }
        }
        let packed = self.length()?;
        if packed > self.rest.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = self.codec.unpack(&self.rest.split_to(packed), self.block_bytes)?;
        if text.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a chunk without text in a block with some",
            ));
        }
        self.block_bytes -= text.len();
        self.text = Cursor::new(text);
        Ok(())
    }
}

impl Read for Hadoop {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.text.read(to)?;
            if read > 0 || to.is_empty() || self.rest.is_empty() && self.block_bytes == 0 {
                return Ok(read);
            }
            self.next_chunk()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const TEXT: &str = "{\"symbol\":\"AAPL\",\"price\":118.5}\n{\"symbol\":\"AAPL\",\"price\":118.6}\n";

    fn read(body: Vec<u8>) -> io::Result<String> {
        let mut text = String::new();
        plain(body.into()).read_to_string(&mut text).map(|_| text)
    }

    /// As Hadoop's streams write: blocks of some text, each in chunks.
    fn hadoop(pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut body = Vec::new();
        for block in TEXT.as_bytes().chunks(50) {
            body.extend((block.len() as u32).to_be_bytes());
            for chunk in block.chunks(30) {
                let packed = pack(chunk);
                body.extend((packed.len() as u32).to_be_bytes());
                body.extend(packed);
            }
        }
        body
    }

    fn packed() -> Vec<(&'static str, Vec<u8>)> {
        let text = TEXT.as_bytes();
        let gzip = || {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        };
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        zlib.write_all(text).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(text).unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(text).unwrap();
        let mut snappy = snap::write::FrameEncoder::new(Vec::new());
        snappy.write_all(text).unwrap();
        let snappy_chunk = |chunk: &[u8]| snap::raw::Encoder::new().compress_vec(chunk).unwrap();
        vec![
            ("gzip", gzip()),
            ("deflate", zlib.finish().unwrap()),
            ("bzip2", bzip2.finish().unwrap()),
            ("zstd", zstd::encode_all(text, 1).unwrap()),
            ("lz4 frames", lz4.finish().unwrap()),
            ("snappy frames", snappy.into_inner().unwrap()),
            ("hadoop snappy", hadoop(snappy_chunk)),
            ("hadoop lz4", hadoop(lz4_flex::block::compress)),
        ]
    }

    #[test]
    fn text_is_read_however_it_is_packed() {
        assert_eq!(read(TEXT.into()).unwrap(), TEXT);
        assert_eq!(read(Vec::new()).unwrap(), "");
        for (how, body) in packed() {
            assert_eq!(read(body).unwrap(), TEXT, "{how}");
        }
        for (how, body) in packed() {
            if ["gzip", "bzip2"].contains(&how) {
                assert_eq!(read(body.repeat(2)).unwrap(), TEXT.repeat(2), "{how}");
            }
        }
        let nothing = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        assert_eq!(read(nothing.finish().unwrap()).unwrap(), "");
    }

    #[test]
    fn what_is_not_unpacked_is_named() {
        for (start, name) in NOT_READ {
            let error = read([start, b"whatever"].concat()).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn what_is_cut_short_is_an_error_and_never_less_text() {
        for (how, body) in packed() {
            let cut = body[..body.len() - 5].to_vec();
            assert!(read(cut).is_err(), "{how}");
        }
    }

    #[test]
    fn text_that_begins_oddly_is_text() {
        for text in ["\tname\n", "\n\n{}\n", "é,1\n", "a", "x^y,1\n", "BZh9,1\n", "PK\n"] {
            assert_eq!(read(text.into()).unwrap(), text);
        }
    }
}
