//! One connection, from accept to close: requests in order, answers in order.
//!
//! Small answers to requests that arrived together leave together. A request that does not end at once (a parked fetch)
//! first lets the earlier answers go; while it waits the socket is read on, so that a client that goes away is noticed
//! and the wait ends. Whatever is not a request closes the connection with one line in the log; Kafka answers such
//! frames in the same way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::StrBytes;
use tokio::time::timeout;

use super::Shared;
use super::frame::{BadLength, Frames};
use super::transport::Transport;
use crate::api::{self, Disconnect, Part, Reply, RequestContext, api_versions};
use crate::log::FileChunk;
use crate::wire::guard;

/// Answers up to this size are gathered.
const GATHERED_SIZE: usize = 4 * 1024;
/// When this much is gathered it leaves.
const GATHERED_MAX: usize = 64 * 1024;
/// So much of a file is sent at a time, and held at most where the transport has to see the bytes.
const PIECE_SIZE: usize = 1024 * 1024;
/// After this long without a request an idle connection gives its buffers back.
const QUIET: Duration = Duration::from_secs(1);

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The client closed it, or it was idle for too long, or the broker stops.
    #[error("closed")]
    Quiet,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came is not a request.
    #[error(transparent)]
    Length(#[from] BadLength),
    /// What came is not a request that can be answered.
    #[error("{0}")]
    Refused(String),
}

impl From<Disconnect> for End {
    fn from(disconnect: Disconnect) -> Self {
        Self::Refused(disconnect.0)
    }
}

struct Connection<T> {
    shared: Arc<Shared>,
    transport: T,
    frames: Frames,
    ctx: RequestContext,
    gathered: BytesMut,
}

/// Serves a connection until it ends.
pub(super) async fn serve(shared: Arc<Shared>, transport: impl Transport, peer: SocketAddr) {
    let ctx = RequestContext {
        broker: Arc::clone(&shared.state),
        client_id: None,
        client_host: format!("/{}", peer.ip()),
        api_key: -1,
        api_version: -1,
        correlation_id: -1,
        gone: shared.state.stop.child_token(),
    };
    let mut connection = Connection {
        shared,
        transport,
        frames: Frames::default(),
        ctx,
        gathered: BytesMut::new(),
    };
    match connection.run().await {
        Ok(()) | Err(End::Quiet) => tracing::debug!(%peer, "connection closed"),
        Err(End::Io(error)) => tracing::debug!(%peer, %error, "connection lost"),
        Err(end) => {
            let client = connection.ctx.client_id.as_deref().unwrap_or("-").to_owned();
            connection
                .shared
                .complaints
                .warn(|| format!("connection from {peer} (client {client}) is closed: {end}"));
        }
    }
    connection.ctx.gone.cancel();
}

impl<T: Transport> Connection<T> {
    async fn run(&mut self) -> Result<(), End> {
        loop {
            match self.frames.take(self.shared.request_bytes_max)? {
                Some(frame) => self.answer(frame.bytes).await?,
                None => {
                    self.flush(false).await?;
                    self.receive().await?;
                }
            }
        }
    }

    /// Reads until there is more, the client has left, it has been idle for too long, or the broker stops.
    async fn receive(&mut self) -> Result<(), End> {
        let (shared, frames, transport) = (&*self.shared, &mut self.frames, &self.transport);
        let received = async {
            let quiet = QUIET.min(shared.idle_max);
            if let Ok(received) = timeout(quiet, frames.receive(transport, shared)).await {
                return received;
            }
            frames.release();
            match timeout(shared.idle_max - quiet, frames.receive(transport, shared)).await {
                Ok(received) => received,
                Err(_) => Ok(0),
            }
        };
        tokio::select! {
            biased;
            received = received => match received? {
                0 => Err(End::Quiet),
                _ => Ok(()),
            },
            () = shared.state.stop.cancelled() => Err(End::Quiet),
        }
    }

    /// Handles one request and sends or gathers its answer.
    async fn answer(&mut self, frame: Bytes) -> Result<(), End> {
        let head = guard::request_head(&frame).map_err(|error| End::Refused(error.to_string()))?;
        self.ctx.api_key = head.api_key;
        self.ctx.api_version = head.api_version;
        self.ctx.correlation_id = head.correlation_id;
        // The name is kept, the frame that it came in is not.
        if self.ctx.client_id.as_deref() != head.client_id {
            self.ctx.client_id = head.client_id.map(|id| StrBytes::from_string(id.to_owned()));
        }
        let version = head.api_version;
        let Some(api) = api::find(head.api_key) else {
            return Err(End::Refused(format!("API key {} is not served", head.api_key)));
        };
        let body_at = head.body_at;
        if !(api.min..=api.max).contains(&version) {
            if api.key == ApiKey::ApiVersions {
                let reply = Reply::message(&self.ctx, 0, &api_versions::unsupported_version())?;
                return self.reply(reply).await;
            }
            return Err(End::Refused(format!("version {version} of {} is not served", api.name)));
        }
        let body = frame.slice(body_at..);
        guard::check_request(api.key as i16, version, &body)
            .map_err(|error| End::Refused(format!("{} version {version}: {error}", api.name)))?;

        let Self {
            transport,
            frames,
            ctx,
            gathered,
            ..
        } = self;
        let mut handled = (api.handler)(ctx, version, body);
        let reply = match futures::poll!(&mut handled) {
            Poll::Ready(reply) => reply,
            Poll::Pending => {
                if !gathered.is_empty() {
                    transport.send(gathered, false).await?;
                    gathered.clear();
                }
                tokio::select! {
                    biased;
                    reply = &mut handled => reply,
                    () = frames.ahead(transport) => {
                        ctx.gone.cancel();
                        (&mut handled).await
                    }
                }
            }
        };
        drop(handled);
        let reply =
            reply.map_err(|Disconnect(reason)| End::Refused(format!("{} version {version}: {reason}", api.name)));
        self.reply(reply?).await
    }

    async fn reply(&mut self, reply: Reply) -> Result<(), End> {
        match reply {
            Reply::None => Ok(()),
            Reply::Frame(frame) if frame.len() <= GATHERED_SIZE => {
                self.gathered.extend_from_slice(&frame);
                if self.gathered.len() >= GATHERED_MAX {
                    self.flush(false).await?;
                }
                Ok(())
            }
            Reply::Frame(frame) => {
                self.flush(true).await?;
                self.send(&frame, false).await
            }
            Reply::Parts(parts) => {
                self.flush(true).await?;
                let last = parts.len().saturating_sub(1);
                for (at, part) in parts.iter().enumerate() {
                    match part {
                        Part::Bytes(bytes) => self.send(bytes, at < last).await?,
                        Part::File(chunk) => self.send_file(chunk, at < last).await?,
                    }
                }
                Ok(())
            }
        }
    }

    async fn flush(&mut self, more: bool) -> Result<(), End> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        let sent = self.send(&gathered, more).await;
        self.gathered = gathered;
        self.gathered.clear();
        sent
    }

    /// Sends a range of a file piece by piece, so that a client which takes it slowly is not taken for one which does not.
    async fn send_file(&self, chunk: &FileChunk, more: bool) -> Result<(), End> {
        let mut sent = 0;
        while sent < chunk.len {
            let piece = FileChunk {
                file: Arc::clone(&chunk.file),
                position: chunk.position + sent as u64,
                len: (chunk.len - sent).min(PIECE_SIZE),
            };
            sent += piece.len;
            let sending = self.transport.send_file(&piece, more || sent < chunk.len);
            timeout(self.shared.idle_max, sending).await.map_err(|_| End::Quiet)??;
        }
        Ok(())
    }

    /// Sends, to a client that takes its answers.
    async fn send(&self, bytes: &[u8], more: bool) -> Result<(), End> {
        let sent = timeout(self.shared.idle_max, self.transport.send(bytes, more)).await;
        Ok(sent.map_err(|_| End::Quiet)??)
    }
}
