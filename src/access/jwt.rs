//! JSON Web Tokens of trusted issuers, as OpenID Connect providers and Kubernetes make them.
//!
//! Of a token nothing is believed before its signature, but which issuer's keys to hold it
//! against. What its header offers beside `alg` and `kid` (a key, or where to fetch one) is
//! never looked at.

mod claims;
mod header;
mod keys;
mod remote;

use std::{path::PathBuf, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, Validation, dangerous, decode, errors::ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use self::header::Header;
pub use self::{
    claims::{Claim, Claims},
    keys::Keys,
    remote::{Remote, RemoteSettings, Unusable},
};
use super::AuthError;
use crate::{access::reload::Reloading, domain::Principal};

/// An issuer that is trusted, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The `iss` of its tokens, character by character.
    pub issuer: String,
    /// What must be in the `aud` of a token.
    pub audience: String,
    /// Where its keys are.
    pub jwks: Location,
    /// The algorithms that it may sign by: none of them symmetric.
    pub algorithms: Vec<Algorithm>,
    /// How far its clock and this one may be apart.
    pub leeway: Duration,
    /// Which claims say who calls.
    pub claims: Claims,
    /// How keys are fetched from a URL.
    pub remote: RemoteSettings,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a file, which is read again when it changes.
    File(PathBuf),
    /// At a URL: https, or http on loopback.
    Url(String),
}

/// An issuer with its keys.
#[derive(Debug)]
pub struct Issuer {
    settings: IssuerSettings,
    source: Source,
}

/// Where keys come from.
#[derive(Debug)]
pub enum Source {
    /// A file.
    File(Arc<Reloading<Keys>>),
    /// A URL.
    Remote(Arc<Remote>),
}

/// A token that was verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Who presents it.
    pub principal: Arc<Principal>,
    /// When it lapses, in seconds since 1970.
    pub expires: u64,
    /// The keys that it was held against.
    pub keys: Arc<Keys>,
}

/// What is looked at before the signature: whose it claims to be.
#[derive(Deserialize)]
struct Unproved {
    iss: String,
}

impl Issuer {
    /// The issuer of these settings, whose keys come from there.
    pub fn new(settings: IssuerSettings, source: Source) -> Self {
        Self { settings, source }
    }

    /// The keys as they are now, if they can be had.
    pub fn keys(&self) -> Option<Arc<Keys>> {
        match &self.source {
            Source::File(keys) => Some(keys.load()),
            Source::Remote(remote) => remote.keys(),
        }
    }

    /// Where the keys come from, if that is a URL.
    pub fn remote(&self) -> Option<&Arc<Remote>> {
        match &self.source {
            Source::File(_) => None,
            Source::Remote(remote) => Some(remote),
        }
    }

    /// Who presents this token, which says that it is this issuer's.
    ///
    /// # Errors
    ///
    /// [`AuthError`].
    pub async fn verify(&self, token: &str) -> Result<Verified, AuthError> {
        let header = Header::of(token)?;
        let algorithm = header
            .algorithm()
            .filter(|algorithm| self.settings.algorithms.contains(algorithm))
            .ok_or(AuthError::AlgorithmRefused)?;
        let keys = self.keys().ok_or(AuthError::KeysUnavailable)?;
        if keys.knows(header.kid()) {
            return self.verify_by(&keys, token, &header, algorithm);
        }
        let newer = match &self.source {
            Source::File(_) => None,
            // The issuer may have begun to sign with another.
            Source::Remote(remote) => remote.newer_than(&keys).await,
        };
        let keys = newer.filter(|keys| keys.knows(header.kid()));
        self.verify_by(&keys.ok_or(AuthError::KeyUnknown)?, token, &header, algorithm)
    }

    fn verify_by(
        &self,
        keys: &Arc<Keys>,
        token: &str,
        header: &Header,
        algorithm: Algorithm,
    ) -> Result<Verified, AuthError> {
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.leeway = self.settings.leeway.as_secs();
        validation.validate_nbf = true;
        let mut refused = AuthError::KeyUnknown;
        for key in keys.candidates(header.kid(), algorithm) {
            match decode::<Map<String, Value>>(token, key, &validation) {
                Ok(proved) => {
                    let (principal, expires) =
                        self.settings.claims.read(&proved.claims, &self.settings.issuer)?;
                    return Ok(Verified {
                        principal: Arc::new(principal),
                        expires,
                        keys: keys.clone(),
                    });
                }
                Err(error) => refused = reason(error.kind()),
            }
            if refused != AuthError::SignatureWrong {
                break;
            }
        }
        Err(refused)
    }
}

/// Whether this looks like a JSON Web Token: three parts.
pub fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|b| *b == b'.').count() == 2
}

/// Who presents this token, by one of these issuers.
///
/// # Errors
///
/// [`AuthError`].
pub async fn verify(issuers: &[Issuer], token: &str) -> Result<(usize, Verified), AuthError> {
    // A header that cannot be read says more than what follows.
    Header::of(token)?;
    let Unproved { iss } = dangerous::insecure_decode_claims(token)
        .map_err(|_| AuthError::ClaimsUnusable("they name no issuer (iss)"))?;
    // Two may be the same issuer's, for two audiences.
    let mut refused = AuthError::IssuerUnknown;
    for (index, issuer) in issuers.iter().enumerate() {
        if issuer.settings.issuer == iss {
            match issuer.verify(token).await {
                Ok(verified) => return Ok((index, verified)),
                Err(why) => refused = why,
            }
        }
    }
    Err(refused)
}

fn reason(kind: &ErrorKind) -> AuthError {
    match kind {
        ErrorKind::ExpiredSignature => AuthError::TokenExpired,
        ErrorKind::ImmatureSignature => AuthError::TokenNotYetValid,
        ErrorKind::InvalidIssuer => AuthError::IssuerUnknown,
        ErrorKind::InvalidAudience => AuthError::AudienceWrong,
        ErrorKind::InvalidAlgorithm => AuthError::AlgorithmRefused,
        ErrorKind::MissingRequiredClaim(claim) => AuthError::ClaimsUnusable(match claim.as_str() {
            "exp" => "they do not say when it expires (exp)",
            "aud" => "they do not say for whom it is (aud)",
            _ => "they name no issuer (iss)",
        }),
        ErrorKind::InvalidClaimFormat(_) => AuthError::ClaimsUnusable("exp or nbf is no number"),
        ErrorKind::InvalidSignature
        | ErrorKind::InvalidEcdsaKey
        | ErrorKind::InvalidEddsaKey
        | ErrorKind::InvalidRsaKey(_)
        | ErrorKind::InvalidKeyFormat
        | ErrorKind::Provider(_) => AuthError::SignatureWrong,
        // The header was read before, and the signature holds.
        ErrorKind::Json(_) => AuthError::ClaimsUnusable("they are no JSON object"),
        _ => AuthError::Malformed("this is no JSON Web Token"),
    }
}
