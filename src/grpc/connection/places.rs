//! Which connections are open, and which of them gives its place to a new one.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ipnet::IpNet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{allowance::Allowance, linger::LINGER};
use crate::domain::client_network;

/// How many connections may be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceSettings {
    /// In all (`max_connections`).
    pub max_connections: usize,
    /// From one address, or one network of IPv6 (`max_connections_per_address`).
    pub max_per_address: usize,
    /// The addresses to which that limit does not apply (`trusted_proxies`).
    pub proxies: BTreeSet<IpNet>,
    /// How many control frames may come per second on a connection (`max_control_frames`).
    pub max_control_frames: u32,
    /// How many connections one address may open per second (`max_connection_rate`).
    pub max_rate: u32,
}

/// How long a connection must have been without a call before it gives its place to a new one.
const MIN_IDLE: Duration = Duration::from_secs(1);

/// The part of the places whose connections may be leaving at the same time. An address that makes room for
/// itself can use half of it.
const LEAVING: usize = 10;

/// The places of open connections.
#[derive(Debug)]
pub(super) struct Places {
    settings: PlaceSettings,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    last_id: u64,
    by_id: HashMap<u64, Arc<Activity>>,
    by_origin: HashMap<IpAddr, Origin>,
    leaving: usize,
}

/// The connections of an address.
#[derive(Debug)]
struct Origin {
    /// How many are open. Their allowances read this.
    open: Arc<AtomicUsize>,
    /// Until when those that were opened have used up the rate.
    used_until: Instant,
}

/// How many seconds of the rate of new connections an address may use at once.
const RATE_BURST: u32 = 2;

/// The longest that a new connection waits.
const MAX_WAIT: Duration = Duration::from_secs(10);

impl Origin {
    fn new() -> Self {
        Self {
            open: Arc::default(),
            used_until: Instant::now(),
        }
    }

    /// Records a new connection. Returns when it may begin.
    fn opens(&mut self, max_rate: u32) -> Instant {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let burst = RATE_BURST * second;
        let used_until = self.used_until.max(now) + second / max_rate;
        self.used_until = used_until.min(now + burst + MAX_WAIT);
        self.used_until.checked_sub(burst).unwrap_or(now)
    }

    /// Whether nothing needs to be known of the address any more.
    fn is_forgotten(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0 && self.used_until <= Instant::now()
    }
}

/// Why there is no place for a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// `max_connections` are open, and all of them are in use.
    All,
    /// `max_connections_per_address` are open from this address, and all of them are in use.
    OfAddress,
}

impl Taken {
    /// Forgets addresses of which nothing needs to be known, when there are many.
    fn forget(&mut self, max_connections: usize) {
        if self.by_origin.len() > 2 * max_connections {
            self.by_origin.retain(|_, of| !of.is_forgotten());
        }
    }
}

impl Places {
    pub(super) fn new(settings: PlaceSettings) -> Self {
        Self {
            settings,
            taken: Mutex::default(),
        }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.lock().by_id.len()
    }

    /// Takes a place for a connection from this address. If none is free, the connection that has been
    /// idle for longest is told to leave.
    ///
    /// # Errors
    ///
    /// [`Full`], if no connection is idle.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let origin = self.origin(address);
        let mut taken = self.lock();
        let of_origin = origin.and_then(|origin| taken.by_origin.get(&origin));
        let has_displaced =
            if of_origin.is_some_and(|of| of.open.load(Ordering::Relaxed) >= self.settings.max_per_address) {
                let leaving = self.max_leaving().div_ceil(2);
                self.make_room(&mut taken, leaving, |activity| activity.origin == origin)
                    .ok_or(Full::OfAddress)?;
                true
            } else if taken.by_id.len() - taken.leaving >= self.settings.max_connections {
                self.make_room(&mut taken, self.max_leaving(), |_| true)
                    .ok_or(Full::All)?;
                true
            } else {
                false
            };
        taken.forget(self.settings.max_connections);
        let of_origin = origin.map(|origin| taken.by_origin.entry(origin).or_insert_with(Origin::new));
        let (open, begins) = match of_origin {
            Some(of) => (Some(of.open.clone()), of.opens(self.settings.max_rate)),
            None => (None, Instant::now()),
        };
        if let Some(open) = &open {
            open.fetch_add(1, Ordering::Relaxed);
        }
        let allowance = Allowance::new(self.settings.max_control_frames, open);
        let activity = Arc::new(Activity::new(origin, allowance));
        taken.last_id += 1;
        let id = taken.last_id;
        taken.by_id.insert(id, activity.clone());
        Ok(Place {
            places: self.clone(),
            id,
            activity,
            has_displaced,
            begins,
        })
    }

    /// How many connections may be leaving.
    fn max_leaving(&self) -> usize {
        self.settings.max_connections.div_ceil(LEAVING)
    }

    /// Tells the connection of these that has been idle for longest to leave, if fewer than `max_leaving` are.
    fn make_room(
        &self,
        taken: &mut Taken,
        max_leaving: usize,
        is_one_of: impl Fn(&Activity) -> bool,
    ) -> Option<()> {
        if taken.leaving >= max_leaving {
            return None;
        }
        let idle = taken.by_id.values().filter(|activity| is_one_of(activity));
        let idle = idle.filter_map(|activity| Some((activity.idle_since()?, activity)));
        let (since, longest) = idle.min_by_key(|(since, _)| *since)?;
        if since.elapsed() < MIN_IDLE {
            return None;
        }
        longest.leave.cancel();
        taken.leaving += 1;
        if let Some(of) = longest.origin.and_then(|origin| taken.by_origin.get(&origin)) {
            of.open.fetch_sub(1, Ordering::Relaxed);
        }
        Some(())
    }

    /// Whose connections are counted together. `None` for a proxy, behind which are many callers.
    fn origin(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        if self
            .settings
            .proxies
            .iter()
            .any(|network| network.contains(&address))
        {
            return None;
        }
        Some(client_network(address))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of an open connection, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    pub(super) activity: Arc<Activity>,
    /// Whether an idle connection was told to leave for it.
    pub(super) has_displaced: bool,
    /// When it may begin, because of the rate of its address.
    pub(super) begins: Instant,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        let taken = &mut *taken;
        taken.by_id.remove(&self.id);
        if self.activity.leave.is_cancelled() {
            taken.leaving -= 1;
        } else if let Some(of) = self
            .activity
            .origin
            .and_then(|origin| taken.by_origin.get(&origin))
        {
            of.open.fetch_sub(1, Ordering::Relaxed);
        }
        taken.forget(self.places.settings.max_connections);
    }
}

/// What a connection does.
#[derive(Debug)]
pub(super) struct Activity {
    origin: Option<IpAddr>,
    /// The control frames that may come on it.
    pub(super) allowance: Allowance,
    calls: AtomicUsize,
    /// When the last call ended, or HTTP/2 began; `None` before that.
    idle_since: Mutex<Option<Instant>>,
    has_had_calls: AtomicBool,
    /// Cancelled when the connection is to give its place to another one.
    pub(super) leave: CancellationToken,
}

impl Activity {
    fn new(origin: Option<IpAddr>, allowance: Allowance) -> Self {
        Self {
            origin,
            allowance,
            calls: AtomicUsize::new(0),
            idle_since: Mutex::new(None),
            has_had_calls: AtomicBool::new(false),
            leave: CancellationToken::new(),
        }
    }

    /// Records that the client has begun HTTP/2. Until then, the timeout of the handshake decides.
    pub(super) fn begin(&self) {
        self.set_idle();
    }

    /// Records a call until the value is dropped.
    pub(super) fn call(self: &Arc<Self>) -> OpenCall {
        self.calls.fetch_add(1, Ordering::Relaxed);
        OpenCall(self.clone())
    }

    /// Since when there is no call; `None` while there is one, and for a connection that leaves.
    fn idle_since(&self) -> Option<Instant> {
        if self.calls.load(Ordering::Relaxed) > 0 || self.leave.is_cancelled() {
            return None;
        }
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when the client may still read the last response, if it takes at most `patience`. `None` if there was
    /// none.
    fn reads_until(&self, patience: Duration) -> Option<Instant> {
        let since = *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        let had_calls = self.has_had_calls.load(Ordering::Relaxed);
        since.filter(|_| had_calls).map(|since| since + patience)
    }

    /// Whether the client may still read a response.
    pub(super) fn may_be_read(&self, patience: Duration) -> bool {
        self.reads_until(patience).is_some_and(|end| end > Instant::now())
    }

    /// Waits until there has been no call for [`LINGER`] from now, and for `patience` since the last one: until
    /// nobody can expect anything of the connection any more.
    pub(super) async fn quiet(&self, patience: Duration) {
        let earliest = Instant::now() + LINGER;
        loop {
            let end = self
                .reads_until(patience)
                .map_or(earliest, |end| end.max(earliest));
            if self.calls.load(Ordering::Relaxed) == 0 && end <= Instant::now() {
                return;
            }
            sleep_until(end.max(Instant::now() + LINGER)).await;
        }
    }

    fn set_idle(&self) {
        let mut since = self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = Some(Instant::now());
    }
}

/// A call of a connection.
#[derive(Debug)]
pub(super) struct OpenCall(Arc<Activity>);

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.set_idle();
        self.0.has_had_calls.store(true, Ordering::Relaxed);
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    fn places(max_connections: usize, max_per_address: usize) -> Arc<Places> {
        Arc::new(Places::new(PlaceSettings {
            max_connections,
            max_per_address,
            proxies: ["192.0.2.0/24".parse().unwrap()].into(),
            max_control_frames: 5000,
            max_rate: 100,
        }))
    }

    fn take(places: &Arc<Places>, address: &str) -> Result<Place, Full> {
        let place = places.take(address.parse().unwrap())?;
        place.activity.begin();
        Ok(place)
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_is_idle_for_longest_leaves_and_one_with_a_call_stays() {
        let places = places(3, 10);
        let busy = take(&places, "10.0.0.1").unwrap();
        let call = busy.activity.call();
        let old = take(&places, "10.0.0.2").unwrap();
        tokio::time::advance(Duration::from_millis(10)).await;
        let young = take(&places, "10.0.0.3").unwrap();
        assert_eq!(take(&places, "10.0.0.4").unwrap_err(), Full::All);
        tokio::time::advance(MIN_IDLE).await;
        let new = take(&places, "10.0.0.4").unwrap();
        assert!(old.activity.leave.is_cancelled());
        for stays in [&busy, &young, &new] {
            assert!(!stays.activity.leave.is_cancelled());
        }
        // The leaving one still has its socket, and only so many may leave at a time.
        assert_eq!(places.taken(), 4);
        assert_eq!(take(&places, "10.0.0.5").unwrap_err(), Full::All);
        drop((old, call));
        take(&places, "10.0.0.5").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_a_limit_of_its_own_and_a_proxy_has_none() {
        let places = places(100, 2);
        let held = [
            take(&places, "10.0.0.1").unwrap(),
            take(&places, "::ffff:10.0.0.1").unwrap(),
        ];
        assert_eq!(take(&places, "10.0.0.1").unwrap_err(), Full::OfAddress);
        let other = take(&places, "10.0.0.2").unwrap();
        let of_a_network = ["2001:db8::1", "2001:db8::2"].map(|address| take(&places, address).unwrap());
        assert_eq!(take(&places, "2001:db8::3").unwrap_err(), Full::OfAddress);
        take(&places, "2001:db8:0:1::1").unwrap();
        let of_a_proxy: Vec<_> = (0..10).map(|_| take(&places, "192.0.2.7").unwrap()).collect();
        drop((held, other, of_a_network, of_a_proxy));
        assert_eq!(places.taken(), 0);
        tokio::time::advance(MIN_IDLE).await;
        assert!(places.lock().by_origin.values().all(Origin::is_forgotten));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_makes_room_for_itself_leaves_some_for_others() {
        let places = places(20, 10);
        let of_one: Vec<_> = (0..10).map(|_| take(&places, "10.0.0.1").unwrap()).collect();
        let of_another: Vec<_> = (0..10).map(|_| take(&places, "10.0.0.2").unwrap()).collect();
        tokio::time::advance(MIN_IDLE).await;
        let first = take(&places, "10.0.0.1").unwrap();
        assert_eq!(take(&places, "10.0.0.1").unwrap_err(), Full::OfAddress);
        let other = take(&places, "10.0.0.3").unwrap();
        assert!(first.has_displaced && other.has_displaced);
        drop((of_one, of_another));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_opens_many_connections_waits_and_others_do_not() {
        let places = places(1000, 1000);
        let delay = |place: Place| place.begins - Instant::now();
        for _ in 0..200 {
            assert_eq!(delay(take(&places, "10.0.0.1").unwrap()), Duration::ZERO);
        }
        let step = Duration::from_millis(10);
        for number in 1..=1000 {
            assert_eq!(delay(take(&places, "10.0.0.1").unwrap()), number * step);
        }
        assert_eq!(delay(take(&places, "10.0.0.1").unwrap()), MAX_WAIT);
        assert_eq!(delay(take(&places, "10.0.0.2").unwrap()), Duration::ZERO);
        assert_eq!(delay(take(&places, "192.0.2.1").unwrap()), Duration::ZERO);
        tokio::time::advance(MAX_WAIT).await;
        assert_eq!(delay(take(&places, "10.0.0.1").unwrap()), step);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_of_addresses_is_forgotten() {
        let places = places(4, 4);
        for number in 0..100 {
            take(&places, &format!("10.0.0.{number}")).unwrap();
            tokio::time::advance(MIN_IDLE).await;
        }
        assert!(places.lock().by_origin.len() < 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_address_gives_up_its_own_idle_connections_only() {
        let places = places(100, 2);
        let other = take(&places, "10.0.0.2").unwrap();
        tokio::time::advance(MIN_IDLE).await;
        let first = take(&places, "10.0.0.1").unwrap();
        let second = take(&places, "10.0.0.1").unwrap();
        tokio::time::advance(MIN_IDLE).await;
        let third = take(&places, "10.0.0.1").unwrap();
        let leaves = [&other, &first, &second, &third].map(|place| place.activity.leave.is_cancelled());
        assert_eq!(leaves.iter().filter(|leaves| **leaves).count(), 1);
        assert!(!leaves[0] && !leaves[3]);
        drop((other, first, second, third));
        tokio::time::advance(MIN_IDLE).await;
        assert!(places.lock().by_origin.values().all(Origin::is_forgotten));
    }
}
