//! Listening on a port of this machine, and what every proxy can do to its connections: cut them all, and refuse new ones
//! for a while.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// The connections of one proxy.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    target: Mutex<Option<SocketAddr>>,
    refusing: AtomicBool,
    /// Ends all connections made since the last cut.
    open: Mutex<CancellationToken>,
}

impl Gate {
    /// Listens on a free port.
    pub(crate) async fn listen() -> anyhow::Result<(Arc<Gate>, TcpListener)> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.context("cannot listen on this machine")?;
        let gate = Gate {
            address: listener.local_addr()?,
            target: Mutex::new(None),
            refusing: AtomicBool::new(false),
            open: Mutex::default(),
        };
        Ok((Arc::new(gate), listener))
    }

    /// Says where connections lead to.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }

    /// Connects to the target.
    pub(crate) async fn connect(&self) -> std::io::Result<TcpStream> {
        let target = *self.target.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = TcpStream::connect(target.ok_or(std::io::ErrorKind::NotConnected)?).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *open).cancel();
    }

    /// Whether new connections are ended at once.
    pub(crate) fn refuse(&self, refusing: bool) {
        self.refusing.store(refusing, Ordering::Relaxed);
    }

    /// Serves each connection until it ends or is cut.
    pub(crate) async fn accept<F: Future<Output = ()> + Send + 'static>(
        &self,
        listener: TcpListener,
        serve: impl Fn(TcpStream) -> F,
    ) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors: others must end first.
                tokio::task::yield_now().await;
                continue;
            };
            if self.refusing.load(Ordering::Relaxed) {
                continue;
            }
            // An answer that waits for the next one would only slow both sides down.
            let _ = stream.set_nodelay(true);
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
            tokio::spawn(open.run_until_cancelled_owned(serve(stream)));
        }
    }
}

/// Passes bytes on between clients and a server, until cut. Gives what cuts.
pub(crate) async fn pass_through() -> anyhow::Result<Arc<Gate>> {
    let (gate, listener) = Gate::listen().await?;
    let own = Arc::clone(&gate);
    let accepting = Arc::clone(&gate);
    tokio::spawn(async move {
        let serve = |mut client: TcpStream| {
            let gate = Arc::clone(&own);
            async move {
                if let Ok(mut server) = gate.connect().await {
                    // Ended by either side, it is ended for both.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            }
        };
        accepting.accept(listener, serve).await;
    });
    Ok(gate)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn bytes_pass_until_the_connection_is_cut() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = pass_through().await.unwrap();
        gate.lead_to(server.local_addr().unwrap());
        let mut client = TcpStream::connect(gate.address).await.unwrap();
        client.write_all(b"to").await.unwrap();
        let (mut accepted, _) = server.accept().await.unwrap();
        let mut two = [0; 2];
        accepted.read_exact(&mut two).await.unwrap();
        accepted.write_all(&two).await.unwrap();
        client.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"to");
        gate.cut();
        assert_eq!(client.read(&mut two).await.unwrap_or(0), 0);
        assert_eq!(accepted.read(&mut two).await.unwrap_or(0), 0);
        gate.refuse(true);
        let mut refused = TcpStream::connect(gate.address).await.unwrap();
        assert_eq!(refused.read(&mut two).await.unwrap_or(0), 0);
    }
}
