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

/// Who may read the operator pages, and the limits of admin connections, which must not use up
/// the files and the memory that calls need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Who may read the operator pages.
    pub access: AdminAccess,
    /// The maximum number of open connections; further ones are closed immediately.
    pub max_connections: usize,
    /// The timeout for the head of a request.
    pub head_timeout: Duration,
}

/// The maximum age of a connection, as a multiple of [`AdminSettings::head_timeout`]. It frees
/// connections whose reader has stalled.
const AGE: u32 = 6;

/// How long an answer in progress may take when its connection is to end.
const LINGER: Duration = Duration::from_secs(1);

/// After how long it is tried again when no connection could be taken.
const OUT_OF_ROOM: Duration = Duration::from_millis(100);

/// Serves the pages until `stop`.
pub async fn serve(listener: TcpListener, pages: Router, settings: AdminSettings, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(settings.max_connections));
    let connections = TaskTracker::new();
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            () = stop.cancelled() => break,
        };
        match taken {
            Ok((stream, peer)) => {
                let Ok(permit) = room.clone().try_acquire_owned() else {
                    continue;
                };
                let (pages, stop) = (pages.clone(), stop.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    converse(stream, peer, pages, settings.head_timeout, stop).await;
                });
            }
            Err(error) => {
                tracing::debug!(%error, "an admin connection cannot be taken");
                sleep(OUT_OF_ROOM).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    pages: Router,
    head: Duration,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY on a connection");
    }
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        pages.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = timeout(head * AGE, stop.cancelled()) => {
            connection.as_mut().graceful_shutdown();
            timeout(LINGER, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "an admin connection ended badly");
    }
}
