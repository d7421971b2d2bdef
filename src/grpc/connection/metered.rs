//! What goes over a connection beside calls: control frames are slowed down, and errors are counted.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    frame_heads::{Frame, FrameHeads},
    protocol_errors::ProtocolErrors,
    socket::PREFACE,
};

/// How many other control frames one costs that has to be answered.
const COST_OF_QUESTION: u32 = 10;

/// For how long the peer may send control frames faster.
const BURST: Duration = Duration::from_millis(100);

/// The bytes of a connection.
///
/// HTTP/2 does not limit frames that are no part of a call, and handles all that have come before it gives
/// others a turn. So the connection does not read on for a while if there are more than
/// `max_control_frames`. What the library for HTTP/2 rejects is seen nowhere else than in the frames that
/// it sends.
#[derive(Debug)]
pub(super) struct Metered<T> {
    io: T,
    from_peer: FrameHeads,
    to_peer: FrameHeads,
    /// The time that a control frame takes of the peer's allowance.
    cost: Duration,
    /// Until when the allowance is used.
    used_until: Instant,
    pause: Option<Pin<Box<Sleep>>>,
    peer: IpAddr,
    errors: Arc<ProtocolErrors>,
}

impl<T> Metered<T> {
    /// The bytes of `io`, on which the peer may send so many control frames per second. Errors of the peer
    /// are added to `errors`.
    pub(super) fn new(io: T, max_control_frames: u32, peer: IpAddr, errors: Arc<ProtocolErrors>) -> Self {
        Self {
            io,
            from_peer: FrameHeads::after(PREFACE.len()),
            to_peer: FrameHeads::after(0),
            cost: Duration::from_secs(1) / max_control_frames,
            used_until: Instant::now(),
            pause: None,
            peer,
            errors,
        }
    }

    /// Takes the frames in `bytes` from the peer's allowance.
    fn spend(&mut self, bytes: &[u8]) {
        let mut frames = 0_u32;
        self.from_peer.read(bytes, |frame| match frame {
            // The library limits resets by itself.
            Frame::OfCall | Frame::End(_) => {}
            Frame::Question => frames += COST_OF_QUESTION,
            Frame::Control => frames += 1,
        });
        let now = Instant::now();
        self.used_until = self.used_until.max(now) + self.cost * frames;
        let resume = self.used_until - BURST;
        if resume > now {
            self.pause = Some(Box::pin(sleep_until(resume)));
        }
    }

    fn count_errors(&mut self, bytes: &[u8]) {
        self.to_peer.read(bytes, |frame| {
            if let Frame::End(code) = frame {
                self.errors.add(code, self.peer);
            }
        });
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.spend(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.count_errors(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices))?;
        let mut left = written;
        for slice in slices {
            let length = left.min(slice.len());
            self.count_errors(&slice[..length]);
            left -= length;
        }
        Poll::Ready(Ok(written))
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
