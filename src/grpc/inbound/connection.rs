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

/// A caller's connection, which can be cut from within, and is cut by itself if its client
/// does not begin to speak.
#[derive(Debug)]
pub struct Connection<IO> {
    io: IO,
    peer: Peer,
    is_cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// How much is missing of what every client begins with, and how long it has for that.
    silent: Option<(usize, Pin<Box<Sleep>>)>,
    _permit: OwnedSemaphorePermit,
}

/// Whom a call came from; in the extensions of its request.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    certificate: Option<Arc<ClientCertificate>>,
    cut: CancellationToken,
}

/// The length of what an HTTP/2 client begins with (RFC 9113, 3.4), in bytes.
const PREFACE: usize = 24;

impl Peer {
    /// The peer at this address, with this certificate.
    pub(super) fn new(address: SocketAddr, certificate: Option<ClientCertificate>) -> Self {
        Self {
            address,
            certificate: certificate.map(Arc::new),
            cut: CancellationToken::new(),
        }
    }

    /// Its address.
    pub(super) fn address(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }

    /// Its certificate, if it has one.
    pub(super) fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_deref()
    }

    /// Ends the connection, and with it every call that it carries.
    pub(super) fn close_connection(&self) {
        self.cut.cancel();
    }
}

impl<IO> Connection<IO> {
    /// The connection over this socket, which holds the permit for as long as it is open. Its
    /// client has so long to begin.
    pub(super) fn new(io: IO, peer: Peer, to_begin: Duration, permit: OwnedSemaphorePermit) -> Self {
        Self {
            io,
            is_cut: Box::pin(peer.cut.clone().cancelled_owned()),
            peer,
            silent: Some((PREFACE, Box::pin(sleep(to_begin)))),
            _permit: permit,
        }
    }

    /// An error once it is cut; until then the task is woken when it is.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.is_cut.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if let Some((_, to_begin)) = &mut self.silent
            && to_begin.as_mut().poll(cx).is_ready()
        {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// The client has said so much more.
    fn heard(&mut self, bytes: usize) {
        self.silent = self.silent.take().and_then(|(missing, to_begin)| {
            let missing = missing.saturating_sub(bytes);
            (missing > 0).then_some((missing, to_begin))
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
        self.heard(buffer.filled().len() - before);
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
