//! Accept loop: plain TCP or TLS, with limits of connections and a handshake timeout.

use std::{convert::Infallible, error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use super::{
    backlog::Backlog,
    linger::LINGER,
    listener::{Listener, Stream},
    peer::Peer,
    places::{Full, Place, PlaceSettings, Places},
    protocol_errors::ProtocolErrors,
    serve::Http2,
    socket::Socket,
    warnings::Warnings,
};
use crate::{
    access::reload::Reloading,
    grpc::tls::{ClientCertificate, Tls},
    observability::metrics::Count,
};

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

/// The metrics of connections, and their limits.
#[derive(Debug)]
pub struct ConnectionMetrics {
    /// Connections that were accepted.
    pub accepted: Count,
    /// Connections that were closed at once, because `max_connections` were in use.
    pub refused: Count,
    /// Connections that were closed at once, because `max_connections_per_address` were in use.
    pub refused_of_address: Count,
    /// Idle connections that had to make room for new ones.
    pub displaced: Count,
    /// Connections whose TLS handshake failed.
    pub handshakes_failed: Count,
    handshake_warnings: Warnings,
    /// Calls that were ended because their client did not read.
    pub stalled: Arc<Count>,
    /// What clients did wrong.
    pub protocol_errors: Arc<ProtocolErrors>,
    pub(super) backlog: Arc<Backlog>,
    places: Arc<Places>,
}

impl ConnectionMetrics {
    /// Metrics without connections. So many may be open, with so many bytes of responses that are not read.
    pub fn new(settings: PlaceSettings, max_unread_bytes: usize) -> Self {
        Self {
            accepted: Count::default(),
            refused: Count::default(),
            refused_of_address: Count::default(),
            displaced: Count::default(),
            handshakes_failed: Count::default(),
            handshake_warnings: Warnings::default(),
            stalled: Arc::default(),
            protocol_errors: Arc::default(),
            backlog: Arc::new(Backlog::new(max_unread_bytes)),
            places: Arc::new(Places::new(settings)),
        }
    }

    /// The bytes of responses that wait for clients to read them.
    pub fn unread_bytes(&self) -> usize {
        self.backlog.bytes()
    }

    /// The number of open connections.
    pub fn open(&self) -> usize {
        self.places.taken()
    }
}

/// How long to wait when the system cannot accept another connection.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// A connection whose client has begun HTTP/2.
#[derive(Debug)]
pub(super) struct Accepted<T> {
    pub(super) socket: Socket<T>,
    pub(super) peer: Peer,
}

/// Accepts connections and serves each in a task of its own.
pub(in crate::grpc) struct Acceptor<S> {
    pub(in crate::grpc) settings: AcceptSettings,
    pub(in crate::grpc) metrics: Arc<ConnectionMetrics>,
    pub(in crate::grpc) http2: Http2<S>,
}

impl<S, B> Acceptor<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Accepts connections until `stop` is cancelled, and returns when all have ended.
    pub(in crate::grpc) async fn run(self, mut listener: impl Listener, stop: CancellationToken) {
        let this = Arc::new(self);
        let connections = TaskTracker::new();
        let warnings = Warnings::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            if let Err(error) = this.accepted(accepted, &connections, &stop, &warnings) {
                warnings.limit(|| tracing::warn!(why = %error, "cannot accept a connection"));
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
        // The kernel has completed these connections. If they were dropped with the listener, their
        // clients would see a reset; now they are told to connect elsewhere.
        while let Some(Ok(accepted)) = listener.accept().now_or_never() {
            let _ = this.accepted(Ok(accepted), &connections, &stop, &warnings);
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    /// # Errors
    ///
    /// If the system cannot accept connections now.
    fn accepted<T: Stream>(
        self: &Arc<Self>,
        accepted: io::Result<(T, SocketAddr)>,
        connections: &TaskTracker,
        stop: &CancellationToken,
        warnings: &Warnings,
    ) -> io::Result<()> {
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            // The client closed the connection before it was accepted.
            Err(error) if is_of_one_connection(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        match self.metrics.places.take(address.ip()) {
            Ok(place) => {
                self.metrics.accepted.add();
                if place.has_displaced {
                    self.metrics.displaced.add();
                }
                connections.spawn(self.clone().serve(socket, address, place, stop.clone()));
            }
            Err(Full::All) => {
                self.metrics.refused.add();
                warnings.limit(|| tracing::warn!("closing new connections: max_connections are open"));
            }
            Err(Full::OfAddress) => {
                self.metrics.refused_of_address.add();
                warnings.limit(|| {
                    tracing::warn!(
                        why = %address.ip(),
                        "closing new connections of an address: max_connections_per_address are open"
                    );
                });
            }
        }
        Ok(())
    }

    async fn serve<T: Stream>(
        self: Arc<Self>,
        socket: T,
        address: SocketAddr,
        place: Place,
        stop: CancellationToken,
    ) {
        tokio::select! {
            () = sleep_until(place.begins) => {}
            () = stop.cancelled() => {}
        }
        let patience = self.settings.handshake_timeout;
        let why = match timeout(patience, handshake(socket, address, &self.settings)).await {
            Ok(Ok(mut accepted)) => {
                let begun = tokio::select! {
                    begun = timeout(patience, accepted.socket.begin()) => begun,
                    () = async { stop.cancelled().await; sleep(LINGER).await } => return,
                };
                // A client that closes the connection or says nothing is not worth a line.
                if let Ok(Ok(())) = begun {
                    self.http2.serve(accepted, &place.activity, stop).await;
                }
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took longer than the setting handshake_timeout allows".to_owned(),
        };
        self.metrics.handshakes_failed.add();
        self.metrics
            .handshake_warnings
            .limit(|| tracing::info!(peer = %address, why, "a TLS handshake failed"));
    }
}

async fn handshake<T: Stream>(
    socket: T,
    address: SocketAddr,
    settings: &AcceptSettings,
) -> io::Result<Accepted<T>> {
    let (socket, certificate) = match &settings.tls {
        None => (Socket::plain(socket), None),
        Some(tls) => {
            // The connection keeps the certificates that are in force now.
            let acceptor = TlsAcceptor::from(tls.load().config().clone());
            let stream = acceptor.accept(socket).await?;
            let certificate = ClientCertificate::presented(tls, stream.get_ref().1.peer_certificates());
            (Socket::tls(stream), certificate)
        }
    };
    let peer = Peer::new(address, certificate, settings.close.child_token());
    Ok(Accepted { socket, peer })
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
