use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    AdminAccess,
    places::{Place, Places},
    write_timeout::WriteTimeout,
};

/// Settings of the admin listener: its clients must not use up the file descriptors and the memory
/// that calls need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Who may read the operator pages.
    pub access: AdminAccess,
    /// Maximum number of open connections; one more takes the place of an idle one.
    pub max_connections: usize,
    /// Timeout of a request's head, including the time until the request begins, and how long a client
    /// may read nothing of a response.
    pub head_timeout: Duration,
}

/// Maximum age of a connection, as a multiple of [`AdminSettings::head_timeout`], so that slow
/// readers do not keep their connections.
const MAX_AGE: u32 = 6;

/// How long a response in progress may take after its connection was told to end.
const LINGER: Duration = Duration::from_secs(1);

/// Pause after `accept` failed, which is mostly for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the admin pages until `stop` is cancelled.
pub async fn serve(listener: TcpListener, pages: Router, settings: AdminSettings, stop: CancellationToken) {
    let places = Arc::new(Places::new(settings.max_connections));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let place = Arc::new(places.take(peer.ip()));
                let (pages, stop) = (pages.clone(), stop.clone());
                let patience = settings.head_timeout;
                connections.spawn(async move {
                    let leave = place.leave.clone();
                    let served = serve_connection(stream, peer, place, pages, patience, stop);
                    leave.run_until_cancelled(served).await;
                });
                // The connection reads its request before the next one can take its place.
                yield_now().await;
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
    place: Arc<Place>,
    pages: Router,
    head_timeout: Duration,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY on a connection");
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        place.set_answering(true);
        let (response, place) = (pages.clone().oneshot(request), place.clone());
        async move {
            let response = response.await;
            place.set_answering(false);
            response
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(WriteTimeout::new(stream, head_timeout)), service);
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
