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
        tracing::info!("received {name}: shutting down when the calls in progress have ended");
        tokio::spawn(async move {
            let name = either().await;
            tracing::warn!("received {name} again: aborting the calls in progress");
            std::process::exit(1);
        });
    })
}
