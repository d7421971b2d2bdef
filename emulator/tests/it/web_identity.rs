//! `AssumeRoleWithWebIdentity`, which is not signed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tapegate_emulator::{Role, Settings};

use super::{Answer, Running, accounts::three, sts::ROLE};

/// A JWT with these claims, signed with nothing that anybody verifies.
fn token(claims: &Value) -> String {
    let encoded = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    format!("{}.{}.c2lnbmF0dXJl", encoded(&header), encoded(claims))
}

fn claims(expiry: SystemTime) -> Value {
    let expiry = expiry.duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({
        "sub": "system:serviceaccount:backup:tapegate", "iss": "https://oidc.example/id/1", "aud": ["sts.amazonaws.com"],
        "exp": expiry,
    })
}

async fn assume(settings: Settings, token: &str) -> (Running, Answer) {
    let emulator = Running::start(settings).await;
    let form = emulator.form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "pod-7"),
        ("WebIdentityToken", token),
    ]);
    let answer = form.send().await;
    (emulator, answer)
}

#[tokio::test]
async fn a_web_identity_token_gives_a_session() {
    let later = SystemTime::now() + Duration::from_secs(60);
    let (emulator, answer) = assume(three(), &token(&claims(later))).await;
    assert_eq!(answer.status, 200, "{}", answer.xml());
    for (name, value) in [
        (
            "SubjectFromWebIdentityToken",
            "system:serviceaccount:backup:tapegate",
        ),
        ("Provider", "https://oidc.example/id/1"),
        ("Audience", "sts.amazonaws.com"),
        ("Arn", "arn:aws:sts::210987654321:assumed-role/Tapes/pod-7"),
    ] {
        assert_eq!(answer.text(name), value);
    }
    let client = emulator.client_with(answer.credentials());
    let page = client.list_tapes().send().await.unwrap();
    assert_eq!(page.tape_infos().len(), 3);
    let (session, _) = emulator.emulator.sessions().pop().unwrap();
    assert_eq!(session.assumed_by, "system:serviceaccount:backup:tapegate");
    assert_eq!(session.region, None);
}

#[tokio::test]
async fn an_invalid_or_expired_web_identity_token_is_rejected() {
    let later = SystemTime::now() + Duration::from_secs(60);
    let mut anonymous = claims(later);
    anonymous.as_object_mut().unwrap().remove("sub");
    let expired = claims(SystemTime::now() - Duration::from_secs(60));
    for (token, code) in [
        ("opaque-token".to_owned(), "InvalidIdentityToken"),
        ("e30.e30.c2ln".to_owned(), "InvalidIdentityToken"),
        (token(&anonymous), "InvalidIdentityToken"),
        (token(&expired), "ExpiredTokenException"),
        ("abc".to_owned(), "ValidationError"),
    ] {
        let (_, answer) = assume(three(), &token).await;
        assert_eq!(answer.error(), (400, code.to_owned()), "{token}");
    }
}

#[tokio::test]
async fn a_web_identity_cannot_assume_a_refused_role_or_one_with_an_external_id() {
    let later = SystemTime::now() + Duration::from_secs(60);
    let refused = Role {
        refused: true,
        ..Role::new(ROLE)
    };
    let with_id = Role {
        external_id: Some("vault-7".to_owned()),
        ..Role::new(ROLE)
    };
    for role in [refused, with_id] {
        let settings = Settings {
            roles: vec![role],
            ..three()
        };
        let (_, answer) = assume(settings, &token(&claims(later))).await;
        assert_eq!(answer.error(), (403, "AccessDenied".to_owned()));
    }
}
