//! When to stop: the signals that a supervisor or a person sends.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for the first SIGTERM or SIGINT. A second one ends the process at once, for
/// whoever cannot wait for calls in progress.
///
/// # Errors
///
/// When the system refuses to tell of signals.
pub fn requested() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut either = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    Ok(async move {
        let name = either().await;
        tracing::info!("{name}: no new calls; calls in progress are ending");
        tokio::spawn(async move {
            let name = either().await;
            tracing::warn!("{name} again: stopping at once");
            std::process::exit(1);
        });
    })
}
