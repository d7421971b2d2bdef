//! How many control frames are read.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::call_costs::CallCosts;

/// For how long the peer may send control frames faster.
const BURST: Duration = Duration::from_millis(20);

/// How many times as many frames as on one connection may come on all connections of an address.
const OF_ADDRESS: u32 = 4;

/// How many frames a connection has time to pay for before the next one of its address is read on.
const GAP: u32 = CallCosts::FAILURE;

/// How long a connection may wait for others that wait, some of which may be closed by now.
const LONGEST_QUEUE: Duration = Duration::from_secs(1);

/// A number of control frames per second.
#[derive(Clone, Debug)]
struct Allowance {
    /// The time that one takes.
    cost: Duration,
    /// Until when it is used.
    used_until: Instant,
}

impl Allowance {
    fn new(per_second: u32) -> Self {
        Self {
            cost: Duration::from_secs(1) / per_second,
            used_until: Instant::now(),
        }
    }

    fn spend(&mut self, frames: u32) {
        self.used_until = self.used_until.max(Instant::now()) + self.cost * frames;
    }

    /// When the next frame may be read; `None` is now.
    fn resume(&self) -> Option<Instant> {
        let resume = self.used_until - BURST;
        (resume > Instant::now()).then_some(resume)
    }
}

/// The allowance that the connections of an address share.
#[derive(Clone, Debug)]
pub(super) struct OfAddress(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    all: Allowance,
    /// When the last of the connections that wait may be read.
    last: Instant,
}

impl OfAddress {
    /// [`OF_ADDRESS`] times as many as on one connection.
    pub(super) fn new(max_control_frames: u32) -> Self {
        let all = Allowance::new(max_control_frames.saturating_mul(OF_ADDRESS));
        let last = Instant::now();
        Self(Arc::new(Mutex::new(Shared { all, last })))
    }

    fn spend(&self, frames: u32) {
        self.lock().all.spend(frames);
    }

    /// When the next frame of a connection may be read; `None` is now. Connections that wait get different
    /// answers. If they were all read at the same time, all their calls would be rejected at the same time.
    fn resume(&self) -> Option<Instant> {
        let mut shared = self.lock();
        let resume = shared.all.resume()?;
        let next = shared.last + shared.all.cost * GAP;
        shared.last = resume.max(next.min(Instant::now() + LONGEST_QUEUE));
        Some(shared.last)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The allowances that the frames of a connection use.
#[derive(Clone, Debug)]
pub(super) struct Allowances {
    own: Allowance,
    /// `None` for a proxy, whose callers do not pay for each other.
    of_address: Option<OfAddress>,
}

impl Allowances {
    /// Those of a new connection.
    pub(super) fn new(max_control_frames: u32, of_address: Option<OfAddress>) -> Self {
        Self {
            own: Allowance::new(max_control_frames),
            of_address,
        }
    }

    /// Whether the peer also pays for calls, which it does unless it is a proxy.
    pub(super) fn pay_for_calls(&self) -> bool {
        self.of_address.is_some()
    }

    /// Takes so many control frames.
    pub(super) fn spend(&mut self, frames: u32) {
        if frames == 0 {
            return;
        }
        self.own.spend(frames);
        if let Some(all) = &self.of_address {
            all.spend(frames);
        }
    }

    /// When to ask again whether the next frame may be read; `None` if it may be read now.
    pub(super) fn resume(&self) -> Option<Instant> {
        let own = self.own.resume();
        own.or_else(|| self.of_address.as_ref()?.resume())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of the connections may read on.
    fn resume(connections: &[Allowances]) -> Vec<Option<Duration>> {
        let now = Instant::now();
        let all = connections.iter().map(Allowances::resume);
        all.map(|at| at.map(|at| at - now)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_sends_too_much_waits_alone() {
        let of_address = OfAddress::new(1000);
        let mut all: Vec<_> = (0..2)
            .map(|_| Allowances::new(1000, Some(of_address.clone())))
            .collect();
        all[0].spend(50);
        assert_eq!(resume(&all), [Some(Duration::from_millis(30)), None]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_connections_of_an_address_that_send_too_much_together_are_read_one_after_the_other() {
        let of_address = OfAddress::new(1000);
        let mut all: Vec<_> = (0..10)
            .map(|_| Allowances::new(1000, Some(of_address.clone())))
            .collect();
        for one in &mut all {
            one.spend(12);
        }
        let each: Vec<_> = (1..=10)
            .map(|n| Some(Duration::from_micros(12_500 * n)))
            .collect();
        assert_eq!(resume(&all[..1]), each[..1]);
        assert_eq!(resume(&all[1..]), each[1..]);
        tokio::time::advance(Duration::from_millis(10)).await;
        assert_eq!(resume(&all[..1]), [None]);
    }
}
