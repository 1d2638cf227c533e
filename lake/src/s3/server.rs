//! The server: one port, HTTP/1.1, S3 and the catalog. Runs on the caller's tokio runtime.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{HttpError, HttpResponse, S3Result, s3_error};
use tickertape_client::s3::{LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::{Catalog, CatalogError, LocalCatalog};
use crate::glue::Endpoint;

use super::error::StoreError;
use super::ops::{Backend, now_ms};
use super::refusal;
use super::store::Store;

/// A client that sends no request header for so long is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stop waits for answers that clients are still reading.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
    /// Where everything is kept; created if it is not there.
    pub data_dir: PathBuf,
    /// The one access key that is known.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// Whether an answer waits until what it says would survive the loss of power.
    /// Without it, it survives the end of the process.
    pub fsync: bool,
}

impl ServerConfig {
    /// A server on a free port of this machine, with the default keys.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            data_dir: data_dir.into(),
            access_key_id: LOCAL_ACCESS_KEY_ID.to_owned(),
            secret_access_key: LOCAL_SECRET_ACCESS_KEY.to_owned(),
            fsync: false,
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken.
    #[error("{listen} is in use by another program; `--listen {host}:0` takes a free port")]
    AddressInUse {
        /// As it was asked for.
        listen: String,
        /// Its host.
        host: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}, which has to be HOST:PORT: {error}")]
    Listen {
        /// As it was asked for.
        listen: String,
        /// Why not.
        error: std::io::Error,
    },
    /// The data directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalog in it.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// The embedded S3 server.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Starts a server. When this returns it answers.
    pub async fn start(config: ServerConfig) -> Result<Handle, StartError> {
        let listener = listen(&config.listen).await?;
        let address = listener.local_addr().map_err(|error| StartError::Listen {
            listen: config.listen.clone(),
            error,
        })?;
        let (data_dir, fsync) = (config.data_dir.clone(), config.fsync);
        let opened = tokio::task::spawn_blocking(move || open(&data_dir, fsync)).await;
        let (store, catalog) = opened.map_err(|_| StoreError::Stopping)??;
        let backend = Backend {
            store: Arc::new(store),
            tasks: TaskTracker::new(),
        };
        let front = Front::new(&backend, Arc::clone(&catalog), &config);
        let stop = CancellationToken::new();
        let (store, stopped) = (Arc::clone(&backend.store), stop.clone());
        backend.tasks.spawn_blocking(move || {
            if let Err(error) = store.sweep(&stopped) {
                tracing::warn!(%error, "files of an earlier process may be left; the next start looks again");
            }
        });
        let accepting = tokio::spawn(accept(listener, front, backend.tasks.clone(), stop.clone()));
        Ok(Handle {
            address,
            config,
            backend,
            catalog,
            stop,
            accepting: Some(accepting),
        })
    }
}

async fn listen(listen: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => StartError::AddressInUse {
            listen: listen.to_owned(),
            host: listen.rsplit_once(':').map_or(listen, |(host, _)| host).to_owned(),
        },
        _ => StartError::Listen {
            listen: listen.to_owned(),
            error,
        },
    })
}

/// The catalog lies beside the objects; the store's lock guards both.
fn open(data_dir: &Path, fsync: bool) -> Result<(Store, Arc<dyn Catalog>), StartError> {
    let store = Store::open(data_dir, fsync)?;
    let catalog = LocalCatalog::open_with(&data_dir.join("catalog"), fsync)?;
    Ok((store, Arc::new(catalog)))
}

/// What answers a request: Glue or S3.
#[derive(Clone)]
struct Front {
    s3: S3Service,
    glue: Endpoint,
}

impl Front {
    fn new(backend: &Backend, catalog: Arc<dyn Catalog>, config: &ServerConfig) -> Self {
        let (id, secret) = (&config.access_key_id, &config.secret_access_key);
        let mut builder = S3ServiceBuilder::new(backend.clone());
        builder.set_auth(OneKey {
            id: id.clone(),
            secret: secret.as_str().into(),
        });
        builder.set_access(Signed);
        Self {
            s3: builder.build(),
            glue: Endpoint::new(catalog, id, secret),
        }
    }
}

/// The one key that is known.
struct OneKey {
    id: String,
    secret: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match access_key == self.id {
            true => Ok(self.secret.clone()),
            false => Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            )),
        }
    }
}

/// Who may do what: whoever has signed with the key everything, within what a signature can say.
struct Signed;

/// S3's own limit.
const PRESIGNED_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;
/// A customer's own key for the bytes: to take it and not to encrypt would be a lie.
const CUSTOMER_KEY: &str = "x-amz-server-side-encryption-customer-algorithm";

#[async_trait::async_trait]
impl S3Access for Signed {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        if request.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        }
        let query = request.uri().query().unwrap_or_default();
        let expires = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "X-Amz-Expires");
        let seconds = expires.and_then(|(_, seconds)| seconds.parse::<u64>().ok());
        if seconds.is_some_and(|seconds| seconds > PRESIGNED_SECONDS_MAX) {
            return Err(s3_error!(
                AuthorizationQueryParametersError,
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
                 {PRESIGNED_SECONDS_MAX} seconds"
            ));
        }
        if request.headers().contains_key(CUSTOMER_KEY) {
            return Err(s3_error!(
                NotImplemented,
                "Encryption with a key of the customer's is not implemented"
            ));
        }
        Ok(())
    }
}

impl Service<Request<Incoming>> for Front {
    type Response = HttpResponse;
    type Error = HttpError;
    type Future = BoxFuture<'static, Result<HttpResponse, HttpError>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if Endpoint::is_match(request.method(), request.uri().path(), request.headers()) {
            let glue = self.glue.clone();
            return Box::pin(async move { Ok(glue.answer(request).await) });
        }
        let resource = request.uri().path().to_owned();
        let answer = Service::call(&self.s3, request);
        Box::pin(async move {
            // Clients print it when something went wrong.
            let id = uuid::Uuid::new_v4().simple().to_string();
            let mut answer = refusal::complete(answer.await?, &resource, &id);
            if let Ok(id) = HeaderValue::from_str(&id) {
                answer.headers_mut().insert("x-amz-request-id", id);
            }
            Ok(answer)
        })
    }
}

/// Accepts until `stop`, then waits until every request in flight is answered and every change is made.
async fn accept(listener: TcpListener, front: Front, tasks: TaskTracker, stop: CancellationToken) {
    let connections = GracefulShutdown::new();
    let cut_off = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
                let connection = connections.watch(http.serve_connection(TokioIo::new(stream), front.clone()));
                tasks.spawn(cut_off.clone().run_until_cancelled_owned(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended");
                    }
                }));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others must end before the next can begin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("stopped while clients were still reading answers");
        cut_off.cancel();
    }
    tasks.close();
    tasks.wait().await;
}

/// A running server. Dropped, it stops accepting; [`Handle::shutdown`] also waits.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    config: ServerConfig,
    backend: Backend,
    catalog: Arc<dyn Catalog>,
    stop: CancellationToken,
    accepting: Option<JoinHandle<()>>,
}

impl Handle {
    /// `http://host:port`, for path-style requests.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The access key that it knows.
    pub fn access_key_id(&self) -> &str {
        &self.config.access_key_id
    }

    /// Its secret.
    pub fn secret_access_key(&self) -> &str {
        &self.config.secret_access_key
    }

    /// Where everything is kept.
    pub fn data_dir(&self) -> &Path {
        &self.config.data_dir
    }

    /// The catalog that this server keeps and serves.
    pub fn catalog(&self) -> Arc<dyn Catalog> {
        Arc::clone(&self.catalog)
    }

    /// Creates a bucket if it is not there.
    pub async fn ensure_bucket(&self, name: &str) -> Result<(), StoreError> {
        if !s3s::path::check_bucket_name(name) {
            return Err(StoreError::BucketName(name.to_owned()));
        }
        let store = Arc::clone(&self.backend.store);
        let name = name.to_owned();
        let created = tokio::task::spawn_blocking(move || store.create_bucket(&name, now_ms())).await;
        match created.map_err(|_| StoreError::Stopping)? {
            Ok(()) | Err(StoreError::BucketExists) => Ok(self.backend.store.index.settle().await?),
            Err(error) => Err(error),
        }
    }

    /// Stops: no new connection, every request in flight answered, the store closed cleanly.
    pub async fn shutdown(mut self) -> Result<(), StoreError> {
        self.stop.cancel();
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.await;
        }
        let store = Arc::clone(&self.backend.store);
        tokio::task::spawn_blocking(move || store.close())
            .await
            .map_err(|_| StoreError::Stopping)?
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
