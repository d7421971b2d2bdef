//! Settings: read from defaults, a file, variables and flags, and checked.
//!
//! Each setting is declared once: its key, its type, its default and its help. The keys of the
//! file, the variables, the flags, `tapegate check` and docs/configuration.md all follow from
//! these declarations, by way of [`SETTINGS`]. There is one file for each group of sections. It
//! fills the settings types of the modules that use them, such as
//! [`RetrySettings`](crate::upstream::retry::RetrySettings).
//!
//! A flag takes precedence over a variable, a variable over the file, and the file over the
//! default. All faults are reported at once, each [`Fault`] with its [`Origin`]. Nothing here
//! opens the files that settings name, apart from the configuration file.

pub(crate) mod auth;
mod effective;
pub(crate) mod emulator;
mod fault;
mod file;
mod given;
pub(crate) mod jwt;
mod limits;
pub(crate) mod parsers;
pub(crate) mod policy;
pub(crate) mod requests;
pub(crate) mod server;
mod setting;
mod setting_type;
mod sources;
pub(crate) mod telemetry;
pub(crate) mod upstream;
mod values;

pub(crate) use self::{
    effective::Effective,
    given::{Given, Layer},
    setting::Setting,
    sources::{CONFIG_FILE, Sources, Variables},
    values::{Resolved, Values},
};
pub use self::{
    emulator::Emulator,
    fault::{Fault, Faults, Origin},
    server::{ServerSettings, ShutdownSettings},
    setting::{AnySetting, Table},
    setting_type::TomlType,
};
use crate::{
    access::{IdentitySettings, audit::AuditSettings, limits::LimitSettings, policy::PolicySettings},
    grpc::{convert::Rules, inbound::Deadlines, tls::TlsSettings},
    observability::{
        admin::AdminSettings,
        readiness::NotReadyOn,
        telemetry::{LogSettings, OtlpSettings},
    },
    upstream::{UpstreamSettings, idempotency::ReconcileSettings, sdk::SdkSettings},
};

/// The prefix of all variables.
const PREFIX: &str = "TAPEGATE_";

/// Every setting, in the order in which documents show them.
pub static SETTINGS: &[&dyn AnySetting] = &[
    &server::LISTEN,
    &server::ADMIN_LISTEN,
    &server::ADMIN_PAGES,
    &server::ADMIN_MAX_CONNECTIONS,
    &server::ALLOW_ANONYMOUS,
    &server::ALLOW_PLAINTEXT,
    &requests::REGION,
    &requests::REGIONS,
    &requests::ACCOUNT_ID,
    &requests::ACCOUNTS,
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
    &server::TLS_CERT,
    &server::TLS_KEY,
    &server::TLS_CLIENT_CA,
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
    &policy::AUDIT_FILE,
    &policy::AUDIT_READS,
    &policy::AUDIT_QUEUE,
    &upstream::UPSTREAM_ENDPOINT,
    &upstream::CONNECT_TIMEOUT,
    &upstream::ATTEMPT_TIMEOUT,
    &upstream::CREATE_TIMEOUT,
    &upstream::OPERATION_TIMEOUT,
    &upstream::MAX_ANSWER_BYTES,
    &upstream::CREDENTIALS_PAUSE,
    &requests::UNARY,
    &requests::UNARY_MAX,
    &requests::STREAM,
    &requests::STREAM_MAX,
    &upstream::RETRY_ATTEMPTS,
    &upstream::RETRY_BASE,
    &upstream::RETRY_THROTTLED_BASE,
    &upstream::RETRY_CAP,
    &upstream::RETRY_BUDGET_SHARE,
    &upstream::RETRY_BUDGET_RESERVE,
    &upstream::PACE_FLOOR,
    &upstream::PACE_DECREASE,
    &upstream::PACE_INCREASE,
    &upstream::PACE_FORGET,
    &upstream::PACE_SILENCE,
    &upstream::CLOCK_SKEW,
    &upstream::RESEND_WINDOW,
    &requests::MIN_SIZE_GIB,
    &requests::MAX_SIZE_GIB,
    &server::READINESS_AWS,
    &server::SHUTDOWN_DELAY,
    &server::DRAIN_TIMEOUT,
    &telemetry::FILTER,
    &telemetry::FORMAT,
    &telemetry::OTLP_ENDPOINT,
    &telemetry::PROTOCOL,
    &telemetry::SAMPLE_PERCENT,
    &emulator::basics::LISTEN,
    &emulator::basics::ACCOUNT_ID,
    &emulator::basics::SEED_TAPES,
    &emulator::basics::TIME_SCALE,
    &emulator::basics::STATE,
    &emulator::credentials::ACCESS_KEY_ID,
    &emulator::credentials::SECRET_ACCESS_KEY,
    &emulator::credentials::CREDENTIALS,
    &emulator::faults::FAULTS,
    &emulator::faults::FAULT_SEED,
    &emulator::limits::MIN_TAPE_SIZE_GIB,
    &emulator::limits::MAX_TAPE_SIZE_GIB,
    &emulator::limits::TAPES_PER_LIBRARY,
    &emulator::limits::BYTES_PER_LIBRARY,
    &emulator::limits::TAPES_PER_PAGE,
    &emulator::limits::MAX_REQUEST_BYTES,
    &emulator::limits::MAX_SNAPSHOT_BYTES,
    &emulator::limits::CLOCK_SKEW,
    &emulator::life::CREATING_TIME,
    &emulator::life::UPLOAD_BYTES_PER_SECOND,
    &emulator::life::SMALL_TAPE_BYTES,
    &emulator::life::ARCHIVING_TIME,
    &emulator::life::MIN_RETRIEVING_TIME_GLACIER,
    &emulator::life::MAX_RETRIEVING_TIME_GLACIER,
    &emulator::life::RETRIEVING_TIME_DEEP_ARCHIVE,
    &emulator::life::DELETING_TIME,
    &emulator::life::DELETED_TIME,
    &emulator::life::LEAVING_IN_LIBRARY,
    &emulator::life::LEAVING_IN_ARCHIVE,
    &emulator::life::RETRIEVING_IN_LIBRARY,
    &emulator::undocumented::TOKEN_SCOPE,
    &emulator::undocumented::TOKEN_MISMATCH,
    &emulator::undocumented::TOKEN_WINDOW,
    &emulator::undocumented::BARCODE_SCOPE,
    &emulator::undocumented::DEFAULT_POOL,
    &emulator::undocumented::CODE_OF_FULL_LIBRARY,
    &emulator::undocumented::CODE_WITHOUT_CACHE,
    &emulator::undocumented::DESCRIBE_OFFLINE,
    &emulator::undocumented::KMS_KEY_REQUIRED,
    &emulator::undocumented::TAGS_WITH_BARCODE,
    &emulator::undocumented::UNKNOWN_TAPE_ARNS,
    &emulator::undocumented::TAPE_ARNS_WITH_MARKER,
    &emulator::undocumented::MARKER_LIFETIME,
    &emulator::undocumented::IN_TRANSIT_SPELLING,
    &emulator::undocumented::RETRIEVED_LISTED,
    &emulator::undocumented::WORM_WHEN_FALSE,
    &emulator::undocumented::INTERNAL_SERVER_ERROR_STATUS,
];

/// Every table of settings, in the order in which documents show them.
pub static TABLES: &[&Table] = &[&jwt::TABLE, &limits::TABLE];

/// The settings of the service.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Listeners, and the limits of connections and calls.
    pub server: ServerSettings,
    /// The admin listener.
    pub admin: AdminSettings,
    /// TLS of the gRPC listener; `None` is plain text.
    pub tls: Option<TlsSettings>,
    /// How callers are authenticated.
    pub identities: IdentitySettings,
    /// What callers may do; `None` if there are no policies.
    pub policy: Option<PolicySettings>,
    /// Quotas of each principal.
    pub limits: LimitSettings,
    /// Where calls are recorded.
    pub audit: AuditSettings,
    /// What requests may ask for.
    pub rules: Rules,
    /// How long calls may take.
    pub deadlines: Deadlines,
    /// How requests are sent to AWS.
    pub sdk: SdkSettings,
    /// Timeouts, retries and pacing of calls to AWS.
    pub upstream: UpstreamSettings,
    /// When an existing tape counts as made by the call that finds it.
    pub reconcile: ReconcileSettings,
    /// Which condition of AWS makes the replica not ready.
    pub readiness: NotReadyOn,
    /// How the service stops.
    pub shutdown: ShutdownSettings,
    /// What is logged.
    pub log: LogSettings,
    /// Where telemetry is sent.
    pub otlp: OtlpSettings,
}

impl Config {
    pub(crate) fn read(values: &mut Values) -> Option<Self> {
        values.merge_rows();
        // All sections are read before the first `?`, so that a fault in one hides none in the next.
        let server = server::read(values);
        let tls = server::tls(values);
        let identities = auth::read(values);
        let policy = policy::read(values);
        let limits = limits::read(values);
        let rules = requests::rules(values);
        let deadlines = requests::deadlines(values);
        let upstream = upstream::read(values);
        let (sdk, upstream) = upstream?;
        Some(Self {
            server: server?,
            admin: server::admin(values)?,
            tls: tls?,
            identities: identities?,
            policy: policy?,
            limits: limits?,
            audit: policy::audit(values)?,
            rules: rules?,
            deadlines: deadlines?,
            sdk,
            upstream,
            reconcile: upstream::reconcile(values)?,
            readiness: server::readiness(values)?,
            shutdown: server::shutdown(values)?,
            log: telemetry::log(values)?,
            otlp: telemetry::otlp(values)?,
        })
    }
}
