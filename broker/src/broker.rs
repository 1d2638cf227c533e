//! The broker as a whole: what its parts share, how it starts and how it stops.
//!
//! A broker brings its own threads (network loops, one for timers and the disk) and never depends on the caller's runtime:
//! many of them run in one process, each with its own data directory and port. [`BrokerBuilder::start`] returns when the
//! broker answers; [`BrokerHandle::shutdown`] when every request in flight is answered and everything is on disk.

mod state;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;

use crate::clock::{Clock, SystemClock};
use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::runtime::housekeeping::{Housekeeping, HousekeepingConfig};
use crate::server::address::{self, Advertised};
use crate::server::{Server, bind};

pub(crate) use state::BrokerState;
use state::Setup;

/// Starts brokers.
///
/// ```no_run
/// # async fn example() -> Result<(), tickertape_broker::BrokerError> {
/// let broker = tickertape_broker::Broker::builder().start().await?;
/// println!("bootstrap.servers={}", broker.bootstrap_servers());
/// broker.shutdown().await
/// # }
/// ```
#[derive(Debug)]
pub struct Broker;

impl Broker {
    /// A broker on a free port of the loopback address, with a temporary data directory, unless told otherwise.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder {
            listen: None,
            advertise: None,
            data_dir: None,
            properties: Vec::new(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// How a broker is to be started.
#[derive(Debug, Clone)]
#[must_use]
pub struct BrokerBuilder {
    listen: Option<String>,
    advertise: Option<String>,
    data_dir: Option<PathBuf>,
    properties: Vec<(String, String)>,
    clock: Arc<dyn Clock>,
}

impl BrokerBuilder {
    /// Listens on `host:port`; port 0 takes a free one. Without this the property `listeners` counts, and without both
    /// `127.0.0.1:0`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(address.into());
        self
    }

    /// Tells clients to connect to `host:port` instead of the address that is listened on.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// Keeps everything in `path`, which is made if it is not there. Without this the property `log.dirs` counts, and
    /// without both a temporary directory that is deleted at the end.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// Sets one of Kafka's broker properties. A later value of the same property wins.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Sets several of Kafka's broker properties.
    pub fn properties(mut self, properties: impl IntoIterator<Item = (String, String)>) -> Self {
        self.properties.extend(properties);
        self
    }

    /// Tells the broker what time it is.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Starts the broker; it answers clients when this returns. Works under any executor.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub async fn start(self) -> Result<BrokerHandle, BrokerError> {
        aside("tickertape-start", move || self.start_blocking()).await?
    }

    /// [`start`](Self::start) for a thread that may block.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn start_blocking(self) -> Result<BrokerHandle, BrokerError> {
        let mut config = BrokerConfig::new(self.properties)?;
        let listen = match self.listen {
            Some(address) => address,
            // Kafka's default, port 9092 on every address, is no good where many run in one process.
            None => match config.given("listeners") {
                Some(listeners) => address::listener(listeners)?.unwrap_or_else(|| "127.0.0.1:0".into()),
                None => "127.0.0.1:0".into(),
            },
        };
        let advertise = match self.advertise {
            Some(address) => Some(address),
            None => address::listener(&config.string("advertised.listeners"))?,
        };
        let listener = bind(&listen, &config)?;
        let advertised = Advertised::new(advertise.as_deref(), &listen, &listener)?;
        let data_dir = match self.data_dir.or_else(|| config.data_dir()) {
            Some(path) => DataDir::Kept(path),
            None => DataDir::temporary()?,
        };
        show_addresses(&mut config, &listen, &listener, advertise.as_deref(), data_dir.path());
        let setup = Setup {
            config: Arc::new(config),
            clock: self.clock,
        };
        let background = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tickertape-background")
            .enable_all()
            .build()
            .map_err(|error| BrokerError::Runtime(format!("starting the background threads: {error}")))?;
        let state = Arc::new(BrokerState::open(
            &setup,
            advertised,
            data_dir.path(),
            background.handle(),
        )?);
        let housekeeping = housekeeping(&state)?;
        let server = Server::start(listener, &state)?;
        tracing::info!(
            address = %state.advertised,
            data_dir = %data_dir.path().display(),
            topics = state.topics.len(),
            "broker is ready"
        );
        Ok(BrokerHandle {
            bootstrap_servers: state.advertised.to_string(),
            running: Some(Running {
                state,
                server,
                housekeeping,
                background,
            }),
            data_dir,
        })
    }
}

/// What DescribeConfigs shows of where the broker is: the addresses and the directory that it has, whoever named them.
fn show_addresses(
    config: &mut BrokerConfig,
    listen: &str,
    listener: &TcpListener,
    advertise: Option<&str>,
    data_dir: &Path,
) {
    let real_port = listener.local_addr().map_or(0, |address| address.port());
    let real = match listen.rsplit_once(':') {
        Some((host, _)) => format!("{host}:{real_port}"),
        None => listen.to_owned(),
    };
    let (asked, real) = (format!("PLAINTEXT://{listen}"), format!("PLAINTEXT://{real}"));
    let listeners = match config.given("listeners") {
        // With those that are not served, as it was written.
        Some(given) if given.contains(&asked) => given.replacen(&asked, &real, 1),
        _ => real,
    };
    config.set_given("listeners", listeners);
    if let (Some(advertise), None) = (advertise, config.given("advertised.listeners")) {
        config.set_given("advertised.listeners", format!("PLAINTEXT://{advertise}"));
    }
    if config.data_dir().as_deref() != Some(data_dir) {
        config.set_given("log.dirs", data_dir.display().to_string());
    }
}

/// Starts what keeps the logs in order.
fn housekeeping(state: &BrokerState) -> Result<Housekeeping, BrokerError> {
    let millis = |name: &str| Duration::from_millis(u64::try_from(state.config.int(name)).unwrap_or(0));
    let config = HousekeepingConfig {
        retention_check_interval: millis("log.retention.check.interval.ms"),
        cleaner_backoff: millis("log.cleaner.backoff.ms"),
        cleaner_enable: state.config.boolean("log.cleaner.enable"),
        cleaner_dedupe_buffer_bytes: state.config.size("log.cleaner.dedupe.buffer.size"),
        cleaner_io_max_bytes_per_second: state
            .config
            .string("log.cleaner.io.max.bytes.per.second")
            .parse()
            .unwrap_or(f64::MAX),
        ..HousekeepingConfig::default()
    };
    Housekeeping::start(Arc::clone(&state.log_dir), Arc::clone(&state.clock), config)
        .map_err(|error| BrokerError::Runtime(format!("starting the housekeeping threads: {error}")))
}

/// A data directory, and whether it goes with the broker.
#[derive(Debug)]
enum DataDir {
    Kept(PathBuf),
    Temporary(PathBuf),
}

impl DataDir {
    fn temporary() -> Result<Self, BrokerError> {
        let path = std::env::temp_dir().join(format!("tickertape-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&path).map_err(|error| BrokerError::DataDir {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self::Temporary(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::Temporary(path) => path,
        }
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self
            && let Err(error) = std::fs::remove_dir_all(&*path)
        {
            tracing::warn!(path = %path.display(), %error, "temporary data directory is left behind");
        }
    }
}

/// A running broker. Dropping it stops it and waits for that.
#[derive(Debug)]
pub struct BrokerHandle {
    bootstrap_servers: String,
    // Before the directory, which goes last.
    running: Option<Running>,
    data_dir: DataDir,
}

#[derive(Debug)]
struct Running {
    state: Arc<BrokerState>,
    server: Server,
    housekeeping: Housekeeping,
    background: tokio::runtime::Runtime,
}

impl BrokerHandle {
    /// `host:port`, for a client's `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Where the broker keeps its data.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// Stops the broker: requests in flight are answered, parked ones at once; everything is synced to disk. Works under
    /// any executor.
    ///
    /// # Errors
    /// What could not be written; the next start recovers then.
    pub async fn shutdown(mut self) -> Result<(), BrokerError> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        aside("tickertape-stop", move || running.stop()).await?
        // The data directory goes with `self`, after the broker.
    }
}

impl Drop for BrokerHandle {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        // A runtime must not end on a thread that runs another one's tasks, and this may be such a thread.
        let stopped = std::thread::scope(|scope| scope.spawn(|| running.stop()).join());
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::error!(?stopped, "the broker did not stop cleanly");
        }
    }
}

impl Running {
    fn stop(self) -> Result<(), BrokerError> {
        self.state.stop.cancel();
        self.state.groups.shutdown();
        self.server.join();
        self.state.txns.shutdown();
        drop(self.housekeeping);
        // Nothing is left that could write.
        self.background.shutdown_timeout(Duration::from_secs(10));
        self.state.close()
    }
}

/// Runs `work` on a thread of its own and waits for it without blocking the caller's executor.
async fn aside<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, BrokerError> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _ = done.send(work());
        })
        .map_err(|error| BrokerError::Runtime(format!("starting a thread: {error}")))?;
    result
        .await
        .map_err(|_| BrokerError::Runtime(format!("{name} ended before its work was done")))
}
