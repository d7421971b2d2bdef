use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{by_principal::ByPrincipal, token_bucket::TokenBuckets};

/// How long a charge takes to be refilled, and so how long a create is remembered at most.
pub(super) const WINDOW: Duration = Duration::from_secs(60 * 60);

/// The most creates of one principal that are remembered. A repeat of another one is charged again.
const MAX_REMEMBERED: usize = 4_096;

/// Charges the tapes of creates to the principals' buckets: each create once, however often it is
/// repeated while it is remembered. It must not be remembered for longer than AWS remembers its token:
/// after that, a repeat creates further tapes.
///
/// A repeat is recognized by what identifies the create, of which a hash is kept. The hash is keyed
/// with a random number, so that callers cannot find creates with the same one.
#[derive(Debug)]
pub(super) struct TapeCharges {
    buckets: TokenBuckets,
    hasher: RandomState,
    remembered: Mutex<Remembered>,
}

/// The creates of each principal, by the hash of what identifies them.
#[derive(Debug, Default)]
struct Remembered {
    creates: ByPrincipal<HashMap<u64, SharedCharge>>,
}

/// A charge that repeats of one create share. It is locked only while [`Remembered`] is.
type SharedCharge = Arc<Mutex<Charge>>;

#[derive(Debug)]
struct Charge {
    lapses: Instant,
    /// The number of calls in progress that make this create.
    open: u32,
    /// Whether one of the calls may have created the tapes.
    may_exist: bool,
    /// The hash of the ARNs of the created tapes, once they are known.
    tapes: Option<u64>,
}

/// How a call that makes a create has ended.
#[derive(Clone, Copy, Debug)]
pub enum CreateEnd<'a> {
    /// With tapes. Their ARNs, if AWS could create others for the same request later.
    Created(&'a [String]),
    /// Without a known outcome.
    Unknown,
    /// Certainly without tapes.
    NotCreated,
}

/// The charge of a call in progress that makes a create.
#[derive(Debug)]
pub struct OpenCharge {
    charges: Arc<TapeCharges>,
    charge: SharedCharge,
    principal: String,
    create: u64,
    /// The size of the principal's bucket.
    size: u32,
    tapes: u32,
}

impl TapeCharges {
    pub(super) fn new() -> Self {
        Self {
            buckets: TokenBuckets::new(WINDOW),
            hasher: RandomState::new(),
            remembered: Mutex::default(),
        }
    }

    /// Charges the tapes of a create to a principal's bucket of this size, unless it is the repeat of one
    /// that is remembered. The create is remembered for this time.
    ///
    /// # Errors
    ///
    /// Those of [`TokenBuckets::take`].
    pub(super) fn charge(
        self: &Arc<Self>,
        principal: &str,
        size: u32,
        create: impl Hash,
        remembered_for: Duration,
        tapes: u32,
    ) -> Result<OpenCharge, Option<Duration>> {
        let create = self.hasher.hash_one(create);
        let now = Instant::now();
        let mut remembered = self.remembered();
        let charge = match remembered.find(principal, create, now) {
            Some(charge) => charge,
            None => {
                self.buckets.take(principal, size, tapes)?;
                let charge = Arc::new(Mutex::new(Charge {
                    lapses: now + remembered_for.min(WINDOW),
                    open: 0,
                    may_exist: false,
                    tapes: None,
                }));
                remembered.add(principal, create, &charge, now);
                charge
            }
        };
        lock(&charge).open += 1;
        drop(remembered);
        Ok(OpenCharge {
            charges: self.clone(),
            charge,
            principal: principal.to_owned(),
            create,
            size,
            tapes,
        })
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        lock(&self.remembered)
    }
}

impl OpenCharge {
    /// Ends the call, as [`super::OpenCharge::end`] says.
    pub(super) fn end(self, end: CreateEnd<'_>) {
        let Self {
            charges,
            charge: shared,
            principal,
            create,
            size,
            tapes,
        } = self;
        let mut remembered = charges.remembered();
        let mut charge = lock(&shared);
        charge.open -= 1;
        match end {
            CreateEnd::Created(arns) => {
                charge.may_exist = true;
                let created = (!arns.is_empty()).then(|| charges.hasher.hash_one(arns));
                let before = std::mem::replace(&mut charge.tapes, created);
                if before.is_some() && before != created {
                    charges.buckets.take_in_debt(&principal, size, tapes);
                    remembered.remove(&principal, create, &shared);
                }
            }
            CreateEnd::Unknown => charge.may_exist = true,
            CreateEnd::NotCreated if charge.open == 0 && !charge.may_exist => {
                charges.buckets.give_back(&principal, size, tapes);
                remembered.remove(&principal, create, &shared);
            }
            CreateEnd::NotCreated => {}
        }
    }
}

impl Remembered {
    fn find(&self, principal: &str, create: u64, now: Instant) -> Option<SharedCharge> {
        let charge = self.creates.get(principal)?.get(&create)?;
        (lock(charge).lapses > now).then(|| charge.clone())
    }

    fn add(&mut self, principal: &str, create: u64, charge: &SharedCharge, now: Instant) {
        let is_current = |charge: &mut SharedCharge| lock(charge).lapses > now;
        let is_needed = |creates: &mut HashMap<_, _>| {
            creates.retain(|_, charge| is_current(charge));
            !creates.is_empty()
        };
        let creates = self.creates.entry(principal, is_needed).or_default();
        if creates.len() >= MAX_REMEMBERED {
            creates.retain(|_, charge| is_current(charge));
        }
        if creates.len() < MAX_REMEMBERED {
            creates.insert(create, charge.clone());
        }
    }

    /// Removes this charge, but no later one of the same create.
    fn remove(&mut self, principal: &str, create: u64, charge: &SharedCharge) {
        let Some(creates) = self.creates.get_mut(principal) else {
            return;
        };
        if creates
            .get(&create)
            .is_some_and(|found| Arc::ptr_eq(found, charge))
        {
            creates.remove(&create);
        }
        if creates.is_empty() {
            self.creates.remove(principal);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{super::by_principal::MIN_SWEEP, *};

    /// The size of each bucket.
    const SIZE: u32 = 10;

    fn charges() -> Arc<TapeCharges> {
        Arc::new(TapeCharges::new())
    }

    /// Whether the principal `a` may make this create, which then ends in this way.
    fn create(charges: &Arc<TapeCharges>, create: &str, tapes: u32, end: CreateEnd<'_>) -> bool {
        let charge = charges.charge("a", SIZE, create, WINDOW, tapes);
        charge.map(|charge| charge.end(end)).is_ok()
    }

    fn remembered(charges: &TapeCharges) -> usize {
        charges.remembered().creates.values().map(HashMap::len).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn a_repeat_is_charged_once_until_the_charge_lapses() {
        let charges = charges();
        assert!(create(&charges, "one", 8, CreateEnd::Unknown));
        assert!(create(&charges, "one", 8, CreateEnd::Created(&[])));
        assert!(create(&charges, "one", 8, CreateEnd::NotCreated));
        assert!(!create(&charges, "other", 3, CreateEnd::Unknown));
        assert!(charges.charge("b", SIZE, "one", WINDOW, 3).is_ok());
        tokio::time::advance(WINDOW).await;
        assert!(create(&charges, "one", 8, CreateEnd::Unknown));
        assert!(!create(&charges, "other", 3, CreateEnd::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn a_repeat_after_the_create_was_forgotten_is_charged_again_though_its_responses_are_lost() {
        let charges = charges();
        let short = WINDOW / 6;
        let repeat = || {
            let charge = charges.charge("a", SIZE, "one", short, 5);
            charge.map(|charge| charge.end(CreateEnd::Unknown)).is_ok()
        };
        assert!(repeat() && repeat());
        tokio::time::advance(short).await;
        assert!(repeat() && repeat());
        tokio::time::advance(short).await;
        assert!(!repeat());
    }

    #[tokio::test(start_paused = true)]
    async fn tapes_are_given_back_when_no_call_may_have_created_them() {
        let charges = charges();
        let open = || charges.charge("a", SIZE, "one", WINDOW, 10).unwrap();
        let (first, second) = (open(), open());
        first.end(CreateEnd::NotCreated);
        assert!(!create(&charges, "other", 1, CreateEnd::Unknown));
        second.end(CreateEnd::NotCreated);
        assert_eq!(remembered(&charges), 0);

        let (first, second) = (open(), open());
        first.end(CreateEnd::Unknown);
        second.end(CreateEnd::NotCreated);
        assert!(!create(&charges, "other", 1, CreateEnd::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn other_tapes_for_the_same_create_are_charged() {
        let charges = charges();
        let tapes = |name: &str| [name.to_owned()];
        assert!(create(&charges, "one", 6, CreateEnd::Created(&tapes("A"))));
        assert!(create(&charges, "one", 6, CreateEnd::Created(&tapes("A"))));
        // AWS has forgotten the token. The bucket is now 2 tapes in debt.
        assert!(create(&charges, "one", 6, CreateEnd::Created(&tapes("B"))));
        assert!(!create(&charges, "one", 6, CreateEnd::Created(&tapes("C"))));
        let wait = charges.charge("a", SIZE, "other", WINDOW, 1).unwrap_err();
        assert_eq!(wait, Some(WINDOW * 3 / SIZE));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_creates_are_remembered() {
        let charges = charges();
        let charge = |principal: &str, create: usize| {
            let charge = charges.charge(principal, 1_000_000, create, WINDOW, 1).unwrap();
            charge.end(CreateEnd::Unknown);
        };
        for number in 0..MAX_REMEMBERED + 100 {
            charge("a", number);
        }
        assert_eq!(remembered(&charges), MAX_REMEMBERED);
        tokio::time::advance(WINDOW).await;
        charge("a", 0);
        assert_eq!(remembered(&charges), 1);
        for number in 0..10 * MIN_SWEEP {
            charge(&number.to_string(), 0);
            tokio::time::advance(WINDOW / 1_000).await;
        }
        assert!(remembered(&charges) <= 2 * MIN_SWEEP);
    }
}
