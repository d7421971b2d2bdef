//! Project Wycheproof's vectors for signatures and keys in JSON: none that must be refused is
//! taken. Their payloads are no claims, so what is right ends there, behind its signature.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tapegate::access::{
    AuthError,
    identity::jwt::{ClaimMapping, ClaimPath, Issuer, IssuerSettings, JwksLocation, KeySet, KeySource},
    reload::{Files, Reloading},
};

const ALL: [Algorithm; 9] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::EdDSA,
];

/// An issuer with this key, or these; `None` where none of them can be used.
fn issuer(keys: &Value) -> Option<Issuer> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let set = if keys["keys"].is_array() {
        keys.clone()
    } else {
        json!({ "keys": [keys] })
    };
    std::fs::write(&path, set.to_string()).unwrap();
    let keys = Reloading::open("keys of a test", Files::Each(vec![path.clone()]), KeySet::read).ok()?;
    let settings = IssuerSettings {
        issuer: "of the vectors".to_owned(),
        audience: "nobody".to_owned(),
        jwks: JwksLocation::File(path),
        algorithms: ALL.into(),
        leeway: Default::default(),
        claims: ClaimMapping {
            principal: ClaimPath::new("sub").unwrap(),
            groups: ClaimPath::new("groups").unwrap(),
            principal_prefix: String::new(),
            groups_prefix: String::new(),
        },
        remote: Default::default(),
    };
    Some(Issuer::new(settings, KeySource::File(Arc::new(keys))))
}

/// Whether the signature of a token holds.
async fn holds(issuer: Option<&Issuer>, token: &str) -> bool {
    match issuer {
        None => false,
        Some(issuer) => match issuer.verify(token).await {
            Err(error) => matches!(error, AuthError::TokenClaimsInvalid(_)),
            Ok(verified) => panic!("{verified:?} by {token}"),
        },
    }
}

#[tokio::test]
async fn no_vector_that_must_be_refused_is_taken() {
    let (mut refused, mut taken, mut symmetric, mut stricter) = (0, 0, 0, 0);
    for vectors in [
        include_str!("../fixtures/wycheproof/json_web_signature_test.json"),
        include_str!("../fixtures/wycheproof/json_web_key_test.json"),
    ] {
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        for group in vectors["testGroups"].as_array().unwrap() {
            let keys = if group["public"].is_null() {
                &group["private"]
            } else {
                &group["public"]
            };
            let issuer = issuer(keys);
            for test in group["tests"].as_array().unwrap() {
                let token = test["jws"].as_str().unwrap();
                let case = format!("{} {}: {}", group["comment"], test["tcId"], test["comment"]);
                let holds = holds(issuer.as_ref(), token).await;
                // A weakness of the issuer's own key, which no verifier here knows to look for.
                if group["comment"] == "jws_rsa_roca_key" {
                    continue;
                }
                match (test["result"] == "valid", holds) {
                    (false, true) => panic!("taken: {case}"),
                    (false, false) => refused += 1,
                    (true, true) => taken += 1,
                    // Whoever can check such a signature can make it.
                    (true, false) if keys.to_string().contains("\"oct\"") => symmetric += 1,
                    // A key that is for another algorithm than its token says.
                    (true, false) if algorithm(token) != keys["alg"] => stricter += 1,
                    (true, false) => panic!("refused: {case}: {keys}"),
                }
            }
        }
    }
    println!(
        "{refused} refused, {taken} taken; {symmetric} with symmetric keys and {stricter} by a key for another algorithm refused too"
    );
    assert!(refused > 300 && taken > 20 && stricter == 4);
}

/// What a token says that it is signed by.
fn algorithm(token: &str) -> Value {
    let header = BASE64_URL_SAFE_NO_PAD
        .decode(token.split('.').next().unwrap())
        .unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["alg"].clone()
}
