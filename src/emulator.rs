//! An emulator of the tape side of the AWS Storage Gateway API, on a real socket.
//!
//! It answers `CreateTapeWithBarcode`, `CreateTapes`, `DescribeTapes`,
//! `DescribeTapeArchives` and `ListTapes` to any AWS client: AWS JSON 1.1, signed
//! with SigV4. What it knows of AWS, and from where, is the table in
//! `docs/emulator.md`.
//!
//! **True:** the wire (bodies, headers, signatures, error shapes), the constraints
//! of the service model, barcodes that are unique for ever, replay by client token,
//! pages and their markers, which call shows a tape in which status.
//!
//! **Faked:** the tapes it is seeded with, and the fill of a tape. The state is in
//! memory and ends with the process.
//!
//! **Left out:** the life of a tape after its creation, every other operation of
//! Storage Gateway, IAM, session tokens (taken and not looked at), KMS (keys are
//! names), tags (checked; no operation here gives them back).
//!
//! It owns its types and imports nothing of the service: were the two to share one,
//! both could be wrong together.
//!
//! The way of a request: `http` reads it, `faults` may let it go wrong, `signature` proves
//! it, `ops` picks the operation, `validation` reads its members by `shapes`, `store`
//! answers. `control` is the way in for those who test against it.

mod arn;
mod barcode;
mod connection;
mod control;
mod error;
mod faults;
mod http;
mod marker;
mod ops;
mod page;
mod seed;
mod shapes;
mod signature;
mod store;
mod tape;
mod timestamp;
mod validation;

use std::{
    io,
    ops::RangeInclusive,
    sync::{Arc, RwLock},
    time::Duration,
};

use axum::{Router, routing::any};
use secrecy::SecretString;
use tokio::net::TcpListener;

use connection::{Connections, Peer};
pub use control::Wrong;
use faults::Faults;
pub use faults::Rule as FaultRule;
use store::Store;

/// What an emulator is made with. [`Settings::default`] is what `docs/emulator.md` shows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The one pair that requests may be signed with. `None` (the default): any key
    /// id passes, and only the form, the scope and the date of a signature are judged.
    pub credentials: Option<Credentials>,
    /// The account that every caller belongs to: 12 digits. Default `123456789012`.
    pub account_id: String,
    /// How many tapes to make at the start, in `us-east-1`: 0 makes the gateway and the
    /// custom pool alone, the first 17 show every status, and those past the 130th of
    /// the library go to the archive. Default 250.
    pub seed_tapes: usize,
    /// How long a new tape is CREATING before it is AVAILABLE. Default zero: a new tape
    /// is AVAILABLE at once.
    pub creating_for: Duration,
    /// The sizes that a tape may have, in bytes. Default 100 GiB to 15 TiB (AWS quotas).
    pub tape_size: RangeInclusive<i64>,
    /// The tapes that one gateway's library holds at most. Default 1,500 (AWS quotas).
    pub tapes_per_library: usize,
    /// The tapes on one page at most, whatever `Limit` asks for; at least 1. Default 1,000.
    pub tapes_per_page: usize,
    /// The longest request body that is read, in bytes. Default 1 MiB.
    pub body_limit: usize,
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
            credentials: None,
            account_id: "123456789012".to_owned(),
            seed_tapes: 250,
            creating_for: Duration::ZERO,
            tape_size: 100 * GIB..=15 * 1024 * GIB,
            tapes_per_library: 1_500,
            tapes_per_page: 1_000,
            body_limit: 1 << 20,
            clock_skew: Duration::from_secs(300),
            faults: Vec::new(),
            fault_seed: 0,
        }
    }
}

/// A long-lived pair of AWS access keys.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The public half, such as `AKIDEXAMPLE`.
    pub access_key_id: String,
    /// The secret half; `Debug` hides it.
    pub secret_access_key: SecretString,
}

/// One emulated account with its tapes. Clones share the state.
#[derive(Clone)]
pub struct Emulator {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    store: RwLock<Store>,
    faults: Faults,
}

impl Emulator {
    /// Makes the account and seeds it: the same settings make the same tapes. A million
    /// tapes take seconds.
    pub fn new(mut settings: Settings) -> Self {
        let faults = Faults::new(settings.fault_seed, std::mem::take(&mut settings.faults));
        let store = RwLock::new(seed::store(&settings.account_id, settings.seed_tapes));
        Self {
            inner: Arc::new(Inner {
                settings,
                store,
                faults,
            }),
        }
    }

    /// The HTTP face of this account, to be wrapped in layers and served. The control API
    /// refuses everybody under a server other than [`serve`](Self::serve), since it cannot
    /// know then where a request comes from.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", any(http::handle))
            .fallback(http::not_found)
            .merge(control::router())
            .with_state(self.clone())
    }

    /// Serves until `stop` resolves and the calls then in progress have ended.
    ///
    /// # Errors
    ///
    /// None today: what fails is one connection, and that is logged. The type leaves room.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = self.router().into_make_service_with_connect_info::<Peer>();
        axum::serve(Connections(listener), router)
            .with_graceful_shutdown(stop)
            .await
    }
}
