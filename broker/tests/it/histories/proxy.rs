//! A bad network between clients and broker: connections that end at any byte, answers that are late or never come.
//!
//! The faults of a moment are those that [`Proxy::set`] says; [`Proxy::heal`] ends them, and the connections that they
//! have marked. The address stays the same, whatever becomes of the broker behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// A new connection ends after so many bytes on average, in either direction.
    pub(crate) cut_after_bytes: Option<u32>,
    /// Each piece of data is late by up to so much.
    pub(crate) delay_ms: u64,
    /// What the broker answers goes nowhere.
    pub(crate) answers_are_dropped: bool,
}

struct State {
    target: SocketAddr,
    faults: Faults,
    /// Ends every connection.
    cut: CancellationToken,
    rng: ChaCha8Rng,
}

/// The proxy, until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    // Dropped without waiting for its tasks.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Proxy {
    /// Listens on a free port for what is to go to `target`.
    pub(crate) fn start(target: SocketAddr, rng: ChaCha8Rng) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            target,
            faults: Faults::default(),
            cut: CancellationToken::new(),
            rng,
        }));
        let of_listener = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&of_listener);
                tokio::spawn(async move { carry(client, &state).await });
            }
        });
        Self {
            address,
            state,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on things are like this.
    pub(crate) fn set(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// Ends every connection.
    pub(crate) fn cut(&self) {
        let mut state = self.state.lock();
        std::mem::take(&mut state.cut).cancel();
    }

    /// Nothing is wrong any more.
    pub(crate) fn heal(&self) {
        self.set(Faults::default());
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn carry(client: TcpStream, state: &Mutex<State>) {
    let (target, cut, budget) = {
        let mut state = state.lock();
        let mean = state.faults.cut_after_bytes;
        // Whichever direction spends it.
        let budget = mean.map_or(usize::MAX, |mean| state.rng.random_range(1..=2 * mean as usize));
        (state.target, state.cut.clone(), budget)
    };
    let Ok(broker) = TcpStream::connect(target).await else {
        return reset(&client);
    };
    let _ = (client.set_nodelay(true), broker.set_nodelay(true));
    let budget = Mutex::new(budget);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_broker, mut to_broker) = broker.into_split();
    let requests = pump(&mut from_client, &mut to_broker, &budget, state, false);
    let answers = pump(&mut from_broker, &mut to_client, &budget, state, true);
    tokio::select! {
        () = requests => {}
        () = answers => {}
        () = cut.cancelled() => {}
    }
    reset(to_client.as_ref());
    reset(to_broker.as_ref());
}

/// Without a last word, as when a cable is pulled: what is on its way is lost.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    budget: &Mutex<usize>,
    state: &Mutex<State>,
    are_answers: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let (delay_ms, dropped) = {
            let mut state = state.lock();
            let faults = state.faults;
            let delay_ms = state.rng.random_range(0..=faults.delay_ms);
            (delay_ms, faults.answers_are_dropped && are_answers)
        };
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        if dropped {
            continue;
        }
        let (now, is_last) = {
            let mut left = budget.lock();
            let now = len.min(*left);
            *left -= now;
            (now, *left == 0)
        };
        if to.write_all(&buffer[..now]).await.is_err() || is_last {
            return;
        }
    }
}
