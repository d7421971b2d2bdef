//! The header and the claims of a JSON Web Token whose signature holds: the input is both, as
//! JSON, parted by a zero byte.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use tapegate::access::{
    identity::jwt::{
        self, ClaimMapping, ClaimPath, Issuer, IssuerSettings, JwksLocation, KeySet, KeySource,
        RemoteKeysSettings,
    },
    reload::{Files, Reloading},
};

/// How PKCS #8 begins for an Ed25519 key, and the key: a test's, which opens nothing.
const HEAD: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const KEY: [u8; 32] = [7; 32];
const PUBLIC: &str = "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw";

const LEEWAY: Duration = Duration::from_secs(60);

static ISSUERS: LazyLock<Vec<Issuer>> = LazyLock::new(|| {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": PUBLIC, "kid": "one" });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, json!({ "keys": [key] }).to_string()).unwrap();
    let keys = Reloading::open("keys", Files::Each(vec![path]), KeySet::read).unwrap();
    let settings = IssuerSettings {
        issuer: "https://issuer.example".to_owned(),
        audience: "tapegate".to_owned(),
        jwks: JwksLocation::File(PathBuf::new()),
        algorithms: vec![Algorithm::EdDSA],
        leeway: LEEWAY,
        claims: ClaimMapping {
            principal: ClaimPath::new("sub").unwrap(),
            groups: ClaimPath::new("/realm/groups").unwrap(),
            principal_prefix: "p:".to_owned(),
            groups_prefix: "g:".to_owned(),
        },
        remote: RemoteKeysSettings::default(),
    };
    vec![Issuer::new(settings, KeySource::File(Arc::new(keys)))]
});

static SIGNER: LazyLock<EncodingKey> = LazyLock::new(|| EncodingKey::from_ed_der(&[HEAD, &KEY].concat()));

/// Whoever is let in has a token that says so, read again by the letter of RFC 7519.
pub fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |b| *b == 0);
    let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let message = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(header),
        BASE64_URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = crypto::sign(message.as_bytes(), &SIGNER, Algorithm::EdDSA).unwrap();
    let token = format!("{message}.{signature}");
    let verified = jwt::verify(&ISSUERS, &token).now_or_never();
    let Ok((_, verified)) = verified.expect("keys of a file are there at once") else {
        return;
    };
    let header: Value = serde_json::from_slice(header).unwrap();
    assert_eq!(header["alg"], "EdDSA");
    assert!(header["kid"].is_null() || header["kid"] == "one");
    assert!(header["crit"].is_null(), "what must be understood was not");
    let claims: Value = serde_json::from_slice(claims).unwrap();
    let now = Timestamp::now().as_second() as f64;
    let leeway = LEEWAY.as_secs_f64() + 2.0;
    assert_eq!(claims["iss"], "https://issuer.example");
    let audience = &claims["aud"];
    let is_meant = |one: &Value| one == "tapegate";
    assert!(is_meant(audience) || audience.as_array().unwrap().iter().any(is_meant));
    assert!(claims["exp"].as_f64().unwrap() > now - leeway, "it has expired");
    if !claims["nbf"].is_null() {
        assert!(
            claims["nbf"].as_f64().unwrap() < now + leeway,
            "it is not valid yet"
        );
    }
    let name = claims["sub"].as_str().unwrap();
    assert_eq!(verified.principal.name(), format!("p:{name}"));
    assert!(
        verified
            .principal
            .groups()
            .iter()
            .all(|group| group.starts_with("g:"))
    );
}
