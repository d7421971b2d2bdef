//! The streams of a connection: each is a call with its response.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::{
    backlog::Backlog,
    places::{Activity, OpenCall},
    sending::Sending,
};
use crate::observability::metrics::Count;

/// Runs each stream of a connection in a task of its own.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) activity: Arc<Activity>,
    pub(super) backlog: Arc<Backlog>,
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
            sending: Arc::new(Sending::new(self.backlog.clone())),
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
        if this.sending.scope(|| stream.poll(cx)).is_ready() {
            return Poll::Ready(());
        }
        let Some(end) = this.sending.wait(*this.send_timeout, cx.waker()) else {
            return Poll::Pending;
        };
        if this.timer.deadline() != end {
            this.timer.as_mut().reset(end);
        }
        ready!(this.timer.poll(cx));
        this.stalled.add();
        this.sending.report();
        this.stream.set(None);
        Poll::Ready(())
    }
}
