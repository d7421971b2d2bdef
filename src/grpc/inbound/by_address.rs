//! A room that the callers of one address cannot fill.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::client_network;

/// A room for calls, with a limit for the callers of one address, or of one network of IPv6.
#[derive(Clone, Debug)]
pub(super) struct RoomByAddress(Arc<Room>);

#[derive(Debug)]
struct Room {
    max: usize,
    max_per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

impl RoomByAddress {
    /// A room for `max` calls, of which `max_per_address` may be of one address.
    pub(super) fn new(max: usize, max_per_address: usize) -> Self {
        let taken = Mutex::default();
        Self(Arc::new(Room {
            max,
            max_per_address,
            taken,
        }))
    }

    /// Takes a place for a caller at this address; `None` if there is none.
    pub(super) fn take(&self, address: IpAddr) -> Option<PlaceByAddress> {
        let network = client_network(address);
        let mut taken = self.0.lock();
        let of_network = taken.by_network.get(&network).copied().unwrap_or(0);
        if taken.all >= self.0.max || of_network >= self.0.max_per_address {
            return None;
        }
        taken.all += 1;
        taken.by_network.insert(network, of_network + 1);
        drop(taken);
        let room = self.0.clone();
        Some(PlaceByAddress { room, network })
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a call, free again when this is dropped.
#[derive(Debug)]
pub struct PlaceByAddress {
    room: Arc<Room>,
    network: IpAddr,
}

impl Drop for PlaceByAddress {
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
    fn an_address_takes_its_part_and_the_places_come_back() {
        let room = RoomByAddress::new(8, 2);
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
