//! Which settings each command reads, and which it rejects.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    access::ignored_access_control,
    check,
    expiry::{Expiries, Expiring},
    settings::{
        AwsProfiles, Config, Effective, Faults, IgnoredVariable, Origin, Setting, Sources, Values, auth, jwt,
        parsers::Parsed, policy, requests, server, upstream,
    },
};

/// The settings of the service, which have no faults.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The settings.
    pub config: Config,
    /// The same settings as a configuration file. A comment behind each value says where it comes
    /// from.
    pub document: String,
    /// Where `upstream.endpoint` comes from, if it is set.
    pub endpoint_origin: Option<Origin>,
    /// Variables that are set and have no effect.
    pub ignored: Vec<IgnoredVariable>,
    /// Settings that should be changed, each with why and to what.
    pub advice: Vec<String>,
}

impl Checked {
    /// The settings of `tapegate serve`.
    pub(crate) fn load(sources: Sources) -> Result<Self, Faults> {
        let mut values = sources.values_of_service();
        let config = Config::read(&mut values);
        require_access_control(&mut values);
        require_safe_listeners(&mut values);
        check::files(&mut values);
        Self::new(values, config)
    }

    /// The settings of the service in `tapegate dev`. The binary adds the endpoint of the emulator.
    pub(crate) fn load_dev(sources: Sources) -> Result<Self, Faults> {
        const DEFAULTS: [(&str, &str); 2] = [("region", "us-east-1"), ("account_id", "123456789012")];
        const NAME: &str = "tapegate dev";
        let mut values = sources.values_of_dev(NAME, &DEFAULTS);
        // Configured identities or policies are there to be tried.
        if !has_identities(&values) && !values.is_given(&policy::PATH) {
            values.set_command_default(&server::ALLOW_ANONYMOUS, NAME, "true");
        }
        let config = Config::read(&mut values);
        for setting in [&server::LISTEN, &server::ADMIN_LISTEN] {
            loopback_only(&mut values, setting, "tapegate dev listens on this machine only");
        }
        require_access_control(&mut values);
        if values.is_given(&upstream::UPSTREAM_ENDPOINT) {
            let message = "tapegate dev runs its own upstream; leave this setting out, or use tapegate serve";
            values.fault(&upstream::UPSTREAM_ENDPOINT, message);
        }
        check::files(&mut values);
        Self::new(values, config)
    }

    fn new(values: Values, config: Option<Config>) -> Result<Self, Faults> {
        let ignored = values.environment().ignored.clone();
        let profiles = values.environment().profiles.clone();
        let (config, resolved) = values.finish(config)?;
        let mut document = Effective(&resolved).to_string();
        let endpoint = resolved.values.get(upstream::UPSTREAM_ENDPOINT.key);
        let proxies = &config.sdk.network.proxies;
        for proxy in proxies.all() {
            document += &format!("\n# proxy: {proxy}\n");
        }
        if proxies.all().next().is_some() {
            document += &format!("\n# without a proxy: {}\n", proxies.exempt());
        }
        for IgnoredVariable { name, instead } in &ignored {
            document += &format!("\n# {name} has no effect: {instead}\n");
        }
        Ok(Self {
            document,
            endpoint_origin: endpoint.map(|given| given.origin.clone()),
            ignored,
            advice: cut_creates(&config)
                .into_iter()
                .chain(cut_lists(&config))
                .chain(
                    profiles
                        .iter()
                        .flat_map(|profiles| missing_profiles(&config, profiles)),
                )
                .collect(),
            config,
        })
    }
}

/// What an operator should change in settings that have no faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// What has expired, or will soon.
    pub expiring: Vec<Expiring>,
    /// Other warnings.
    pub others: Vec<String>,
}

/// How long Kubernetes waits by default between SIGTERM and SIGKILL.
const TERMINATION_GRACE: Duration = Duration::from_secs(30);

impl Checked {
    /// What an operator should change.
    pub fn warnings(&self) -> Warnings {
        let Config { server, shutdown, .. } = &self.config;
        let needed = shutdown.needed();
        let grace = (needed > TERMINATION_GRACE).then(|| {
            let needed = humantime::format_duration(needed);
            format!(
                "shutdown: the service can take {needed} to stop, and Kubernetes kills it 30s after SIGTERM by default; \
                 set terminationGracePeriodSeconds to more than {needed}, or shorten shutdown.delay or \
                 shutdown.drain_timeout"
            )
        });
        let ignored = ignored_access_control(&self.config).map(str::to_owned);
        Warnings {
            expiring: Expiries::open(&self.config).within(server.expiry_warning),
            others: grace
                .into_iter()
                .chain(self.advice.clone())
                .chain(ignored)
                .collect(),
        }
    }
}

/// What is wrong if a stop can cut a create before its attempt ends.
fn cut_creates(config: &Config) -> Option<String> {
    let [create, drain] = [config.upstream.create_timeout, config.shutdown.drain_timeout];
    (create > drain).then(|| {
        let [create, drain] = [create, drain].map(humantime::format_duration);
        format!(
            "upstream.create_timeout: {create} is longer than shutdown.drain_timeout ({drain}), so the outcome of creates \
             that a stop cuts is unknown; shorten it, or lengthen shutdown.drain_timeout"
        )
    })
}

/// What is wrong if a connection can end before a list of the usual length.
fn cut_lists(config: &Config) -> Option<String> {
    let [grace, list] = [
        config.server.grpc.connection.max_age_grace,
        config.deadlines.stream.default,
    ];
    (grace < list).then(|| {
        let [grace, list] = [grace, list].map(humantime::format_duration);
        format!(
            "max_connection_age_grace: {grace} is shorter than deadline.stream ({list}), so long lists can end with \
             UNAVAILABLE (CONNECTION_CLOSED); lengthen it, or shorten deadline.stream"
        )
    })
}

/// The profiles of accounts that are in no AWS file. They may be written later.
fn missing_profiles(config: &Config, profiles: &AwsProfiles) -> Vec<String> {
    let accounts = config.sdk.accounts.iter();
    let missing = accounts.filter_map(|account| {
        let profile = account.profile.as_deref()?;
        let searched = profiles.missing(profile)?;
        Some(format!(
            "account.profile: profile {profile} of account {} is not in {searched}; correct the name, or write the \
             profile",
            account.label()
        ))
    });
    missing.collect()
}

impl Warnings {
    /// Whether clients cannot connect to a service with these settings.
    pub fn are_fatal(&self) -> bool {
        self.expiring.iter().any(Expiring::is_fatal)
    }
}

/// One line for each.
impl fmt::Display for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for expiring in &self.expiring {
            let word = if expiring.is_fatal() { "error" } else { "warning" };
            writeln!(f, "{word}: {expiring}")?;
        }
        self.others
            .iter()
            .try_for_each(|other| writeln!(f, "warning: {other}"))
    }
}

/// The address of the gRPC listener and the file of its certificate, whatever else is wrong with
/// the settings of the service.
pub(crate) fn address(sources: Sources) -> Result<(SocketAddr, Option<PathBuf>), Faults> {
    let values = sources.values();
    let address = values
        .get(&server::LISTEN)
        .zip(values.optional(&server::TLS_CERT));
    values.finish(address).map(|(address, _)| address)
}

/// Whether a source of identities is configured, valid or not.
fn has_identities(values: &Values) -> bool {
    values.is_given(&server::TLS_CLIENT_CA)
        || values.is_given(&auth::TOKENS_FILE)
        || values.has_rows(&jwt::TABLE)
}

/// Rejects settings without identities and policies, unless anonymous callers may do everything.
fn require_access_control(values: &mut Values) {
    const OR_ANONYMOUS: &str =
        "or use --allow-anonymous, which allows every caller everything, to try the service on this machine";
    if values.get(&server::ALLOW_ANONYMOUS) != Some(false) {
        return;
    }
    if !has_identities(values) {
        let message = format!(
            "is not set, and neither is auth.tokens.file nor tls.client_ca, so no caller could be authenticated; set one \
             of them, {OR_ANONYMOUS}"
        );
        values.missing("auth.jwt", message);
    }
    if !values.is_given(&policy::PATH) {
        let message = format!(
            "is not set, so no caller could be allowed anything; set it to the directory of your policies, \
             {OR_ANONYMOUS}"
        );
        values.fault(&policy::PATH, message);
    }
    if let Some(None) = values.optional(&requests::ACCOUNT_ID) {
        values.fault(
            &requests::ACCOUNT_ID,
            "is not set; policies need the account of calls that name no gateway",
        );
    }
}

/// Rejects listeners that other machines can reach if callers are anonymous, and gRPC listeners
/// that would receive tokens in plain text.
fn require_safe_listeners(values: &mut Values) {
    if values.get(&server::ALLOW_ANONYMOUS) == Some(true) {
        let why = "anonymous callers are allowed from this machine only";
        for setting in [&server::LISTEN, &server::ADMIN_LISTEN] {
            loopback_only(values, setting, why);
        }
        return;
    }
    if let Some(listen) = values.get(&server::LISTEN)
        && !listen.ip().is_loopback()
        && !values.is_given(&server::TLS_CERT)
        && values.get(&server::ALLOW_PLAINTEXT) == Some(false)
    {
        values.fault(
            &server::LISTEN,
            format!(
                "{listen} is not a loopback address, so tokens would be sent in plain text; set tls.cert and tls.key, \
                 or use --allow-plaintext behind a service mesh that does TLS"
            ),
        );
    }
}

/// Rejects an address that other machines can reach; `why` gives the reason.
fn loopback_only(values: &mut Values, setting: &Setting<Parsed<SocketAddr>>, why: &str) {
    if let Some(address) = values.get(setting)
        && !address.ip().is_loopback()
    {
        let port = address.port();
        let message =
            format!("{address} is not a loopback address, but {why}; use 127.0.0.1:{port} or [::1]:{port}");
        values.fault(setting, message);
    }
}
