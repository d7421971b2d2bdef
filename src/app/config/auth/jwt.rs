use std::{collections::BTreeSet, time::Duration};

use crate::{
    access::{
        identity::jwt::{ClaimMapping, IssuerSettings, JwksLocation, KeySet, RemoteKeys, RemoteKeysSettings},
        reload::Files,
    },
    app::config::{
        Place, Setting, Table,
        kind::List,
        values::{Raw, Values},
        word::{Choice, ClaimName, File, KeysAt, Span, Text},
    },
};

/// The issuers that are trusted.
pub(crate) static TABLE: Table = Table {
    key: "auth.jwt",
    help: "An issuer whose JSON Web Tokens are taken: an OpenID Connect provider, or a Kubernetes cluster. One table \
           for each.",
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
        what: "the issuer's name, such as https://issuer.example",
    },
    default: None,
    help: "The `iss` of its tokens, to the last character.",
};

static AUDIENCE: Setting<Text> = Setting {
    key: "auth.jwt.audience",
    kind: Text {
        what: "the name of this service to the issuer, such as tapegate",
    },
    default: None,
    help: "What the `aud` of a token must be, or have among others.",
};

static JWKS: Setting<KeysAt> = Setting {
    key: "auth.jwt.jwks",
    kind: KeysAt,
    default: None,
    help: "Where its public keys are, as a JSON Web Key Set: a file, which is read again when it changes, or an https \
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
    help: "The algorithms by which it may sign. Symmetric ones are none of them. Default: ES256 and RS256.",
};

static PRINCIPAL_CLAIM: Setting<ClaimName> = Setting {
    key: "auth.jwt.principal_claim",
    kind: ClaimName,
    default: Some("sub"),
    help: "The claim that is the caller's name.",
};

static GROUPS_CLAIM: Setting<ClaimName> = Setting {
    key: "auth.jwt.groups_claim",
    kind: ClaimName,
    default: Some("groups"),
    help: "The claim with the caller's groups, a list of texts or one text. A token without it is in no group. For \
           the namespace of a Kubernetes service account: /kubernetes.io/namespace.",
};

static PRINCIPAL_PREFIX: Setting<Text> = Setting {
    key: "auth.jwt.principal_prefix",
    kind: Text {
        what: "a text to put before names",
    },
    default: None,
    help: "What is put before the caller's name. With several issuers, one that may choose its names could otherwise \
           choose another's. Default: nothing.",
};

static GROUPS_PREFIX: Setting<Text> = Setting {
    key: "auth.jwt.groups_prefix",
    kind: Text {
        what: "a text to put before groups",
    },
    default: None,
    help: "What is put before each group. Default: nothing.",
};

static LEEWAY: Setting<Span> = Setting {
    key: "auth.jwt.leeway",
    kind: Span(Duration::ZERO..=Duration::from_secs(10 * 60)),
    default: Some("30s"),
    help: "How far the issuer's clock may be from this machine's, in whole seconds.",
};

static JWKS_REFRESH: Setting<Span> = Setting {
    key: "auth.jwt.jwks_refresh",
    kind: Span(Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60)),
    default: Some("10m"),
    help: "How old keys from a URL may become before they are fetched anew. A token with a key id that is not known \
           makes them be fetched at once, every ten seconds at most.",
};

static JWKS_MAX_STALE: Setting<Span> = Setting {
    key: "auth.jwt.jwks_max_stale",
    kind: Span(Duration::ZERO..=Duration::from_secs(7 * 24 * 60 * 60)),
    default: Some("1h"),
    help: "How much longer keys from a URL are believed while they cannot be fetched. After that the issuer's tokens \
           are refused.",
};

static JWKS_TIMEOUT: Setting<Span> = Setting {
    key: "auth.jwt.jwks_timeout",
    kind: Span(Duration::from_millis(100)..=Duration::from_secs(60)),
    default: Some("5s"),
    help: "How long fetching keys from a URL may take.",
};

static JWKS_CA: Setting<File> = Setting {
    key: "auth.jwt.jwks_ca",
    kind: File,
    default: None,
    help: "Roots, as PEM, for the certificate of the server at a URL. Default: the system's. In Kubernetes: \
           /var/run/secrets/kubernetes.io/serviceaccount/ca.crt.",
};

static JWKS_TOKEN_FILE: Setting<File> = Setting {
    key: "auth.jwt.jwks_token_file",
    kind: File,
    default: None,
    help: "A file with a bearer token for the server at a URL, read each time. In Kubernetes: \
           /var/run/secrets/kubernetes.io/serviceaccount/token.",
};

pub(super) fn read(values: &mut Values) -> Option<IssuerSettings> {
    let usual = ["ES256", "RS256"].map(|name| (Place::Default, Some(name.to_owned())));
    values.derive(&ALGORITHMS, Raw::Many(usual.into()));
    let issuer = values.required(&ISSUER);
    let audience = values.required(&AUDIENCE);
    let jwks = values.required(&JWKS);
    let algorithms = values.get(&ALGORITHMS);
    if algorithms.as_ref().is_some_and(BTreeSet::is_empty) {
        values.fault(
            &ALGORITHMS,
            "is empty, so no token would ever be taken; leave it out for ES256 and RS256",
        );
    }
    let claims = claims(values);
    let remote = remote(values);
    let leeway = values.get(&LEEWAY);
    match &jwks {
        Some(JwksLocation::File(path)) => {
            let read = Files::Each(vec![path.clone()]).read();
            if let Err(faults) = read.and_then(|contents| KeySet::read(&contents)) {
                values.faults_of_file(&JWKS, faults);
            }
        }
        Some(JwksLocation::Url(url)) => {
            let remote = remote.clone().unwrap_or_default();
            if let Err(unusable) = RemoteKeys::new(url, remote) {
                values.fault(&JWKS, unusable.to_string());
            }
        }
        None => {}
    }
    Some(IssuerSettings {
        issuer: issuer?,
        audience: audience?,
        jwks: jwks?,
        algorithms: algorithms?
            .into_iter()
            .filter_map(|name| name.parse().ok())
            .collect(),
        leeway: leeway?,
        claims: claims?,
        remote: remote?,
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

fn remote(values: &Values) -> Option<RemoteKeysSettings> {
    Some(RemoteKeysSettings {
        refresh: values.get(&JWKS_REFRESH)?,
        max_stale: values.get(&JWKS_MAX_STALE)?,
        timeout: values.get(&JWKS_TIMEOUT)?,
        ca: values.optional(&JWKS_CA)?,
        token_file: values.optional(&JWKS_TOKEN_FILE)?,
    })
}
