//! Whether requests are refused for their date.
//!
//! The SDK corrects the clock that it signs by: a client adds to it what the `Date` of its last
//! answer was off. So the answer that refuses a date also brings the right one, and the request can
//! go once more. That holds when this machine's clock is wrong, and again when it has been set
//! right. What the SDK does not do is to tell anybody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use aws_sdk_storagegateway::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef},
    },
    primitives::{DateTime, DateTimeFormat},
};
use aws_smithy_runtime_api::{box_error::BoxError, client::orchestrator::HttpResponse};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use jiff::{civil, tz::TimeZone};

/// How far a date may be off: AWS takes 5 minutes.
const TOLERANCE: Duration = Duration::from_secs(4 * 60);

/// Compares the dates of requests with those of AWS's answers: marks answers to requests that were
/// [`Misdated`], and tells the operator when this machine's clock is why.
#[derive(Clone, Debug)]
pub(super) struct ClockWatch {
    corrects: bool,
    /// Whether the operator was told. Clones, one in each client, tell once.
    told: Arc<AtomicBool>,
}

/// In the extensions of an answer: the request's date was off AWS's, and the next one's will not be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Misdated;

/// When a request was sent.
#[derive(Debug)]
struct Sent {
    /// By what was signed.
    signed: SystemTime,
    /// By this machine's clock.
    clock: SystemTime,
    at: Instant,
}

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl ClockWatch {
    /// `corrects` says whether the SDK corrects the clock that it signs by.
    pub(super) fn new(corrects: bool) -> Self {
        Self {
            corrects,
            told: Arc::default(),
        }
    }

    /// Tells when the clock turns out to be wrong, and when it is right again.
    fn tell(&self, clock: SystemTime, date: SystemTime, took: Duration, refused: bool) {
        let off = distance(date, clock, took);
        if off <= TOLERANCE {
            if self.told.swap(false, Ordering::Relaxed) {
                tracing::info!("this machine's clock agrees with AWS's again");
            }
        } else if refused && !self.told.swap(true, Ordering::Relaxed) {
            let until_then = match self.corrects {
                true => "requests are timestamped_provider by AWS's answers",
                false => "requests fail, since the SDK's clock skew correction is switched off",
            };
            tracing::warn!(
                seconds_off = off.as_secs(),
                is_behind = date > clock,
                until_then,
                "this machine's clock is wrong, and AWS refuses requests for their date: set it, and keep it set by NTP"
            );
        }
    }
}

impl Intercept for ClockWatch {
    fn name(&self) -> &'static str {
        "ClockWatch"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let signed = context.request().headers().get("x-amz-date").and_then(basic);
        if let Some(signed) = signed {
            config.interceptor_state().store_put(Sent {
                signed,
                clock: SystemTime::now(),
                at: Instant::now(),
            });
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response_mut();
        // A proxy's clock is nobody's business.
        let is_of_aws = answer.headers().contains_key("x-amzn-requestid");
        let (true, Some(date), Some(sent)) = (is_of_aws, http_date(answer, "date"), config.load::<Sent>())
        else {
            return Ok(());
        };
        let took = sent.at.elapsed();
        self.tell(sent.clock, date, took, answer.status().is_client_error());
        if self.corrects && distance(date, sent.signed, took) > TOLERANCE {
            answer.add_extension(Misdated);
        }
        Ok(())
    }
}

/// How far a date is from the time between `start` and `took` later, in either direction.
fn distance(date: SystemTime, start: SystemTime, took: Duration) -> Duration {
    match date.duration_since(start) {
        Ok(after) => after.saturating_sub(took),
        Err(before) => before.duration(),
    }
}

/// The date in a header of an answer.
pub(super) fn http_date(answer: &HttpResponse, name: &'static str) -> Option<SystemTime> {
    let date = answer.headers().get(name)?;
    DateTime::from_str(date, DateTimeFormat::HttpDate)
        .ok()?
        .try_into()
        .ok()
}

/// The date in a signed request's `X-Amz-Date`: `20261122T184500Z`.
fn basic(date: &str) -> Option<SystemTime> {
    let civil = civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().into())
}
