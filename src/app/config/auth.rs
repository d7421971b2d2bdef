//! How callers are known.

mod jwt;
mod mtls;

use std::{path::PathBuf, time::Duration};

use super::{
    Setting,
    values::Values,
    word::{Choice, File, Integer, Span},
};
use crate::access::{
    identity::{certificate::CertificateRule, jwt::IssuerSettings as Jwt, static_tokens::StaticTokens},
    reload::Files,
};

pub(crate) use self::{
    jwt::TABLE as JWT,
    mtls::{ALLOWED as MTLS_ALLOWED, GROUPS as MTLS_GROUPS, NAMES as MTLS_NAMES},
};

/// How callers are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Which names of client certificates count (`auth.mtls`).
    pub mtls: CertificateRule,
    /// The issuers whose tokens are taken (`auth.jwt`).
    pub jwt: Vec<Jwt>,
    /// The file of static tokens (`auth.tokens.file`).
    pub tokens: Option<PathBuf>,
    /// The longest token that is looked at, in bytes (`auth.max_token_bytes`).
    pub max_token_bytes: usize,
    /// How long a verified token is remembered (`auth.remember`).
    pub remember: Duration,
    /// Who may ask for health (`auth.health`).
    pub health: Entry,
    /// Who may use reflection (`auth.reflection`).
    pub reflection: Entry,
}

/// Who is let in to a service beside the one of tapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Everybody.
    Open,
    /// Whoever is known.
    Identified,
    /// Nobody.
    Closed,
}

const ENTRY: Choice<Entry> = Choice(&[
    ("open", Entry::Open),
    ("identified", Entry::Identified),
    ("closed", Entry::Closed),
]);

pub(crate) static MAX_TOKEN_BYTES: Setting<Integer<usize>> = Setting {
    key: "auth.max_token_bytes",
    kind: Integer {
        range: 256..=12 * 1024,
        unit: "bytes",
    },
    default: Some("8192"),
    help: "The longest bearer token that is looked at. All metadata of a call together may have 16 KiB.",
};

pub(crate) static REMEMBER: Setting<Span> = Setting {
    key: "auth.remember",
    kind: Span(Duration::ZERO..=Duration::from_secs(60 * 60)),
    default: Some("1m"),
    help: "How long a verified JSON Web Token need not be verified again; never beyond its expiry, nor beyond a change \
           of its issuer's keys. 0s verifies every time.",
};

pub(crate) static HEALTH: Setting<Choice<Entry>> = Setting {
    key: "auth.health",
    kind: ENTRY,
    default: Some("open"),
    help: "Who may ask for health over gRPC: everybody, whoever has an identity, or nobody.",
};

pub(crate) static REFLECTION: Setting<Choice<Entry>> = Setting {
    key: "auth.reflection",
    kind: ENTRY,
    default: Some("identified"),
    help: "Who may use gRPC reflection: everybody, whoever has an identity, or nobody.",
};

pub(crate) static TOKENS_FILE: Setting<File> = Setting {
    key: "auth.tokens.file",
    kind: File,
    default: None,
    help: "The file of static tokens, which `tapegate token new` writes.",
};

impl Auth {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        let mtls = mtls::read(values);
        let jwt = values.each(&JWT, jwt::read);
        let tokens = values.optional(&TOKENS_FILE);
        if let Some(Some(path)) = &tokens {
            let read = Files::Each(vec![path.clone()]).read();
            if let Err(faults) = read.and_then(|contents| StaticTokens::read(&contents)) {
                values.faults_of_file(&TOKENS_FILE, faults);
            }
        }
        Some(Self {
            mtls: mtls?,
            jwt: jwt?,
            tokens: tokens?,
            max_token_bytes: values.get(&MAX_TOKEN_BYTES)?,
            remember: values.get(&REMEMBER)?,
            health: values.get(&HEALTH)?,
            reflection: values.get(&REFLECTION)?,
        })
    }
}

/// Whether some setting names whom to let in, right or wrong.
pub(super) fn is_configured(values: &Values) -> bool {
    values.is_given(&super::tls::CLIENT_CA) || values.is_given(&TOKENS_FILE) || values.has_rows(&JWT)
}
