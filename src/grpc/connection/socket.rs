use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::listener::Stream;

/// The bytes with which an HTTP/2 client begins (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The bytes of a connection, plain or inside TLS.
#[derive(Debug)]
pub(super) struct Socket<T> {
    io: Either<T, Box<TlsStream<T>>>,
    /// What was read and is not yet given on.
    begun: Bytes,
}

impl<T: Stream> Socket<T> {
    pub(super) fn plain(io: T) -> Self {
        Self {
            io: Either::Left(io),
            begun: Bytes::new(),
        }
    }

    pub(super) fn tls(io: TlsStream<T>) -> Self {
        Self {
            io: Either::Right(Box::new(io)),
            begun: Bytes::new(),
        }
    }

    /// Waits for the preface of HTTP/2, or for bytes that are none.
    ///
    /// # Errors
    ///
    /// If the connection fails or ends before.
    pub(super) async fn begin(&mut self) -> io::Result<()> {
        let mut bytes = [0; PREFACE.len()];
        let mut length = 0;
        while length < bytes.len() && PREFACE.starts_with(&bytes[..length]) {
            match self.io.read(&mut bytes[length..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => length += read,
            }
        }
        self.begun = Bytes::copy_from_slice(&bytes[..length]);
        Ok(())
    }

    /// The stream itself, without what was not read.
    pub(super) fn into_stream(self) -> T {
        match self.io {
            Either::Left(io) => io,
            Either::Right(tls) => tls.into_inner().0,
        }
    }
}

impl<T: Stream> AsyncRead for Socket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.begun.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let length = self.begun.len().min(buffer.remaining());
        buffer.put_slice(&self.begun[..length]);
        self.begun.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<T: Stream> AsyncWrite for Socket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
