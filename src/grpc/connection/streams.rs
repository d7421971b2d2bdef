//! The streams of a connection: each is a call with its response.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::{
    task_local,
    time::{Instant, Sleep, sleep},
};

use super::places::{Activity, OpenCall};
use crate::observability::metrics::Count;

task_local! {
    /// The response of the stream whose task this is.
    static SENDING: Arc<Sending>;
}

/// The response of a stream on its way to the reader.
///
/// While a reader gives no flow-control window, HTTP/2 does not poll the body of the response: no
/// deadline inside the body can fire then. So the task of the stream watches from outside, and ends this
/// stream alone.
#[derive(Default)]
pub struct Sending(Mutex<State>);

#[derive(Default)]
struct State {
    /// Since when a frame of the response waits for the reader.
    since: Option<Instant>,
    /// Until when the reader may take it, apart from `send_timeout`.
    until: Option<Instant>,
    /// Tells that the reader has not read.
    report: Option<Box<dyn FnOnce() + Send>>,
}

impl Sending {
    /// Records that the body is asked for its next frame: the reader has room again.
    pub(in crate::grpc) fn asked() {
        Self::change(|state| state.since = None);
    }

    /// Records that the body has given a frame, which now waits for the reader.
    pub(in crate::grpc) fn given() {
        Self::change(|state| state.since = Some(Instant::now()));
    }

    /// Ends the stream at `until` if its reader has not read by then, or if it does not read for
    /// `send_timeout`. Then `report` is called.
    pub(in crate::grpc) fn watch(until: Option<Instant>, report: impl FnOnce() + Send + 'static) {
        Self::change(|state| {
            state.until = until;
            state.report = Some(Box::new(report));
        });
    }

    /// Outside of a stream, as in a test of one layer, nothing waits.
    fn change(change: impl FnOnce(&mut State)) {
        let _ = SENDING.try_with(|sending| change(&mut sending.state()));
    }

    /// When the stream ends if its reader does not read until then.
    fn end(&self, send_timeout: Duration) -> Option<Instant> {
        let state = self.state();
        let end = state.since? + send_timeout;
        Some(state.until.map_or(end, |until| until.min(end)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs each stream of a connection in a task of its own.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) activity: Arc<Activity>,
    pub(super) send_timeout: Duration,
    /// Counts the streams whose reader did not read.
    pub(super) stalled: Arc<Count>,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(Stream {
            stream: Some(stream),
            sending: Arc::default(),
            timer: sleep(self.send_timeout),
            send_timeout: self.send_timeout,
            stalled: self.stalled.clone(),
            _call: self.activity.call(),
        });
    }
}

pin_project! {
    /// A stream that ends when its reader does not read. When it is dropped before its end, HTTP/2 resets
    /// it with CANCEL.
    struct Stream<F> {
        #[pin]
        stream: Option<F>,
        sending: Arc<Sending>,
        #[pin]
        timer: Sleep,
        send_timeout: Duration,
        stalled: Arc<Count>,
        _call: OpenCall,
    }
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(());
        };
        if SENDING
            .sync_scope(this.sending.clone(), || stream.poll(cx))
            .is_ready()
        {
            return Poll::Ready(());
        }
        let Some(end) = this.sending.end(*this.send_timeout) else {
            return Poll::Pending;
        };
        if this.timer.deadline() != end {
            this.timer.as_mut().reset(end);
        }
        ready!(this.timer.poll(cx));
        this.stalled.add();
        let report = this.sending.state().report.take();
        if let Some(report) = report {
            report();
        }
        this.stream.set(None);
        Poll::Ready(())
    }
}
