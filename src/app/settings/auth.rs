//! `[auth]`, `[auth.tokens]`, `[auth.mtls]` and `[[auth.certificate]]`: how callers are authenticated.

use std::{path::PathBuf, time::Duration};

use super::{
    Setting, certificate, jwt,
    parsers::{Choice, DurationIn, FILE, Integer, NAME_PATTERN, Parsed, Text},
    server,
    setting_type::List,
    values::Values,
};
use crate::{
    access::{
        IdentitySettings,
        identity::certificate::{CertificateIdentity, CertificateRule, NameKind, NamePattern},
    },
    grpc::inbound::AccessMode,
};

pub(crate) static MAX_TOKEN_BYTES: Setting<Integer<usize>> = Setting {
    key: "auth.max_token_bytes",
    kind: Integer {
        range: 256..=12 * 1024,
        unit: "bytes",
    },
    default: Some("8192"),
    help: "The maximum length of a bearer token; a longer one is rejected. The maximum total size of the metadata of a \
           call is 16 KiB.",
};

pub(crate) static REMEMBER: Setting<DurationIn> = Setting {
    key: "auth.remember",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(60 * 60)),
    default: Some("1m"),
    help: "How long a verified JSON Web Token is cached. The service verifies it again earlier if it expires or the \
           keys of its issuer change. 0s verifies the token for every call.",
};

const ACCESS_MODE: Choice<AccessMode> = Choice(&[
    ("open", AccessMode::Open),
    ("identified", AccessMode::Identified),
    ("closed", AccessMode::Closed),
]);

pub(crate) static HEALTH: Setting<Choice<AccessMode>> = Setting {
    key: "auth.health",
    kind: ACCESS_MODE,
    default: Some("open"),
    help: "Who may call the gRPC health service: everybody (open), authenticated callers (identified) or nobody \
           (closed).",
};

pub(crate) static REFLECTION: Setting<Choice<AccessMode>> = Setting {
    key: "auth.reflection",
    kind: ACCESS_MODE,
    default: Some("identified"),
    help: "Who may use gRPC reflection: everybody (open), authenticated callers (identified) or nobody (closed).",
};

pub(crate) static TOKENS_FILE: Setting<Parsed<PathBuf>> = Setting {
    key: "auth.tokens.file",
    kind: FILE,
    default: None,
    help: "The file of static tokens, which `tapegate token new` writes.",
};

pub(crate) static MTLS_NAMES: Setting<List<Choice<NameKind>>> = Setting {
    key: "auth.mtls.names",
    kind: List(Choice(&[
        ("spiffe", NameKind::Spiffe),
        ("uri", NameKind::Uri),
        ("dns", NameKind::Dns),
    ])),
    default: None,
    help: "The types of subject alternative names that can identify a caller with a client certificate. The service \
           uses the first type, in the fixed order spiffe, uri, dns, that is in this list and in the certificate. \
           Exactly one name of that type must match auth.mtls.allowed. Default: all three types.",
};

pub(crate) static MTLS_ALLOWED: Setting<List<Parsed<NamePattern>>> = Setting {
    key: "auth.mtls.allowed",
    kind: List(NAME_PATTERN),
    default: None,
    help: "The allowed names of client certificates. * matches any characters: spiffe://example.org/agents/*. Default: \
           all names in certificates that are issued by a root of tls.client_ca.",
};

pub(crate) static MTLS_GROUPS: Setting<List<Text>> = Setting {
    key: "auth.mtls.groups",
    kind: List(Text {
        what: "a group's name",
    }),
    default: None,
    help: "The groups of all callers with a client certificate. Default: none.",
};

pub(super) fn read(values: &mut Values) -> Option<IdentitySettings> {
    let certificates = certificates(values);
    let issuers = jwt::read_all(values);
    Some(IdentitySettings {
        certificates: certificates?,
        issuers: issuers?,
        tokens: values.optional(&TOKENS_FILE)?,
        max_token_bytes: values.get(&MAX_TOKEN_BYTES)?,
        remember: values.get(&REMEMBER)?,
    })
}

/// `Some(None)` if clients are not asked for a certificate.
fn certificates(values: &mut Values) -> Option<Option<CertificateIdentity>> {
    let has_patterns = values.has_rows(&certificate::TABLE);
    let are_requested = values.is_given(&server::TLS_CLIENT_CA);
    let why_useless = match (has_patterns, are_requested) {
        (true, _) => {
            Some("cannot be combined with [[auth.certificate]]; write a pattern for these names, too")
        }
        (false, false) => Some(certificate::NOT_REQUESTED),
        (false, true) => None,
    };
    if let Some(why) = why_useless {
        values.reject_given(&MTLS_NAMES, why);
        values.reject_given(&MTLS_ALLOWED, why);
        values.reject_given(&MTLS_GROUPS, why);
    }
    if has_patterns {
        let patterns = certificate::read_all(values)?;
        return Some(Some(CertificateIdentity::Patterns(patterns)));
    }
    match are_requested {
        true => names(values).map(|rule| Some(CertificateIdentity::Names(rule))),
        false => Some(None),
    }
}

fn names(values: &mut Values) -> Option<CertificateRule> {
    values.set_default_list(&MTLS_NAMES, ["spiffe", "uri", "dns"]);
    values.set_default_list(&MTLS_ALLOWED, [""; 0]);
    values.set_default_list(&MTLS_GROUPS, [""; 0]);
    let kinds = values.get(&MTLS_NAMES)?;
    let (allowed, groups) = (values.get(&MTLS_ALLOWED)?, values.get(&MTLS_GROUPS)?);
    if kinds.is_empty() {
        values.fault(
            &MTLS_NAMES,
            "is empty, so no certificate could identify a caller; for all types, leave it out",
        );
    }
    Some(CertificateRule {
        kinds: kinds.into_iter().collect(),
        allowed: allowed.into_iter().collect(),
        groups: groups.into_iter().collect(),
    })
}
