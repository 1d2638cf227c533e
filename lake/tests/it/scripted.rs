//! A server that answers AWS's JSON protocol from a script, for what no server here would answer by itself: pages, failures and
//! refusals in the words that Amazon documents. It keeps what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tickertape_client::s3::S3Options;
use tokio::net::TcpListener;

/// An operation's name, a status and a body.
type Line = (&'static str, u16, Value);

#[derive(Default)]
struct Script {
    lines: VecDeque<Line>,
    asked: Vec<(String, Value)>,
}

/// A running server.
pub(crate) struct Scripted {
    endpoint: String,
    script: Arc<Mutex<Script>>,
}

impl Scripted {
    /// A server that gives these answers in this order, and none else.
    pub(crate) async fn start(lines: impl IntoIterator<Item = Line>) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script {
            lines: lines.into_iter().collect(),
            asked: Vec::new(),
        }));
        let of_server = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let script = Arc::clone(&of_server);
                let answer = service_fn(move |request| answer(Arc::clone(&script), request));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), answer));
            }
        });
        Scripted { endpoint, script }
    }

    /// What a client of it is built from.
    pub(crate) async fn config(&self) -> SdkConfig {
        S3Options::at(&self.endpoint).sdk_config().await.unwrap()
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.script.lock().unwrap().asked.clone()
    }

    /// The names of what it was asked.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.asked().into_iter().map(|(operation, _)| operation).collect()
    }
}

async fn answer(script: Arc<Mutex<Script>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
    let operation = target.split('.').next_back().unwrap().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let (status, answer) = {
        let mut script = script.lock().unwrap();
        script
            .asked
            .push((operation.clone(), serde_json::from_slice(&body).unwrap()));
        match script.lines.front() {
            Some((expected, ..)) if *expected == operation => {
                let (_, status, body) = script.lines.pop_front().unwrap();
                (status, body)
            }
            expected => {
                let text = format!("asked for {operation}, the script has {expected:?}");
                (400, json!({ "__type": "OutOfScript", "message": text }))
            }
        }
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1");
    Ok(response.body(Full::new(Bytes::from(answer.to_string()))).unwrap())
}
