//! Serves a connection over HTTP/2, from its first frame to its end.

use std::{convert::Infallible, error::Error, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::{
    accept::{Accepted, ConnectionMetrics},
    frame_heads::FrameHeads,
    linger::{self, LINGER},
    listener::Stream,
    metered::Metered,
    places::Activity,
    read_away::ReadAway,
    socket::PREFACE,
    streams::Streams,
};

/// The limits of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// The maximum number of concurrent calls (`max_concurrent_streams`).
    pub max_concurrent_streams: u32,
    /// The age at which the client is asked to open another one (`max_connection_age`).
    pub max_age: Duration,
    /// How long its calls may take after that (`max_connection_age_grace`).
    pub max_age_grace: Duration,
    /// How many streams a client may reset in a row before they were looked at
    /// (`max_pending_resets`).
    pub max_pending_resets: usize,
    /// How long a response may wait for its reader (`send_timeout`).
    pub send_timeout: Duration,
    /// How many bytes of all responses may wait for their readers (`max_unread_bytes`).
    pub max_unread_bytes: usize,
    /// How long it may be idle before it is pinged (`keepalive_interval`).
    pub keepalive_interval: Duration,
    /// How long the response to a ping may take (`keepalive_timeout`).
    pub keepalive_timeout: Duration,
}

/// How long the callers of calls that are cut may take to receive their status.
pub const CUT_GRACE: Duration = Duration::from_secs(1);

/// The number of streams that the service may reset because of a client's errors, before it closes the
/// connection (RUSTSEC-2024-0003).
const MAX_ERROR_RESETS: usize = 1024;

/// How many bytes of a request a client may send before the service has read them.
const WINDOW: u32 = 65_535;

/// How many bytes of all requests a client may send before the service has read them: enough for a message of
/// each stream.
///
/// h2 closes a connection with ENHANCE_YOUR_CALM when what the unread DATA frames lack of 256 bytes each is more
/// than half of this window (`DataFrameBudget`). Small messages of calls that wait are such frames.
fn connection_window(streams: u32) -> u32 {
    const OF_SMALL_FRAME: u32 = 2 * 256;
    streams
        .saturating_mul(OF_SMALL_FRAME)
        .clamp(WINDOW, (1 << 31) - 1)
}

/// The part by which the ages of connections differ, so that those which were opened together do not
/// end together (gRFC A9).
const JITTER: f64 = 0.1;

/// Serves connections over HTTP/2.
#[derive(Clone, Debug)]
pub(in crate::grpc) struct Http2<S> {
    service: S,
    settings: ConnectionSettings,
    metrics: Arc<ConnectionMetrics>,
}

impl<S> Http2<S> {
    /// Requests are handled by `service`.
    pub(in crate::grpc) fn new(
        service: S,
        settings: ConnectionSettings,
        metrics: Arc<ConnectionMetrics>,
    ) -> Self {
        Self {
            service,
            settings,
            metrics,
        }
    }

    fn builder(&self, activity: &Arc<Activity>) -> http2::Builder<Streams> {
        let settings = &self.settings;
        let mut http2 = http2::Builder::new(Streams {
            activity: activity.clone(),
            backlog: self.metrics.backlog.clone(),
            send_timeout: settings.send_timeout,
            stalled: self.metrics.stalled.clone(),
        });
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.max_concurrent_streams)
            // HTTP/2's own default. hyper's is 1 MiB, which each connection could hold in memory.
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(connection_window(settings.max_concurrent_streams))
            .max_local_error_reset_streams(MAX_ERROR_RESETS)
            .max_pending_accept_reset_streams(settings.max_pending_resets)
            .keep_alive_interval(settings.keepalive_interval)
            .keep_alive_timeout(settings.keepalive_timeout);
        http2
    }
}

impl<S, B> Http2<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Serves a connection until it ends: when its client closes it, at its age, when `stop` is
    /// cancelled and its calls have ended, or when it is told to close.
    pub(super) async fn serve<T: Stream>(
        &self,
        accepted: Accepted<T>,
        activity: &Arc<Activity>,
        stop: CancellationToken,
    ) {
        activity.begin();
        let Accepted { mut socket, peer } = accepted;
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(|body| tonic::body::Body::new(ReadAway::new(body)));
            request.extensions_mut().insert(peer.clone());
            self.service.clone().oneshot(request)
        });
        let mut from_peer = FrameHeads::after(PREFACE.len());
        let closed = peer.closed();
        let has_ended = {
            let http2 = self.builder(activity);
            let io = Metered::new(
                &mut socket,
                &mut from_peer,
                activity.allowance.clone(),
                peer.costs().clone(),
                peer.address(),
                self.metrics.protocol_errors.clone(),
            );
            let serving = http2.serve_connection(TokioIo::new(io), service);
            let mut serving = pin!(serving);
            let ended = tokio::select! {
                ended = &mut serving => Some(ended),
                () = closed.cancelled() => None,
                grace = self.time_to_leave(activity, &stop) => {
                    // The client is told to begin no further calls here; those in progress go on.
                    serving.as_mut().graceful_shutdown();
                    let cut = async {
                        if let Ok(ended) = timeout(grace, &mut serving).await {
                            return Some(ended);
                        }
                        peer.cut().cancel();
                        timeout(CUT_GRACE, &mut serving).await.ok()
                    };
                    tokio::select! {
                        ended = cut => ended,
                        () = activity.quiet(self.settings.send_timeout) => None,
                        () = closed.cancelled() => None,
                    }
                }
            };
            ended.is_some_and(|ended| ended.is_ok())
        };
        if has_ended && activity.may_be_read(self.settings.send_timeout) {
            tokio::select! {
                _ = linger::all_read(&mut socket, &mut from_peer) => {}
                () = activity.quiet(self.settings.send_timeout) => {}
                () = activity.leave.cancelled() => {}
                () = closed.cancelled() => {}
            }
        }
        linger::close(socket).await;
    }

    /// Waits until the connection is to end. Returns how long its calls may take then.
    async fn time_to_leave(&self, activity: &Activity, stop: &CancellationToken) -> Duration {
        tokio::select! {
            () = stop.cancelled() => self.settings.max_age_grace,
            () = sleep(jittered(self.settings.max_age)) => self.settings.max_age_grace,
            () = activity.leave.cancelled() => LINGER,
        }
    }
}

/// A duration that differs by at most [`JITTER`].
fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(JITTER.mul_add(2.0 * fastrand::f64() - 1.0, 1.0))
}
