use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    frame_heads::{self, Frame, FrameHeads},
    listener::Stream,
    socket::Socket,
};

/// How long the peer may take to close its side of a connection that the service has closed.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// The payload of the last PING of a connection.
const LAST_PING: [u8; 8] = *b"all read";

/// How many bytes are read at a time.
const CHUNK: usize = 4096;

/// Waits until the peer has read all that was sent to it: until it answers a PING that follows the last
/// response, or closes the connection. What else it sends is thrown away. `from_peer` knows where the next
/// frame of the peer begins.
///
/// What the peer's kernel has received, its program has not read yet. HAProxy, whose callers read slowly, was
/// seen to lose such responses when it learns that a TLS connection is closed.
///
/// # Errors
///
/// If the connection fails.
pub(super) async fn all_read(socket: &mut Socket<impl Stream>, from_peer: &mut FrameHeads) -> io::Result<()> {
    socket.write_all(&frame_heads::ping(LAST_PING)).await?;
    socket.flush().await?;
    let mut thrown_away = [0; CHUNK];
    let mut is_answered = false;
    while !is_answered {
        let read = socket.read(&mut thrown_away).await?;
        if read == 0 {
            break;
        }
        from_peer.read(&thrown_away[..read], |frame| {
            is_answered |= frame == Frame::Answer(LAST_PING);
        });
    }
    Ok(())
}

/// Closes a socket so that its peer can still read what was sent to it.
///
/// If bytes of the peer were unread when a socket is closed, the kernel resets the connection, and
/// the peer's kernel throws away the answers that its program has not read yet. HTTP/2 clients send
/// WINDOW_UPDATE and PING at any time. So the side for writing is closed first, and what comes is
/// read and thrown away until the peer closes its side as well (RFC 9112, section 9.6).
pub(super) async fn close(mut socket: Socket<impl Stream>) {
    let closed = async {
        // It fails if the peer has reset the connection.
        if socket.shutdown().await.is_err() {
            return;
        }
        let mut stream = socket.into_stream();
        let mut thrown_away = [0; CHUNK];
        while stream.read(&mut thrown_away).await.is_ok_and(|read| read > 0) {}
    };
    let _ = timeout(LINGER, closed).await;
}
