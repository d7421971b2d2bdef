use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::domain::OperationKind;

/// How often the wait for a processor is measured.
const TICK: Duration = Duration::from_millis(5);

/// How many measurements in a row must be over the limit. A single one can be the pause of a container
/// whose share of the processors is limited.
const TICKS: usize = 4;

/// All calls, in the unit of the shares.
const ALL: u32 = 1000;

/// The least share, which shows whether the load has fallen.
const LEAST: u32 = ALL / 50;

/// What a share grows by when there is no wait.
const GROWTH: u32 = ALL / 50;

/// The shares of calls that are admitted while the processors cannot keep up.
///
/// Beyond what the processors can do, every call that is admitted makes all others wait longer, until they
/// exceed their deadlines and all work was for nothing. So as long as tasks wait for a processor longer than
/// `max_scheduling_delay`, the share of reads that is admitted falls by a quarter every time, and that of
/// creates when hardly any reads are left.
#[derive(Debug)]
pub struct Pressure {
    max_delay: Duration,
    reads: AtomicU32,
    creates: AtomicU32,
}

impl Pressure {
    /// No pressure yet; tasks may wait so long for a processor.
    pub fn new(max_delay: Duration) -> Self {
        Self {
            max_delay,
            reads: AtomicU32::new(ALL),
            creates: AtomicU32::new(ALL),
        }
    }

    /// Measures how long tasks wait for a processor, for ever.
    pub async fn measure(&self) {
        loop {
            let mut least = Duration::MAX;
            for _ in 0..TICKS {
                let due = Instant::now() + TICK;
                sleep_until(due).await;
                least = least.min(due.elapsed());
            }
            self.adjust(least);
        }
    }

    fn adjust(&self, delay: Duration) {
        let (reads, creates) = (&self.reads, &self.creates);
        let next = if delay > self.max_delay {
            if share(reads) > LEAST { reads } else { creates }
        } else if share(creates) < ALL {
            creates
        } else {
            reads
        };
        let changed = match delay > self.max_delay {
            true => (share(next) * 3 / 4).max(LEAST),
            false => (share(next) + GROWTH).min(ALL),
        };
        next.store(changed, Ordering::Relaxed);
    }

    /// Whether a call of this kind is admitted.
    pub(super) fn admits(&self, kind: OperationKind) -> bool {
        let share = self.share_of(kind);
        share == ALL || fastrand::u32(0..ALL) < share
    }

    /// The share of calls of this kind that are admitted, from 0 to 1.
    pub fn admitted(&self, kind: OperationKind) -> f64 {
        f64::from(self.share_of(kind)) / f64::from(ALL)
    }

    fn share_of(&self, kind: OperationKind) -> u32 {
        share(match kind {
            OperationKind::Read => &self.reads,
            OperationKind::Create => &self.creates,
        })
    }
}

fn share(of: &AtomicU32) -> u32 {
    of.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(50);

    #[test]
    fn reads_go_before_creates_and_come_back_after_them() {
        let pressure = Pressure::new(LIMIT);
        let shares = || [OperationKind::Read, OperationKind::Create].map(|kind| pressure.admitted(kind));
        pressure.adjust(LIMIT);
        assert_eq!(shares(), [1.0, 1.0]);
        let mut both = Vec::new();
        for _ in 0..40 {
            pressure.adjust(2 * LIMIT);
            both.push(shares());
        }
        assert!(
            both.iter()
                .all(|[reads, creates]| *creates == 1.0 || *reads <= 0.02)
        );
        assert!(both[39].into_iter().all(|share| share > 0.0), "{both:?}");
        let mut back = Vec::new();
        while shares() != [1.0, 1.0] {
            pressure.adjust(Duration::ZERO);
            back.push(shares());
        }
        assert!(back.len() <= 100, "{}", back.len());
        assert!(
            back.iter()
                .all(|[reads, creates]| *creates == 1.0 || *reads <= 0.02)
        );
    }
}
