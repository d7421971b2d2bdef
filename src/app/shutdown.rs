//! Waits for the signals that stop the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for the first SIGTERM or SIGINT. A second signal ends the process immediately, without
/// waiting for calls in progress.
///
/// # Errors
///
/// If the signal handlers cannot be installed.
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
