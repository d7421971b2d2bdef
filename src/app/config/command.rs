//! What each command reads of the settings, and what it refuses.

use std::{net::SocketAddr, path::PathBuf};

use super::{
    Audit, Auth, Config, Create, Deadline, Effective, Faults, Log, Otlp, Pace, Policy, Readiness, Retry,
    Scope, Server, Setting, Shutdown, Sources, Tapes, Tls, Upstream, Winning, auth, limits, policy, scope,
    server, tls, upstream, values::Values, word::Address,
};

/// The settings of the service, without faults.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The settings.
    pub config: Config,
    /// The same as a configuration file that gives them, with where each comes from in a
    /// comment. Secrets are not shown.
    pub document: String,
}

impl Checked {
    fn new(config: Config, winning: &Winning) -> Self {
        Self {
            config,
            document: Effective { winning }.to_string(),
        }
    }
}

impl Config {
    fn read(values: &mut Values) -> Option<Self> {
        // All of them first, so that a fault in one hides none in the next.
        let server = Server::read(values);
        let tls = Tls::read(values);
        let auth = Auth::read(values);
        let policy = Policy::read(values);
        let limits = limits::read(values);
        let audit = Audit::read(values);
        let scope = Scope::read(values);
        let upstream = Upstream::read(values);
        let deadline = Deadline::read(values);
        let retry = Retry::read(values);
        let pace = Pace::read(values);
        let create = Create::read(values);
        let tapes = Tapes::read(values);
        let readiness = Readiness::read(values);
        let shutdown = Shutdown::read(values);
        let log = Log::read(values);
        let otlp = Otlp::read(values);
        Some(Self {
            server: server?,
            tls: tls?,
            auth: auth?,
            policy: policy?,
            limits: limits?,
            audit: audit?,
            scope: scope?,
            upstream: upstream?,
            deadline: deadline?,
            retry: retry?,
            pace: pace?,
            create: create?,
            tapes: tapes?,
            readiness: readiness?,
            shutdown: shutdown?,
            log: log?,
            otlp: otlp?,
        })
    }

    /// The settings of `tapegate serve`.
    pub(crate) fn serve(sources: Sources) -> Result<Checked, Faults> {
        let mut values = sources.values_in_aws();
        let config = Self::read(&mut values);
        closed_by_default(&mut values);
        reachable_as_far_as_is_safe(&mut values);
        let (config, winning) = values.finish(config)?;
        Ok(Checked::new(config, &winning))
    }

    /// The settings of the service in `tapegate dev`, without the upstream that the binary starts.
    pub(crate) fn dev(sources: Sources) -> Result<Checked, Faults> {
        const PRESETS: [(&str, &str); 2] = [("region", "us-east-1"), ("account_id", "123456789012")];
        const NAME: &str = "tapegate dev";
        let mut values = sources.values_for(NAME, &PRESETS);
        // A configuration with identities or policies is there to be tried.
        if !auth::is_configured(&values) && !values.is_given(&policy::PATH) {
            values.preset(&server::ALLOW_ANONYMOUS, NAME, "true");
        }
        let config = Self::read(&mut values);
        for setting in [&server::LISTEN, &server::ADMIN_LISTEN] {
            loopback_only(&mut values, setting, "tapegate dev stays on this machine");
        }
        closed_by_default(&mut values);
        if values.is_given(&upstream::ENDPOINT) {
            let message = "tapegate dev brings its own upstream; leave it out, or use tapegate serve";
            values.fault(&upstream::ENDPOINT, message);
        }
        let (config, winning) = values.finish(config)?;
        Ok(Checked::new(config, &winning))
    }

    /// Where the service listens and the file of its certificate, whatever else is said of it.
    pub(crate) fn address(sources: Sources) -> Result<(SocketAddr, Option<PathBuf>), Faults> {
        let values = sources.values();
        let address = values.get(&server::LISTEN).zip(values.optional(&tls::CERT));
        values.finish(address).map(|(address, _)| address)
    }
}

/// Refuses to run without knowing who calls and what each may do, unless anybody may do
/// everything.
fn closed_by_default(values: &mut Values) {
    const OR_ELSE: &str =
        "(or, to try it on this machine, let every caller do everything: --allow-anonymous)";
    if values.get(&server::ALLOW_ANONYMOUS) != Some(false) {
        return;
    }
    if !auth::is_configured(values) {
        let message = format!(
            "is not set, nor is auth.tokens.file or tls.client_ca, so nobody could be let in; configure how callers \
             are known {OR_ELSE}"
        );
        values.fault_of("auth.jwt", message);
    }
    if !values.is_given(&policy::PATH) {
        let message =
            format!("is not set, so nobody could do anything; give the folder of policies {OR_ELSE}");
        values.fault(&policy::PATH, message);
    }
    if let Some(None) = values.optional(&scope::ACCOUNT_ID) {
        values.fault(
            &scope::ACCOUNT_ID,
            "is not set; with policies it is needed: calls that name no gateway are asked of this account",
        );
    }
}

/// Refuses to serve other machines where callers are anonymous, and where tokens could be read
/// on the way.
fn reachable_as_far_as_is_safe(values: &mut Values) {
    if values.get(&server::ALLOW_ANONYMOUS) == Some(true) {
        let why = "anonymous callers may come from this machine alone";
        for setting in [&server::LISTEN, &server::ADMIN_LISTEN] {
            loopback_only(values, setting, why);
        }
        return;
    }
    if let Some(listen) = values.get(&server::LISTEN)
        && !listen.ip().is_loopback()
        && !values.is_given(&tls::CERT)
        && values.get(&server::ALLOW_PLAINTEXT) == Some(false)
    {
        values.fault(
            &server::LISTEN,
            format!(
                "{listen} is not loopback, and tokens would cross the network in plain text; set tls.cert and tls.key, \
                 or --allow-plaintext behind a service mesh that does TLS"
            ),
        );
    }
}

/// Refuses an address that other machines can reach; `why` says why.
fn loopback_only(values: &mut Values, setting: &Setting<Address>, why: &str) {
    if let Some(address) = values.get(setting)
        && !address.ip().is_loopback()
    {
        let port = address.port();
        let message = format!("{address} is not loopback, but {why}; use 127.0.0.1:{port} or [::1]:{port}");
        values.fault(setting, message);
    }
}
