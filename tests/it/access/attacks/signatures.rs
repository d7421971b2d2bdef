use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::json;

use super::{
    Attacks, OPERATORS,
    forged::{base64, symmetric, with, with_header},
};
use crate::harness::{Signer, Site};

/// Attacks with a token's signature and header.
pub(super) fn signatures(site: &Site, keys_at: &str, attacks: &mut Attacks) {
    let good = site.claims("somebody", OPERATORS);
    let evil = Signer::new("first", Algorithm::ES256);
    let evil_rsa = Signer::new("second", Algorithm::RS256);
    const WRONG: &str = "TOKEN_SIGNATURE_WRONG";
    const REFUSED: &str = "TOKEN_ALGORITHM_REFUSED";

    for none in ["none", "None", "NONE", "nOnE", ""] {
        let head = format!(r#"{{"alg":"{none}","kid":"first"}}"#);
        let message = format!("{}.{}", base64(head), base64(good.to_string()));
        attacks.token(
            format!("alg {none:?}, no signature"),
            &format!("{message}."),
            REFUSED,
        );
        attacks.token(
            format!("alg {none:?}, any signature"),
            &format!("{message}.{}", base64("x")),
            REFUSED,
        );
    }
    // The public key as symmetric key, in every form in which a library may have it.
    let jwk = site.rs256.jwk();
    let modulus = jwk["n"].as_str().unwrap();
    let point = site.es256.jwk();
    for (name, secret) in [
        ("modulus", modulus.as_bytes().to_vec()),
        (
            "modulus, decoded",
            BASE64_URL_SAFE_NO_PAD.decode(modulus).unwrap(),
        ),
        ("key as JSON", jwk.to_string().into_bytes()),
        ("key set", std::fs::read(site.path("jwks.json")).unwrap()),
        ("point", point["x"].as_str().unwrap().as_bytes().to_vec()),
        ("nothing", Vec::new()),
    ] {
        for kid in ["first", "second", "third"] {
            attacks.token(
                format!("HS256, {name}, {kid}"),
                &symmetric(&secret, kid, &good),
                REFUSED,
            );
        }
    }
    let es384 = Signer::new("third", Algorithm::ES384);
    attacks.token("an algorithm that is not allowed", &es384.token(&good), REFUSED);
    let head = r#"{"alg":"PS256","kid":"second"}"#;
    attacks.token(
        "a key used with another algorithm",
        &with_header(&site.rs256, head, &good),
        REFUSED,
    );
    for alg in [
        "ES256K",
        "RS1",
        "HS1",
        "es256",
        "ES256 ",
        "A256GCM",
        "\\u0045S256\\u0000",
    ] {
        let head = format!(r#"{{"alg":"{alg}","kid":"first"}}"#);
        attacks.token(
            format!("alg {alg}"),
            &with_header(&site.es256, &head, &good),
            REFUSED,
        );
    }

    attacks.token("another's key of the same id", &evil.token(&good), WRONG);
    attacks.token("another's RSA key of the same id", &evil_rsa.token(&good), WRONG);
    let unknown = Signer::new("unknown", Algorithm::ES256);
    attacks.token("an unknown key id", &unknown.token(&good), "TOKEN_KEY_UNKNOWN");
    for kid in ["", "FIRST", "first ", "../first", "first' OR '1'='1", "/dev/null"] {
        let head = json!({ "alg": "ES256", "kid": kid }).to_string();
        attacks.token(
            format!("key id {kid:?}"),
            &with_header(&evil, &head, &good),
            "TOKEN_KEY_UNKNOWN",
        );
    }
    let head = r#"{"alg":"ES256","kid":"second"}"#;
    attacks.token(
        "the id of a key of another type",
        &with_header(&evil, head, &good),
        "TOKEN_KEY_UNKNOWN",
    );
    attacks.token(
        "no key id",
        &with_header(&evil, r#"{"alg":"ES256"}"#, &good),
        WRONG,
    );
    for head in [
        r#"{"alg":"ES256","kid":"first","kid":"evil"}"#,
        r#"{"alg":"ES256","kid":"evil","kid":"first"}"#,
        r#"{"alg":"none","alg":"ES256","kid":"first"}"#,
        r#"{"alg":"ES256","kid":["first"]}"#,
        r#"{"alg":["ES256"],"kid":"first"}"#,
        r#"{"kid":"first"}"#,
        r#"{"alg":"ES256","kid":"first","crit":["exp"]}"#,
        r#"{"alg":"ES256","kid":"first","crit":[],"b64":false}"#,
        r#"{"alg":"ES256","kid":"first","zip":"DEF"}"#,
        r#"{"alg":"ES256","kid":"first","enc":"A256GCM"}"#,
        r#"["ES256"]"#,
        r#""ES256""#,
    ] {
        attacks.token(
            format!("header {head}"),
            &with_header(&site.es256, head, &good),
            "CREDENTIALS_MALFORMED",
        );
    }
    // The attacker's own key, offered in the token.
    let own = evil.jwk();
    for kid in [Some("first"), Some("evil"), None] {
        let mut head = json!({ "alg": "ES256", "jwk": own });
        if let Some(kid) = kid {
            head["kid"] = json!(kid);
        }
        let reason = if kid == Some("evil") {
            "TOKEN_KEY_UNKNOWN"
        } else {
            WRONG
        };
        attacks.token(
            format!("jwk in the header, key id {kid:?}"),
            &with_header(&evil, &head.to_string(), &good),
            reason,
        );
    }
    for name in ["jku", "x5u"] {
        let head =
            json!({ "alg": "ES256", "kid": "first", name: format!("{keys_at}/jwks.json") }).to_string();
        attacks.token(
            format!("{name} in the header"),
            &with_header(&evil, &head, &good),
            WRONG,
        );
    }
    let head = json!({ "alg": "ES256", "kid": "first", "x5c": [base64("certificate")] }).to_string();
    attacks.token("x5c in the header", &with_header(&evil, &head, &good), WRONG);

    let token = site.jwt("somebody", OPERATORS);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    attacks.token("no signature", &format!("{message}."), WRONG);
    attacks.token(
        "half a signature",
        &format!("{message}.{}", &signature[..40]),
        WRONG,
    );
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[40] ^= 1;
    attacks.token(
        "a signature with one bit flipped",
        &format!("{message}.{}", base64(&bytes)),
        WRONG,
    );
    attacks.token(
        "a signature of zeros",
        &format!("{message}.{}", base64([0; 64])),
        WRONG,
    );
    let more = with(&good, "sub", json!("root"));
    attacks.token(
        "other claims",
        &format!("{head}.{}.{signature}", base64(more.to_string())),
        WRONG,
    );
    let other_head = base64(r#"{"alg":"ES256","kid":"first","typ":"JWT","x":1}"#);
    attacks.token(
        "another header",
        &format!("{other_head}.{payload}.{signature}"),
        WRONG,
    );
    attacks.token("padding", &format!("{token}="), "CREDENTIALS_MALFORMED");
}
