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
    protocol::Error,
    settings::{Credentials, Settings},
};
use authorization::{Authorization, Scope};
use date::Date;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "storagegateway";

/// Verifies a request as of `now`, and returns the region in the scope of its signature.
///
/// # Errors
/// `MissingAuthenticationTokenException`, `IncompleteSignatureException` (malformed),
/// `UnrecognizedClientException` (key id, session token), `InvalidSignatureException` (scope, date,
/// secret or anything signed). Without configured credentials the key id, the token and the
/// signature are not checked.
pub(super) fn verify(
    parts: &Parts,
    body: &[u8],
    settings: &Settings,
    now: SystemTime,
) -> Result<String, Error> {
    let authorization = Authorization::of(&parts.headers)?;
    let date = Date::of(&parts.headers)?;
    let canonical = canonical::request(parts, &authorization.signed_headers, body)?;
    let scope = &authorization.scope;
    let pair = signer(&settings.credentials, scope, &parts.headers)?;
    check_scope(&authorization, &date)?;
    date.check_near(now, settings.clock_skew)?;
    if let Some(pair) = pair {
        let key = generate_signing_key(
            pair.secret_access_key.expose_secret(),
            date.time(),
            &scope.region,
            SERVICE,
        );
        let text = format!(
            "{ALGORITHM}\n{}\n{}/{}/{SERVICE}/aws4_request\n{}",
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
    Ok(authorization.scope.region)
}

/// The credentials with the key id and the session token of a request; `None` if none are
/// configured.
fn signer<'a>(
    credentials: &'a [Credentials],
    scope: &Scope,
    headers: &HeaderMap,
) -> Result<Option<&'a Credentials>, Error> {
    if credentials.is_empty() {
        return Ok(None);
    }
    let known = credentials
        .iter()
        .find(|known| known.access_key_id == scope.access_key_id)
        .filter(|known| has_token(headers, known.session_token.as_ref()));
    known.map(Some).ok_or_else(|| {
        let message = "The security token included in the request is invalid.";
        Error::common("UnrecognizedClientException", message)
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

fn check_scope(authorization: &Authorization, date: &Date) -> Result<(), Error> {
    let scope = &authorization.scope;
    let mut causes = Vec::new();
    if scope.service != SERVICE {
        causes.push(format!(
            "Credential should be scoped to correct service: '{SERVICE}'."
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

fn invalid(message: impl Into<String>) -> Error {
    Error::common("InvalidSignatureException", message)
}

fn incomplete(message: impl Into<String>) -> Error {
    Error::common("IncompleteSignatureException", message)
}
