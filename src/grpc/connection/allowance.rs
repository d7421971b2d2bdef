//! How many control frames are read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// How many control frames may come at once. A connection begins with a dozen.
const BURST: u32 = 100;

/// How many connections of an address have the whole rate. More connections share the rate of so many, so that
/// a client does not get further by opening more.
const WHOLE: u32 = 4;

/// The longest pause. A connection that the peer has closed is noticed only after it.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// More than any pause, and less than what overflows the clock.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The number of control frames per second that a connection may send.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    /// The time that one takes.
    cost: Duration,
    /// Until when it is used.
    used_until: Instant,
    /// The open connections of its address. `None` for a proxy, whose callers do not pay for each other.
    of_address: Option<Arc<AtomicUsize>>,
}

impl Allowance {
    /// That of a new connection.
    pub(super) fn new(max_control_frames: u32, of_address: Option<Arc<AtomicUsize>>) -> Self {
        Self {
            cost: Duration::from_secs(1) / max_control_frames,
            used_until: Instant::now(),
            of_address,
        }
    }

    /// Whether the peer also pays for calls, which it does unless it is a proxy.
    pub(super) fn pays_for_calls(&self) -> bool {
        self.of_address.is_some()
    }

    /// Takes so many control frames, or gives them back if there are less than 0.
    pub(super) fn spend(&mut self, frames: i64) {
        // Most frames cost nothing.
        if frames == 0 {
            return;
        }
        let now = Instant::now();
        let cost = self.cost_of(u32::try_from(frames.unsigned_abs()).unwrap_or(u32::MAX));
        self.used_until = if frames > 0 {
            let latest = now + self.cost_of(BURST) + MAX_PAUSE;
            (self.used_until.max(now) + cost).min(latest)
        } else {
            self.used_until.checked_sub(cost).unwrap_or(now)
        };
    }

    /// When the next frame may be read; `None` is now.
    pub(super) fn resume(&self) -> Option<Instant> {
        let resume = self.used_until.checked_sub(self.cost_of(BURST))?;
        (resume > Instant::now()).then_some(resume)
    }

    /// The time that so many frames take. The connections of an address share the rate of [`WHOLE`].
    fn cost_of(&self, frames: u32) -> Duration {
        let open = self
            .of_address
            .as_ref()
            .map_or(0, |open| open.load(Ordering::Relaxed));
        let share = u32::try_from(open).unwrap_or(u32::MAX).max(WHOLE);
        let cost = self.cost.saturating_mul(share) / WHOLE;
        cost.saturating_mul(frames).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(allowance: &Allowance) -> Duration {
        allowance
            .resume()
            .map_or(Duration::ZERO, |at| at - Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn frames_beyond_the_burst_wait() {
        let mut one = Allowance::new(1000, None);
        one.spend(BURST.into());
        assert_eq!(pause(&one), Duration::ZERO);
        one.spend(30);
        assert_eq!(pause(&one), Duration::from_millis(30));
        tokio::time::advance(Duration::from_millis(30)).await;
        assert_eq!(pause(&one), Duration::ZERO);
        one.spend(i64::MAX);
        assert_eq!(pause(&one), MAX_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn many_connections_of_an_address_share_the_rate_of_four() {
        let open = Arc::new(AtomicUsize::new(4));
        let mut all = [(); 2].map(|()| Allowance::new(1000, Some(open.clone())));
        all[0].spend(i64::from(BURST) + 50);
        assert_eq!(pause(&all[0]), Duration::from_millis(50));
        open.store(4000, Ordering::Relaxed);
        all[1].spend(BURST.into());
        assert_eq!(pause(&all[1]), Duration::ZERO);
        all[1].spend(5);
        assert_eq!(pause(&all[1]), Duration::from_secs(5));
    }
}
