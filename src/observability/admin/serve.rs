use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::AdminAccess;

/// Settings of the admin listener: its clients must not use up the file descriptors and the memory
/// that calls need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Who may read the operator pages.
    pub access: AdminAccess,
    /// Maximum number of open connections; one more is closed at once.
    pub max_connections: usize,
    /// Timeout of a request's head, including the time until the request begins.
    pub head_timeout: Duration,
}

/// Maximum age of a connection, as a multiple of [`AdminSettings::head_timeout`], so that stalled
/// readers do not keep their connections.
const MAX_AGE: u32 = 6;

/// How long a response in progress may take after its connection was told to end.
const LINGER: Duration = Duration::from_secs(1);

/// Pause after `accept` failed, which is mostly for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the admin pages until `stop` is cancelled.
pub async fn serve(listener: TcpListener, pages: Router, settings: AdminSettings, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(settings.max_connections));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(permit) = permits.clone().try_acquire_owned() else {
                    continue;
                };
                let (pages, stop) = (pages.clone(), stop.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    serve_connection(stream, peer, pages, settings.head_timeout, stop).await;
                });
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept an admin connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    pages: Router,
    head_timeout: Duration,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY on a connection");
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        pages.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = timeout(head_timeout * MAX_AGE, stop.cancelled()) => {
            connection.as_mut().graceful_shutdown();
            timeout(LINGER, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "an admin connection ended with an error");
    }
}
