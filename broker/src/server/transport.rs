//! The one small trait between a connection and its socket.
//!
//! [`Plain`] is a TCP socket: ranges of segment files go out by `sendfile`, so that the bytes of a fetch never enter the
//! process. A transport that has to see the bytes (TLS) leaves [`Transport::send_file`] as it is: `pread` into a buffer.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, BorrowedFd};

use bytes::BytesMut;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::log::FileChunk;

/// A byte stream to a client.
pub(crate) trait Transport {
    /// Waits for bytes, then makes room for `room` of them at the end of `buffer` and reads what there is. 0 at the end of
    /// the stream. May be cancelled without loss.
    async fn receive(&self, buffer: &mut BytesMut, room: usize) -> io::Result<usize>;

    /// Writes all of `bytes`. With `more`, something follows at once and the system may hold the bytes back for it.
    async fn send(&self, bytes: &[u8], more: bool) -> io::Result<()>;

    /// Writes a range of a file: by `pread` and [`Self::send`] where there is no shorter way.
    async fn send_file(&self, chunk: &FileChunk, more: bool) -> io::Result<()> {
        let bytes = chunk.read()?;
        self.send(&bytes, more).await
    }
}

/// A TCP socket.
#[derive(Debug)]
pub(crate) struct Plain {
    stream: TcpStream,
}

impl Plain {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream }
    }
}

impl Transport for Plain {
    async fn receive(&self, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
        loop {
            // An idle connection holds no room.
            self.stream.readable().await?;
            buffer.reserve(room);
            match self.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    #[cfg(target_os = "linux")]
    async fn send(&self, mut bytes: &[u8], more: bool) -> io::Result<()> {
        let flags = libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
        let fd = self.stream.as_raw_fd();
        while !bytes.is_empty() {
            let sent = self.stream.async_io(Interest::WRITABLE, || {
                // SAFETY: the pointer and the length are those of `bytes`, which outlives the call.
                checked(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) })
            });
            bytes = &bytes[sent.await?..];
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    async fn send(&self, mut bytes: &[u8], _more: bool) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self
                .stream
                .async_io(Interest::WRITABLE, || self.stream.try_write(bytes))
                .await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    async fn send_file(&self, chunk: &FileChunk, more: bool) -> io::Result<()> {
        match chunk.fd() {
            Some(file) => self.sendfile(file, chunk.position, chunk.len).await,
            None => self.send(&chunk.read()?, more).await,
        }
    }
}

#[cfg(target_os = "linux")]
impl Plain {
    async fn sendfile(&self, file: BorrowedFd<'_>, position: u64, len: usize) -> io::Result<()> {
        let (socket, file) = (self.stream.as_raw_fd(), file.as_raw_fd());
        let mut position = libc::off_t::try_from(position).map_err(io::Error::other)?;
        let mut left = len;
        while left > 0 {
            let sent = self.stream.async_io(Interest::WRITABLE, || {
                // SAFETY: both descriptors are open for as long as `self` and the chunk are borrowed, and `position` is
                // a valid place for the system to read and write.
                checked(unsafe { libc::sendfile(socket, file, &mut position, left) })
            });
            match sent.await? {
                0 => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "a segment is shorter than its batches",
                    ));
                }
                sent => left -= sent,
            }
        }
        Ok(())
    }
}

/// A system call's result as Rust says it.
#[cfg(target_os = "linux")]
fn checked(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use uuid::Uuid;

    use super::*;
    use crate::log::{Isolation, LogConfig, LogDir, Origin, PartitionLog};
    use crate::metadata::store::Store;
    use crate::wire::build::BatchBuilder;

    /// What a transport is that has to see the bytes.
    struct Portable(Plain);

    impl Transport for Portable {
        async fn receive(&self, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
            self.0.receive(buffer, room).await
        }

        async fn send(&self, bytes: &[u8], more: bool) -> io::Result<()> {
            self.0.send(bytes, more).await
        }
    }

    async fn pair() -> (Plain, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(connecting, listener.accept());
        (Plain::new(accepted.unwrap().0), client.unwrap())
    }

    /// Sends a head and the chunk, more than a socket holds, and says what arrives.
    async fn sent(transport: impl Transport, mut client: TcpStream, chunk: &FileChunk) -> Vec<u8> {
        let mut arrived = Vec::new();
        let sending = async {
            transport.send(b"head", true).await.unwrap();
            transport.send_file(chunk, false).await.unwrap();
            drop(transport);
        };
        let ((), read) = tokio::join!(sending, client.read_to_end(&mut arrived));
        read.unwrap();
        arrived
    }

    #[tokio::test]
    async fn the_same_bytes_arrive_by_sendfile_and_by_the_portable_way() {
        let directory = tempfile::tempdir().unwrap();
        let dir = LogDir::open(directory.path(), &Store::in_memory(), 10).unwrap();
        let config = LogConfig {
            max_message_bytes: i32::MAX,
            ..LogConfig::default()
        };
        let log = PartitionLog::open(&dir, "t", Uuid::from_u128(1), 0, config.into(), 0).unwrap();
        let value: Vec<u8> = (0..9 << 20).map(|n: u32| (n ^ n >> 8) as u8).collect();
        let batch = BatchBuilder::new().record(0, None, Some(&value)).build().unwrap();
        log.append(&batch, Origin::Client, 0, 0).unwrap();
        let read = log.read(0, usize::MAX, true, Isolation::ReadUncommitted).unwrap();
        let chunk = read.chunk.unwrap();
        let expected = [b"head".as_slice(), &chunk.read().unwrap()].concat();
        assert!(expected.len() > value.len());
        let (plain, client) = pair().await;
        assert!(sent(plain, client, &chunk).await == expected, "by sendfile");
        let (plain, client) = pair().await;
        assert!(sent(Portable(plain), client, &chunk).await == expected, "by pread");
    }
}
