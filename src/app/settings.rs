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

mod accounts;
pub(crate) mod auth;
mod aws_profile;
pub(crate) mod certificate;
mod effective;
mod endpoints;
mod environment;
mod fault;
mod file;
mod given;
pub(crate) mod jwt;
pub(crate) mod limits;
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
    aws_profile::AwsProfiles,
    effective::Effective,
    environment::Environment,
    given::{Given, Layer},
    setting::Setting,
    sources::{CONFIG_FILE, Sources},
    values::Values,
};
pub use self::{
    environment::{IgnoredVariable, cleaned, library_variables},
    fault::{Fault, Faults, Origin},
    server::{ServerSettings, ShutdownSettings},
    setting::{AnySetting, Table},
    setting_type::TomlType,
    sources::Variables,
};
use crate::{
    access::{
        IdentitySettings,
        audit::AuditSettings,
        limits::{LimitSettings, SharedSettings},
        policy::PolicySettings,
    },
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
    &requests::REQUIRE_POOL,
    &server::MAX_REQUEST_BYTES,
    &server::MAX_ARRIVING_BYTES,
    &server::COMPRESS_RESPONSES,
    &server::MAX_CONCURRENT_STREAMS,
    &server::MAX_CONCURRENT_CALLS,
    &server::MAX_SCHEDULING_DELAY,
    &server::MAX_CONNECTIONS,
    &server::MAX_CONNECTIONS_PER_ADDRESS,
    &server::HANDSHAKE_TIMEOUT,
    &server::MAX_CONNECTION_AGE,
    &server::MAX_CONNECTION_AGE_GRACE,
    &server::MAX_PENDING_RESETS,
    &server::MAX_CONTROL_FRAMES,
    &server::SEND_TIMEOUT,
    &server::MAX_CONNECTION_RATE,
    &server::MAX_UNREAD_BYTES,
    &server::KEEPALIVE_INTERVAL,
    &server::KEEPALIVE_TIMEOUT,
    &server::TRUSTED_PROXIES,
    &server::WORKER_THREADS,
    &server::RELOAD_INTERVAL,
    &server::EXPIRY_WARNING,
    &server::TLS_CERT,
    &server::TLS_KEY,
    &server::TLS_CLIENT_CA,
    &server::ALLOWED_ORIGINS,
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
    &limits::each::ATTEMPTS_IN_FLIGHT,
    &limits::each::TAPES_PER_HOUR,
    &limits::shared::URL,
    &limits::shared::USERNAME,
    &limits::shared::PASSWORD_FILE,
    &limits::shared::CA,
    &limits::shared::TIMEOUT,
    &limits::shared::PREFIX,
    &limits::shared::ON_FAILURE,
    &policy::AUDIT_FILE,
    &policy::AUDIT_READS,
    &policy::AUDIT_REJECTIONS,
    &policy::AUDIT_QUEUE,
    &upstream::UPSTREAM_ENDPOINT,
    &upstream::STS_ENDPOINT,
    &upstream::CONNECT_TIMEOUT,
    &upstream::ATTEMPT_TIMEOUT,
    &upstream::CREATE_TIMEOUT,
    &upstream::OPERATION_TIMEOUT,
    &upstream::MAX_ANSWER_BYTES,
    &upstream::UPSTREAM_MAX_CONNECTIONS,
    &upstream::CREDENTIALS_PAUSE,
    &upstream::MAX_CALLER_SESSIONS,
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
    &upstream::ADD_TAGS,
    &upstream::CLOCK_SKEW,
    &upstream::RESEND_WINDOW,
    &upstream::TOKEN_WINDOW,
    &requests::MIN_SIZE_GIB,
    &requests::MAX_SIZE_GIB,
    &server::READINESS_AWS,
    &server::SHUTDOWN_DELAY,
    &server::DRAIN_TIMEOUT,
    &telemetry::FILTER,
    &telemetry::FORMAT,
    &telemetry::QUEUE,
    &telemetry::OK_PERCENT,
    &telemetry::OTLP_ENDPOINT,
    &telemetry::PROTOCOL,
    &telemetry::SAMPLE_PERCENT,
];

/// The names of the variables of all settings, and of the one that names the configuration file.
pub fn variables() -> Vec<String> {
    let of_settings = SETTINGS.iter().filter_map(|setting| setting.variable());
    of_settings.chain([CONFIG_FILE.to_owned()]).collect()
}

/// Every table of settings, in the order in which documents show them.
pub static TABLES: &[&Table] = &[
    &accounts::TABLE,
    &endpoints::TABLE,
    &jwt::TABLE,
    &certificate::TABLE,
    &limits::TABLE,
];

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
    /// The store in which replicas count created tapes together; `None` if each counts for itself.
    pub shared_limits: Option<SharedSettings>,
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
        let audit = policy::audit(values);
        let limits = limits::read(values);
        limits::shared::reject_useless(values);
        let shared_limits = limits::shared::settings(values);
        requests::set_default_of_regions(values);
        let accounts = accounts::read(values);
        let rules = requests::rules(values, accounts.as_deref());
        let deadlines = requests::deadlines(values);
        let upstream = upstream::read(values, accounts);
        let (sdk, upstream) = upstream?;
        Some(Self {
            server: server?,
            admin: server::admin(values)?,
            tls: tls?,
            identities: identities?,
            policy: policy?,
            limits: limits?,
            shared_limits: shared_limits?,
            audit: audit?,
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
