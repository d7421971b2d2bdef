use std::{path::PathBuf, sync::Arc, time::Duration};

use http::HeaderValue;
use jiff::Timestamp;
use moka::{policy::EvictionPolicy, sync::Cache};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::{
    AuthError,
    certificate::Rule,
    jwt::{self, Issuer, IssuerSettings, Verified},
    tokens::{self, Tokens},
};
use crate::{access::reload::Reloading, domain::Principal, observability::metrics::Count};

/// How callers are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySettings {
    /// Which names of client certificates identify callers (`auth.mtls`).
    pub certificates: Rule,
    /// The trusted issuers of JSON Web Tokens (`auth.jwt`).
    pub issuers: Vec<IssuerSettings>,
    /// The file of static tokens (`auth.tokens.file`).
    pub tokens: Option<PathBuf>,
    /// The maximum length of a token, in bytes (`auth.max_token_bytes`).
    pub max_token_bytes: usize,
    /// How long a verified token is cached (`auth.remember`).
    pub remember: Duration,
}

/// Everything that a caller can be known by, as far as it is configured.
#[derive(Debug)]
pub struct Identities {
    certificates: Option<Rule>,
    issuers: Vec<Issuer>,
    tokens: Option<Arc<Reloading<Tokens>>>,
    max_token_bytes: usize,
    /// Tokens that were verified not long ago, by their SHA-256, and whose they are.
    verified: Cache<[u8; 32], (usize, Verified)>,
    /// How often one was found there.
    pub hits: Count,
    /// How often not.
    pub misses: Count,
}

/// What a call presents.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The values of its `authorization` metadata.
    pub authorization: &'a [HeaderValue],
    /// The certificate of its connection, if that has one, and is valid still.
    pub certificate: Option<Result<&'a CertificateDer<'static>, AuthError>>,
}

/// How many verified tokens are remembered.
const MAX_REMEMBERED: u64 = 10_000;

impl Identities {
    /// Callers are known by these. A verified token is remembered for `remember` at most, and
    /// a longer one than `max_token_bytes` is not looked at.
    pub fn new(
        certificates: Option<Rule>,
        issuers: Vec<Issuer>,
        tokens: Option<Arc<Reloading<Tokens>>>,
        remember: Duration,
        max_token_bytes: usize,
    ) -> Self {
        let verified = Cache::builder()
            .max_capacity(if remember.is_zero() { 0 } else { MAX_REMEMBERED })
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(remember)
            .build();
        Self {
            certificates,
            issuers,
            tokens,
            max_token_bytes,
            verified,
            hits: Count::default(),
            misses: Count::default(),
        }
    }

    /// Whether nobody can be known without keys from a URL.
    pub fn need_remote_keys(&self) -> bool {
        let are_remote = self.issuers.iter().all(|issuer| issuer.remote().is_some());
        self.certificates.is_none() && self.tokens.is_none() && are_remote
    }

    /// Who calls. A token says more than the certificate of the connection that it came by,
    /// which may be a proxy's; and a bad token is never made good by a good certificate.
    ///
    /// # Errors
    ///
    /// [`AuthError`].
    pub async fn identify(&self, presented: Presented<'_>) -> Result<Arc<Principal>, AuthError> {
        match presented.authorization {
            [] => self.by_certificate(presented.certificate),
            [header] => self.by_token(self.bearer(header)?).await,
            _ => Err(AuthError::Malformed("there are several authorization headers")),
        }
    }

    /// The token of an `authorization` header (RFC 6750).
    fn bearer<'h>(&self, header: &'h HeaderValue) -> Result<&'h str, AuthError> {
        const FORM: AuthError = AuthError::Malformed("the authorization header is not `Bearer TOKEN`");
        let text = header.to_str().map_err(|_| FORM)?;
        let (scheme, token) = text.split_once(' ').ok_or(FORM)?;
        let token = token.trim_start_matches(' ');
        let in_token = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || !token.bytes().all(in_token) {
            return Err(FORM);
        }
        if token.len() > self.max_token_bytes {
            return Err(AuthError::Malformed(
                "the token is longer than this service reads (auth.max_token_bytes)",
            ));
        }
        Ok(token)
    }

    async fn by_token(&self, token: &str) -> Result<Arc<Principal>, AuthError> {
        if token.starts_with(tokens::PREFIX) {
            let tokens = self.tokens.as_ref().ok_or(AuthError::TokenUnknown)?.load();
            let principal = tokens.verify(token, Timestamp::now())?;
            return Ok(Arc::new(principal.clone()));
        }
        if !jwt::is_jwt(token) {
            return Err(AuthError::TokenUnknown);
        }
        if self.issuers.is_empty() {
            return Err(AuthError::IssuerUnknown);
        }
        let hash = Sha256::digest(token).into();
        if let Some((issuer, verified)) = self.verified.get(&hash)
            && self.still_holds(issuer, &verified)
        {
            self.hits.add();
            return Ok(verified.principal);
        }
        self.misses.add();
        let (issuer, verified) = jwt::verify(&self.issuers, token).await?;
        let principal = verified.principal.clone();
        self.verified.insert(hash, (issuer, verified));
        Ok(principal)
    }

    /// Whether what was verified before would be again: it has not expired, and its issuer's
    /// keys are the same.
    fn still_holds(&self, issuer: usize, verified: &Verified) -> bool {
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let keys = self.issuers.get(issuer).and_then(Issuer::keys);
        now < verified.expires && keys.is_some_and(|keys| Arc::ptr_eq(&keys, &verified.keys))
    }

    fn by_certificate(
        &self,
        certificate: Option<Result<&CertificateDer<'static>, AuthError>>,
    ) -> Result<Arc<Principal>, AuthError> {
        let takes_tokens = self.tokens.is_some() || !self.issuers.is_empty();
        match (&self.certificates, certificate) {
            (Some(rule), Some(certificate)) => rule.principal(certificate?).map(Arc::new),
            (Some(_), None) if takes_tokens => Err(AuthError::Missing(
                "connect with a client certificate, or send `authorization: Bearer TOKEN`",
            )),
            (Some(_), None) => Err(AuthError::Missing("connect with a client certificate")),
            (None, _) => Err(AuthError::Missing("send `authorization: Bearer TOKEN`")),
        }
    }
}
