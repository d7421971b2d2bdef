//! What goes over a connection beside calls: control frames are slowed down, and errors are counted.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    time::{Sleep, sleep_until},
};

use super::{
    allowance::Allowance,
    call_costs::{CALL, CallCosts},
    frame_heads::{Frame, FrameHeads},
    protocol_errors::ProtocolErrors,
};

/// How many control frames one costs that has to be answered, or that ends a call which has begun.
const COST_OF_WORK: i64 = 10;

/// The bytes of metadata that cost as much as a control frame. Fewer cost nothing.
const FIELDS_PER_FRAME: usize = 1024;

/// How many frames are read before other connections get a turn: those of one call. If many more were read
/// at once, the workers' queues would overflow, and tokio would let the calls wait behind all connections.
const TURN: u32 = 2;

/// The bytes of a connection.
///
/// The library for HTTP/2 does not limit frames that are no part of a call, and handles all that have come
/// before it gives others a turn. So the connection reads [`TURN`] frames at a time, and does not read on for a
/// while if there are more than `max_control_frames`. A call costs frames when it begins, and `of_calls` gives them
/// back when it is admitted. What the library rejects is seen nowhere else than in the frames that it sends.
#[derive(Debug)]
pub(super) struct Metered<'c, T> {
    io: T,
    from_peer: &'c mut FrameHeads,
    to_peer: FrameHeads,
    allowance: Allowance,
    pause: Option<Pin<Box<Sleep>>>,
    of_calls: CallCosts,
    /// How many frames may be read in this turn.
    turn: u32,
    peer: IpAddr,
    errors: Arc<ProtocolErrors>,
}

impl<'c, T> Metered<'c, T> {
    /// The bytes of `io`, of which as many frames are read as the allowance allows. Calls cost what
    /// `of_calls` says. Errors of the peer are added to `errors`. `from_peer` are the frames of the peer.
    pub(super) fn new(
        io: T,
        from_peer: &'c mut FrameHeads,
        allowance: Allowance,
        of_calls: CallCosts,
        peer: IpAddr,
        errors: Arc<ProtocolErrors>,
    ) -> Self {
        Self {
            io,
            from_peer,
            to_peer: FrameHeads::after(0),
            allowance,
            pause: None,
            of_calls,
            turn: TURN,
            peer,
            errors,
        }
    }

    /// What the frames in `bytes` cost.
    fn cost(&mut self, bytes: &[u8]) -> i64 {
        let of_call = if self.allowance.pays_for_calls() { CALL } else { 0 };
        let of_fields = |bytes: usize| i64::try_from(bytes / FIELDS_PER_FRAME).unwrap_or(i64::MAX);
        let mut frames = 0;
        self.from_peer.read(bytes, |frame| match frame {
            Frame::Data => {}
            Frame::Begin(bytes) => frames += of_call + of_fields(bytes),
            Frame::Fields(bytes) => frames += of_fields(bytes),
            Frame::Question | Frame::End(_) => frames += COST_OF_WORK,
            Frame::Control | Frame::Answer(_) => frames += 1,
        });
        frames
    }

    /// Waits until the next frame may be read.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.allowance.pays_for_calls() {
            let frames = self.of_calls.take(cx.waker());
            self.allowance.spend(frames);
            if frames < 0 {
                self.pause = None;
            }
        }
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
            }
            self.pause = self.allowance.resume().map(|at| Box::pin(sleep_until(at)));
            if self.pause.is_none() {
                return Poll::Ready(());
            }
        }
    }

    fn count_errors(&mut self, bytes: &[u8]) {
        self.to_peer.read(bytes, |frame| {
            if let Frame::End(code) = frame
                && self.errors.add(code, self.peer)
            {
                self.of_calls.add_error();
            }
        });
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_pause(cx));
        if self.turn == 0 {
            self.turn = TURN;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        // A frame at a time, since what was read cannot wait for the next turn.
        let next = self.from_peer.up_to_next_head();
        let read = Pin::new(&mut (&mut self.io).take(next)).poll_read(cx, buffer);
        if read.is_pending() {
            self.turn = TURN;
        }
        ready!(read)?;
        let bytes = &buffer.filled()[before..];
        if bytes.len() as u64 == next {
            self.turn -= 1;
        }
        let frames = self.cost(bytes);
        self.allowance.spend(frames);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<'_, T> {
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

    /// The library shuts the connection down with its last frame. The service does so later: see
    /// [`linger`](super::linger).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
}
