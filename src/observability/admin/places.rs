//! Which admin connections are open, and which of them makes room for a new one.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a new connection may take to send its first request before it counts as one that waits.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// The places of open connections. A new connection always gets one, so that no other client can keep
/// out a probe: if all are taken, one of the address that has the most connections is closed. That is the one
/// that has waited for a request for longest, or if none waits, the oldest of those that are new, or the one
/// whose request has taken longest.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    last_id: u64,
    by_id: HashMap<u64, Use>,
}

/// What a connection is used for.
#[derive(Clone, Debug)]
struct Use {
    address: IpAddr,
    phase: Phase,
    since: Instant,
    leave: CancellationToken,
}

/// What a connection does. Those that are closed first come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// It waits for a request.
    Waiting,
    /// It is new, and its first request is on its way.
    New,
    /// It has a request.
    Answering,
}

impl Use {
    fn order(&self) -> (Phase, Instant) {
        let phase = match self.phase {
            Phase::New if self.since.elapsed() > FIRST_REQUEST => Phase::Waiting,
            phase => phase,
        };
        (phase, self.since)
    }
}

impl Taken {
    /// The connection that makes room for a new one.
    fn first_to_leave(&self) -> Option<u64> {
        let mut of_address = HashMap::<_, usize>::new();
        for one in self.by_id.values() {
            *of_address.entry(one.address).or_default() += 1;
        }
        let most = of_address.values().max().copied();
        let of_most = |one: &Use| of_address.get(&one.address).copied() == most;
        let candidates = self.by_id.iter().filter(|(_, one)| of_most(one));
        let first = candidates.min_by_key(|(_, one)| one.order());
        first.map(|(id, _)| *id)
    }
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            taken: Mutex::default(),
        }
    }

    /// Takes a place for a connection from this address.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Place {
        let mut taken = self.lock();
        if taken.by_id.len() >= self.max {
            let first = taken.first_to_leave();
            if let Some(leaving) = first.and_then(|id| taken.by_id.remove(&id)) {
                leaving.leave.cancel();
            }
        }
        taken.last_id += 1;
        let id = taken.last_id;
        let leave = CancellationToken::new();
        taken.by_id.insert(
            id,
            Use {
                address,
                phase: Phase::New,
                since: Instant::now(),
                leave: leave.clone(),
            },
        );
        Place {
            places: self.clone(),
            id,
            leave,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    /// Cancelled when the connection is to be closed at once.
    pub(super) leave: CancellationToken,
}

impl Place {
    /// Records that the connection has a request, or that it waits for the next one.
    pub(super) fn set_answering(&self, is_answering: bool) {
        if let Some(one) = self.places.lock().by_id.get_mut(&self.id) {
            one.phase = if is_answering {
                Phase::Answering
            } else {
                Phase::Waiting
            };
            one.since = Instant::now();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().by_id.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_takes_the_place_of_the_one_that_waits_longest() {
        let places = Arc::new(Places::new(3));
        let take = async || {
            tokio::time::advance(Duration::from_millis(1)).await;
            let place = places.take(CLIENT);
            place.set_answering(true);
            place.set_answering(false);
            place
        };
        let (answering, old, young) = (take().await, take().await, take().await);
        answering.set_answering(true);
        let new = take().await;
        assert!(old.leave.is_cancelled());
        drop(new);
        let again = take().await;
        for stays in [&young, &again] {
            assert!(!stays.leave.is_cancelled());
            stays.set_answering(true);
        }
        assert!(!answering.leave.is_cancelled());
        let last = take().await;
        assert!(answering.leave.is_cancelled() && !last.leave.is_cancelled());
        drop((answering, old, young, again, last));
        assert!(places.lock().by_id.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_address_with_the_most_connections_makes_room() {
        let places = Arc::new(Places::new(3));
        let probe = places.take(CLIENT);
        probe.set_answering(true);
        probe.set_answering(false);
        tokio::time::advance(Duration::from_millis(1)).await;
        let flood = [(); 2].map(|()| {
            let place = places.take(IpAddr::V4(Ipv4Addr::BROADCAST));
            place.set_answering(true);
            place
        });
        let _last = places.take(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        assert!(!probe.leave.is_cancelled());
        assert_eq!(flood.iter().filter(|place| place.leave.is_cancelled()).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_time_to_send_its_first_request() {
        let places = Arc::new(Places::new(2));
        let probe = places.take(CLIENT);
        tokio::time::advance(Duration::from_millis(1)).await;
        let served = places.take(CLIENT);
        served.set_answering(true);
        served.set_answering(false);
        let silent = places.take(CLIENT);
        assert!(served.leave.is_cancelled() && !probe.leave.is_cancelled());
        tokio::time::advance(FIRST_REQUEST).await;
        silent.set_answering(true);
        silent.set_answering(false);
        let _last = places.take(CLIENT);
        assert!(probe.leave.is_cancelled() && !silent.leave.is_cancelled());
    }
}
