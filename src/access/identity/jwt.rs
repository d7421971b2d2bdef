//! Verifies JSON Web Tokens of trusted issuers, such as OpenID Connect providers and Kubernetes.
//!
//! Before its signature is verified, a token only selects its issuer (`iss`), and the key and
//! algorithm among those configured for that issuer (`kid`, `alg`). All other header members that
//! offer a key, or a URL of one, are ignored.

mod claims;
mod key_set;
mod remote_keys;

use std::{path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Validation, dangerous, decode, errors::ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::{
    claims::{ClaimMapping, ClaimPath},
    key_set::KeySet,
    remote_keys::{RemoteKeys, RemoteKeysError, RemoteKeysSettings},
};
use super::auth_error::AuthError;
use crate::{access::reload::Reloading, domain::Principal};

/// The settings of a trusted issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The `iss` of its tokens, compared character by character.
    pub issuer: String,
    /// The audience that the `aud` of a token must contain.
    pub audience: String,
    /// Where its keys are.
    pub jwks: JwksLocation,
    /// The accepted signature algorithms, none of them symmetric.
    pub algorithms: Vec<Algorithm>,
    /// How much the issuer's clock may differ from this one.
    pub leeway: Duration,
    /// Which claims identify the caller.
    pub claims: ClaimMapping,
    /// How keys are fetched from a URL.
    pub remote: RemoteKeysSettings,
}

/// Where the key set of an issuer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksLocation {
    /// In a file, which is reloaded when it changes.
    File(PathBuf),
    /// At a URL: https, or http on loopback.
    Url(String),
}

/// A trusted issuer with its keys.
#[derive(Debug)]
pub struct Issuer {
    settings: IssuerSettings,
    keys: KeySource,
}

/// Where an issuer's keys come from.
#[derive(Debug)]
pub enum KeySource {
    /// A file.
    File(Arc<Reloading<KeySet>>),
    /// A URL.
    Remote(Arc<RemoteKeys>),
}

/// A verified token.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    /// The caller that it identifies.
    pub principal: Arc<Principal>,
    /// When it expires, in seconds since 1970.
    pub expires: u64,
    /// The keys that it was verified with.
    pub keys: Arc<KeySet>,
}

/// The only claim that is read before the signature is verified.
#[derive(Deserialize)]
struct UnverifiedClaims {
    iss: String,
}

/// The header of a token. Deserializing fails if a member occurs twice.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
    zip: Option<Value>,
    enc: Option<Value>,
}

impl Header {
    /// Reads the header of a token.
    ///
    /// # Errors
    ///
    /// If the header is malformed or has members that a verifier must support (RFC 7515, 4.1.11).
    fn of(token: &str) -> Result<Self, AuthError> {
        let read = || {
            let (header, _) = token.split_once('.')?;
            let json = BASE64_URL_SAFE_NO_PAD.decode(header).ok()?;
            serde_json::from_slice(&json).ok()
        };
        let header: Self = read().ok_or(AuthError::CredentialsMalformed(
            "the token is not a JSON Web Token",
        ))?;
        let unsupported = [&header.crit, &header.zip, &header.enc];
        match unsupported.iter().any(|member| member.is_some()) {
            true => Err(AuthError::CredentialsMalformed(
                "the token's header has crit, zip or enc, which this service does not support",
            )),
            false => Ok(header),
        }
    }

    fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

impl Issuer {
    /// Creates an issuer whose keys come from `keys`.
    pub fn new(settings: IssuerSettings, keys: KeySource) -> Self {
        Self { settings, keys }
    }

    /// Returns the current keys, if they are available.
    pub fn keys(&self) -> Option<Arc<KeySet>> {
        match &self.keys {
            KeySource::File(keys) => Some(keys.load()),
            KeySource::Remote(remote) => remote.keys(),
        }
    }

    /// Returns the source of the keys if it is a URL.
    pub fn remote_keys(&self) -> Option<&Arc<RemoteKeys>> {
        match &self.keys {
            KeySource::File(_) => None,
            KeySource::Remote(remote) => Some(remote),
        }
    }

    /// Verifies a token that names this issuer.
    ///
    /// # Errors
    ///
    /// [`AuthError`] says why the token was rejected.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, AuthError> {
        let header = Header::of(token)?;
        let algorithm = header
            .alg
            .parse()
            .ok()
            .filter(|algorithm| self.settings.algorithms.contains(algorithm))
            .ok_or(AuthError::TokenAlgorithmRejected)?;
        let keys = self.keys().ok_or(AuthError::IssuerKeysUnavailable)?;
        if keys.contains(header.kid()) {
            return self.verify_with(&keys, token, &header, algorithm);
        }
        let newer = match &self.keys {
            KeySource::File(_) => None,
            // The issuer may have started to sign with a new key.
            KeySource::Remote(remote) => remote.newer_than(&keys).await,
        };
        let keys = newer.filter(|keys| keys.contains(header.kid()));
        self.verify_with(
            &keys.ok_or(AuthError::TokenKeyUnknown)?,
            token,
            &header,
            algorithm,
        )
    }

    fn verify_with(
        &self,
        keys: &Arc<KeySet>,
        token: &str,
        header: &Header,
        algorithm: Algorithm,
    ) -> Result<VerifiedToken, AuthError> {
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.leeway = self.settings.leeway.as_secs();
        validation.validate_nbf = true;
        let mut rejected = AuthError::TokenKeyUnknown;
        for key in keys.candidates(header.kid(), algorithm) {
            match decode::<Map<String, Value>>(token, key, &validation) {
                Ok(verified) => {
                    let (principal, expires) = self
                        .settings
                        .claims
                        .principal(&verified.claims, &self.settings.issuer)?;
                    return Ok(VerifiedToken {
                        principal: Arc::new(principal),
                        expires,
                        keys: keys.clone(),
                    });
                }
                Err(error) => rejected = auth_error(error.kind()),
            }
            if rejected != AuthError::TokenSignatureInvalid {
                break;
            }
        }
        Err(rejected)
    }
}

/// Whether a token has the form of a JSON Web Token: three parts.
pub fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|b| *b == b'.').count() == 2
}

/// Verifies a token and returns the index of its issuer with it.
///
/// # Errors
///
/// [`AuthError`] says why the token was rejected.
pub async fn verify(issuers: &[Issuer], token: &str) -> Result<(usize, VerifiedToken), AuthError> {
    // A malformed header is a more useful error than an unreadable `iss`.
    Header::of(token)?;
    let UnverifiedClaims { iss } = dangerous::insecure_decode_claims(token)
        .map_err(|_| AuthError::TokenClaimsInvalid("iss is missing or is not a string"))?;
    // One issuer can be configured several times, for several audiences.
    let mut rejected = AuthError::TokenIssuerUnknown;
    for (index, issuer) in issuers.iter().enumerate() {
        if issuer.settings.issuer == iss {
            match issuer.verify(token).await {
                Ok(verified) => return Ok((index, verified)),
                Err(error) => rejected = error,
            }
        }
    }
    Err(rejected)
}

fn auth_error(kind: &ErrorKind) -> AuthError {
    match kind {
        ErrorKind::ExpiredSignature => AuthError::TokenExpired,
        ErrorKind::ImmatureSignature => AuthError::TokenNotYetValid,
        ErrorKind::InvalidIssuer => AuthError::TokenIssuerUnknown,
        ErrorKind::InvalidAudience => AuthError::TokenAudienceWrong,
        ErrorKind::InvalidAlgorithm => AuthError::TokenAlgorithmRejected,
        ErrorKind::MissingRequiredClaim(claim) => AuthError::TokenClaimsInvalid(match claim.as_str() {
            "exp" => "the expiry (exp) is missing",
            "aud" => "the audience (aud) is missing",
            _ => "the issuer (iss) is missing",
        }),
        ErrorKind::InvalidClaimFormat(_) => AuthError::TokenClaimsInvalid("exp or nbf is not a number"),
        ErrorKind::InvalidSignature
        | ErrorKind::InvalidEcdsaKey
        | ErrorKind::InvalidEddsaKey
        | ErrorKind::InvalidRsaKey(_)
        | ErrorKind::InvalidKeyFormat
        | ErrorKind::Provider(_) => AuthError::TokenSignatureInvalid,
        // The header was readable and the signature is valid, so the claims are not JSON.
        ErrorKind::Json(_) => AuthError::TokenClaimsInvalid("they are not a JSON object"),
        _ => AuthError::CredentialsMalformed("the token is not a JSON Web Token"),
    }
}
