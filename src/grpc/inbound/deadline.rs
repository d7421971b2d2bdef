use std::{
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tower::{Layer, Service};

use super::{Report, method};
use crate::{domain::OperationKind, grpc::status};

/// When a call must have ended, in the extensions of its request.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// When this service ends it.
    pub ours: Instant,
    /// When the caller's own timer does, if it is the one that counts.
    pub callers: Instant,
}

/// How long calls may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// The creates.
    pub unary: Bounds,
    /// The reads.
    pub stream: Bounds,
}

/// How long a call of one kind may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The timeout of a call without a `grpc-timeout`.
    pub default: Duration,
    /// The maximum timeout, whatever the `grpc-timeout`.
    pub most: Duration,
}

/// Turns the caller's `grpc-timeout`, or the lack of one, into a [`Deadline`].
///
/// The deadline is a little before the caller's own timer, so that the caller receives
/// DEADLINE_EXCEEDED with its details instead of giving up by itself; it is also what
/// keeps tonic's timer, which answers CANCELLED and does not end streams, from firing. A
/// call that by then has not got as far as the upstream, because its message is still on
/// the way, is ended here.
///
/// Health and reflection have no deadline but their caller's own.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer(Deadlines);

/// See [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct SetDeadline<S> {
    deadlines: Deadlines,
    inner: S,
}

impl DeadlineLayer {
    /// Calls end within `deadlines`.
    pub(super) fn new(deadlines: Deadlines) -> Self {
        Self(deadlines)
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = SetDeadline<S>;

    fn layer(&self, inner: S) -> SetDeadline<S> {
        SetDeadline {
            deadlines: self.0,
            inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for SetDeadline<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let refuse = |status: Status| Box::pin(async move { Ok(status.into_http()) });
        let timeout = match request.headers().get("grpc-timeout").map(parse) {
            Some(None) => {
                let what = "grpc-timeout is not 1–8 digits and a unit of H, M, S, m, u or n";
                return refuse(status::malformed(what));
            }
            Some(timeout) => timeout,
            None => None,
        };
        if timeout.is_some_and(|timeout| timeout < LEAST) {
            return refuse(status::out_of_time());
        }
        let bounds = method::kind(request.uri().path()).map(|kind| match kind {
            OperationKind::Create => self.deadlines.unary,
            OperationKind::Read => self.deadlines.stream,
        });
        let Some((deadline, end)) = deadline(timeout, bounds) else {
            return Box::pin(self.inner.call(request));
        };
        request.extensions_mut().insert(deadline);
        let report = request.extensions().get::<Report>().cloned().unwrap_or_default();
        report.ends_by(deadline.ours);
        let mut answer = Box::pin(self.inner.call(request));
        Box::pin(async move {
            if let Ok(answer) = timeout_at(end, &mut answer).await {
                return answer;
            }
            // Once begun, the upstream stack ends it, and knows what has become of it.
            if report.told().begun {
                return answer.await;
            }
            Ok(status::out_of_time().into_http())
        })
    }
}

/// When a call has to end, and when it is ended here if the service has not begun with it;
/// `None` if it need not.
fn deadline(timeout: Option<Duration>, bounds: Option<Bounds>) -> Option<(Deadline, Instant)> {
    let now = Instant::now();
    // A timeout past the end of the clock is none.
    let callers = timeout.and_then(|timeout| Some((now.checked_add(timeout)?, margin(timeout))));
    let own = bounds.map(|bounds| match callers {
        Some(_) => bounds.most,
        None => bounds.default,
    });
    let own = own.and_then(|own| now.checked_add(own));
    match (callers, own) {
        (Some((callers, margin)), own) if own.is_none_or(|own| callers - margin <= own) => {
            let ours = callers - margin;
            Some((Deadline { ours, callers }, callers - margin / 2))
        }
        (_, Some(own)) => {
            let deadline = Deadline {
                ours: own,
                callers: own,
            };
            Some((deadline, own + SLACK))
        }
        (_, None) => None,
    }
}

/// What the service has to end a call by itself, before it is ended here.
const SLACK: Duration = Duration::from_millis(50);

/// A timer's resolution: tonic's may fire before ours for less, and nothing can be done in it.
const LEAST: Duration = Duration::from_millis(1);

/// `grpc-timeout` by the gRPC protocol: at most 8 digits and a unit.
fn parse(value: &HeaderValue) -> Option<Duration> {
    let (digits, unit) = value
        .to_str()
        .ok()?
        .split_at_checked(value.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// How long before the caller's timer a call ends: 5 %, and at most 100 ms + 1 %, by
/// which gRPC's C core rounds `grpc-timeout` up.
fn margin(timeout: Duration) -> Duration {
    (timeout / 20).min(Duration::from_millis(100) + timeout / 100)
}
