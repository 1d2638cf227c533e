//! The listener and the network loops.
//!
//! `num.network.threads` loops, each a single-threaded runtime on a thread of its own. A connection belongs to one loop
//! from accept to close: it is read, decoded, handled and answered there without handing over, so that nothing between
//! two loops is shared but the logs themselves. The first loop accepts and deals connections out in turn.
//!
//! Stopping: no connection is accepted any more, requests that had arrived whole are answered, parked ones at once, and
//! the connections are closed.

pub(crate) mod address;
mod connection;
mod frame;
mod hostile;
mod limits;
mod transport;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::broker::BrokerState;
use crate::config::BrokerConfig;
use crate::error::BrokerError;
use hostile::RateLimited;
use limits::{ConnectionLimits, ConnectionPermit, RequestMemory};

/// For how long a stop waits for connections that do not take their answers.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// What the connections of one broker share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The broker.
    pub state: Arc<BrokerState>,
    /// Complaints about clients, held to a rate.
    pub complaints: RateLimited,
    /// Memory for requests.
    pub memory: Arc<RequestMemory>,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `connections.max.idle.ms`.
    pub idle_max: Duration,
}

/// An accepted connection on its way to its loop.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    permit: ConnectionPermit,
}

/// The running network loops.
#[derive(Debug)]
pub(crate) struct Server {
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts the loops. Clients that connect from now on are answered.
    pub(crate) fn start(listener: TcpListener, state: &Arc<BrokerState>) -> Result<Self, BrokerError> {
        let config = &state.config;
        let shared = Arc::new(Shared {
            state: Arc::clone(state),
            complaints: RateLimited::default(),
            memory: Arc::new(RequestMemory::new(config.int("queued.max.request.bytes"))),
            request_bytes_max: config.size("socket.request.max.bytes"),
            idle_max: idle_max(config.int("connections.max.idle.ms")),
        });
        let limits = Arc::new(ConnectionLimits::new(
            config.size("max.connections"),
            config.size("max.connections.per.ip"),
        ));
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..network_threads(config)).map(|_| mpsc::unbounded_channel()).unzip();
        let mut acceptor = Some(Acceptor {
            listener,
            senders,
            limits,
        });
        let mut threads = Vec::new();
        for (at, receiver) in receivers.into_iter().enumerate() {
            let (shared, acceptor) = (Arc::clone(&shared), acceptor.take());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| BrokerError::Runtime(format!("starting a network loop: {error}")))?;
            let thread = std::thread::Builder::new()
                .name(format!("tickertape-network-{at}"))
                .spawn(move || {
                    let local = tokio::task::LocalSet::new();
                    local.block_on(&runtime, network_loop(shared, acceptor, receiver));
                })
                .map_err(|error| BrokerError::Runtime(format!("starting a network loop: {error}")))?;
            threads.push(thread);
        }
        Ok(Self { threads })
    }

    /// Waits for the loops to end. They do when the broker's `stop` is cancelled.
    pub(crate) fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a network loop ended by a panic");
            }
        }
    }
}

/// As many loops as were asked for; else one for every two processors, three at most, because a loop that shares its
/// processor with the clients' threads costs more than it gives.
fn network_threads(config: &BrokerConfig) -> usize {
    if config.given("num.network.threads").is_some() {
        return config.size("num.network.threads");
    }
    std::thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).clamp(1, 3))
}

/// Below zero stands for "never".
fn idle_max(idle_ms: i64) -> Duration {
    u64::try_from(idle_ms).map_or(Duration::from_secs(u64::from(u32::MAX)), Duration::from_millis)
}

/// Listens on `address`.
pub(crate) fn bind(address: &str, config: &BrokerConfig) -> Result<TcpListener, BrokerError> {
    let failed = |reason| BrokerError::Listen {
        address: address.to_owned(),
        reason,
    };
    let (host, port) = address::split(address).ok_or_else(|| address::bad(address))?;
    let host = if host.is_empty() { "0.0.0.0" } else { host.as_str() };
    let resolved = (host, port).to_socket_addrs().map_err(failed)?.next();
    let resolved = resolved.ok_or_else(|| failed(io::Error::new(io::ErrorKind::NotFound, "no such host")))?;
    let listen = || -> io::Result<TcpListener> {
        let socket = socket2::Socket::new(socket2::Domain::for_address(resolved), socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        for (name, set) in BUFFER_SIZES {
            if config.given(name).is_some() && config.int(name) > 0 {
                set(&socket, config.size(name))?;
            }
        }
        if resolved.ip().is_loopback() {
            do_not_pace(&socket);
        }
        socket.bind(&resolved.into())?;
        // Kafka's default of 50 loses connections when a thousand clients start at once.
        let backlog = if config.given("socket.listen.backlog.size").is_some() {
            config.int("socket.listen.backlog.size")
        } else {
            1_024
        };
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    listen().map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BrokerError::PortInUse { address: resolved },
        _ => failed(source),
    })
}

/// Within one machine there is no path to be gentle with, and an algorithm that paces what it sends (BBR, where that is the
/// host's default) costs a timer for every 64 KiB. Reno is always there and does not pace. Accepted sockets inherit it.
fn do_not_pace(listener: &socket2::Socket) {
    #[cfg(target_os = "linux")]
    if let Err(error) = listener.set_tcp_congestion(b"reno") {
        tracing::debug!(%error, "the host's default congestion control stays");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
}

type SetSize = fn(&socket2::Socket, usize) -> io::Result<()>;

/// Accepted sockets inherit these from the listener.
const BUFFER_SIZES: [(&str, SetSize); 2] = [
    ("socket.receive.buffer.bytes", socket2::Socket::set_recv_buffer_size),
    ("socket.send.buffer.bytes", socket2::Socket::set_send_buffer_size),
];

/// One loop: serves its connections until the broker stops and they are done.
async fn network_loop(
    shared: Arc<Shared>,
    acceptor: Option<Acceptor>,
    mut receiver: mpsc::UnboundedReceiver<Accepted>,
) {
    if let Some(acceptor) = acceptor {
        tokio::task::spawn_local(acceptor.run(Arc::clone(&shared)));
    }
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = receiver.recv() => accepted,
            () = shared.state.stop.cancelled() => None,
        };
        let Some(accepted) = accepted else { break };
        let served = serve(Arc::clone(&shared), accepted);
        tracker.spawn_local(served);
    }
    tracker.close();
    if tokio::time::timeout(STOP_WAIT, tracker.wait()).await.is_err() {
        tracing::warn!(
            connections = tracker.len(),
            "connections that did not take their answers are cut"
        );
    }
}

async fn serve(shared: Arc<Shared>, accepted: Accepted) {
    let stream = match tokio::net::TcpStream::from_std(accepted.stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(peer = %accepted.peer, %error, "connection is gone before it began");
            return;
        }
    };
    connection::serve(shared, transport::Plain::new(stream), accepted.peer).await;
    drop(accepted.permit);
}

/// Accepts connections and deals them out.
struct Acceptor {
    listener: TcpListener,
    senders: Vec<mpsc::UnboundedSender<Accepted>>,
    limits: Arc<ConnectionLimits>,
}

impl Acceptor {
    async fn run(self, shared: Arc<Shared>) {
        let listener = match tokio::net::TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "the listener cannot be used");
                return;
            }
        };
        for turn in 0.. {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shared.state.stop.cancelled() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: accepting again at once would only spin.
                    shared
                        .complaints
                        .warn(|| format!("cannot accept a connection: {error}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(permit) = self.limits.admit(peer.ip()) else {
                shared
                    .complaints
                    .warn(|| format!("connection from {peer} is closed: too many connections"));
                continue;
            };
            let handed = stream.set_nodelay(true).and_then(|()| stream.into_std());
            if let Ok(stream) = handed {
                let _ = self.senders[turn % self.senders.len()].send(Accepted { stream, peer, permit });
            }
        }
    }
}
