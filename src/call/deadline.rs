use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The deadline of a call, as the upstream stack sees it.
#[derive(Clone, Debug)]
pub enum Deadline {
    /// The deadline of one caller, which does not move.
    At(Instant),
    /// The deadline of a coalesced fetch: the latest of the callers that wait for it.
    Latest(LatestDeadline),
}

/// The deadline of a coalesced fetch, which moves when callers join. Clones share one value.
#[derive(Clone, Debug)]
pub struct LatestDeadline(Arc<Mutex<Instant>>);

impl Deadline {
    /// The moment at which the deadline passes. That of a coalesced fetch may still move.
    pub fn moment(&self) -> Instant {
        match self {
            Self::At(moment) => *moment,
            Self::Latest(latest) => *latest.lock(),
        }
    }

    /// The time left until the deadline; zero once it has passed.
    pub fn left(&self) -> Duration {
        self.moment().saturating_duration_since(Instant::now())
    }

    /// Waits until the deadline has passed.
    pub async fn passed(&self) {
        let mut moment = self.moment();
        loop {
            sleep_until(moment).await;
            // The deadline may have moved.
            let now = self.moment();
            if now <= moment {
                return;
            }
            moment = now;
        }
    }
}

impl LatestDeadline {
    /// A deadline that starts at `moment`.
    pub fn new(moment: Instant) -> Self {
        Self(Arc::new(Mutex::new(moment)))
    }

    /// Moves the deadline to `moment`, if that is later.
    pub fn extend_to(&self, moment: Instant) {
        let mut latest = self.lock();
        *latest = moment.max(*latest);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_is_extended_while_it_is_waited_for_passes_at_the_later_moment() {
        let start = Instant::now();
        let latest = LatestDeadline::new(start + Duration::from_secs(1));
        let deadline = Deadline::Latest(latest.clone());
        let extend = async {
            sleep_until(start + Duration::from_millis(500)).await;
            latest.extend_to(start + Duration::from_secs(3));
            latest.extend_to(start + Duration::from_secs(2));
        };
        tokio::join!(deadline.passed(), extend);
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }
}
