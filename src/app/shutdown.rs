//! Waits for the signals that stop the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::observability::telemetry;

/// Asks a service to stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Cancelled when it is to stop after the calls in progress have ended.
    pub begin: CancellationToken,
    /// Cancelled after that, when it is to end the calls in progress now.
    pub hasten: CancellationToken,
}

/// Listens for SIGTERM and SIGINT. The first begins the shutdown, the second hastens it, and the third
/// ends the process immediately.
///
/// # Errors
///
/// If the signal handlers cannot be installed.
pub fn requested() -> io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut either = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    let shutdown = Shutdown::default();
    let Shutdown { begin, hasten } = shutdown.clone();
    tokio::spawn(async move {
        let name = either().await;
        tracing::info!("received {name}: shutting down when the calls in progress have ended");
        begin.cancel();
        let name = either().await;
        tracing::warn!("received {name} again: ending the calls in progress");
        hasten.cancel();
        let name = either().await;
        tracing::error!("received {name} a third time: the process ends without waiting for anything");
        telemetry::finish_stderr();
        std::process::exit(1);
    });
    Ok(shutdown)
}
