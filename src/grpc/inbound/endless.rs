//! A room for streams that may stay open forever.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::client_network;

/// The part of the room that the callers of one address, or of one network of IPv6, may use.
const OF_ADDRESS: usize = 4;

/// A room for so many streams, which the callers of one address cannot fill.
#[derive(Clone, Debug)]
pub(super) struct EndlessRoom(Arc<Room>);

#[derive(Debug)]
struct Room {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

impl EndlessRoom {
    pub(super) fn new(max: usize) -> Self {
        let taken = Mutex::default();
        Self(Arc::new(Room { max, taken }))
    }

    /// Takes a place for a caller at this address; `None` if there is none.
    pub(super) fn take(&self, address: IpAddr) -> Option<EndlessPlace> {
        let network = client_network(address);
        let max_per_network = self.0.max.div_ceil(OF_ADDRESS);
        let mut taken = self.0.lock();
        let of_network = taken.by_network.get(&network).copied().unwrap_or(0);
        if taken.all >= self.0.max || of_network >= max_per_network {
            return None;
        }
        taken.all += 1;
        taken.by_network.insert(network, of_network + 1);
        drop(taken);
        let room = self.0.clone();
        Some(EndlessPlace { room, network })
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a stream, free again when this is dropped.
#[derive(Debug)]
pub struct EndlessPlace {
    room: Arc<Room>,
    network: IpAddr,
}

impl Drop for EndlessPlace {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        taken.all -= 1;
        if let Some(of_network) = taken.by_network.get_mut(&self.network) {
            *of_network -= 1;
            if *of_network == 0 {
                taken.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    #[test]
    fn an_address_takes_a_quarter_and_its_places_come_back() {
        let room = EndlessRoom::new(8);
        let take = |address: &str| room.take(address.parse().unwrap());
        let first = [take("10.0.0.1").unwrap(), take("10.0.0.1").unwrap()];
        assert!(take("10.0.0.1").is_none());
        let network = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
        assert!(take("2001:db8::3").is_none());
        let others: Vec<_> = (2..6)
            .map(|number| take(&format!("10.0.0.{number}")).unwrap())
            .collect();
        assert!(take("10.0.0.9").is_none());
        drop(first);
        take("10.0.0.1").unwrap();
        drop((network, others));
        assert!(room.0.lock().by_network.is_empty());
    }
}
