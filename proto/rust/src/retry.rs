use std::{
    error::Error as StdError,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tonic::{Code, ConnectError, Status, TimeoutExpired, body::Body};
use tower_layer::Layer;
use tower_service::Service;

use super::service_config::{MethodConfig, RetryPolicy, ServiceConfig, Throttling};

type BoxError = Box<dyn StdError + Send + Sync>;

const TIMEOUT: &str = "grpc-timeout";
const PREVIOUS_ATTEMPTS: &str = "grpc-previous-rpc-attempts";
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The most attempts of a call, whatever the service config says (gRFC A6).
const MOST_ATTEMPTS: u32 = 5;

/// How long a call with `waitForReady` waits between connection attempts: at first, and at most.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// How long before the deadline such a call tries for the last time.
const LAST_CONNECT: Duration = Duration::from_millis(100);

/// A tower layer that retries calls by a service config, by default the one that the service publishes.
///
/// As other gRPC libraries do (gRFC A6): only until the response begins, with the backoff of the config or the delay
/// that the service asks for (`grpc-retry-pushback-ms`), and less while many attempts fail (`retryThrottling`). A call
/// that cannot connect waits for a connection (`waitForReady`). All attempts end at the deadline of the call, or after
/// `timeout` if it has none. After a response has begun, the service ends it at the deadline; [`walk`](super::walk)
/// also notices a connection that hangs.
///
/// A connection that breaks is UNAVAILABLE; without this layer, tonic says UNKNOWN.
#[derive(Clone, Debug, Default)]
pub struct Retry {
    config: Arc<ServiceConfig>,
}

impl Retry {
    /// Retries by another service config.
    #[must_use]
    pub fn by(config: ServiceConfig) -> Self {
        Self {
            config: Arc::new(config),
        }
    }

    /// Retries the calls over this channel.
    pub fn over<S>(&self, channel: S) -> Retrying<S> {
        self.layer(channel)
    }
}

impl<S> Layer<S> for Retry {
    type Service = Retrying<S>;

    fn layer(&self, inner: S) -> Retrying<S> {
        Retrying {
            inner,
            config: self.config.clone(),
            tokens: self.config.throttling.map(Tokens::new),
        }
    }
}

/// A channel whose calls are retried. Its clones share the tokens of `retryThrottling`.
#[derive(Clone, Debug)]
pub struct Retrying<S> {
    inner: S,
    config: Arc<ServiceConfig>,
    tokens: Option<Tokens>,
}

impl<S, B> Service<Request<Body>> for Retrying<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Each attempt waits for the channel itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = self.inner.clone();
        let tokens = self.tokens.clone();
        let method = self.config.of(request.uri().path()).cloned().unwrap_or_default();
        Box::pin(attempts(inner, tokens, method, request))
    }
}

async fn attempts<S, B>(
    mut channel: S,
    tokens: Option<Tokens>,
    method: Arc<MethodConfig>,
    request: Request<Body>,
) -> Result<Response<B>, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    if method.retry_policy.is_none() && !method.wait_for_ready && method.timeout.is_none() {
        return send(&mut channel, request).await;
    }
    let (parts, body) = request.into_parts();
    // Requests of the service are one message, so that it can be sent again.
    let message = body.collect().await?.to_bytes();
    let timeout = [requested_timeout(&parts.headers), method.timeout];
    let timeout = timeout.into_iter().flatten().min();
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut reconnect = RECONNECT.0;
    let mut failed = 0;
    loop {
        let mut parts = parts.clone();
        set_headers(&mut parts.headers, deadline, failed);
        let request = Request::from_parts(parts, Body::new(Full::new(message.clone())));
        let sent = before(deadline, send(&mut channel, request));
        let Some(result) = sent.await else {
            let message = format!("the deadline passed after {} attempts", failed + 1);
            return Err(Status::deadline_exceeded(message).into());
        };
        if let (Err(error), Some(deadline), true) = (&result, deadline, method.wait_for_ready)
            && is::<ConnectError>(error)
        {
            // The last attempt is just before the deadline.
            let last = deadline.checked_sub(LAST_CONNECT).unwrap_or(deadline);
            let now = Instant::now();
            if now >= last {
                return result.map_err(unavailable);
            }
            sleep_until(last.min(now + reconnect)).await;
            reconnect = (reconnect * 2).min(RECONNECT.1);
            continue;
        }
        let (code, pushback) = match &result {
            Ok(response) => (code_of(response), pushback(response.headers())),
            Err(error) if is::<TimeoutExpired>(error) => (Some(Code::DeadlineExceeded), Pushback::None),
            Err(error) => (
                Some(find::<Status>(error).map_or(Code::Unavailable, Status::code)),
                Pushback::None,
            ),
        };
        let policy = method.retry_policy.as_ref();
        let Some(policy) = policy.filter(|policy| code.is_some_and(|code| policy.retries(code))) else {
            if let (Ok(_), None | Some(Code::Ok), Some(tokens)) = (&result, code, &tokens) {
                tokens.add();
            }
            return result.map_err(unavailable);
        };
        failed += 1;
        let may_retry = tokens.as_ref().is_none_or(Tokens::take);
        let delay = match pushback {
            Pushback::After(delay) => delay,
            Pushback::Never => return result.map_err(unavailable),
            Pushback::None => policy.backoff(failed).mul_f64(0.8 + 0.4 * fastrand::f64()),
        };
        if !may_retry
            || failed >= policy.max_attempts.min(MOST_ATTEMPTS)
            || !sleep_before(deadline, delay).await
        {
            return result.map_err(unavailable);
        }
    }
}

async fn send<S, B>(channel: &mut S, request: Request<Body>) -> Result<Response<B>, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    poll_fn(|context| channel.poll_ready(context))
        .await
        .map_err(Into::into)?;
    channel.call(request).await.map_err(Into::into)
}

/// What the future returns, unless the deadline passes first.
async fn before<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

/// Sleeps, unless that would take until the deadline.
async fn sleep_before(deadline: Option<Instant>, delay: Duration) -> bool {
    let next = Instant::now().checked_add(delay);
    let is_in_time = next.is_some_and(|next| deadline.is_none_or(|deadline| next < deadline));
    if is_in_time {
        sleep(delay).await;
    }
    is_in_time
}

fn set_headers(headers: &mut HeaderMap, deadline: Option<Instant>, failed: u32) {
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        // Eight digits are the most that gRPC allows.
        let text = match left.as_micros() {
            micros @ ..=99_999_999 => format!("{micros}u"),
            _ => format!("{}m", left.as_millis().min(99_999_999)),
        };
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(TIMEOUT, value);
        }
    }
    if failed > 0 {
        headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(failed));
    }
}

/// The timeout that the caller has set, in the form of gRPC: up to eight digits and a unit.
fn requested_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The code of a response that has only trailers, or that comes from a proxy which speaks no gRPC; `None` if messages
/// follow.
fn code_of<B>(response: &Response<B>) -> Option<Code> {
    let status = Status::from_header_map(response.headers()).map(|status| status.code());
    // gRPC, "HTTP to gRPC Status Code Mapping".
    status.or(match response.status().as_u16() {
        200 => None,
        400 => Some(Code::Internal),
        401 => Some(Code::Unauthenticated),
        403 => Some(Code::PermissionDenied),
        404 => Some(Code::Unimplemented),
        429 | 502 | 503 | 504 => Some(Code::Unavailable),
        _ => Some(Code::Unknown),
    })
}

enum Pushback {
    None,
    After(Duration),
    Never,
}

/// When the service wants the retry; anything but a number means never (gRFC A6).
fn pushback(headers: &HeaderMap) -> Pushback {
    let Some(value) = headers.get(PUSHBACK) else {
        return Pushback::None;
    };
    let millis = value.to_str().ok().and_then(|text| text.parse().ok());
    millis.map_or(Pushback::Never, |millis| {
        Pushback::After(Duration::from_millis(millis))
    })
}

/// The error of this type that the error is, or comes from.
fn find<T: StdError + 'static>(error: &BoxError) -> Option<&T> {
    let mut source: Option<&(dyn StdError + 'static)> = Some(error.as_ref());
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

fn is<T: StdError + 'static>(error: &BoxError) -> bool {
    find::<T>(error).is_some()
}

/// A connection that broke, as other libraries name it.
fn unavailable(error: BoxError) -> BoxError {
    if is::<Status>(&error) {
        return error;
    }
    // tonic says CANCELLED.
    if is::<TimeoutExpired>(&error) {
        return Status::deadline_exceeded("the deadline passed without a response").into();
    }
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        message = format!("{message}: {error}");
        source = error.source();
    }
    Status::unavailable(message).into()
}

impl RetryPolicy {
    fn retries(&self, code: Code) -> bool {
        self.retryable_status_codes.contains(&code)
    }

    /// The backoff before the retry that follows this many failed attempts, without jitter.
    fn backoff(&self, failed: u32) -> Duration {
        let exponent = i32::try_from(failed).unwrap_or(i32::MAX).saturating_sub(1);
        let factor = self.backoff_multiplier.powi(exponent);
        let seconds = self.initial_backoff.as_secs_f64() * factor;
        Duration::try_from_secs_f64(seconds).map_or(self.max_backoff, |backoff| backoff.min(self.max_backoff))
    }
}

/// The tokens of `retryThrottling`.
#[derive(Clone, Debug)]
struct Tokens {
    settings: Throttling,
    left: Arc<Mutex<f64>>,
}

impl Tokens {
    fn new(settings: Throttling) -> Self {
        Self {
            settings,
            left: Arc::new(Mutex::new(settings.max_tokens)),
        }
    }

    /// Takes a token for an attempt that has failed. Returns whether it may be retried.
    fn take(&self) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = (*left - 1.0).max(0.0);
        *left > self.settings.max_tokens / 2.0
    }

    /// Adds a part of a token for a call that has succeeded.
    fn add(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = (*left + self.settings.token_ratio).min(self.settings.max_tokens);
    }
}
