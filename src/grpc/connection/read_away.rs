use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

/// The most bytes of an unread body that are read and thrown away.
const MAX_BYTES: usize = 1 << 20;

/// How long the rest of an unread body may take.
const MAX_TIME: Duration = Duration::from_secs(5);

/// The body of a request. What the service leaves unread, because it rejects the call, is read and
/// thrown away, within bounds.
///
/// Otherwise HTTP/2 resets the stream, and the client's frames that are on their way are errors of a
/// closed stream. Too many of those end the connection with all its calls, and behind some proxies
/// the reset overtakes the status.
#[derive(Debug)]
pub(super) struct ReadAway(Option<Incoming>);

impl ReadAway {
    pub(super) fn new(body: Incoming) -> Self {
        Self(Some(body))
    }
}

impl Body for ReadAway {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for ReadAway {
    fn drop(&mut self) {
        let unread = self.0.take().filter(|body| !body.is_end_stream());
        // There is no runtime any more when the process ends.
        if let (Some(body), Ok(runtime)) = (unread, tokio::runtime::Handle::try_current()) {
            runtime.spawn(timeout(MAX_TIME, read(body)));
        }
    }
}

async fn read(mut body: Incoming) {
    let mut left = MAX_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
