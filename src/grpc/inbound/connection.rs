use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use crate::grpc::tls::ClientCertificate;

/// The connection of a caller. The service can close it, and it closes by itself if its client does
/// not begin HTTP/2 in time.
#[derive(Debug)]
pub struct Connection<IO> {
    io: IO,
    peer: Peer,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The bytes of the HTTP/2 preface that are missing, and the time left for them.
    preface: Option<(usize, Pin<Box<Sleep>>)>,
    _permit: OwnedSemaphorePermit,
}

/// The other end of a connection, in the extensions of its requests.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    certificate: Option<Arc<ClientCertificate>>,
    close: CancellationToken,
}

/// The length in bytes of the preface with which an HTTP/2 client begins (RFC 9113, section 3.4).
const PREFACE: usize = 24;

impl Peer {
    /// A peer with this address and this certificate. Its connection closes when `close` is cancelled.
    pub(super) fn new(
        address: SocketAddr,
        certificate: Option<ClientCertificate>,
        close: CancellationToken,
    ) -> Self {
        Self {
            address,
            certificate: certificate.map(Arc::new),
            close,
        }
    }

    /// The address of the peer.
    pub(super) fn address(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }

    /// The certificate of the peer, if it presented one.
    pub(super) fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_deref()
    }

    /// Closes the connection, which ends all its calls.
    pub(super) fn close_connection(&self) {
        self.close.cancel();
    }
}

impl<IO> Connection<IO> {
    /// A connection over this socket, which holds the permit while it is open. Its client must send
    /// the HTTP/2 preface within `preface_timeout`.
    pub(super) fn new(io: IO, peer: Peer, preface_timeout: Duration, permit: OwnedSemaphorePermit) -> Self {
        Self {
            io,
            closed: Box::pin(peer.close.clone().cancelled_owned()),
            peer,
            preface: Some((PREFACE, Box::pin(sleep(preface_timeout)))),
            _permit: permit,
        }
    }

    /// Returns an error if the connection must close; otherwise the task is woken when it must.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.closed.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if let Some((_, timeout)) = &mut self.preface
            && timeout.as_mut().poll(cx).is_ready()
        {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// Records that the client has sent this many bytes.
    fn received(&mut self, bytes: usize) {
        self.preface = self.preface.take().and_then(|(missing, timeout)| {
            let missing = missing.saturating_sub(bytes);
            (missing > 0).then_some((missing, timeout))
        });
    }
}

impl<IO> Connected for Connection<IO> {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Connection<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.received(buffer.filled().len() - before);
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Connection<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
