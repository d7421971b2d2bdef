use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tonic::Status;

use super::{Error, Verdict};

/// How long to try with [`repeat`] and [`walk`](super::walk), if nothing is known that speaks for another time.
pub const GIVE_UP: Duration = Duration::from_secs(120);

/// Eight digits of milliseconds: 27 hours.
const LONGEST_TIMEOUT: Duration = Duration::from_millis(99_999_999);

/// Makes a call until it succeeds, may not be repeated, or `give_up` has passed. The call must be the same each time:
/// a create has the same `client_token` or barcode, which the caller has stored before.
///
/// # Errors
///
/// That of the last call.
pub async fn repeat<T>(
    give_up: Duration,
    mut call: impl AsyncFnMut() -> Result<T, Status>,
) -> Result<T, Error> {
    let mut waits = Waits::new(give_up);
    loop {
        // A connection that hangs does not end a call.
        let response = timeout(waits.left(), call()).await;
        match response.unwrap_or_else(|_| Err(Status::deadline_exceeded("no response in time"))) {
            Ok(response) => return Ok(response),
            Err(status) => waits.before_next(status.into()).await?,
        }
    }
}

/// The waits between calls that are repeated.
#[derive(Debug)]
pub(crate) struct Waits {
    give_up: Duration,
    /// `None` is never: `give_up` is longer than time goes.
    until: Option<Instant>,
    backoff: Duration,
}

impl Waits {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(10);

    pub(crate) fn new(give_up: Duration) -> Self {
        Self {
            give_up,
            until: Instant::now().checked_add(give_up),
            backoff: Self::FIRST,
        }
    }

    /// Waits as long as the error asks, or else by an exponential backoff with jitter. Returns the error if the call
    /// may not be repeated, or not in time.
    pub(crate) async fn before_next(&mut self, error: Error) -> Result<(), Error> {
        let delay = error
            .retry_delay
            .unwrap_or_else(|| self.backoff.mul_f64(0.5 + fastrand::f64() / 2.0));
        let is_in_time = self.until.is_none_or(|until| {
            let next = Instant::now().checked_add(delay);
            next.is_some_and(|next| next < until)
        });
        if error.verdict != Verdict::SameCall || !is_in_time {
            return Err(error);
        }
        self.backoff = (self.backoff * 2).min(Self::LONGEST);
        sleep(delay).await;
        Ok(())
    }

    /// How long a call may take: until the time is over, and at most as long as `grpc-timeout` can say.
    pub(crate) fn left(&self) -> Duration {
        let left = self
            .until
            .map(|until| until.saturating_duration_since(Instant::now()));
        left.unwrap_or(LONGEST_TIMEOUT).min(LONGEST_TIMEOUT)
    }

    /// Begins anew, after something has succeeded.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.give_up);
    }
}
