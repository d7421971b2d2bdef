use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// A room with so many places, and how long work waits for one of them.
#[derive(Clone, Debug)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    since: BTreeMap<u64, Instant>,
    /// When a place was given to one that waited, if others have waited ever since.
    given: Option<Instant>,
    /// The mean time between two such moments.
    interval: Duration,
}

/// The part of a new interval in the mean.
const WEIGHT: f64 = 0.1;

impl Room {
    /// An empty room.
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(places)),
            waiting: Mutex::default(),
        }))
    }

    /// Waits for a place, which is free again when the permit is dropped.
    pub async fn place(self) -> OwnedSemaphorePermit {
        let places = self.0.places.clone();
        if let Ok(place) = places.clone().try_acquire_owned() {
            return place;
        }
        let waiting = WaitingWork::new(&self.0);
        let place = places.acquire_owned().await.expect("it is never closed");
        waiting.has_place();
        place
    }

    /// How long work waits that comes now: by the number of those before it, and at least as long as the first of
    /// them has waited.
    pub fn expected_wait(&self) -> Duration {
        let waiting = self.0.waiting();
        let Some((_, first)) = waiting.since.first_key_value() else {
            return Duration::ZERO;
        };
        let number = u32::try_from(waiting.since.len()).unwrap_or(u32::MAX);
        first.elapsed().max(waiting.interval.saturating_mul(number))
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct WaitingWork<'r> {
    room: &'r Inner,
    number: u64,
}

impl<'r> WaitingWork<'r> {
    fn new(room: &'r Inner) -> Self {
        let mut waiting = room.waiting();
        waiting.last += 1;
        let number = waiting.last;
        waiting.since.insert(number, Instant::now());
        Self { room, number }
    }

    fn has_place(&self) {
        let mut waiting = self.room.waiting();
        let now = Instant::now();
        if let Some(before) = waiting.given.replace(now) {
            let interval = now - before;
            waiting.interval = waiting.interval.mul_f64(1.0 - WEIGHT) + interval.mul_f64(WEIGHT);
        }
    }
}

impl Drop for WaitingWork<'_> {
    fn drop(&mut self) {
        let mut waiting = self.room.waiting();
        waiting.since.remove(&self.number);
        if waiting.since.is_empty() {
            waiting.given = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use tokio::time::advance;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn work_waits_at_least_as_long_as_the_first_that_waits() {
        let room = Room::new(1);
        let taken = room.clone().place().await;
        assert_eq!(room.expected_wait(), Duration::ZERO);
        let [mut first, mut second] = [(); 2].map(|()| Box::pin(room.clone().place()));
        assert!(poll!(&mut first).is_pending());
        advance(20 * MS).await;
        assert!(poll!(&mut second).is_pending());
        advance(20 * MS).await;
        assert_eq!(room.expected_wait(), 40 * MS);
        drop(taken);
        let first = first.await;
        assert_eq!(room.expected_wait(), 20 * MS);
        drop((first, second));
        assert_eq!(room.expected_wait(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_queue_is_known_before_anybody_has_waited_long_in_it() {
        let room = Room::new(1);
        let mut taken = room.clone().place().await;
        let mut queue: Vec<_> = (0..100).map(|_| Box::pin(room.clone().place())).collect();
        for work in &mut queue {
            assert!(poll!(work).is_pending());
        }
        for work in queue.drain(..50) {
            advance(10 * MS).await;
            drop(taken);
            taken = work.await;
        }
        queue.truncate(1);
        let mut new: Vec<_> = (0..49).map(|_| Box::pin(room.clone().place())).collect();
        for work in &mut new {
            assert!(poll!(work).is_pending());
        }
        let wait = room.expected_wait();
        assert!((450 * MS..=510 * MS).contains(&wait), "{wait:?}");
    }
}
