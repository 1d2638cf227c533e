//! The metrics page, for Prometheus and whoever else asks for it by HTTP.
//!
//! Answers `GET /metrics` and nothing else, one request per connection. It never holds the sink up: whoever sends no
//! request within ten seconds is dropped.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::stats::Stats;

/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(10);
/// How long the part of it that matters may be.
const REQUEST_BYTES_MAX: usize = 8 << 10;

/// Serves until `stop`; says where once it listens.
pub(crate) async fn serve(listen: SocketAddr, stats: Arc<Stats>, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("--metrics {listen}"))?;
    tracing::info!("metrics at http://{}/metrics", listener.local_addr()?);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return,
            };
            let Ok((connection, _)) = accepted else { continue };
            let stats = stats.clone();
            tokio::spawn(async move {
                match tokio::time::timeout(REQUEST, answer(connection, &stats)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!("metrics: {error}"),
                    Err(_) => tracing::debug!("metrics: no request came"),
                }
            });
        }
    });
    Ok(())
}

async fn answer(mut connection: TcpStream, stats: &Stats) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        if connection.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let found = request.starts_with(b"GET /metrics ") || request.starts_with(b"GET /metrics?");
    let (status, body) = if found {
        ("200 OK", stats.prometheus())
    } else {
        ("404 Not Found", "metrics are at /metrics\n".to_owned())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body.as_bytes()).await?;
    connection.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_page_is_served_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stats = Arc::new(Stats::default());
        for (path, status) in [("/metrics", "200 OK"), ("/", "404 Not Found")] {
            let asked = async {
                let mut connection = TcpStream::connect(address).await.unwrap();
                let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
                connection.write_all(request.as_bytes()).await.unwrap();
                let mut text = String::new();
                connection.read_to_string(&mut text).await.unwrap();
                text
            };
            let answered = async {
                let (connection, _) = listener.accept().await.unwrap();
                answer(connection, &stats).await.unwrap();
            };
            let (text, ()) = tokio::join!(asked, answered);
            assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{text}");
            assert_eq!(text.contains("tickertape_sink_consumed_total 0"), path == "/metrics");
        }
    }
}
