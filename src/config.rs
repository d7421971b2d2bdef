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
mod create;
mod deadline;
mod effective;
mod emulator;
mod environment;
mod fault;
mod file;
mod kind;
mod log;
mod pace;
mod place;
mod retry;
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
pub use create::Create;
pub use deadline::Deadline;
pub(crate) use effective::Effective;
pub use emulator::{Credentials, Emulator};
pub(crate) use environment::{CONFIG_FILE, Variables};
pub use fault::{Fault, Faults};
pub use kind::Toml;
pub use log::{Format, Log};
pub use pace::Pace;
pub use place::Place;
pub use retry::Retry;
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
    &upstream::CREATE_TIMEOUT,
    &upstream::OPERATION_TIMEOUT,
    &upstream::MAX_ANSWER_BYTES,
    &upstream::CREDENTIALS_PAUSE,
    &deadline::UNARY,
    &deadline::UNARY_MAX,
    &deadline::STREAM,
    &deadline::STREAM_MAX,
    &retry::ATTEMPTS,
    &retry::BASE,
    &retry::CAP,
    &retry::BUDGET_SHARE,
    &retry::BUDGET_RESERVE,
    &pace::FLOOR,
    &pace::DECREASE,
    &pace::INCREASE,
    &pace::FORGET,
    &pace::SILENCE,
    &create::CLOCK_SKEW,
    &create::RESEND_WINDOW,
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
    /// How long calls may take.
    pub deadline: Deadline,
    /// How calls are repeated.
    pub retry: Retry,
    /// How they are slowed down.
    pub pace: Pace,
    /// When a tape can be a call's own.
    pub create: Create,
    /// Which tapes may be created.
    pub tapes: Tapes,
    /// How the service stops.
    pub shutdown: Shutdown,
    /// What is logged.
    pub log: Log,
}
