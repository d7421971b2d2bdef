//! Settings: read from defaults, a file, variables and flags; checked once; typed.
//!
//! Each setting is declared once, beside the struct it ends in: its key, what it
//! takes, its default, its help. The file's keys, the variables, the flags, the
//! output of `tapegate check` and docs/configuration.md all follow from these
//! declarations, by way of [`SETTINGS`].
//!
//! A flag wins over a variable, a variable over the file, the file over the default.
//! Everything wrong is reported at once, each [`Fault`] with its [`Place`].

mod audit;
mod auth;
mod command;
mod create;
mod deadline;
mod effective;
mod environment;
mod fault;
mod file;
mod kind;
mod limits;
mod log;
mod otlp;
mod pace;
mod place;
mod policy;
mod readiness;
mod retry;
mod scope;
mod server;
mod setting;
mod shutdown;
mod sources;
mod suggest;
mod table;
mod tapes;
mod tls;
mod upstream;
mod values;
mod word;

pub use audit::Audit;
pub use auth::{Auth, Entry};
pub use command::Checked;
pub use create::Create;
pub use deadline::Deadline;
pub(crate) use effective::Effective;
pub(crate) use environment::CONFIG_FILE;
pub use environment::Variables;
pub use fault::{Fault, Faults};
pub use kind::Toml;
pub use log::{Directives, Format, Log};
pub use otlp::{Otlp, Protocol};
pub use pace::Pace;
pub use place::Place;
pub use policy::Policy;
pub use readiness::{Readiness, TakenOutBy};
pub use retry::Retry;
pub use scope::Scope;
pub use server::{AdminPages, Server};
pub use setting::AnySetting;
use setting::Setting;
pub use shutdown::Shutdown;
pub(crate) use sources::Sources;
pub use table::Table;
pub use tapes::Tapes;
pub use tls::Tls;
pub use upstream::Upstream;
pub(crate) use values::{Given, Layer, Winning};

/// What the name of every variable begins with.
const PREFIX: &str = "TAPEGATE_";

/// Every setting, in the order in which documents show them.
pub static SETTINGS: &[&dyn AnySetting] = &[
    &server::LISTEN,
    &server::ADMIN_LISTEN,
    &server::ADMIN_PAGES,
    &server::ADMIN_MAX_CONNECTIONS,
    &server::ALLOW_ANONYMOUS,
    &server::ALLOW_PLAINTEXT,
    &scope::REGION,
    &scope::REGIONS,
    &scope::ACCOUNT_ID,
    &scope::ACCOUNTS,
    &server::MAX_REQUEST_BYTES,
    &server::MAX_CONCURRENT_STREAMS,
    &server::MAX_CONCURRENT_CALLS,
    &server::MAX_CONNECTIONS,
    &server::HANDSHAKE_TIMEOUT,
    &server::MAX_CONNECTION_AGE,
    &server::KEEPALIVE_INTERVAL,
    &server::KEEPALIVE_TIMEOUT,
    &server::TRUSTED_PROXIES,
    &server::RELOAD_INTERVAL,
    &tls::CERT,
    &tls::KEY,
    &tls::CLIENT_CA,
    &auth::MAX_TOKEN_BYTES,
    &auth::REMEMBER,
    &auth::HEALTH,
    &auth::REFLECTION,
    &auth::TOKENS_FILE,
    &auth::MTLS_NAMES,
    &auth::MTLS_ALLOWED,
    &auth::MTLS_GROUPS,
    &policy::PATH,
    &policy::TRIAL,
    &policy::UNSET_POOL,
    &limits::each::CALLS_PER_SECOND,
    &limits::each::CONCURRENT_STREAMS,
    &limits::each::TAPES_PER_HOUR,
    &audit::FILE,
    &audit::READS,
    &audit::QUEUE,
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
    &retry::THROTTLED_BASE,
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
    &readiness::AWS,
    &shutdown::DELAY,
    &shutdown::DRAIN_TIMEOUT,
    &log::FILTER,
    &log::FORMAT,
    &otlp::ENDPOINT,
    &otlp::PROTOCOL,
    &otlp::SAMPLE_PERCENT,
];

/// Every table of settings, in the order in which documents show them.
pub static TABLES: &[&Table] = &[&auth::JWT, &limits::TABLE];

/// The settings of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the service listens, and what it takes in.
    pub server: Server,
    /// How connections are protected; `None` is plain text.
    pub tls: Option<Tls>,
    /// How callers are known.
    pub auth: Auth,
    /// What they may do; `None` where nobody decides that.
    pub policy: Option<Policy>,
    /// How much each may have.
    pub limits: crate::access::limits::LimitSettings,
    /// What is recorded of calls.
    pub audit: Audit,
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
    /// When it is to be sent no calls.
    pub readiness: Readiness,
    /// How the service stops.
    pub shutdown: Shutdown,
    /// What is logged.
    pub log: Log,
    /// Where telemetry is sent.
    pub otlp: Otlp,
}
