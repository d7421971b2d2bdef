//! Clock skew: corrects the clock that signs, and finds requests that AWS rejects because of their date.
//!
//! A client adds the offset of the last response's `Date` to the clock that it signs with, as the SDK's signer
//! does. So the response that rejects a date also brings the right one, and one retry succeeds, both when the
//! clock is wrong and when it has just been set right.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
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
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{interceptors::dyn_dispatch_hint, orchestrator::HttpResponse},
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};

/// The clock skew that is ignored. AWS accepts 5 minutes.
const TOLERANCE: Duration = Duration::from_secs(4 * 60);

/// The clock of the service that a client sends to, as far as its responses tell it. It marks responses to
/// requests that were [`Misdated`], and warns the operator if this machine's clock is wrong.
#[derive(Clone, Debug)]
pub(super) struct ServiceClock {
    corrects: bool,
    /// How far the service's clock is ahead of this machine's, in milliseconds.
    ahead: Arc<AtomicI64>,
    /// Whether the operator was warned. Each client has a clone; all together warn once.
    has_warned: Arc<AtomicBool>,
}

/// An extension of a request: when it was sent, by the service's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed(pub(super) SystemTime);

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

impl ServiceClock {
    /// `corrects` is whether the SDK's clock skew correction is on.
    pub(super) fn new(corrects: bool) -> Self {
        Self {
            corrects,
            ahead: Arc::default(),
            has_warned: Arc::default(),
        }
    }

    /// The clock of another client.
    pub(super) fn of_client(&self) -> Self {
        Self {
            ahead: Arc::default(),
            ..self.clone()
        }
    }

    /// The time to sign with.
    pub(super) fn now(&self) -> SystemTime {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let distance = Duration::from_millis(ahead.unsigned_abs());
        let now = SystemTime::now();
        let corrected = match ahead < 0 {
            true => now.checked_sub(distance),
            false => now.checked_add(distance),
        };
        corrected.unwrap_or(now)
    }

    /// Learns the service's time halfway between a request and its response.
    fn learn(&self, halfway: SystemTime, date: SystemTime) {
        let millis = |distance: Duration| i64::try_from(distance.as_millis()).unwrap_or_default();
        let ahead = match date.duration_since(halfway) {
            Ok(ahead) => millis(ahead),
            Err(behind) => -millis(behind.duration()),
        };
        self.ahead.store(ahead, Ordering::Relaxed);
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

#[dyn_dispatch_hint]
impl Intercept for ServiceClock {
    fn name(&self) -> &'static str {
        "ServiceClock"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(&Signed(signed)) = context.request().extension() {
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
        if !self.corrects {
            return Ok(());
        }
        self.learn(sent.clock + took / 2, date);
        if distance(date, sent.signed, took) > TOLERANCE {
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
