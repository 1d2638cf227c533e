//! One sink's way to the S3 server and its catalog: passes requests on as they come (a signature covers the `Host` header,
//! so nothing is changed), makes trouble when told to, and says when a request of a certain kind comes by.
//!
//! A request that has arrived whole is handed on even if its sender is gone meanwhile, as a network does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Method, Request as HttpRequest, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::gate::Gate;
use super::plan::{Moment, Request, Trouble};

/// How long a request is held at most for what waits at it.
const HELD_MAX: Duration = Duration::from_secs(20);

type Body = BoxBody<Bytes, Broken>;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(String);

fn broken(why: impl std::fmt::Display) -> Broken {
    Broken(why.to_string())
}

/// Somebody waits for a request.
struct Watched {
    request: Request,
    moment: Moment,
    came: oneshot::Sender<()>,
    go_on: oneshot::Receiver<()>,
}

/// What to do to requests.
struct State {
    trouble: Option<(Trouble, u32)>,
    watched: Option<Watched>,
    random: ChaCha8Rng,
    /// Troubles made.
    made: u64,
}

/// The proxy of one sink.
pub(crate) struct StoreProxy {
    pub(crate) gate: Arc<Gate>,
    state: Mutex<State>,
}

/// A request is there; dropped, it goes on.
pub(crate) struct Held(#[expect(dead_code, reason = "its end is the sign")] oneshot::Sender<()>);

/// Waits for a request.
pub(crate) struct Watch {
    came: oneshot::Receiver<()>,
    go_on: oneshot::Sender<()>,
}

impl Watch {
    /// Returns when the request has come; it is held meanwhile. `None` if none came for so long.
    pub(crate) async fn held(self, wait_max: Duration) -> Option<Held> {
        match tokio::time::timeout(wait_max, self.came).await {
            Ok(Ok(())) => Some(Held(self.go_on)),
            _ => None,
        }
    }
}

impl StoreProxy {
    /// A proxy that makes no trouble yet.
    pub(crate) async fn start(seed: u64) -> anyhow::Result<Arc<StoreProxy>> {
        let (gate, listener) = Gate::listen().await?;
        let proxy = Arc::new(StoreProxy {
            gate: Arc::clone(&gate),
            state: Mutex::new(State {
                trouble: None,
                watched: None,
                random: ChaCha8Rng::seed_from_u64(seed),
                made: 0,
            }),
        });
        let own = Arc::clone(&proxy);
        tokio::spawn(async move {
            let serve = |stream: TcpStream| {
                let proxy = Arc::clone(&own);
                async move {
                    let answer = service_fn(move |request| Arc::clone(&proxy).answer(request));
                    let http = hyper::server::conn::http1::Builder::new();
                    // It ends with an error whenever trouble was made.
                    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                }
            };
            gate.accept(listener, serve).await;
        });
        Ok(proxy)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes trouble from now on, towards so many of a hundred requests; `None` ends it.
    pub(crate) fn trouble(&self, trouble: Option<(Trouble, u32)>) {
        self.state().trouble = trouble;
    }

    /// How often trouble was made.
    pub(crate) fn made(&self) -> u64 {
        self.state().made
    }

    /// Watches for the next request of a kind.
    pub(crate) fn watch(&self, request: Request, moment: Moment) -> Watch {
        let ((came, has_come), (go_on, goes_on)) = (oneshot::channel(), oneshot::channel());
        self.state().watched = Some(Watched {
            request,
            moment,
            came,
            go_on: goes_on,
        });
        Watch { came: has_come, go_on }
    }

    /// Nobody waits for a request any more.
    pub(crate) fn unwatch(&self) {
        self.state().watched = None;
    }

    fn pick(&self) -> Option<Trouble> {
        let mut state = self.state();
        let (trouble, percent) = state.trouble?;
        if state.random.random_range(0..100) >= percent {
            return None;
        }
        state.made += 1;
        Some(trouble)
    }

    /// Holds the request if somebody waits for it.
    async fn hold(&self, request: Request, moment: Moment) {
        let wanted = |watched: &mut Watched| watched.request == request && watched.moment == moment;
        let Some(watched) = self.state().watched.take_if(wanted) else {
            return;
        };
        if watched.came.send(()).is_ok() {
            let _ = tokio::time::timeout(HELD_MAX, watched.go_on).await;
        }
    }

    async fn answer(self: Arc<Self>, request: HttpRequest<Incoming>) -> Result<Response<Body>, Broken> {
        let (head, body) = request.into_parts();
        let kind = kind_of(&head);
        let body = body.collect().await.map_err(broken)?.to_bytes();
        let trouble = self.pick();
        match trouble {
            Some(Trouble::Error500) => return Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", kind)),
            Some(Trouble::Error503) => return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", kind)),
            Some(Trouble::TornRequest) => {
                let half = body.slice(..body.len() / 2);
                let torn = HttpRequest::from_parts(head, ending_early(half));
                let _ = self.send(torn).await;
                return Err(broken("half of the request was passed on"));
            }
            _ => {}
        }
        let handing_on = tokio::spawn(async move {
            self.hold(kind, Moment::Before).await;
            let whole = Full::new(body).map_err(|never| match never {}).boxed();
            let answer = self.send(HttpRequest::from_parts(head, whole)).await?;
            self.hold(kind, Moment::After).await;
            Ok::<_, Broken>(answer)
        });
        let answer = handing_on.await.map_err(broken)??;
        match trouble {
            Some(Trouble::NoAnswer) => Err(broken("the answer was lost")),
            Some(Trouble::TornAnswer) => {
                let (head, body) = answer.into_parts();
                let body = body.collect().await?.to_bytes();
                if body.is_empty() {
                    return Err(broken("the answer was lost"));
                }
                let half = body.slice(..body.len() / 2);
                Ok(Response::from_parts(head, ending_early(half)))
            }
            Some(Trouble::Slow { ms }) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(answer)
            }
            _ => Ok(answer),
        }
    }

    /// Asks the server, on a connection of its own.
    async fn send(&self, request: HttpRequest<Body>) -> Result<Response<Body>, Broken> {
        let stream = self.gate.connect().await.map_err(broken)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(broken)?;
        Ok(answer.map(|body| body.map_err(broken).boxed()))
    }
}

/// A body that stops in the middle, and the connection with it.
fn ending_early(start: Bytes) -> Body {
    let frames = [Ok(Frame::data(start)), Err(broken("the rest is not passed on"))];
    BoxBody::new(StreamBody::new(stream::iter(frames)))
}

fn kind_of(head: &http::request::Parts) -> Request {
    let path = head.uri.path();
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_claim = path.contains("/_ledger/") && last.len() == 20;
    if head.headers.contains_key("x-amz-target") {
        Request::Catalog
    } else if head.method != Method::PUT {
        Request::Other
    } else if is_claim {
        Request::Claim
    } else if path.contains("/_") {
        // Who owns the ledger, what columns were agreed upon.
        Request::Other
    } else {
        Request::Data
    }
}

/// As Amazon S3 and AWS Glue refuse.
fn refusal(status: StatusCode, code: &str, kind: Request) -> Response<Body> {
    let (content_type, body) = match kind {
        Request::Catalog => (
            "application/x-amz-json-1.1",
            format!(r#"{{"__type":"{code}","message":"made by chaos"}}"#),
        ),
        _ => (
            "application/xml",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>made by chaos</Message></Error>"
            ),
        ),
    };
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let value = http::HeaderValue::from_static(content_type);
    answer.headers_mut().insert(http::header::CONTENT_TYPE, value);
    answer
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tickertape_client::s3::S3Options;
    use tickertape_lake::s3::{Handle, Server, ServerConfig};

    use super::*;

    async fn site() -> (TempDir, Handle, Arc<StoreProxy>, aws_sdk_s3::Client) {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(ServerConfig::new(dir.path())).await.unwrap();
        server.ensure_bucket("market").await.unwrap();
        let proxy = StoreProxy::start(1).await.unwrap();
        proxy.gate.lead_to(server.address());
        let options = S3Options::at(format!("http://{}", proxy.gate.address));
        let client = options.client().await.unwrap();
        let once = aws_sdk_s3::config::retry::RetryConfig::disabled();
        let config = client.config().to_builder().retry_config(once).build();
        (dir, server, proxy, aws_sdk_s3::Client::from_conf(config))
    }

    async fn put(client: &aws_sdk_s3::Client, key: &str) -> Result<(), Option<u16>> {
        let body = Bytes::from(vec![7; 10_000]).into();
        let put = client.put_object().bucket("market").key(key).body(body);
        let sent = put.send().await;
        sent.map(drop)
            .map_err(|error| error.raw_response().map(|answer| answer.status().as_u16()))
    }

    #[tokio::test]
    async fn trouble_is_what_it_says() {
        let (_dir, server, proxy, client) = site().await;
        assert_eq!(put(&client, "lake/t/a").await, Ok(()));
        for (trouble, seen, done) in [
            (Trouble::Error500, Err(Some(500)), false),
            (Trouble::Error503, Err(Some(503)), false),
            (Trouble::Slow { ms: 1 }, Ok(()), true),
            (Trouble::NoAnswer, Err(None), true),
            (Trouble::TornRequest, Err(None), false),
            (Trouble::TornAnswer, Err(None), true),
        ] {
            let key = format!("lake/t/{trouble:?}");
            proxy.trouble(Some((trouble, 100)));
            assert_eq!(put(&client, &key).await, seen, "{trouble:?}");
            proxy.trouble(None);
            let there = client.head_object().bucket("market").key(&key).send().await;
            assert_eq!(there.is_ok(), done, "{trouble:?}");
        }
        proxy.trouble(Some((Trouble::TornAnswer, 100)));
        let got = client.get_object().bucket("market").key("lake/t/a").send().await;
        // The wire may be cut before the head of the answer has left, or behind it.
        if let Ok(got) = got {
            let body = got.body.collect().await;
            assert!(body.is_err(), "half of the body was taken for all of it");
        }
        assert_eq!(proxy.made(), 7);
        server.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn a_request_that_is_watched_for_is_held() {
        let (_dir, server, proxy, client) = site().await;
        for (request, moment, key) in [
            (Request::Claim, Moment::Before, "lake/_ledger/t/0/00000000000000000007"),
            (Request::Data, Moment::After, "lake/t/b"),
        ] {
            let watch = proxy.watch(request, moment);
            assert_eq!(put(&client, "lake/_ledger/t/owner").await, Ok(()), "is neither");
            let sender = client.clone();
            let sending = tokio::spawn(async move { put(&sender, key).await });
            let held = watch.held(Duration::from_secs(60)).await.unwrap();
            let there = client.head_object().bucket("market").key(key).send().await;
            assert_eq!(there.is_ok(), moment == Moment::After);
            drop(held);
            assert_eq!(sending.await.unwrap(), Ok(()));
        }
        server.shutdown().await.unwrap();
    }
}
