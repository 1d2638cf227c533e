//! A way to the store on which a test decides about each request.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What becomes of a request.
pub(crate) enum Verdict {
    /// It goes on to the store.
    Pass,
    /// Its connection ends.
    Cut,
    /// It is answered by this status, and the store doesn't see it.
    Answer(&'static str),
}

/// Listens in front of the store at `endpoint` and asks `decide` about each request, by its first line: `PUT /lake/key?…`.
/// Gives the endpoint to use instead.
pub(crate) async fn proxy<F, D>(endpoint: &str, decide: D) -> String
where
    F: Future<Output = Verdict> + Send + 'static,
    D: Fn(String) -> F + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let store = endpoint.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (decide, store) = (decide.clone(), store.clone());
            // It ends with an error where either side goes away.
            tokio::spawn(async move { pass(client, &store, decide).await.ok() });
        }
    });
    url
}

/// One connection, which carries one request: the store is told to close it.
async fn pass<F: Future<Output = Verdict>>(
    mut client: TcpStream,
    store: &str,
    decide: impl Fn(String) -> F,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let first = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    match decide(String::from_utf8_lossy(first).into_owned()).await {
        Verdict::Cut => Ok(()),
        Verdict::Answer(status) => {
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            client.write_all(answer.as_bytes()).await?;
            // Its body, so that the answer isn't lost to a connection that is reset.
            tokio::io::copy(&mut client, &mut tokio::io::sink()).await.map(drop)
        }
        Verdict::Pass => {
            let mut store = TcpStream::connect(store).await?;
            head.truncate(head.len() - 2);
            head.extend_from_slice(b"Connection: close\r\n\r\n");
            store.write_all(&head).await?;
            tokio::io::copy_bidirectional(&mut client, &mut store).await.map(drop)
        }
    }
}
