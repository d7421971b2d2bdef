//! An emulator of the tape side of the AWS Storage Gateway API, on a real socket.
//!
//! It serves sixteen operations, such as `CreateTapes` and `ListTapes`, to any AWS client: AWS JSON
//! 1.1, signed with SigV4. `docs/emulator.md` says what it does and how that is known of AWS.
//!
//! **Real:** the wire format (bodies, headers, signatures, error shapes), the constraints of the
//! service model, barcodes that are unique for ever, idempotency by client token, pages and their
//! markers, the statuses of a tape's life on a clock of the emulator's own, and which call shows a
//! tape in which status.
//!
//! **Simulated:** the tapes at the start, and the data on a tape: bytes are counted, not stored.
//!
//! **Missing:** every other operation of Storage Gateway, recovery points, IAM, KMS (keys are names).
//!
//! The package shares no type with the service: a wrong type that both use would hide its own
//! error.
//!
//! The path of a request: `http` reads it, `faults` may inject a fault, `signature` verifies it,
//! `ops` dispatches it, `validation` reads its members by `shapes`, `store` answers. `state` saves
//! changes to the state file. `control` is the control API for tests. `config` reads the settings,
//! `server` and `cli` run an emulator as a process.
//!
//! ```no_run
//! use tapegate_emulator::{Emulator, Settings};
//! use tokio::net::TcpListener;
//!
//! # async fn example() -> std::io::Result<()> {
//! let emulator = Emulator::new(Settings { seed_tapes: 10, ..Settings::default() });
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! emulator.serve(listener, std::future::pending()).await
//! # }
//! ```

mod arn;
mod barcode;
pub mod cli;
mod clock;
mod config;
mod connection;
mod control;
mod drive;
mod error;
mod faults;
mod gateway;
mod http;
mod life;
mod log;
mod marker;
mod ops;
mod pagination;
mod pool;
mod seed;
mod server;
mod settings;
mod shapes;
mod signature;
mod state;
mod store;
mod tape;
mod timestamp;
mod validation;

use std::{
    io,
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use axum::{Router, routing::any};
use tokio::net::TcpListener;

use clock::Clock;
use connection::{Connections, Peer};
pub use control::Problem;
use faults::Faults;
pub use faults::Rule as FaultRule;
use state::Persister;
use store::Store;
use timestamp::Timestamp;

pub use config::{Config, Faults as ConfigFaults, Flags, Variables};
pub use drive::{DriveError, TapeState};
pub use error::Code as ErrorCode;
pub use server::{CannotStart, Server};
pub use settings::{
    BarcodeScope, Credentials, DefaultPool, InTransitSpelling, InternalServerErrorStatus, Life,
    RetrievedListed, Setting, Settings, TapeArnsWithMarker, TokenMismatch, TokenScope, Undocumented,
    UnknownTapeArns,
};
pub use state::{NotPersisted, StateError, StateFile};

/// One emulated account with its tapes. Clones share the state.
#[derive(Clone)]
pub struct Emulator {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clock: Arc<Clock>,
    store: Arc<RwLock<Store>>,
    faults: Faults,
    /// `None` if the state ends with the process.
    persister: Option<Persister>,
    state_file: Option<StateFile>,
}

// A poisoned lock is safe to use: nothing between the first and the last change of the indexes can
// panic.
impl Inner {
    /// The store for reading, and the time that it is settled to.
    fn read(&self) -> (RwLockReadGuard<'_, Store>, Timestamp) {
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
    fn write(&self) -> (RwLockWriteGuard<'_, Store>, Timestamp) {
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
    /// Makes an account with its seeded tapes. The same settings make the same tapes. The state
    /// ends with the last clone.
    pub fn new(settings: Settings) -> Self {
        let store = Arc::new(RwLock::new(seed::store(&settings)));
        let clock = Arc::new(Clock::new(settings.time_scale, Timestamp::from_millis(0)));
        Self::of(settings, store, clock, None)
    }

    /// Restores the account from a state file, or makes the file and seeds the account.
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
            settings.undocumented.internal_server_error_status,
            std::mem::take(&mut settings.faults),
        );
        let (persister, state_file) = state.unzip();
        Self {
            inner: Arc::new(Inner {
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

    /// The HTTP service of this account, for another server or for tower layers around it. The
    /// control API needs the peer's address: it rejects every request unless the server is
    /// [`serve`](Self::serve) or provides axum's `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", any(http::handle))
            .fallback(http::not_found)
            .merge(control::router(self))
            .with_state(self.clone())
    }

    /// Serves until `stop` resolves, the calls in progress have ended, and every change is in the
    /// state file, if there is one.
    ///
    /// # Errors
    /// If the state file cannot be written at the end. An earlier failure affects one connection or
    /// call, and is logged or answered.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = self.router().into_make_service_with_connect_info::<Peer>();
        axum::serve(Connections(listener), router)
            .with_graceful_shutdown(stop)
            .await?;
        self.flush().await.map_err(io::Error::other)
    }
}
