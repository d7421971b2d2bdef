use std::{
    future, io,
    time::{Duration, SystemTime},
};

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderValue,
        header::{CONTENT_LENGTH, DATE},
    },
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use jiff::Timestamp;
use tokio::{task, time};

use super::{
    error_response,
    rule::{Kind, When},
    wrong_tapes,
};
use crate::{connection::Peer, protocol::Service};

/// The faults of one call.
#[derive(Debug)]
pub(crate) struct Injection {
    service: Service,
    pub(super) before: Duration,
    pub(super) after: Duration,
    pub(super) fault: Option<Kind>,
}

impl Injection {
    pub(super) fn new(service: Service) -> Self {
        Self {
            service,
            before: Duration::ZERO,
            after: Duration::ZERO,
            fault: None,
        }
    }

    /// Runs the call with the time that its signature is checked by, and injects the faults. With
    /// a fault after `run`, the account has the change that the client does not hear of.
    pub(crate) async fn apply<F: Future<Output = Response>>(
        self,
        peer: Option<&Peer>,
        run: impl FnOnce(SystemTime) -> F,
    ) -> Response {
        pause(self.before).await;
        let now = SystemTime::now();
        let response = match self.fault {
            None => run(now).await,
            Some(Kind::ClockSkew { seconds }) => {
                let now = shift(now, seconds);
                with_date(run(now).await, now)
            }
            Some(Kind::Truncated) => truncated(run(now).await).await,
            Some(Kind::Malformed) => malformed(run(now).await).await,
            Some(Kind::WrongTapes { tapes }) => wrong_tapes::apply(tapes, run(now).await).await,
            Some(fault) => {
                if fault.when() == When::After {
                    drop(run(now).await);
                }
                replacement(&fault, self.service, peer).await
            }
        };
        pause(self.after).await;
        response
    }
}

async fn pause(wait: Duration) {
    if !wait.is_zero() {
        time::sleep(wait).await;
    }
}

/// The response that replaces the real one.
async fn replacement(fault: &Kind, service: Service, peer: Option<&Peer>) -> Response {
    match fault {
        Kind::Throttle { .. } => error_response::throttled(service),
        Kind::Error {
            code,
            nested,
            status,
            message,
            ..
        } => error_response::aws(service, code, nested.as_deref(), status.unwrap_or(400), message),
        Kind::BadGateway { .. } => error_response::bad_gateway(),
        Kind::Http {
            status,
            content_type,
            body,
            ..
        } => error_response::foreign(*status, content_type, body.clone()),
        Kind::Reset { .. } => {
            if let Some(peer) = peer {
                peer.reset();
            }
            // Under another server, this closes the connection without a response.
            Body::from_stream(stream::once(async { Err::<Bytes, _>(aborted()) })).into_response()
        }
        // The other kinds change the real response.
        Kind::Hang { .. }
        | Kind::Latency { .. }
        | Kind::Truncated
        | Kind::Malformed
        | Kind::WrongTapes { .. }
        | Kind::ClockSkew { .. } => future::pending().await,
    }
}

fn aborted() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

async fn half(response: &mut Response) -> (Bytes, usize) {
    let body = std::mem::take(response.body_mut()).collect().await;
    let body = body.expect("the emulator's own answers are in memory").to_bytes();
    (body.slice(..body.len() / 2), body.len())
}

/// The first half of the body, and then the end of the connection.
async fn truncated(mut response: Response) -> Response {
    let (half, whole) = half(&mut response).await;
    let failure = stream::once(async {
        // Gives the server time to send the first half before the error.
        task::yield_now().await;
        Err(aborted())
    });
    let cut = stream::once(future::ready(Ok(half))).chain(failure);
    *response.body_mut() = Body::from_stream(cut);
    response.headers_mut().insert(CONTENT_LENGTH, whole.into());
    response
}

/// The first half of the body as a complete response.
async fn malformed(mut response: Response) -> Response {
    let (half, _) = half(&mut response).await;
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = Body::from(half);
    response
}

fn shift(now: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let shifted = if seconds < 0 {
        now.checked_sub(by)
    } else {
        now.checked_add(by)
    };
    shifted.unwrap_or(now)
}

fn with_date(mut response: Response, now: SystemTime) -> Response {
    let date = Timestamp::try_from(now).map(|now| now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if let Some(date) = date.ok().and_then(|date| HeaderValue::try_from(date).ok()) {
        response.headers_mut().insert(DATE, date);
    }
    response
}
