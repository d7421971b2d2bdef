//! Accept loop: plain TCP or TLS, with a connection limit and a handshake timeout.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{either::Either, sync::CancellationToken};

use super::connection::{Connection, Peer};
use crate::{
    access::reload::Reloading,
    grpc::tls::{ClientCertificate, Tls},
    observability::metrics::Count,
};

/// The socket of an accepted connection.
pub type Socket = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// How connections are accepted.
#[derive(Clone, Debug)]
pub struct AcceptSettings {
    /// TLS; `None` is plain text.
    pub tls: Option<Arc<Reloading<Tls>>>,
    /// The timeout of the TLS handshake, and again of the HTTP/2 preface.
    pub handshake_timeout: Duration,
    /// Cancelled to close all connections.
    pub close: CancellationToken,
}

/// The metrics of connections, and their limit.
#[derive(Debug)]
pub struct ConnectionMetrics {
    /// Connections that were accepted.
    pub accepted: Count,
    /// Connections that were closed at once, because `max_connections` were open.
    pub refused: Count,
    /// Connections whose TLS handshake failed.
    pub handshakes_failed: Count,
    permits: Arc<Semaphore>,
    max_connections: usize,
}

impl ConnectionMetrics {
    /// Metrics without connections, of which `max_connections` may be open.
    pub fn new(max_connections: usize) -> Self {
        let max_connections = max_connections.min(Semaphore::MAX_PERMITS);
        Self {
            accepted: Count::default(),
            refused: Count::default(),
            handshakes_failed: Count::default(),
            permits: Arc::new(Semaphore::new(max_connections)),
            max_connections,
        }
    }

    /// The number of open connections.
    pub fn open(&self) -> usize {
        self.max_connections - self.permits.available_permits()
    }
}

/// The capacity of the channel to the HTTP server, which takes connections at once.
const CAPACITY: usize = 16;

/// How long to wait when the system cannot accept another connection.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// The least time between two warnings.
const WARN_INTERVAL: Duration = Duration::from_secs(10);

/// The connections that are accepted from `listener`. It stops accepting when the stream is dropped.
pub fn incoming(
    listener: TcpListener,
    settings: AcceptSettings,
    metrics: Arc<ConnectionMetrics>,
) -> impl Stream<Item = io::Result<Connection<Socket>>> {
    let (served, connections) = mpsc::channel(CAPACITY);
    tokio::spawn(accept(listener, settings, metrics, served));
    stream::unfold(connections, |mut connections| async move {
        let next = connections.recv().await?;
        Some((Ok(next), connections))
    })
}

async fn accept(
    listener: TcpListener,
    settings: AcceptSettings,
    metrics: Arc<ConnectionMetrics>,
    served: mpsc::Sender<Connection<Socket>>,
) {
    let permits = metrics.permits.clone();
    let mut warned: Option<Instant> = None;
    let mut warn = |what: &str, error: Option<io::Error>| {
        if warned.is_none_or(|warned| warned.elapsed() >= WARN_INTERVAL) {
            warned = Some(Instant::now());
            let error = error.map(|error| error.to_string());
            tracing::warn!(error, "{what}");
        }
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = served.closed() => return,
        };
        match (accepted, permits.clone().try_acquire_owned()) {
            (Ok((socket, address)), Ok(permit)) => {
                metrics.accepted.add();
                let (settings, metrics, served) = (settings.clone(), metrics.clone(), served.clone());
                tokio::spawn(async move {
                    let prepared = timeout(
                        settings.handshake_timeout,
                        prepare(socket, address, permit, &settings),
                    );
                    let why = match prepared.await {
                        // The send fails if the service stops.
                        Ok(Ok(connection)) => return drop(served.send(connection).await),
                        Ok(Err(error)) => error.to_string(),
                        Err(_) => "it took longer than the setting handshake_timeout allows".to_owned(),
                    };
                    metrics.handshakes_failed.add();
                    tracing::info!(peer = %address, why, "a TLS handshake failed");
                });
            }
            (Ok(_), Err(_)) => {
                metrics.refused.add();
                warn("closing new connections: max_connections are open", None);
            }
            // The client closed the connection before it was accepted.
            (Err(error), _) if is_of_one_connection(&error) => {}
            (Err(error), _) => {
                warn("cannot accept a connection", Some(error));
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

async fn prepare(
    socket: TcpStream,
    address: SocketAddr,
    permit: OwnedSemaphorePermit,
    settings: &AcceptSettings,
) -> io::Result<Connection<Socket>> {
    socket.set_nodelay(true)?;
    let (socket, certificate) = match &settings.tls {
        None => (Either::Left(socket), None),
        Some(tls) => {
            // The connection keeps the certificates that are in force now.
            let acceptor = TlsAcceptor::from(tls.load().config().clone());
            let stream = acceptor.accept(socket).await?;
            let certificate = ClientCertificate::presented(tls, stream.get_ref().1.peer_certificates());
            (Either::Right(Box::new(stream)), certificate)
        }
    };
    let peer = Peer::new(address, certificate, settings.close.child_token());
    Ok(Connection::new(socket, peer, settings.handshake_timeout, permit))
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
