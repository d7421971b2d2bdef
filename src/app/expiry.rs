//! What expires: certificates and static tokens. `tapegate check` and the start warn of it, and a
//! metric shows it.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::settings::Config;
use crate::{
    access::{Authenticator, identity::static_tokens::StaticTokens, reload::Reloading},
    grpc::tls::{self, Tls},
};

/// The files whose content expires.
#[derive(Clone, Debug, Default)]
pub(super) struct Expiries {
    tls: Option<Arc<Reloading<Tls>>>,
    tokens: Option<Arc<Reloading<StaticTokens>>>,
}

/// Something that expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// What it is.
    pub kind: ExpiringKind,
    /// Which of them: the name of a root certificate or of a principal.
    pub name: Option<String>,
    /// When it expires.
    pub at: Timestamp,
}

/// A kind of things that expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExpiringKind {
    /// The certificate of the service, with its intermediate ones.
    ServerCertificate,
    /// A root certificate of client certificates.
    ClientCa,
    /// The last static token of a principal.
    StaticToken,
}

impl ExpiringKind {
    /// All kinds.
    const ALL: [Self; 3] = [Self::ServerCertificate, Self::ClientCa, Self::StaticToken];

    /// The value of the metric's attribute.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ServerCertificate => "server_certificate",
            Self::ClientCa => "client_ca",
            Self::StaticToken => "static_token",
        }
    }

    /// The setting that names the file.
    fn setting(self) -> &'static str {
        match self {
            Self::ServerCertificate => "tls.cert",
            Self::ClientCa => "tls.client_ca",
            Self::StaticToken => "auth.tokens.file",
        }
    }
}

impl Expiring {
    /// The time left, in seconds; negative once it has expired.
    pub(super) fn seconds_left(&self) -> f64 {
        (self.at - Timestamp::now())
            .total(jiff::Unit::Second)
            .unwrap_or_default()
    }

    /// Whether clients can no longer connect because of it.
    pub fn is_fatal(&self) -> bool {
        self.kind == ExpiringKind::ServerCertificate && self.seconds_left() <= 0.0
    }
}

/// The setting, what it is, and when it expires.
impl fmt::Display for Expiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, at } = self;
        let what = match (kind, name) {
            (ExpiringKind::ServerCertificate, _) => "the certificate of the service".to_owned(),
            (ExpiringKind::ClientCa, name) => {
                format!("the root certificate {:?}", name.as_deref().unwrap_or_default())
            }
            (ExpiringKind::StaticToken, name) => {
                format!("the last token of {:?}", name.as_deref().unwrap_or_default())
            }
        };
        let (verb, advice) = match (self.seconds_left() <= 0.0, kind) {
            (true, ExpiringKind::ServerCertificate) => ("expired", "clients reject it; replace it"),
            (false, ExpiringKind::ServerCertificate) => ("expires", "replace it before that"),
            (true, ExpiringKind::ClientCa) => (
                "expired",
                "the client certificates that it issued are rejected; remove it from the file",
            ),
            (false, ExpiringKind::ClientCa) => (
                "expires",
                "before that, add a new root certificate to the file and issue the client certificates from it",
            ),
            (true, ExpiringKind::StaticToken) => ("expired", "run `tapegate token new`, or revoke it"),
            (false, ExpiringKind::StaticToken) => {
                ("expires", "before that, run `tapegate token new` for a new token")
            }
        };
        let at = at.strftime("%Y-%m-%dT%H:%M:%SZ");
        write!(f, "{}: {what} {verb} at {at}; {advice}", kind.setting())
    }
}

impl Expiries {
    /// The files that a running service watches.
    pub(super) fn of(tls: Option<&Arc<Reloading<Tls>>>, identities: Option<&Authenticator>) -> Self {
        Self {
            tls: tls.cloned(),
            tokens: identities.and_then(Authenticator::static_tokens).cloned(),
        }
    }

    /// The files of settings that were checked. A file that has become invalid since then is left
    /// out.
    pub(super) fn open(config: &Config) -> Self {
        let tls = config.tls.as_ref().and_then(|tls| tls::open(tls).ok());
        let tokens = config.identities.tokens.as_ref();
        Self {
            tls: tls.map(Arc::new),
            tokens: tokens
                .and_then(|path| StaticTokens::open(path).ok())
                .map(Arc::new),
        }
    }

    /// Everything that expires, the first one first.
    pub(super) fn all(&self) -> Vec<Expiring> {
        let mut all = Vec::new();
        if let Some(tls) = self.tls.as_ref().map(|tls| tls.load()) {
            all.extend(tls.certificate_expires().map(|at| Expiring {
                kind: ExpiringKind::ServerCertificate,
                name: None,
                at,
            }));
            all.extend(tls.roots().iter().map(|root| Expiring {
                kind: ExpiringKind::ClientCa,
                name: Some(root.display_name()),
                at: root.not_after,
            }));
        }
        if let Some(tokens) = self.tokens.as_ref().map(|tokens| tokens.load()) {
            all.extend(tokens.expiries().into_iter().map(|(name, at)| Expiring {
                kind: ExpiringKind::StaticToken,
                name: Some(name.to_owned()),
                at,
            }));
        }
        all.sort_by_key(|expiring| expiring.at);
        all
    }

    /// What has expired, or will within this time.
    pub(super) fn within(&self, time: Duration) -> Vec<Expiring> {
        let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        let limit = Timestamp::now().saturating_add(time).unwrap_or(Timestamp::MAX);
        let mut all = self.all();
        all.retain(|expiring| expiring.at <= limit);
        all
    }

    /// Of each kind, what expires next. Old roots and tokens that have expired are left out if others
    /// are still valid: they remain in their files after a rotation.
    pub(super) fn next_of_each_kind(&self) -> Vec<Expiring> {
        let all = self.all();
        let now = Timestamp::now();
        let of = |kind| all.iter().filter(move |expiring| expiring.kind == kind);
        let next = ExpiringKind::ALL.into_iter().filter_map(|kind| match kind {
            ExpiringKind::ServerCertificate => of(kind).next(),
            _ => of(kind)
                .find(|expiring| expiring.at > now)
                .or(of(kind).next_back()),
        });
        next.cloned().collect()
    }
}

/// Warns of something that expires soon. The service starts all the same, because a restart must not
/// make an outage worse.
pub(super) fn warn(expiring: &Expiring) {
    match expiring.is_fatal() {
        true => tracing::error!(%expiring, "the certificate of the service has expired: clients reject it"),
        false => tracing::warn!(%expiring, "something expires soon, or has expired"),
    }
}
