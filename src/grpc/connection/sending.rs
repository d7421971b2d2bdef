use std::{
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use tokio::{task_local, time::Instant};

use super::backlog::{Backlog, Turn};

task_local! {
    /// The response of the stream whose task this is.
    static SENDING: Arc<Sending>;
}

/// The response of a stream on its way to the reader.
///
/// While a reader gives no flow-control window, HTTP/2 does not poll the body of the response: no
/// deadline inside the body can fire then. So the task of the stream watches from outside, and ends this
/// stream alone.
pub(in crate::grpc) struct Sending {
    backlog: Arc<Backlog>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many bytes of the response wait for the reader.
    bytes: usize,
    /// Since when a frame of them waits.
    since: Option<Instant>,
    /// The turn in the backlog.
    turn: Option<Turn>,
    /// Wakes the task of the stream.
    waker: Option<Waker>,
    /// Whether the stream has to end for the sake of the others.
    is_displaced: bool,
    /// Until when the reader may take the frame, apart from `send_timeout`.
    until: Option<Instant>,
    /// Tells why the stream ends.
    report: Option<Box<dyn FnOnce(Unread) + Send>>,
}

/// Why a response does not wait for its reader any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::grpc) enum Unread {
    /// The reader has not read for `send_timeout`, or by its deadline.
    TimedOut,
    /// More than `max_unread_bytes` wait for their readers, and those of this response for the longest time.
    Displaced,
}

impl Sending {
    pub(super) fn new(backlog: Arc<Backlog>) -> Self {
        Self {
            backlog,
            state: Mutex::default(),
        }
    }

    /// Records that the body is asked for its next frame: the reader has room again.
    pub(in crate::grpc) fn asked() {
        Self::change(|_, state| {
            state.since = None;
            state.is_displaced = false;
        });
    }

    /// Records that the response has so many bytes for the reader.
    pub(in crate::grpc) fn holds(bytes: usize) {
        Self::change(|sending, state| sending.hold(state, bytes));
    }

    /// Records that the body has given a frame. It waits for the reader, and so do `bytes` in all.
    pub(in crate::grpc) fn given(bytes: usize) {
        Self::change(|sending, state| {
            sending.hold(state, bytes);
            state.since = Some(Instant::now());
        });
    }

    fn hold(&self, state: &mut State, bytes: usize) {
        self.backlog.change(mem::replace(&mut state.bytes, bytes), bytes);
    }

    /// Records that the response begins, and waits for the reader. The stream ends at `until` if the reader
    /// has not read by then, if it does not read for `send_timeout`, or if it has to make room for others.
    /// Then `report` is called.
    pub(in crate::grpc) fn begin(until: Option<Instant>, report: impl FnOnce(Unread) + Send + 'static) {
        Self::change(|_, state| {
            state.since = Some(Instant::now());
            state.until = until;
            state.report = Some(Box::new(report));
        });
    }

    /// Outside of a stream, as in a test of one layer, nothing waits.
    fn change(change: impl FnOnce(&Self, &mut State)) {
        let _ = SENDING.try_with(|sending| change(sending, &mut sending.state()));
    }

    /// Runs a part of the task of the stream.
    pub(super) fn scope<T>(self: &Arc<Self>, run: impl FnOnce() -> T) -> T {
        SENDING.sync_scope(self.clone(), run)
    }

    /// Waits for the reader, if a frame does. Returns when the stream ends if the reader does not read
    /// until then.
    pub(super) fn wait(self: &Arc<Self>, send_timeout: Duration, waker: &Waker) -> Option<Instant> {
        let since = self.take_turn(waker)?;
        self.backlog.make_room();
        let state = self.state();
        if state.is_displaced {
            return Some(since);
        }
        let end = since + send_timeout;
        Some(state.until.map_or(end, |until| until.min(end)))
    }

    /// Returns since when a frame waits, and takes a turn in the backlog for it.
    fn take_turn(self: &Arc<Self>, waker: &Waker) -> Option<Instant> {
        let mut state = self.state();
        let since = state.since;
        if state.turn.map(|turn| turn.since) != since {
            let turn = since.map(|since| Turn {
                since,
                id: Arc::as_ptr(self).addr(),
            });
            if let Some(left) = mem::replace(&mut state.turn, turn) {
                self.backlog.leave(left);
            }
            if let Some(turn) = turn {
                self.backlog.join(turn, Arc::downgrade(self), state.bytes);
            }
        }
        state.waker = Some(waker.clone());
        since
    }

    /// Tells the stream to end for the sake of the others.
    pub(super) fn displace(&self) {
        let mut state = self.state();
        state.is_displaced = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// Tells that the stream ends because its response is not read.
    pub(super) fn report(&self) {
        let mut state = self.state();
        let why = match state.is_displaced {
            true => Unread::Displaced,
            false => Unread::TimedOut,
        };
        let report = state.report.take();
        drop(state);
        if let Some(report) = report {
            report(why);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.backlog.change(state.bytes, 0);
        if let Some(turn) = state.turn {
            self.backlog.leave(turn);
        }
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
