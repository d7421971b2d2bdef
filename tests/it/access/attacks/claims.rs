use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{
    Attacks, OPERATORS,
    forged::{base64, with, without},
};
use crate::harness::{AUDIENCE, ISSUER, Site, in_seconds};

/// Attacks with the claims of tokens that the issuer has signed.
pub(super) fn claims(site: &Site, attacks: &mut Attacks) {
    let good = site.claims("somebody", OPERATORS);
    let mut signed = |name: &str, claims: &Value, reason| {
        attacks.token(format!("es256, {name}"), &site.es256.token(claims), reason);
        attacks.token(format!("rs256, {name}"), &site.rs256.token(claims), reason);
    };
    signed(
        "expired",
        &with(&good, "exp", json!(in_seconds(-60))),
        "TOKEN_EXPIRED",
    );
    signed("expired in 1970", &with(&good, "exp", json!(0)), "TOKEN_EXPIRED");
    signed(
        "not yet valid",
        &with(&good, "nbf", json!(in_seconds(600))),
        "TOKEN_NOT_YET_VALID",
    );
    for issuer in [
        "https://evil.example",
        "https://issuer.example/",
        "HTTPS://ISSUER.EXAMPLE",
        "",
    ] {
        signed(
            &format!("issuer {issuer:?}"),
            &with(&good, "iss", json!(issuer)),
            "TOKEN_ISSUER_UNKNOWN",
        );
    }
    for audience in [
        json!("another"),
        json!("tapegate2"),
        json!(["a", "b"]),
        json!([]),
        json!("TAPEGATE"),
    ] {
        signed(
            &format!("audience {audience}"),
            &with(&good, "aud", audience),
            "TOKEN_AUDIENCE_WRONG",
        );
    }
    const UNUSABLE: &str = "TOKEN_CLAIMS_UNUSABLE";
    for claim in ["exp", "iss", "aud", "sub"] {
        signed(&format!("without {claim}"), &without(&good, claim), UNUSABLE);
        signed(
            &format!("{claim} null"),
            &with(&good, claim, Value::Null),
            UNUSABLE,
        );
    }
    for (claim, value) in [
        ("exp", json!("never")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("nbf", json!("now")),
        ("iss", json!([ISSUER])),
        ("iss", json!({ "https://issuer.example": true })),
        ("aud", json!({ "tapegate": true })),
        ("sub", json!(7)),
        ("sub", json!("")),
        ("sub", json!(["somebody"])),
        ("sub", json!("some\nbody")),
        ("sub", json!("s".repeat(3000))),
        ("groups", json!(7)),
        ("groups", json!(["operators", 7])),
        ("groups", json!({ "operators": true })),
        ("groups", json!(["operators", ""])),
    ] {
        let name = format!(
            "{claim} is {}",
            value.to_string().chars().take(40).collect::<String>()
        );
        signed(&name, &with(&good, claim, value), UNUSABLE);
    }
    let no_object = |payload: &str| {
        let message = format!(
            "{}.{}",
            base64(r#"{"alg":"ES256","kid":"first"}"#),
            base64(payload)
        );
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &site.es256.key, Algorithm::ES256).unwrap();
        format!("{message}.{signature}")
    };
    for payload in [
        "",
        "null",
        "[]",
        "\"somebody\"",
        "{",
        "\u{feff}{}",
        r#"{"iss": 7}"#,
    ] {
        attacks.token(format!("claims {payload:?}"), &no_object(payload), UNUSABLE);
    }
    let twice = format!(
        r#"{{"iss":"https://evil.example","iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"x","groups":["operators"],"exp":{}}}"#,
        in_seconds(600)
    );
    attacks.token("two issuers", &no_object(&twice), UNUSABLE);
}
