use std::{pin::pin, time::Duration};

use futures_util::future::{BoxFuture, Either, Ready, ready};
use http::{HeaderValue, Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tower::Service;

use super::{context_of, method};
use crate::{
    call::{CallDeadline, middleware::Middleware},
    domain::OperationKind,
    grpc::status,
};

/// How long calls may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Creates.
    pub unary: Bounds,
    /// Reads.
    pub stream: Bounds,
}

/// How long a call of one kind may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Without a `grpc-timeout`.
    pub default: Duration,
    /// At most, even if `grpc-timeout` is longer.
    pub most: Duration,
}

/// Decides each call's deadline, from its `grpc-timeout` and the settings.
///
/// The deadline is a little before the caller's own, so that the caller receives
/// DEADLINE_EXCEEDED with its details before its library gives up. For the same reason tonic's
/// timer, which responds with CANCELLED and does not end streams, never fires. A call that has not
/// reached the upstream stack by then, because its message is still incomplete, is ended here.
///
/// A health check needs nothing but its message, so it ends soon without. Health watches and reflection have
/// only the caller's deadline.
#[derive(Clone, Copy, Debug)]
pub struct DecideDeadline(pub(super) Deadlines);

impl<S, B, R> Middleware<S, Request<B>> for DecideDeadline
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Future = Either<
        Either<S::Future, Ready<Result<Response<R>, S::Error>>>,
        BoxFuture<'static, Result<Response<R>, S::Error>>,
    >;

    fn call(&self, inner: &mut S, request: Request<B>) -> Self::Future {
        let reject = |status: Status| Either::Left(Either::Right(ready(Ok(status.into_http()))));
        let timeout = match request.headers().get("grpc-timeout").map(parse) {
            Some(None) => {
                let what = "grpc-timeout is not 1–8 digits and a unit of H, M, S, m, u or n";
                return reject(status::malformed(what));
            }
            Some(timeout) => timeout,
            None => None,
        };
        if timeout.is_some_and(|timeout| timeout < LEAST) {
            return reject(status::out_of_time());
        }
        let path = request.uri().path();
        let bounds = match method::kind(path) {
            Some(OperationKind::Create) => Some(self.0.unary),
            Some(OperationKind::Read) => Some(self.0.stream),
            None => method::is_check(path).then_some(CHECK),
        };
        let context = context_of(&request).cloned();
        let (Some((deadline, end)), Some(context)) = (deadline(timeout, bounds), context) else {
            return Either::Left(Either::Left(inner.call(request)));
        };
        context.set_deadline(deadline);
        let response = inner.call(request);
        Either::Right(Box::pin(async move {
            let mut response = pin!(response);
            if let Ok(response) = timeout_at(end, &mut response).await {
                return response;
            }
            // The upstream stack ends a call that has reached it, and knows its outcome.
            if context.read(|facts| facts.scope.is_some()) {
                return response.await;
            }
            Ok(status::out_of_time().into_http())
        }))
    }
}

/// The deadline of a call, and the moment at which it is ended here if it has not reached the upstream
/// stack. `None` if it has no deadline.
fn deadline(timeout: Option<Duration>, bounds: Option<Bounds>) -> Option<(CallDeadline, Instant)> {
    let now = Instant::now();
    // A timeout that overflows the clock counts as none.
    let callers = timeout.and_then(|timeout| Some((now.checked_add(timeout)?, margin(timeout))));
    let own = bounds.map(|bounds| match callers {
        Some(_) => bounds.most,
        None => bounds.default,
    });
    let own = own.and_then(|own| now.checked_add(own));
    match (callers, own) {
        (Some((callers, margin)), own) if own.is_none_or(|own| callers - margin <= own) => {
            let ours = callers - margin;
            Some((CallDeadline { ours, callers }, callers - margin / 2))
        }
        (_, Some(own)) => {
            let deadline = CallDeadline {
                ours: own,
                callers: own,
            };
            Some((deadline, own + SLACK))
        }
        (_, None) => None,
    }
}

/// How long after the deadline of the settings a call is ended here.
const SLACK: Duration = Duration::from_millis(50);

/// How long a health check may take.
const CHECK: Bounds = Bounds {
    default: Duration::from_secs(5),
    most: Duration::from_secs(5),
};

/// The shortest timeout that is accepted. It is a timer's resolution: with less, tonic's timer could
/// fire before ours.
const LEAST: Duration = Duration::from_millis(1);

/// Parses `grpc-timeout`, which the gRPC protocol defines as 1–8 digits and a unit.
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

/// How long before the caller's deadline a call ends: 5 % of the timeout, at most 100 ms + 1 %. gRPC's
/// C core rounds `grpc-timeout` up by as much as 1 %.
fn margin(timeout: Duration) -> Duration {
    (timeout / 20).min(Duration::from_millis(100) + timeout / 100)
}
