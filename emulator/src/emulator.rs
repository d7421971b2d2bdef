//! The emulated accounts: their settings, state, callers, clock, fault rules and state file.
//!
//! `callers` is what a test sees and changes of the callers, `drive` is what backup software does with its tapes, `gateways` what an operator does with its
//! gateways.

mod callers;
mod drive;
mod gateways;

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use crate::{
    account::{clock::Clock, seed, store::Store, timestamp::Timestamp},
    faults::Faults,
    identity::{Identities, calls::Calls},
    json::Problem,
    settings::Settings,
    state::{
        self, NotPersisted, Persister, StateError, StateFile,
        snapshot::{self, Snapshot},
    },
};
pub use drive::{DriveError, TapeState};
pub(crate) use gateways::{GatewayChange, PutError};

/// The emulated accounts with their tapes. Clones share the state.
#[derive(Clone)]
pub struct Emulator {
    pub(crate) inner: Arc<Inner>,
}

/// What the clones of an emulator share.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<Clock>,
    store: Arc<RwLock<Store>>,
    pub(crate) faults: Faults,
    pub(crate) identities: Identities,
    pub(crate) calls: Calls,
    /// `None` if the state ends with the process.
    persister: Option<Persister>,
    state_file: Option<StateFile>,
}

// A poisoned lock is safe to use: nothing between the first and the last change of the indexes can
// panic.
impl Inner {
    /// The store for reading, and the time that it is settled to.
    pub(crate) fn read(&self) -> (RwLockReadGuard<'_, Store>, Timestamp) {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that no other call settles the store to a later time meanwhile.
        let now = self.clock.now();
        if !store.is_due(now) {
            return (store, now);
        }
        drop(store);
        let (store, now) = self.write();
        (RwLockWriteGuard::downgrade(store), now)
    }

    /// The store for writing, and the time that it is settled to.
    pub(crate) fn write(&self) -> (RwLockWriteGuard<'_, Store>, Timestamp) {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(persister) = &self.persister {
            persister.wake();
        }
        let now = self.clock.now();
        store.apply_due(now);
        (store, now)
    }
}

impl Emulator {
    /// Makes the accounts with their seeded tapes. The same settings make the same tapes. The state
    /// ends with the last clone.
    pub fn new(settings: Settings) -> Self {
        let store = Arc::new(RwLock::new(seed::store(&settings)));
        let clock = Arc::new(Clock::new(settings.time_scale, Timestamp::from_millis(0)));
        Self::of(settings, store, clock, None)
    }

    /// Restores the accounts from a state file, or makes the file and seeds the accounts.
    ///
    /// Every change is in the file before a response shows it, so a crash loses nothing that a
    /// client has seen. After a method such as [`eject`](Self::eject), [`flush`](Self::flush) waits
    /// for the file.
    ///
    /// The clock begins at the machine's time, or at the time in the file if that is later. The file
    /// does not contain the settings.
    ///
    /// # Errors
    /// If the file cannot be made or read, is in use, or is not the state of this account.
    pub fn with_state(settings: Settings, file: &Path) -> Result<Self, StateError> {
        let opened = state::open(file, &settings)?;
        let store = Arc::new(RwLock::new(opened.store));
        let clock = Arc::new(opened.clock);
        let persister = Persister::start(opened.file, Arc::clone(&store), Arc::clone(&clock))?;
        Ok(Self::of(settings, store, clock, Some((persister, opened.info))))
    }

    fn of(
        mut settings: Settings,
        store: Arc<RwLock<Store>>,
        clock: Arc<Clock>,
        state: Option<(Persister, StateFile)>,
    ) -> Self {
        let faults = Faults::new(
            settings.fault_seed,
            settings.undocumented.internal_server_error_status.code(),
            std::mem::take(&mut settings.faults),
        );
        let (persister, state_file) = state.unzip();
        Self {
            inner: Arc::new(Inner {
                identities: Identities::new(&settings),
                calls: Calls::default(),
                settings,
                clock,
                store,
                faults,
                persister,
                state_file,
            }),
        }
    }

    /// The state file, and what was found in it.
    pub fn state_file(&self) -> Option<&StateFile> {
        self.inner.state_file.as_ref()
    }

    /// Waits until every change so far is in the state file. Returns at once without one.
    ///
    /// # Errors
    /// If the file cannot be written. The changes stay, and are written with the next success.
    pub async fn flush(&self) -> Result<(), NotPersisted> {
        match &self.inner.persister {
            Some(persister) => persister.flush().await,
            None => Ok(()),
        }
    }

    /// Writes the remaining changes and closes the state file, so that another emulator can open
    /// it. Dropping the last clone does so too. Later changes are not saved, and their calls get an
    /// error. Blocks until the changes are written.
    pub fn close(&self) {
        if let Some(persister) = &self.inner.persister {
            persister.close();
        }
    }

    /// Moves the emulator's clock forward. Everything due in that time happens. The clock cannot go
    /// back, and stops in the year 9999.
    pub fn step(&self, by: Duration) {
        self.inner.clock.step(by);
    }

    /// The whole state in one JSON document: every gateway, pool, tag, tape and client token of
    /// every region of every account, and the time, but not the fault rules and settings.
    pub fn snapshot(&self) -> Vec<u8> {
        let (store, now) = self.inner.read();
        snapshot::write(&store, now, &self.inner.settings)
    }

    /// Replaces the whole state, time included, by that of a snapshot.
    ///
    /// # Errors
    /// Every problem of the document, at most 1,000. Nothing changes then.
    pub fn restore(&self, document: &[u8]) -> Result<(), Vec<Problem>> {
        let Snapshot { store, clock } = Snapshot::read(document, &self.inner.settings)?;
        let (mut own, _) = self.inner.write();
        own.replace(store);
        self.inner.clock.set(clock);
        Ok(())
    }

    /// Replaces the whole state by that of a new emulator: the seeded tapes, the machine's time, the
    /// fault rules and the roles of the settings. Sessions of roles and the list of calls stay.
    pub fn reset(&self) {
        let store = seed::store(&self.inner.settings);
        let (mut own, _) = self.inner.write();
        own.replace(store);
        self.inner.clock.set(Timestamp::now());
        self.inner.faults.reset();
        self.inner.identities.roles.reset();
    }
}
