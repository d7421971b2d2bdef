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
mod clock;
mod connection;
mod control;
mod drive;
mod error;
mod faults;
mod gateway;
mod http;
mod life;
mod marker;
mod name_page;
mod ops;
mod page;
mod pool;
mod seed;
mod shapes;
mod signature;
mod state;
mod store;
mod tape;
mod timestamp;
mod undocumented;
mod validation;

use std::{
    io,
    ops::RangeInclusive,
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use axum::{Router, routing::any};
use secrecy::SecretString;
use tokio::net::TcpListener;

use clock::Clock;
use connection::{Connections, Peer};
pub use control::Wrong;
use faults::Faults;
pub use faults::Rule as FaultRule;
use state::Keeper;
use store::Store;
use timestamp::Timestamp;

pub use drive::{DriveError, TapeState};
pub use error::Code as ErrorCode;
pub use life::Life;
pub use state::{NotKept, StateError, StateFile};
pub use undocumented::{
    BarcodeScope, DefaultPool, InTransitSpelling, InternalServerErrorStatus, RetrievedListed,
    TapeArnsWithMarker, TokenMismatch, TokenScope, Undocumented, UnknownTapeArns,
};

/// What an emulator is made with. [`Settings::default`] is what `docs/emulator.md` shows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What requests may be signed with, each with an access key id of its own. Empty (the
    /// default): any key id and any session token pass, and only the form, the scope and the
    /// date of a signature are judged.
    pub credentials: Vec<Credentials>,
    /// The account that every caller belongs to: 12 digits. Default `123456789012`.
    pub account_id: String,
    /// How many tapes to make at the start, in `us-east-1`: 0 makes the gateway and the
    /// custom pool alone, the first 17 show every status, and those past the 130th of
    /// the library go to the archive. Default 250.
    pub seed_tapes: usize,
    /// How long a tape stays in each status, and which calls show it meanwhile.
    pub life: Life,
    /// What AWS does where nobody outside it knows.
    pub undocumented: Undocumented,
    /// Whether a tape keeps the tags that `CreateTapeWithBarcode` was sent. Default false: AWS
    /// has been seen to drop them (boto/boto3#3089). `CreateTapes` and `CreateTapePool` keep
    /// theirs.
    pub tags_with_barcode: bool,
    /// The sizes that a tape may have, in bytes. Default 100 GiB to 15 TiB (AWS quotas).
    pub tape_size: RangeInclusive<i64>,
    /// The tapes that one gateway's library holds at most. Default 1,500 (AWS quotas).
    pub tapes_per_library: usize,
    /// The bytes that the tapes of one gateway's library have room for at most, written or
    /// not. Default 1 PiB, 2⁵⁰ (AWS quotas).
    pub bytes_per_library: u64,
    /// The code that refuses tapes past [`bytes_per_library`](Self::bytes_per_library). AWS
    /// documents none; default that of the other quota of a library,
    /// `MaximumTapeCartridgeCountExceeded`.
    pub code_of_full_library: ErrorCode,
    /// The code that refuses a tape to a gateway without a cache. AWS documents that it is
    /// refused and not how; default `NoDisksAvailable`, the one code of the service model that
    /// is about missing disks.
    pub code_without_cache: ErrorCode,
    /// Whether `DescribeTapes` answers for a gateway that is not connected. AWS documents it
    /// neither way; default true: its answer stands in AWS's own records.
    pub describe_offline: bool,
    /// The tapes on one page at most, whatever `Limit` asks for; at least 1. Default 1,000.
    pub tapes_per_page: usize,
    /// The longest request body that is read, in bytes. Default 1 MiB.
    pub body_limit: usize,
    /// The longest snapshot that `PUT /_emulator/snapshot` reads, in bytes. Default 64 MiB,
    /// which is about 250,000 tapes.
    pub max_snapshot_bytes: usize,
    /// How many times as fast as the machine's clock the emulator's runs, from its start on.
    /// 0 stops it, so that [`Emulator::step`] alone moves it; 43,200 makes 12 hours a second.
    /// Signatures are judged by the machine's clock. Default 1.
    pub time_scale: u32,
    /// How far the date of a signature may be from this machine's clock, either way.
    /// Default 5 minutes, as AWS's own JSON services have it.
    pub clock_skew: Duration,
    /// What goes wrong from the start; the control API adds to it. Default nothing.
    pub faults: Vec<FaultRule>,
    /// What chance begins with, for rules without a seed of their own: the same seed and
    /// the same calls make the same faults. Default 0.
    pub fault_seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        const GIB: i64 = 1 << 30;
        Self {
            credentials: Vec::new(),
            account_id: "123456789012".to_owned(),
            seed_tapes: 250,
            life: Life::default(),
            undocumented: Undocumented::default(),
            tags_with_barcode: false,
            tape_size: 100 * GIB..=15 * 1024 * GIB,
            tapes_per_library: 1_500,
            bytes_per_library: 1 << 50,
            code_of_full_library: ErrorCode::MaximumTapeCartridgeCountExceeded,
            code_without_cache: ErrorCode::NoDisksAvailable,
            describe_offline: true,
            tapes_per_page: 1_000,
            body_limit: 1 << 20,
            max_snapshot_bytes: 64 << 20,
            time_scale: 1,
            clock_skew: Duration::from_secs(300),
            faults: Vec::new(),
            fault_seed: 0,
        }
    }
}

/// A pair of AWS access keys, temporary if it comes with a token.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The public half, such as `AKIDEXAMPLE`.
    pub access_key_id: String,
    /// The secret half; `Debug` hides it.
    pub secret_access_key: SecretString,
    /// What requests have to bring as `X-Amz-Security-Token`; `None` for a long-lived pair,
    /// with which they bring none. `Debug` hides it.
    pub session_token: Option<SecretString>,
}

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
            settings.undocumented.internal_server_error,
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
