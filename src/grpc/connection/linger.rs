use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::listener::Stream;

/// How long the peer may take to close its side of a connection that the service has closed.
pub const LINGER: Duration = Duration::from_secs(2);

/// Closes a socket so that its peer can still read what was sent to it.
///
/// If bytes of the peer were unread when a socket is closed, the kernel resets the connection, and
/// the peer's kernel throws away the answers that its program has not read yet. HTTP/2 clients send
/// WINDOW_UPDATE and PING at any time. So the side for writing is closed first, and what comes is
/// read and thrown away until the peer closes its side as well (RFC 9112, section 9.6).
pub(super) async fn close(mut socket: impl Stream) {
    const CHUNK: usize = 4096;
    // It fails if the peer has reset the connection.
    if socket.shutdown().await.is_err() {
        return;
    }
    let ended = async {
        let mut thrown_away = [0; CHUNK];
        while socket.read(&mut thrown_away).await.is_ok_and(|read| read > 0) {}
    };
    let _ = timeout(LINGER, ended).await;
}
