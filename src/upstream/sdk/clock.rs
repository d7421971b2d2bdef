//! Clock skew: finds requests that AWS rejects because of their date.
//!
//! The SDK corrects clock skew: a client adds the offset of the last response's `Date` to the clock
//! that it signs with. So the response that rejects a date also brings the right one, and one retry
//! succeeds, both when the clock is wrong and when it has just been set right. The SDK does not
//! report any of this, so [`ClockWatch`] does.

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

/// The clock skew that is ignored. AWS accepts 5 minutes.
const TOLERANCE: Duration = Duration::from_secs(4 * 60);

/// Compares the dates of requests with those of AWS's responses. It marks responses to requests that
/// were [`Misdated`], and warns the operator if this machine's clock is wrong.
#[derive(Clone, Debug)]
pub(super) struct ClockWatch {
    corrects: bool,
    /// Whether the operator was warned. Each client has a clone; all together warn once.
    has_warned: Arc<AtomicBool>,
}

/// An extension of a response: the date of its request was wrong, and the next one's will be right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Misdated;

/// When a request was sent.
#[derive(Debug)]
struct Sent {
    /// The signed date, by the SDK's corrected clock.
    signed: SystemTime,
    /// The date by this machine's clock.
    clock: SystemTime,
    at: Instant,
}

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl ClockWatch {
    /// `corrects` is whether the SDK's clock skew correction is on.
    pub(super) fn new(corrects: bool) -> Self {
        Self {
            corrects,
            has_warned: Arc::default(),
        }
    }

    /// Logs when this machine's clock is found to be wrong, and when it is right again.
    fn report(&self, clock: SystemTime, date: SystemTime, took: Duration, is_rejected: bool) {
        let skew = distance(date, clock, took);
        if skew <= TOLERANCE {
            if self.has_warned.swap(false, Ordering::Relaxed) {
                tracing::info!("this machine's clock agrees with AWS's again");
            }
        } else if is_rejected && !self.has_warned.swap(true, Ordering::Relaxed) {
            let until_then = match self.corrects {
                true => "requests are signed with the time of AWS's responses",
                false => "requests fail, because the SDK's clock skew correction is switched off",
            };
            tracing::warn!(
                seconds_off = skew.as_secs(),
                is_behind = date > clock,
                until_then,
                "this machine's clock is wrong, and AWS rejects requests because of their date; set the clock, and synchronize it with NTP"
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
        let response = context.response_mut();
        // The date of a proxy says nothing about AWS's clock.
        let is_of_aws = response.headers().contains_key("x-amzn-requestid");
        let (true, Some(date), Some(sent)) = (is_of_aws, http_date(response, "date"), config.load::<Sent>())
        else {
            return Ok(());
        };
        let took = sent.at.elapsed();
        self.report(sent.clock, date, took, response.status().is_client_error());
        if self.corrects && distance(date, sent.signed, took) > TOLERANCE {
            response.add_extension(Misdated);
        }
        Ok(())
    }
}

/// The distance of a date from the interval between `start` and `took` later, in either direction.
fn distance(date: SystemTime, start: SystemTime, took: Duration) -> Duration {
    match date.duration_since(start) {
        Ok(after) => after.saturating_sub(took),
        Err(before) => before.duration(),
    }
}

/// The date in a header of a response.
pub(super) fn http_date(response: &HttpResponse, name: &'static str) -> Option<SystemTime> {
    let date = response.headers().get(name)?;
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
