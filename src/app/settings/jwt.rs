//! `[[auth.jwt]]`: issuers of JSON Web Tokens.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use super::{
    Setting, Table,
    parsers::{CLAIM, Choice, DurationIn, FILE, KEY_LOCATION, Parsed, Text},
    setting_type::List,
    values::Values,
};
use crate::access::identity::jwt::{
    ClaimMapping, ClaimPath, IssuerSettings, JwksLocation, RemoteKeysSettings,
};

/// The trusted issuers.
pub(crate) static TABLE: Table = Table {
    key: "auth.jwt",
    help: "An issuer whose JSON Web Tokens are accepted, such as an OpenID Connect provider or a Kubernetes cluster. \
           One table for each issuer.",
    settings: &[
        &ISSUER,
        &AUDIENCE,
        &JWKS,
        &ALGORITHMS,
        &PRINCIPAL_CLAIM,
        &GROUPS_CLAIM,
        &PRINCIPAL_PREFIX,
        &GROUPS_PREFIX,
        &LEEWAY,
        &JWKS_REFRESH,
        &JWKS_MAX_STALE,
        &JWKS_TIMEOUT,
        &JWKS_CA,
        &JWKS_TOKEN_FILE,
    ],
};

static ISSUER: Setting<Text> = Setting {
    key: "auth.jwt.issuer",
    kind: Text {
        what: "the name of the issuer, such as https://issuer.example",
    },
    default: None,
    help: "The `iss` claim of its tokens, which must match exactly.",
};

static AUDIENCE: Setting<Text> = Setting {
    key: "auth.jwt.audience",
    kind: Text {
        what: "the name of this service at the issuer, such as tapegate",
    },
    default: None,
    help: "The `aud` claim of a token must be this value, or a list that contains it.",
};

pub(crate) static JWKS: Setting<Parsed<JwksLocation>> = Setting {
    key: "auth.jwt.jwks",
    kind: KEY_LOCATION,
    default: None,
    help: "The public keys of the issuer, as a JSON Web Key Set: a file, which is reloaded when it changes, or an https \
           URL.",
};

static ALGORITHMS: Setting<List<Choice<&str>>> = Setting {
    key: "auth.jwt.algorithms",
    kind: List(Choice(&[
        ("ES256", "ES256"),
        ("ES384", "ES384"),
        ("RS256", "RS256"),
        ("RS384", "RS384"),
        ("RS512", "RS512"),
        ("PS256", "PS256"),
        ("PS384", "PS384"),
        ("PS512", "PS512"),
        ("EdDSA", "EdDSA"),
    ])),
    default: None,
    help: "The accepted signature algorithms. Symmetric algorithms are not supported. Default: ES256 and RS256.",
};

static PRINCIPAL_CLAIM: Setting<Parsed<ClaimPath>> = Setting {
    key: "auth.jwt.principal_claim",
    kind: CLAIM,
    default: Some("sub"),
    help: "The claim with the name of the caller.",
};

static GROUPS_CLAIM: Setting<Parsed<ClaimPath>> = Setting {
    key: "auth.jwt.groups_claim",
    kind: CLAIM,
    default: Some("groups"),
    help: "The claim with the groups of the caller: a list of strings, or one string. A caller whose token lacks it has \
           no groups. For the namespace of a Kubernetes service account, use /kubernetes.io/namespace.",
};

static PRINCIPAL_PREFIX: Setting<Text> = Setting {
    key: "auth.jwt.principal_prefix",
    kind: Text { what: "a prefix" },
    default: None,
    help: "A prefix for the name of the caller. Set it if there are several issuers, so that one of them cannot use a \
           name of another. Default: none.",
};

static GROUPS_PREFIX: Setting<Text> = Setting {
    key: "auth.jwt.groups_prefix",
    kind: Text { what: "a prefix" },
    default: None,
    help: "A prefix for each group of the caller. Default: none.",
};

static LEEWAY: Setting<DurationIn> = Setting {
    key: "auth.jwt.leeway",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(10 * 60)),
    default: Some("30s"),
    help: "The maximum difference between the clocks of the issuer and of this machine. Fractions of a second are \
           ignored.",
};

static JWKS_REFRESH: Setting<DurationIn> = Setting {
    key: "auth.jwt.jwks_refresh",
    kind: DurationIn(Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60)),
    default: Some("10m"),
    help: "How often keys are fetched from a URL. A token with an unknown key id makes the service fetch them \
           immediately, but at most every ten seconds.",
};

static JWKS_MAX_STALE: Setting<DurationIn> = Setting {
    key: "auth.jwt.jwks_max_stale",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(7 * 24 * 60 * 60)),
    default: Some("1h"),
    help: "How long keys from a URL are used beyond jwks_refresh if they cannot be fetched. After that, the tokens of \
           the issuer are rejected.",
};

static JWKS_TIMEOUT: Setting<DurationIn> = Setting {
    key: "auth.jwt.jwks_timeout",
    kind: DurationIn(Duration::from_millis(100)..=Duration::from_secs(60)),
    default: Some("5s"),
    help: "The timeout for fetching keys from a URL.",
};

pub(crate) static JWKS_CA: Setting<Parsed<PathBuf>> = Setting {
    key: "auth.jwt.jwks_ca",
    kind: FILE,
    default: None,
    help: "The root certificates that verify the server of the `jwks` URL, as PEM. Default: those of the system. In \
           Kubernetes: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt.",
};

pub(crate) static JWKS_TOKEN_FILE: Setting<Parsed<PathBuf>> = Setting {
    key: "auth.jwt.jwks_token_file",
    kind: FILE,
    default: None,
    help: "A file with a bearer token for the server of the `jwks` URL. It is read for each fetch. In Kubernetes: \
           /var/run/secrets/kubernetes.io/serviceaccount/token.",
};

pub(super) fn read_all(values: &mut Values) -> Option<Vec<IssuerSettings>> {
    let mut known = Vec::new();
    values.rows(&TABLE, |row| {
        let issuer = read(row);
        // The same issuer can have tables for several audiences and for several files of keys.
        let same = |other: &IssuerSettings, issuer: &IssuerSettings| {
            (&other.issuer, &other.audience, &other.jwks) == (&issuer.issuer, &issuer.audience, &issuer.jwks)
        };
        if let Some(issuer) = &issuer {
            if known.iter().any(|other| same(other, issuer)) {
                row.fault(
                    &ISSUER,
                    "has an [[auth.jwt]] of the same audience and keys already, which decides; keep one of them",
                );
            }
            known.push(issuer.clone());
        }
        issuer
    })
}

fn read(values: &mut Values) -> Option<IssuerSettings> {
    values.set_default_list(&ALGORITHMS, ["ES256", "RS256"]);
    let issuer = values.required(&ISSUER);
    let audience = values.required(&AUDIENCE);
    let jwks = values.required(&JWKS);
    if let Some(JwksLocation::File(_)) = &jwks {
        let message = "has no effect, because the keys of this issuer are in a file; leave it out, or set `jwks` to a URL";
        for setting in [&JWKS_REFRESH, &JWKS_MAX_STALE, &JWKS_TIMEOUT] {
            values.reject_changed(setting, message);
        }
        for setting in [&JWKS_CA, &JWKS_TOKEN_FILE] {
            values.reject_given(setting, message);
        }
    }
    let algorithms = values.get(&ALGORITHMS);
    if algorithms.as_ref().is_some_and(BTreeSet::is_empty) {
        values.fault(
            &ALGORITHMS,
            "is empty, so every token would be rejected; for ES256 and RS256, leave it out",
        );
    }
    Some(IssuerSettings {
        issuer: issuer?,
        audience: audience?,
        jwks: jwks?,
        algorithms: algorithms?
            .into_iter()
            .filter_map(|name| name.parse().ok())
            .collect(),
        leeway: values.get(&LEEWAY)?,
        claims: claims(values)?,
        remote: remote(values)?,
    })
}

fn claims(values: &Values) -> Option<ClaimMapping> {
    Some(ClaimMapping {
        principal: values.get(&PRINCIPAL_CLAIM)?,
        groups: values.get(&GROUPS_CLAIM)?,
        principal_prefix: values.optional(&PRINCIPAL_PREFIX)?.unwrap_or_default(),
        groups_prefix: values.optional(&GROUPS_PREFIX)?.unwrap_or_default(),
    })
}

/// How keys are fetched, if they are at a URL.
pub(crate) fn remote(values: &Values) -> Option<RemoteKeysSettings> {
    Some(RemoteKeysSettings {
        proxies: values.environment().network.proxies.clone(),
        refresh: values.get(&JWKS_REFRESH)?,
        max_stale: values.get(&JWKS_MAX_STALE)?,
        timeout: values.get(&JWKS_TIMEOUT)?,
        ca: values.optional(&JWKS_CA)?,
        token_file: values.optional(&JWKS_TOKEN_FILE)?,
    })
}
