//! Limits calls and created tapes per principal. This replica counts by itself; created tapes it can count together
//! with others (`shared`).
//!
//! Anonymous callers are not limited, because they would all share one limit. State is kept only for principals that currently use something.

mod attempts;
mod by_principal;
mod shared;
mod tape_charges;
mod token_bucket;

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::OwnedSemaphorePermit;

use self::{
    attempts::AttemptPlaces,
    shared::{SharedCharge, SharedCharges},
    tape_charges::TapeCharges,
    token_bucket::TokenBuckets,
};
pub use self::{
    shared::{NoAnswer, OnFailure, SharedSettings, StoreError, StoreSettings},
    tape_charges::CreateEnd,
};
use crate::{
    domain::{OperationKind, Principal},
    observability::metrics,
};

/// The limits of one principal; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrincipalLimits {
    /// Calls per second, and the largest burst.
    pub calls_per_second: Option<u32>,
    /// Concurrent calls.
    pub concurrent_streams: Option<u32>,
    /// Attempts in flight of reads, and again of creates.
    pub attempts_in_flight: Option<u32>,
    /// Tapes created per hour.
    pub tapes_per_hour: Option<u32>,
}

/// The limits of a group's members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLimits {
    /// The name of the group.
    pub name: String,
    /// The limits of each member. `None` leaves the general limit in force.
    pub limits: PrincipalLimits,
}

/// The settings of all limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// The limits of every principal.
    pub each: PrincipalLimits,
    /// The limits that replace them for members of groups. A member of several groups has the
    /// largest limit of them.
    pub groups: Vec<GroupLimits>,
    /// How long AWS certainly remembers a client token, up to an hour. A repeat within this time creates no
    /// further tapes.
    pub token_window: Duration,
}

/// How AWS recognizes the repeat of a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// By its barcode, for ever.
    ByBarcode,
    /// By its client token, for some time.
    ByToken,
}

/// Counts what each principal uses and enforces its limits.
///
/// ```
/// use tapegate::{
///     access::limits::{LimitSettings, Limits, PrincipalLimits},
///     domain::{Principal, Proof},
/// };
///
/// let each = PrincipalLimits { concurrent_streams: Some(1), ..Default::default() };
/// let limits = Limits::new(LimitSettings { each, ..Default::default() });
/// let agent = Principal::new("agent-7".to_owned(), [], Proof::Certificate).unwrap();
///
/// let call = limits.admit_call(&agent).unwrap();
/// assert_eq!(limits.admit_call(&agent).unwrap_err().quota, "concurrent calls of one caller: 1 (limits.concurrent_streams)");
/// drop(call);
/// assert!(limits.admit_call(&agent).is_ok());
/// ```
#[derive(Debug)]
pub struct Limits {
    settings: LimitSettings,
    calls: TokenBuckets,
    open: OpenCalls,
    attempts: AttemptPlaces,
    tapes: Arc<TapeCharges>,
    shared: Option<Arc<SharedCharges>>,
    /// How often each limit was exceeded, by its setting.
    pub exceeded: metrics::Counts<&'static str>,
}

/// A call or a create that is over a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitExceeded {
    /// The name of the principal.
    pub principal: String,
    /// The limit, its value and its setting.
    pub quota: String,
    /// How long to wait before a retry; `None` if that is unknown, or no wait is long enough.
    pub retry_after: Option<Duration>,
}

/// Why the tapes of a create were not counted.
#[derive(Clone, Debug)]
pub enum NotCharged {
    /// The create is over the limit.
    Exceeded(LimitExceeded),
    /// The shared store has not answered, and creates are rejected then.
    NoAnswer(NoAnswer),
}

/// The charge of a call in progress that makes a create.
#[derive(Debug)]
pub enum OpenCharge {
    /// Counted by this replica.
    Local(tape_charges::OpenCharge),
    /// Counted in the shared store.
    Shared(SharedCharge),
}

impl OpenCharge {
    /// Ends the call. The tapes are given back if no call with this create may have created them.
    /// They are charged again, even to an empty bucket, if AWS has created other tapes than before.
    pub fn end(self, end: CreateEnd<'_>) {
        match self {
            Self::Local(charge) => charge.end(end),
            Self::Shared(charge) => charge.end(end),
        }
    }
}

impl Limits {
    /// Creates limits of which nothing is used yet.
    pub fn new(settings: LimitSettings) -> Self {
        Self {
            settings,
            shared: None,
            calls: TokenBuckets::new(Duration::from_secs(1)),
            open: OpenCalls::default(),
            attempts: AttemptPlaces::default(),
            tapes: Arc::new(TapeCharges::new()),
            exceeded: metrics::Counts::default(),
        }
    }

    /// Counts created tapes in a store that replicas share.
    ///
    /// # Errors
    ///
    /// If the store cannot be used with these settings. It is not connected yet.
    pub fn shared(self, settings: &SharedSettings) -> Result<Self, Vec<StoreError>> {
        let shared = Some(Arc::new(SharedCharges::open(settings)?));
        Ok(Self { shared, ..self })
    }

    /// Asks the shared store, so that the log says at the start what is wrong with it.
    pub async fn try_store(&self) {
        if let Some(shared) = &self.shared {
            shared.try_store().await;
        }
    }

    /// How many requests to the store were answered, and how many failed.
    pub fn shared_requests(&self) -> BTreeMap<&'static str, u64> {
        let requests = self.shared.as_ref().map(|shared| shared.requests.get());
        requests.unwrap_or_default()
    }

    /// Counts a call. It is open until the returned guard is dropped.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded`]; the call is then not counted.
    pub fn admit_call(&self, principal: &Principal) -> Result<Option<OpenCall>, LimitExceeded> {
        let open = match self.limit(principal, |limits| limits.concurrent_streams) {
            None => None,
            Some(max) => Some(self.open.open(principal.name(), max).ok_or_else(|| {
                let quota = format!("concurrent calls of one caller: {max}");
                self.exceed(principal, "limits.concurrent_streams", &quota, None)
            })?),
        };
        if let Some(max) = self.limit(principal, |limits| limits.calls_per_second) {
            self.calls.take(principal.name(), max, 1).map_err(|wait| {
                let quota = format!("calls of one caller per second: {max}");
                self.exceed(principal, "limits.calls_per_second", &quota, wait)
            })?;
        }
        Ok(open)
    }

    /// Waits until an attempt of the principal may be made, which is in flight until the permit is dropped. `None`
    /// if the principal has no limit.
    pub async fn place_for_attempt(
        &self,
        principal: &Principal,
        kind: OperationKind,
    ) -> Option<OwnedSemaphorePermit> {
        let max = self.limit(principal, |limits| limits.attempts_in_flight)?;
        let places = self.attempts.of(principal.name(), kind, max);
        Some(places.acquire_owned().await.expect("it is never closed"))
    }

    /// Counts the tapes of a create before they are created. A create that the principal repeats while AWS
    /// certainly recognizes it, up to an hour, is counted once; `create` identifies it. `None` if the
    /// principal has no limit.
    ///
    /// # Errors
    ///
    /// [`NotCharged`]; none of the tapes is then counted.
    pub async fn charge_create(
        &self,
        principal: &Principal,
        create: impl Hash,
        repeat: Repeat,
        tapes: u8,
    ) -> Result<Option<OpenCharge>, NotCharged> {
        let Some(max) = self.limit(principal, |limits| limits.tapes_per_hour) else {
            return Ok(None);
        };
        let window = match repeat {
            Repeat::ByBarcode => tape_charges::WINDOW,
            Repeat::ByToken => self.settings.token_window,
        };
        let (name, tapes) = (principal.name(), tapes.into());
        let shared = match &self.shared {
            None => None,
            Some(shared) => match shared.charge(name, max, &create, window, tapes).await {
                Ok(charge) => Some(charge.map(OpenCharge::Shared)),
                Err(NoAnswer(_)) if shared.on_failure == OnFailure::CountAlone => None,
                Err(cause) => return Err(NotCharged::NoAnswer(cause)),
            },
        };
        let charge = shared.unwrap_or_else(|| {
            let charge = self.tapes.charge(name, max, &create, window, tapes);
            charge.map(OpenCharge::Local)
        });
        charge.map(Some).map_err(|wait| {
            let quota = format!("tapes created by one caller per hour: {max}");
            NotCharged::Exceeded(self.exceed(principal, "limits.tapes_per_hour", &quota, wait))
        })
    }

    fn exceed(
        &self,
        principal: &Principal,
        setting: &'static str,
        quota: &str,
        retry_after: Option<Duration>,
    ) -> LimitExceeded {
        self.exceeded.add(setting);
        LimitExceeded {
            principal: principal.name().to_owned(),
            quota: format!("{quota} ({setting})"),
            retry_after,
        }
    }

    fn limit(&self, principal: &Principal, select: impl Fn(&PrincipalLimits) -> Option<u32>) -> Option<u32> {
        if principal.is_anonymous() {
            return None;
        }
        let LimitSettings { each, groups, .. } = &self.settings;
        let is_member = |group: &&GroupLimits| principal.groups().binary_search(&group.name).is_ok();
        let of_groups = groups
            .iter()
            .filter(is_member)
            .filter_map(|group| select(&group.limits));
        of_groups.max().or_else(|| select(each))
    }
}

/// How many calls each principal has open.
#[derive(Clone, Debug, Default)]
struct OpenCalls(Arc<Mutex<HashMap<String, u32>>>);

/// An open call of a principal. Dropping it ends the call.
#[derive(Debug)]
pub struct OpenCall {
    calls: OpenCalls,
    name: String,
}

impl OpenCalls {
    /// Opens a call; `None` if `max` calls are open already.
    fn open(&self, name: &str, max: u32) -> Option<OpenCall> {
        let mut counts = self.lock();
        let open = counts.get(name).copied().unwrap_or_default();
        if open >= max {
            return None;
        }
        counts.insert(name.to_owned(), open + 1);
        Some(OpenCall {
            calls: self.clone(),
            name: name.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut counts = self.calls.lock();
        match counts.get_mut(&self.name) {
            Some(open @ 2..) => *open -= 1,
            _ => drop(counts.remove(&self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_ends_admits_another_and_leaves_no_state() {
        let calls = OpenCalls::default();
        let open: Vec<_> = (0..3).map(|_| calls.open("a", 2)).collect();
        assert_eq!(open.iter().filter(|open| open.is_some()).count(), 2);
        assert!(calls.open("b", 1).is_some());
        drop(open);
        assert!(calls.lock().is_empty());
    }
}
