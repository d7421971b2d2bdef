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
    /// The creates.
    pub unary: Bounds,
    /// The reads.
    pub stream: Bounds,
}

/// How long a call of one kind may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Where the caller does not say.
    pub default: Duration,
    /// Whatever the caller says.
    pub most: Duration,
}

/// Decides each call's deadline, from its `grpc-timeout` and the settings.
///
/// The deadline is a little before the caller's own, so that the caller receives
/// DEADLINE_EXCEEDED with its details before its library gives up. For the same reason tonic's
/// timer, which answers CANCELLED and does not end streams, never fires. A call that has not
/// reached the upstream stack by then, because its message is still on the way, is ended here.
///
/// Health and reflection have no deadline but their caller's.
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
        let bounds = method::kind(request.uri().path()).map(|kind| match kind {
            OperationKind::Create => self.0.unary,
            OperationKind::Read => self.0.stream,
        });
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
            // The upstream stack ends a call that has reached it, and knows what came of it.
            if context.read(|facts| facts.is_dispatched) {
                return response.await;
            }
            Ok(status::out_of_time().into_http())
        }))
    }
}

/// When a call has to end, and when it is ended here if the service has not begun with it;
/// `None` if it need not.
fn deadline(timeout: Option<Duration>, bounds: Option<Bounds>) -> Option<(CallDeadline, Instant)> {
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
