//! Settings: read from defaults, a file, variables and flags; checked once; typed.
//!
//! Each setting is declared once, beside the struct it ends in: its key, what it
//! takes, its default, its help. The file's keys, the variables, the flags, the
//! output of `tapegate check` and docs/configuration.md all follow from these
//! declarations, by way of [`SETTINGS`].
//!
//! A flag wins over a variable, a variable over the file, the file over the default.
//! Everything wrong is reported at once, each [`Fault`] with its [`Place`].

mod command;
mod effective;
mod emulator;
mod environment;
mod fault;
mod file;
mod kind;
mod log;
mod place;
mod scope;
mod server;
mod setting;
mod shutdown;
mod sources;
mod suggest;
mod tapes;
mod upstream;
mod values;
mod word;

pub use command::{DEV_CREDENTIALS, Dev, Standalone};
pub(crate) use effective::Effective;
pub use emulator::{Credentials, Emulator};
pub(crate) use environment::{CONFIG_FILE, Variables};
pub use fault::{Fault, Faults};
pub use kind::Toml;
pub use log::{Format, Log};
pub use place::Place;
pub use scope::Scope;
pub use server::Server;
pub use setting::AnySetting;
use setting::Setting;
pub use shutdown::Shutdown;
pub(crate) use sources::Sources;
pub use tapes::Tapes;
pub use upstream::Upstream;
pub(crate) use values::{Given, Layer};

/// What the name of every variable begins with.
const PREFIX: &str = "TAPEGATE_";

/// Every setting, in the order in which documents show them.
pub static SETTINGS: &[&dyn AnySetting] = &[
    &server::LISTEN,
    &server::ADMIN_LISTEN,
    &server::ALLOW_ANONYMOUS,
    &scope::REGION,
    &scope::REGIONS,
    &scope::ACCOUNT_ID,
    &scope::ACCOUNTS,
    &server::MAX_REQUEST_BYTES,
    &server::MAX_CONCURRENT_STREAMS,
    &upstream::ENDPOINT,
    &upstream::CONNECT_TIMEOUT,
    &upstream::ATTEMPT_TIMEOUT,
    &upstream::OPERATION_TIMEOUT,
    &upstream::MAX_ANSWER_BYTES,
    &upstream::CREDENTIALS_PAUSE,
    &tapes::MIN_SIZE_GIB,
    &tapes::MAX_SIZE_GIB,
    &shutdown::DELAY,
    &shutdown::DRAIN_TIMEOUT,
    &log::FILTER,
    &log::FORMAT,
    &emulator::LISTEN,
    &emulator::SEED_TAPES,
    &emulator::FAULTS,
    &emulator::FAULT_SEED,
    &emulator::TIME_SCALE,
    &emulator::STATE,
    &emulator::MAX_SNAPSHOT_BYTES,
    &emulator::ACCESS_KEY_ID,
    &emulator::SECRET_ACCESS_KEY,
];

/// The settings of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the service listens, and what it takes in.
    pub server: Server,
    /// Which part of AWS it answers for.
    pub scope: Scope,
    /// How AWS is reached.
    pub upstream: Upstream,
    /// Which tapes may be created.
    pub tapes: Tapes,
    /// How the service stops.
    pub shutdown: Shutdown,
    /// What is logged.
    pub log: Log,
}
