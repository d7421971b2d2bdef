use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::Status;

use super::{Error, Verdict};

/// How long to try with [`repeat`] and [`walk`](super::walk), if nothing is known that speaks for another time.
pub const GIVE_UP: Duration = Duration::from_secs(120);

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
        match call().await {
            Ok(response) => return Ok(response),
            Err(status) => waits.before_next(status.into()).await?,
        }
    }
}

/// The waits between calls that are repeated.
#[derive(Debug)]
pub(crate) struct Waits {
    give_up: Duration,
    until: Instant,
    backoff: Duration,
}

impl Waits {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(10);

    pub(crate) fn new(give_up: Duration) -> Self {
        Self {
            give_up,
            until: Instant::now() + give_up,
            backoff: Self::FIRST,
        }
    }

    /// Waits as long as the error asks, or else by an exponential backoff with jitter. Returns the error if the call
    /// may not be repeated, or not in time.
    pub(crate) async fn before_next(&mut self, error: Error) -> Result<(), Error> {
        let delay = error
            .retry_delay
            .unwrap_or_else(|| self.backoff.mul_f64(0.5 + fastrand::f64() / 2.0));
        if error.verdict != Verdict::SameCall || Instant::now() + delay >= self.until {
            return Err(error);
        }
        self.backoff = (self.backoff * 2).min(Self::LONGEST);
        sleep(delay).await;
        Ok(())
    }

    /// Begins anew, after something has succeeded.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.give_up);
    }
}
