//! An emulator of the tape side of the AWS Storage Gateway API, on a real socket.
//!
//! It answers `CreateTapeWithBarcode`, `CreateTapes`, `DescribeTapes`,
//! `DescribeTapeArchives` and `ListTapes` to any AWS client: AWS JSON 1.1, signed
//! with SigV4. What it knows of AWS, and from where, is the table in
//! `docs/emulator.md`.
//!
//! **True:** the wire (bodies, headers, signatures, error shapes), the constraints
//! of the service model, barcodes that are unique for ever, replay by client token,
//! pages and their markers, the statuses of a tape's life on a clock of its own, and which
//! call shows a tape in which status.
//!
//! **Faked:** the tapes it is seeded with, and the data on a tape: its bytes are counted
//! and not kept.
//!
//! **Left out:** every other operation of Storage Gateway, recovery points, IAM, KMS (keys
//! are names).
//!
//! It owns its types and imports nothing of the service: were the two to share one,
//! both could be wrong together.
//!
//! The way of a request: `http` reads it, `faults` may let it go wrong, `signature` proves
//! it, `ops` picks the operation, `validation` reads its members by `shapes`, `store`
//! answers. `state` keeps what changes, where it is to outlive the process. `control` is the
//! way in for those who test against it.

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
mod name_page;
mod ops;
mod page;
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
pub use control::Wrong;
use faults::Faults;
pub use faults::Rule as FaultRule;
use state::Keeper;
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
pub use state::{NotKept, StateError, StateFile};

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
    /// `None` where the state ends with the process.
    keeper: Option<Keeper>,
    state_file: Option<StateFile>,
}

// A panic while the lock was held cannot leave a tape on half of its shelves: nothing
// between the first change and the last one can fail.
impl Inner {
    /// The store as it is now, and when that is.
    fn read(&self) -> (RwLockReadGuard<'_, Store>, Timestamp) {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that nobody settles a later moment meanwhile.
        let now = self.clock.now();
        if !store.is_due(now) {
            return (store, now);
        }
        drop(store);
        let (store, now) = self.write();
        (RwLockWriteGuard::downgrade(store), now)
    }

    /// The store as it is now, to be changed, and when that is.
    fn write(&self) -> (RwLockWriteGuard<'_, Store>, Timestamp) {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = &self.keeper {
            keeper.wake();
        }
        let now = self.clock.now();
        store.settle(now);
        (store, now)
    }
}

impl Emulator {
    /// Makes the account and seeds it: the same settings make the same tapes. A million
    /// tapes take seconds. Its state ends with its last clone.
    pub fn new(settings: Settings) -> Self {
        let store = Arc::new(RwLock::new(seed::store(&settings)));
        let clock = Arc::new(Clock::new(settings.time_scale, Timestamp::from_millis(0)));
        Self::of(settings, store, clock, None)
    }

    /// Takes the account up where it was left in a file, or makes and seeds it if there is no
    /// such file. All that changes is written there before any answer shows it, so that an end
    /// at any moment loses nothing that anybody was told. Of the rest, such as
    /// [`eject`](Self::eject), [`flush`](Self::flush) says when it is written.
    ///
    /// The clock begins at the machine's time, or at the time in the file if that is later.
    /// Settings are not kept: a limit or a time of life is what it is set to now.
    ///
    /// # Errors
    /// When the file cannot be made or read, is in use, or is not the state of this account.
    pub fn with_state(settings: Settings, file: &Path) -> Result<Self, StateError> {
        let opened = state::open(file, &settings)?;
        let store = Arc::new(RwLock::new(opened.store));
        let clock = Arc::new(opened.clock);
        let keeper = Keeper::start(opened.file, Arc::clone(&store), Arc::clone(&clock))?;
        Ok(Self::of(settings, store, clock, Some((keeper, opened.info))))
    }

    fn of(
        mut settings: Settings,
        store: Arc<RwLock<Store>>,
        clock: Arc<Clock>,
        state: Option<(Keeper, StateFile)>,
    ) -> Self {
        let faults = Faults::new(
            settings.fault_seed,
            settings.undocumented.internal_server_error_status,
            std::mem::take(&mut settings.faults),
        );
        let (keeper, state_file) = state.unzip();
        Self {
            inner: Arc::new(Inner {
                settings,
                clock,
                store,
                faults,
                keeper,
                state_file,
            }),
        }
    }

    /// The file that its state is kept in, and what was found there.
    pub fn state_file(&self) -> Option<&StateFile> {
        self.inner.state_file.as_ref()
    }

    /// Waits until everything that was done so far is in the state file; at once without one.
    ///
    /// # Errors
    /// When the file cannot be written. What was done stays done, and is written when that
    /// succeeds again.
    pub async fn flush(&self) -> Result<(), NotKept> {
        match &self.inner.keeper {
            Some(keeper) => keeper.flush().await,
            None => Ok(()),
        }
    }

    /// Writes what is left to be written and closes the state file, for another emulator to
    /// open. The last clone to be dropped does so too. What is done afterwards is not kept, and
    /// answered with an error. Blocks for as long as writing takes.
    pub fn close(&self) {
        if let Some(keeper) = &self.inner.keeper {
            keeper.close();
        }
    }

    /// The HTTP face of this account, to be wrapped in layers and served. The control API has
    /// to know where a request comes from: it refuses everybody unless the server is
    /// [`serve`](Self::serve) or gives axum's `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", any(http::handle))
            .fallback(http::not_found)
            .merge(control::router(self))
            .with_state(self.clone())
    }

    /// Serves until `stop` resolves and the calls then in progress have ended, and all that
    /// was done is in the state file, if there is one.
    ///
    /// # Errors
    ///
    /// When the state file cannot be written at the end. What fails before is one connection
    /// or call, which is logged or answered.
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
