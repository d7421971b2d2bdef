//! Verification of Signature Version 4 over the headers in `SignedHeaders`, whichever a client
//! signs.
//!
//! `aws-sigv4` computes the key and the signature. The canonical request is made here, since that
//! crate signs only headers of its own choice. The errors are those of AWS's JSON services; see
//! `docs/emulator.md`.

mod authorization;
mod canonical;
mod date;

use std::time::SystemTime;

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use axum::http::{HeaderMap, request::Parts};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{
    emulator::Inner,
    identity::{Caller, Keys, SessionState},
    protocol::{Error, Service},
};
use authorization::Authorization;
use date::Date;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request with a valid signature.
pub(super) struct Signed {
    /// The region in the scope of the signature.
    pub(super) region: String,
    pub(super) caller: Caller,
    /// Whether the credentials of a session were valid when the request came.
    pub(super) state: SessionState,
}

/// Why the signature of a request is rejected. Each service has its own codes for these.
#[derive(Debug)]
pub(super) enum Rejection {
    /// The request is not signed.
    Missing,
    /// The signature is malformed.
    Incomplete(String),
    /// The key id or the session token is unknown.
    UnknownKey,
    /// The scope, the date, the secret or anything signed is wrong.
    Invalid(String),
}

/// The region that a request claims to be signed for.
pub(super) fn claimed_region(headers: &HeaderMap) -> Option<String> {
    let authorization = Authorization::of(headers).ok()?;
    Some(authorization.scope.region)
}

/// Verifies a request to a service as of `now`. Of a key id that no credentials have, if none are
/// configured, the token and the signature are not checked.
pub(super) fn verify(
    parts: &Parts,
    body: &[u8],
    service: Service,
    emulator: &Inner,
    now: SystemTime,
) -> Result<Signed, Rejection> {
    let authorization = Authorization::of(&parts.headers)?;
    let date = Date::of(&parts.headers)?;
    let canonical = canonical::request(parts, &authorization.signed_headers, body)?;
    let scope = &authorization.scope;
    let settings = &emulator.settings;
    let signer = emulator
        .identities
        .signer(&scope.access_key_id, &scope.region, settings);
    let has_token = |keys: &Keys| has_token(&parts.headers, keys.token.as_ref());
    let signer = signer.filter(|signer| signer.keys.as_ref().is_none_or(has_token));
    let signer = signer.ok_or(Rejection::UnknownKey)?;
    check_scope(&authorization, &date, service)?;
    date.check_near(now, settings.clock_skew)?;
    if let Some(keys) = &signer.keys {
        let service = service.name();
        let key = generate_signing_key(keys.secret.expose_secret(), date.time(), &scope.region, service);
        let text = format!(
            "{ALGORITHM}\n{}\n{}/{}/{service}/aws4_request\n{}",
            date.basic(),
            scope.date,
            scope.region,
            canonical::hash(&canonical)
        );
        let expected = calculate_signature(key, text.as_bytes());
        if !bool::from(expected.as_bytes().ct_eq(authorization.signature.as_bytes())) {
            return Err(invalid(
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method.",
            ));
        }
    }
    let state = signer.state_at(now);
    Ok(Signed {
        region: authorization.scope.region,
        caller: signer.caller,
        state,
    })
}

/// Whether a request has exactly this session token, or none if there is none.
fn has_token(headers: &HeaderMap, token: Option<&SecretString>) -> bool {
    let mut sent = headers.get_all("x-amz-security-token").iter();
    match (token, sent.next(), sent.next()) {
        (None, None, _) => true,
        (Some(token), Some(sent), None) => {
            let token = token.expose_secret().as_bytes();
            token.ct_eq(sent.as_bytes()).into()
        }
        _ => false,
    }
}

fn check_scope(authorization: &Authorization, date: &Date, service: Service) -> Result<(), Rejection> {
    let scope = &authorization.scope;
    let mut causes = Vec::new();
    let service = service.name();
    if scope.service != service {
        causes.push(format!(
            "Credential should be scoped to correct service: '{service}'."
        ));
    }
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if scope.region.is_empty() || scope.region.len() > 64 || !scope.region.chars().all(letters) {
        causes.push("Credential should be scoped to a valid region.".to_owned());
    }
    if scope.terminator != "aws4_request" {
        causes.push("Credential should be scoped with a valid terminator: 'aws4_request'.".to_owned());
    }
    if scope.date != date.day() {
        causes.push(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}'.",
            date.basic()
        ));
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(invalid(causes.join(" ")))
    }
}

fn invalid(message: impl Into<String>) -> Rejection {
    Rejection::Invalid(message.into())
}

fn incomplete(message: impl Into<String>) -> Rejection {
    Rejection::Incomplete(message.into())
}

/// The message for a key id or a session token that is unknown.
pub(super) const UNKNOWN_KEY: &str = "The security token included in the request is invalid.";
/// The message for credentials that have expired.
pub(super) const EXPIRED: &str = "The security token included in the request is expired";
/// The message for a request that is not signed.
pub(super) const MISSING: &str = "Request is missing Authentication Token";

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Missing => Self::common("MissingAuthenticationTokenException", MISSING),
            Rejection::Incomplete(message) => Self::common("IncompleteSignatureException", message),
            Rejection::UnknownKey => Self::common("UnrecognizedClientException", UNKNOWN_KEY),
            Rejection::Invalid(message) => Self::common("InvalidSignatureException", message),
        }
    }
}
