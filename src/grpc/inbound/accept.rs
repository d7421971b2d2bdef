//! Taking connections: plain or TLS, so many and no more, none that does not speak.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::either::Either;

use super::connection::{Connection, Peer};
use crate::{
    access::reload::Reloading,
    grpc::tls::{ClientCertificate, Tls},
    observability::metrics::Count,
};

/// A caller's socket.
pub type Socket = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// How connections are accepted.
#[derive(Clone, Debug)]
pub struct AcceptSettings {
    /// TLS; `None` is plain text.
    pub tls: Option<Arc<Reloading<Tls>>>,
    /// The timeout of the TLS handshake, and then of the start of HTTP/2.
    pub handshake_timeout: Duration,
}

/// What becomes of connections.
#[derive(Debug)]
pub struct ConnectionMetrics {
    /// How many were taken in since the start.
    pub accepted: Count,
    /// How many were closed at once, because there were too many.
    pub refused: Count,
    /// Of how many the handshake came to nothing.
    pub handshakes_failed: Count,
    room: Arc<Semaphore>,
    most: usize,
}

impl ConnectionMetrics {
    /// None yet; so many may be open.
    pub fn new(max_connections: usize) -> Self {
        let most = max_connections.min(Semaphore::MAX_PERMITS);
        Self {
            accepted: Count::default(),
            refused: Count::default(),
            handshakes_failed: Count::default(),
            room: Arc::new(Semaphore::new(most)),
            most,
        }
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.most - self.room.available_permits()
    }
}

/// How many connections wait to be served; they are served at once.
const WAITING: usize = 16;

/// How long to wait when the system has no room for another connection.
const OUT_OF_ROOM: Duration = Duration::from_millis(100);

/// How often the log says that connections are refused.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// The connections that come to `listener`, for as long as somebody takes them.
pub fn incoming(
    listener: TcpListener,
    settings: AcceptSettings,
    tally: Arc<ConnectionMetrics>,
) -> impl Stream<Item = io::Result<Connection<Socket>>> {
    let (served, connections) = mpsc::channel(WAITING);
    tokio::spawn(accept(listener, settings, tally, served));
    stream::unfold(connections, |mut connections| async move {
        let next = connections.recv().await?;
        Some((Ok(next), connections))
    })
}

async fn accept(
    listener: TcpListener,
    settings: AcceptSettings,
    tally: Arc<ConnectionMetrics>,
    served: mpsc::Sender<Connection<Socket>>,
) {
    let room = tally.room.clone();
    let mut said: Option<Instant> = None;
    let mut say = |what: &str, error: Option<io::Error>| {
        if said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            said = Some(Instant::now());
            let error = error.map(|error| error.to_string());
            tracing::warn!(error, "{what}");
        }
    };
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            () = served.closed() => return,
        };
        match (taken, room.clone().try_acquire_owned()) {
            (Ok((socket, address)), Ok(permit)) => {
                tally.accepted.add();
                let (settings, tally, served) = (settings.clone(), tally.clone(), served.clone());
                tokio::spawn(async move {
                    let prepared = timeout(
                        settings.handshake_timeout,
                        prepare(socket, address, permit, &settings),
                    );
                    let why = match prepared.await {
                        // Nobody takes it any more when the service stops.
                        Ok(Ok(connection)) => return drop(served.send(connection).await),
                        Ok(Err(error)) => error.to_string(),
                        Err(_) => "it took too long (setting handshake_timeout)".to_owned(),
                    };
                    tally.handshakes_failed.add();
                    tracing::info!(peer = %address, why, "a TLS handshake failed");
                });
            }
            (Ok(_), Err(_)) => {
                tally.refused.add();
                say(
                    "connections are closed at once: there are max_connections open",
                    None,
                );
            }
            // It had gone before it was taken.
            (Err(error), _) if is_of_one_connection(&error) => {}
            (Err(error), _) => {
                say("no connection can be taken", Some(error));
                sleep(OUT_OF_ROOM).await;
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
            // Whatever is in force now holds for this connection.
            let acceptor = TlsAcceptor::from(tls.load().config().clone());
            let stream = acceptor.accept(socket).await?;
            let certificate = ClientCertificate::presented(tls, stream.get_ref().1.peer_certificates());
            (Either::Right(Box::new(stream)), certificate)
        }
    };
    let peer = Peer::new(address, certificate);
    Ok(Connection::new(socket, peer, settings.handshake_timeout, permit))
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
