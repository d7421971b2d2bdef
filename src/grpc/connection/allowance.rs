//! How many control frames are read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// For how long the peer may send control frames faster.
const BURST: Duration = Duration::from_millis(20);

/// How many connections of an address have the whole rate. More connections share the rate of so many, so that
/// a client does not get further by opening more.
const WHOLE: u32 = 4;

/// The longest pause. A connection that the peer has closed is noticed only after it.
const MAX_PAUSE: Duration = Duration::from_secs(10);

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

    /// Takes so many control frames.
    pub(super) fn spend(&mut self, frames: u32) {
        let now = Instant::now();
        let cost = self.cost.saturating_mul(frames).saturating_mul(self.share()) / WHOLE;
        self.used_until = (self.used_until.max(now) + cost.min(MAX_PAUSE)).min(now + BURST + MAX_PAUSE);
    }

    /// When the next frame may be read; `None` is now.
    pub(super) fn resume(&self) -> Option<Instant> {
        let resume = self.used_until - BURST;
        (resume > Instant::now()).then_some(resume)
    }

    /// The number of connections among which the rate of [`WHOLE`] connections is shared.
    fn share(&self) -> u32 {
        let open = self
            .of_address
            .as_ref()
            .map_or(0, |open| open.load(Ordering::Relaxed));
        u32::try_from(open).unwrap_or(u32::MAX).max(WHOLE)
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
        one.spend(20);
        assert_eq!(pause(&one), Duration::ZERO);
        one.spend(30);
        assert_eq!(pause(&one), Duration::from_millis(30));
        tokio::time::advance(Duration::from_millis(30)).await;
        assert_eq!(pause(&one), Duration::ZERO);
        one.spend(u32::MAX);
        assert_eq!(pause(&one), MAX_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn many_connections_of_an_address_share_the_rate_of_four() {
        let open = Arc::new(AtomicUsize::new(4));
        let mut all = [(); 2].map(|()| Allowance::new(1000, Some(open.clone())));
        all[0].spend(50);
        assert_eq!(pause(&all[0]), Duration::from_millis(30));
        open.store(40, Ordering::Relaxed);
        all[1].spend(50);
        assert_eq!(pause(&all[1]), Duration::from_millis(480));
        let new = Allowance::new(1000, Some(open));
        assert_eq!(pause(&new), Duration::ZERO);
    }
}
