//! Cutting the byte stream into requests.
//!
//! A frame is four bytes of length and that many bytes of request. A declared length is believed only as far as bytes have
//! arrived: room grows with them, so that a length alone costs nothing. The request is handed out as a slice of the
//! buffer it was read into, without a copy, and the buffer is used again when nobody holds it any more.

use std::io;

use bytes::{Buf, Bytes, BytesMut};

use super::Shared;
use super::limits::RequestMemoryPermit;
use super::transport::Transport;

/// How much is read when nothing is known of what comes.
const READ_SIZE: usize = 64 * 1024;
/// Up to this length a frame gets its whole room at once.
const TRUSTED_SIZE: usize = 2 * 1024 * 1024;
/// How much is read beyond a request that is still being handled.
const AHEAD_SIZE: usize = 64 * 1024;

/// Reads frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: BytesMut,
    permit: Option<RequestMemoryPermit>,
}

/// A whole request.
#[derive(Debug)]
pub(super) struct Frame {
    /// Header and body.
    pub bytes: Bytes,
    _permit: Option<RequestMemoryPermit>,
}

/// The length that no request has.
#[derive(Debug, thiserror::Error)]
#[error("a frame of {length} bytes, with at most {max} allowed")]
pub(super) struct BadLength {
    length: i32,
    max: usize,
}

impl Frames {
    /// The next request, if all of it has arrived.
    pub(super) fn take(&mut self, max: usize) -> Result<Option<Frame>, BadLength> {
        let Some(length) = self.length(max)? else {
            return Ok(None);
        };
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.buffer.advance(4);
        let bytes = self.buffer.split_to(length).freeze();
        Ok(Some(Frame {
            bytes,
            _permit: self.permit.take(),
        }))
    }

    /// Reads more; `Ok(0)` at the end of the stream. May be cancelled without loss.
    pub(super) async fn receive(&mut self, transport: &impl Transport, shared: &Shared) -> io::Result<usize> {
        let length = self.length(shared.request_bytes_max).map_err(io::Error::other)?;
        let room = match length {
            None => READ_SIZE,
            Some(length) => {
                if self.permit.is_none() {
                    self.permit = Some(shared.memory.take(length).await);
                }
                let missing = (4 + length).saturating_sub(self.buffer.len());
                missing.min(TRUSTED_SIZE.max(self.buffer.len()))
            }
        };
        transport.receive(&mut self.buffer, room).await
    }

    /// Reads on while a request is being handled, and returns when the client has gone away.
    pub(super) async fn ahead(&mut self, transport: &impl Transport) {
        while self.buffer.len() < AHEAD_SIZE {
            match transport.receive(&mut self.buffer, READ_SIZE / 16).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        // What else the client wants has to wait, and so has the news that it is gone.
        std::future::pending().await
    }

    /// Gives an empty buffer's memory back.
    pub(super) fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// The length of the frame that the buffer begins with, if that much is there.
    fn length(&self, max: usize) -> Result<Option<usize>, BadLength> {
        let Some(head) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*head);
        match usize::try_from(length) {
            Ok(length) if length <= max => Ok(Some(length)),
            _ => Err(BadLength { length, max }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_wherever_the_stream_was_split() {
        let stream: Vec<u8> = [b"\0\0\0\x02ab".as_slice(), b"\0\0\0\0", b"\0\0\0\x01c"].concat();
        for split in 0..=stream.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for part in [&stream[..split], &stream[split..]] {
                frames.buffer.extend_from_slice(part);
                while let Some(frame) = frames.take(10).unwrap() {
                    found.push(frame.bytes);
                }
            }
            assert_eq!(found, [b"ab".as_slice(), b"", b"c"], "split at {split}");
        }
    }

    #[test]
    fn impossible_lengths_are_refused_from_the_four_bytes_alone() {
        for head in [[0xff; 4], [0, 0, 0, 11]] {
            let mut frames = Frames::default();
            frames.buffer.extend_from_slice(&head);
            assert!(frames.take(10).is_err());
        }
    }
}
