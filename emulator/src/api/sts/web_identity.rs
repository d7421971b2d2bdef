use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::http::StatusCode;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    error::Error,
    role::{Assumption, elements},
    shapes,
};
use crate::{api::validation, emulator::Inner, identity::sessions::NewSession, protocol::query::Elements};

/// The claims of a web identity token that a response repeats.
#[derive(Debug)]
struct Claims {
    subject: String,
    issuer: String,
    audience: String,
}

/// Answers `AssumeRoleWithWebIdentity`, which is not signed. The token must be a JWT that has not
/// expired; its signature is not verified.
pub(super) fn assume(
    members: Map<String, Value>,
    emulator: &Inner,
    now: SystemTime,
) -> Result<Elements, Error> {
    let (assumption, token) = validation::read_members(members, |members| {
        members.optional("ProviderId", &shapes::PROVIDER_ID);
        let token = members.required("WebIdentityToken", &shapes::WEB_IDENTITY_TOKEN);
        (Assumption::read(members), token)
    })?;
    let role = assumption.check()?;
    let claims = Claims::read(&token, now)?;
    let roles = &emulator.identities.roles;
    let max = roles.max_session(&assumption.role_arn, &assumption.session_name, None, None);
    let max = max.filter(|_| emulator.settings.has_role_account(&role));
    let max =
        max.ok_or_else(|| Error::access_denied("Not authorized to perform sts:AssumeRoleWithWebIdentity"))?;
    let issued = emulator.identities.sessions.issue(
        NewSession {
            role_arn: &assumption.role_arn,
            session_name: assumption.session_name.clone(),
            tags: BTreeMap::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
            assumed_by: claims.subject.clone(),
            region: None,
            issued: now,
            duration: assumption.duration(max)?,
        },
        &role,
    );
    Ok(elements(&issued)
        .text("SubjectFromWebIdentityToken", &claims.subject)
        .text("Provider", &claims.issuer)
        .text("Audience", &claims.audience))
}

impl Claims {
    fn read(token: &str, now: SystemTime) -> Result<Self, Error> {
        let invalid = |message: &str| Error::new(StatusCode::BAD_REQUEST, "InvalidIdentityToken", message);
        let claims = claims(token).ok_or_else(|| {
            invalid(
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
            )
        })?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let audience = match claims.get("aud") {
            Some(Value::Array(all)) => all.first().and_then(Value::as_str).map(str::to_owned),
            _ => text("aud"),
        };
        let parts = text("sub").zip(text("iss")).zip(audience);
        let Some(((subject, issuer), audience)) = parts else {
            return Err(invalid("Missing a required claim: sub, iss or aud"));
        };
        let Some(expiry) = claims.get("exp").and_then(Value::as_f64) else {
            return Err(invalid("Missing a required claim: exp"));
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        if expiry <= now {
            let message = format!(
                "Token expired: current date/time {now:.0} must be before the expiration date/time {expiry:.0}"
            );
            return Err(Error::new(
                StatusCode::BAD_REQUEST,
                "ExpiredTokenException",
                message,
            ));
        }
        Ok(Self {
            subject,
            issuer,
            audience,
        })
    }
}

/// The claims of a JWT in compact form.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return None;
    };
    let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
    let object = |part| serde_json::from_slice::<Map<String, Value>>(&decoded(part)?).ok();
    object(header)?.get("alg")?;
    decoded(signature).filter(|signature| !signature.is_empty())?;
    object(claims)
}
