use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{call::Room, domain::OperationKind, grpc::status::Overload};

/// How often the wait for a processor is measured.
const TICK: Duration = Duration::from_millis(5);

/// Admits fewer calls while the processors cannot keep up.
///
/// Beyond what the processors can do, every call that is admitted makes all others wait longer, until they
/// exceed their deadlines and all work was for nothing. So between once and twice `max_scheduling_delay` of
/// waiting for a processor, a falling share of the reads is admitted, and between three and four times of the
/// creates. For reads, the waits in the rooms of the upstream stack are added: of attempts for a connection, and
/// of large responses for a processor.
#[derive(Debug)]
pub struct Pressure {
    max_delay: Duration,
    probe: Mutex<Probe>,
    /// In which large responses wait for a processor.
    processors: Room,
    /// In which attempts wait for a connection.
    connections: [Room; 2],
}

/// A task that waits for a processor like all others.
#[derive(Debug)]
struct Probe {
    /// When it wants to run.
    due: Instant,
    /// How late it ran the last time, and the time before.
    delays: [Duration; 2],
}

impl Probe {
    /// How long tasks wait for a processor: what two measurements in a row agree on. One of them can be what
    /// is known so far of the wait in progress. A single one can be the pause of a container whose share of
    /// the processors is limited.
    fn delay(&self) -> Duration {
        let [last, before] = self.delays;
        last.min(before.max(self.due.elapsed()))
    }
}

impl Pressure {
    /// No pressure yet; tasks may wait so long, and reads in these rooms for a processor and for a connection.
    pub fn new(max_delay: Duration, processors: Room, connections: [Room; 2]) -> Self {
        let probe = Probe {
            due: Instant::now(),
            delays: [Duration::ZERO; 2],
        };
        Self {
            max_delay,
            probe: Mutex::new(probe),
            processors,
            connections,
        }
    }

    /// Measures how long tasks wait for a processor, for ever.
    pub async fn measure(&self) {
        loop {
            let due = Instant::now() + TICK;
            self.probe().due = due;
            sleep_until(due).await;
            let mut probe = self.probe();
            probe.delays = [due.elapsed(), probe.delays[0]];
        }
    }

    /// Whether a call of this kind is admitted.
    ///
    /// # Errors
    ///
    /// What there is not enough of.
    pub(super) fn admit(&self, kind: OperationKind) -> Result<(), Overload> {
        let (delay, lacking) = self.delay(kind);
        if fastrand::f64() < self.share(kind, delay) {
            Ok(())
        } else {
            Err(lacking)
        }
    }

    /// The share of calls of this kind that are admitted, from 0 to 1.
    pub fn admitted(&self, kind: OperationKind) -> f64 {
        self.share(kind, self.delay(kind).0)
    }

    /// How long calls of this kind wait in all, and for what most.
    fn delay(&self, kind: OperationKind) -> (Duration, Overload) {
        let of_tasks = self.probe().delay();
        if kind == OperationKind::Create {
            return (of_tasks, Overload::Processors);
        }
        let processors = of_tasks + self.processors.expected_wait();
        let connections = self.connections.iter().map(Room::expected_wait);
        let connections = connections.max().unwrap_or_default();
        let lacking = if connections > processors {
            Overload::Connections
        } else {
            Overload::Processors
        };
        (processors + connections, lacking)
    }

    fn share(&self, kind: OperationKind, delay: Duration) -> f64 {
        let none_at = match kind {
            OperationKind::Read => 2.0,
            OperationKind::Create => 4.0,
        };
        (none_at - delay.div_duration_f64(self.max_delay)).clamp(0.0, 1.0)
    }

    fn probe(&self) -> MutexGuard<'_, Probe> {
        self.probe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(50);

    fn pressure(delays: [u32; 2]) -> Pressure {
        let pressure = Pressure::new(LIMIT, Room::new(1), [(); 2].map(|()| Room::new(1)));
        pressure.probe().delays = delays.map(|times| times * LIMIT / 10);
        pressure
    }

    fn shares(pressure: &Pressure) -> [f64; 2] {
        [OperationKind::Read, OperationKind::Create].map(|kind| pressure.admitted(kind))
    }

    #[tokio::test(start_paused = true)]
    async fn reads_go_before_creates() {
        for (tenths, expected) in [
            (0, [1.0, 1.0]),
            (10, [1.0, 1.0]),
            (15, [0.5, 1.0]),
            (20, [0.0, 1.0]),
            (30, [0.0, 1.0]),
            (35, [0.0, 0.5]),
            (50, [0.0, 0.0]),
        ] {
            assert_eq!(shares(&pressure([tenths; 2])), expected, "{tenths}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_pause_is_no_pressure() {
        assert_eq!(shares(&pressure([50, 0])), [1.0, 1.0]);
        assert_eq!(shares(&pressure([0, 50])), [1.0, 1.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_pause_counts_while_it_lasts() {
        let pressure = pressure([50, 0]);
        advance(LIMIT * 3 / 2).await;
        assert_eq!(shares(&pressure), [0.5, 1.0]);
        advance(LIMIT * 5).await;
        assert_eq!(shares(&pressure), [0.0, 0.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn reads_that_wait_for_a_place_keep_out_further_reads_only() {
        let room = Room::new(1);
        let pressure = Pressure::new(LIMIT, Room::new(1), [Room::new(1), room.clone()]);
        pressure.probe().due = Instant::now() + LIMIT * 100;
        let taken = room.clone().place().await;
        let mut waiting = Box::pin(room.place());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        advance(LIMIT * 3 / 2).await;
        assert_eq!(shares(&pressure), [0.5, 1.0]);
        advance(LIMIT * 5).await;
        assert_eq!(shares(&pressure), [0.0, 1.0]);
        assert_eq!(pressure.admit(OperationKind::Read), Err(Overload::Connections));
        drop(taken);
        let _place = waiting.await;
        assert_eq!(shares(&pressure), [1.0, 1.0]);
    }
}
