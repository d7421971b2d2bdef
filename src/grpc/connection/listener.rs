//! Where callers connect.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

/// The bytes of a connection, both ways.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Where callers connect: TCP, or a network that a test simulates.
pub trait Listener: Send + 'static {
    /// A connection of a caller.
    type Stream: Stream;

    /// Waits for the next connection, and returns it with the address of the caller.
    ///
    /// # Errors
    ///
    /// If the system cannot accept a connection now, or the caller has closed it already.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// The address that callers connect to.
    ///
    /// # Errors
    ///
    /// If the system does not tell it.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = Self::accept(self).await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY on a connection");
        }
        Ok((stream, address))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}
