//! Charges the tapes of creates in a store that all replicas share (`limits.shared`).

mod store;

use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{Script, ScriptInvocation};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::store::Store;
pub use self::store::{StoreError, StoreSettings};
use super::tape_charges::{CreateEnd, WINDOW};
use crate::observability::metrics;

static CHARGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("shared/bucket.lua"),
        include_str!("shared/charge.lua")
    ))
});

static END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("shared/bucket.lua"),
        include_str!("shared/end.lua")
    ))
});

/// The settings of the shared count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedSettings {
    /// Where the store is.
    pub store: StoreSettings,
    /// What the names of all keys begin with (`limits.shared.prefix`).
    pub prefix: String,
    /// What happens to creates while the store does not answer (`limits.shared.on_failure`).
    pub on_failure: OnFailure,
}

/// What happens to creates while the store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// They are rejected.
    Reject,
    /// Each replica counts for itself.
    CountAlone,
}

/// Charges creates as [`TapeCharges`](super::tape_charges::TapeCharges) does, for all replicas that share a store.
///
/// The scripts in `shared/` decide; Redis runs one at a time. Principals and creates are known there by their SHA-256
/// digests. What becomes of a charge whose end is not reported, because a replica or the store has failed: it stays.
#[derive(Debug)]
pub(super) struct SharedCharges {
    store: Store,
    prefix: String,
    pub(super) on_failure: OnFailure,
    has_failed: AtomicBool,
    /// How many requests to the store were answered, and how many failed.
    pub(super) requests: metrics::Counts<&'static str>,
}

/// The store could not be used, and why.
#[derive(Clone, Debug)]
pub struct NoAnswer(pub String);

/// The charge of a call in progress that makes a create. If it is dropped, the create was not made.
#[derive(Debug)]
pub struct SharedCharge {
    charges: Arc<SharedCharges>,
    what: Charged,
    id: String,
    has_ended: bool,
}

/// What is charged to whom.
#[derive(Clone, Debug)]
struct Charged {
    bucket: String,
    create: String,
    size: u32,
    tapes: u32,
}

impl SharedCharges {
    pub(super) fn open(settings: &SharedSettings) -> Result<Self, Vec<StoreError>> {
        Ok(Self {
            store: Store::open(&settings.store)?,
            prefix: settings.prefix.clone(),
            on_failure: settings.on_failure,
            has_failed: AtomicBool::new(false),
            requests: metrics::Counts::default(),
        })
    }

    /// Runs a script that does nothing.
    pub(super) async fn try_store(&self) {
        let script = Script::new("return 1");
        // The failure has been logged.
        let _: Result<i64, NoAnswer> = self.run(&script.prepare_invoke(), true).await;
    }

    /// Charges the tapes of a create, as [`TapeCharges::charge`](super::tape_charges::TapeCharges::charge) does.
    /// The inner error is the time until there are enough tapes, if ever.
    pub(super) async fn charge(
        self: &Arc<Self>,
        principal: &str,
        size: u32,
        create: impl Hash,
        remembered_for: Duration,
        tapes: u32,
    ) -> Result<Result<SharedCharge, Option<Duration>>, NoAnswer> {
        if tapes > size {
            return Ok(Err(None));
        }
        let (prefix, principal, create) = (&self.prefix, digest(principal), digest(create));
        let what = Charged {
            // The braces put both keys into one slot of a cluster.
            bucket: format!("{prefix}:tapes:{{{principal}}}"),
            create: format!("{prefix}:tapes:{{{principal}}}:{create}"),
            size,
            tapes,
        };
        let charges = self.clone();
        // A task of its own, so that a charge ends whose caller has gone meanwhile.
        let charging = tokio::spawn(async move {
            let mut script = what.script(&CHARGE);
            script
                .arg(millis(remembered_for.min(WINDOW)))
                .arg(Uuid::new_v4().to_string());
            // If it runs twice, the create counts once, and its tapes stay charged.
            let (id, wait): (String, u64) = charges.run(&script, true).await?;
            if wait > 0 {
                return Ok(Err(Some(Duration::from_millis(wait))));
            }
            Ok(Ok(SharedCharge {
                charges,
                what,
                id,
                has_ended: false,
            }))
        });
        charging
            .await
            .unwrap_or_else(|error| Err(NoAnswer(error.to_string())))
    }

    /// Runs a script, and logs when the store begins or ceases to fail.
    async fn run<T: redis::FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
        again: bool,
    ) -> Result<T, NoAnswer> {
        let answer = self.store.run(script, again).await;
        self.requests
            .add(if answer.is_ok() { "answered" } else { "failed" });
        match &answer {
            Ok(_) if self.has_failed.swap(false, Ordering::Relaxed) => {
                tracing::info!("the store of shared limits can be used again");
            }
            Err(cause) if !self.has_failed.swap(true, Ordering::Relaxed) => {
                let creates = match self.on_failure {
                    OnFailure::Reject => "rejected",
                    OnFailure::CountAlone => "counted by this replica alone",
                };
                tracing::warn!(cause, creates, "the store of shared limits cannot be used");
            }
            _ => {}
        }
        answer.map_err(NoAnswer)
    }
}

impl Charged {
    /// A script with the parameters that all have.
    fn script<'s>(&self, script: &'s Script) -> ScriptInvocation<'s> {
        let mut script = script.prepare_invoke();
        script
            .key(&self.bucket)
            .key(&self.create)
            .arg(self.size)
            .arg(millis(WINDOW))
            .arg(self.tapes);
        script
    }
}

impl SharedCharge {
    /// Ends the call, in the background.
    pub(super) fn end(mut self, end: CreateEnd<'_>) {
        self.report(end);
    }

    fn report(&mut self, end: CreateEnd<'_>) {
        self.has_ended = true;
        let (ended, created) = match end {
            CreateEnd::Created([]) => ("created", String::new()),
            CreateEnd::Created(arns) => ("created", digest(arns)),
            CreateEnd::Unknown => ("unknown", String::new()),
            CreateEnd::NotCreated => ("not_created", String::new()),
        };
        let (charges, what, id) = (self.charges.clone(), self.what.clone(), self.id.clone());
        let report = async move {
            let mut script = what.script(&END);
            script.arg(id).arg(ended).arg(created);
            // The failure has been logged; the tapes stay charged.
            let _: Result<(), NoAnswer> = charges.run(&script, false).await;
        };
        // There is no runtime any more when the process ends.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(report);
        }
    }
}

impl Drop for SharedCharge {
    fn drop(&mut self) {
        if !self.has_ended {
            self.report(CreateEnd::NotCreated);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// The SHA-256 digest of a value, as hexadecimal digits: replicas of the same version compute the same.
fn digest(value: impl Hash) -> String {
    /// A hasher that keeps all of its digest.
    #[derive(Default)]
    struct Sha(Sha256);

    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            let digest = self.0.clone().finalize();
            u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
        }
    }

    let mut hasher = Sha::default();
    value.hash(&mut hasher);
    hex::encode(hasher.0.finalize())
}
