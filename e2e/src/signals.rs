//! SIGINT and SIGTERM ask for a clean stop; a second one ends the process at once.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of what was interrupted, as a shell expects.
pub(crate) const INTERRUPTED: u8 = 130;

/// A token that the first SIGINT or SIGTERM cancels. The second signal exits with [`INTERRUPTED`].
pub(crate) fn shutdown_on_signal() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if cancelled.is_cancelled() {
                std::process::exit(INTERRUPTED.into());
            }
            tracing::info!("stopping; a second signal ends at once");
            cancelled.cancel();
        }
    });
    Ok(token)
}
