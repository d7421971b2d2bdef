use std::{path::PathBuf, sync::Arc, time::Duration};

use http::HeaderValue;
use jiff::Timestamp;
use moka::{policy::EvictionPolicy, sync::Cache};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::{
    auth_error::AuthError,
    certificate::CertificateIdentity,
    jwt::{self, Issuer, IssuerSettings, VerifiedToken},
    static_tokens::{self, StaticTokens},
};
use crate::{access::reload::Reloading, domain::Principal, observability::metrics::Count};

/// How callers are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySettings {
    /// Which names of client certificates identify callers (`auth.mtls` or `auth.certificate`); `None` if
    /// clients are not asked for one.
    pub certificates: Option<CertificateIdentity>,
    /// The trusted issuers of JSON Web Tokens (`auth.jwt`).
    pub issuers: Vec<IssuerSettings>,
    /// The file of static tokens (`auth.tokens.file`).
    pub tokens: Option<PathBuf>,
    /// The maximum length of a token, in bytes (`auth.max_token_bytes`).
    pub max_token_bytes: usize,
    /// How long a verified token is cached (`auth.remember`).
    pub remember: Duration,
}

/// Authenticates callers by client certificate, JSON Web Token or static token.
#[derive(Debug)]
pub struct Authenticator {
    certificates: Option<CertificateIdentity>,
    issuers: Vec<Issuer>,
    tokens: Option<Arc<Reloading<StaticTokens>>>,
    max_token_bytes: usize,
    /// JSON Web Tokens that were verified recently, by their SHA-256, with their issuer's index.
    verified: Cache<[u8; 32], (usize, VerifiedToken)>,
    /// How many tokens were found in the cache of verified tokens.
    pub hits: Count,
    /// How many tokens were not found in it.
    pub misses: Count,
}

/// The credentials that a call presents.
#[derive(Clone, Copy)]
pub struct CallerCredentials<'a> {
    /// The values of the call's `authorization` metadata.
    pub authorization: &'a [HeaderValue],
    /// The client certificate of the connection, or why it is no longer valid; `None` if the
    /// client presented none.
    pub certificate: Option<Result<&'a CertificateDer<'static>, AuthError>>,
}

/// The capacity of the cache of verified tokens.
const MAX_VERIFIED: u64 = 20_000;

impl Authenticator {
    /// Creates an authenticator with these identity sources.
    ///
    /// A verified JSON Web Token is cached for at most `remember`. A token longer than
    /// `max_token_bytes` is rejected unread.
    pub fn new(
        certificates: Option<CertificateIdentity>,
        issuers: Vec<Issuer>,
        tokens: Option<Arc<Reloading<StaticTokens>>>,
        remember: Duration,
        max_token_bytes: usize,
    ) -> Self {
        let verified = Cache::builder()
            .max_capacity(if remember.is_zero() { 0 } else { MAX_VERIFIED })
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

    /// The static tokens, if there is a file of them.
    pub fn static_tokens(&self) -> Option<&Arc<Reloading<StaticTokens>>> {
        self.tokens.as_ref()
    }

    /// Whether nobody can be authenticated without keys from a URL.
    pub fn needs_remote_keys(&self) -> bool {
        let are_remote = self.issuers.iter().all(|issuer| issuer.remote_keys().is_some());
        self.certificates.is_none() && self.tokens.is_none() && are_remote
    }

    /// Authenticates a caller.
    ///
    /// A bearer token takes precedence over the client certificate of the connection, which may be
    /// a proxy's. A call with an invalid token is rejected even if its certificate is valid.
    ///
    /// # Errors
    ///
    /// [`AuthError`] says why the caller was not authenticated.
    pub async fn authenticate(
        &self,
        credentials: CallerCredentials<'_>,
    ) -> Result<Arc<Principal>, AuthError> {
        match credentials.authorization {
            [] => self.by_certificate(credentials.certificate),
            [header] => self.by_token(self.bearer(header)?).await,
            _ => Err(AuthError::CredentialsMalformed(
                "there is more than one authorization header; send exactly one",
            )),
        }
    }

    /// Returns the token of an `authorization` header (RFC 6750).
    fn bearer<'h>(&self, header: &'h HeaderValue) -> Result<&'h str, AuthError> {
        const FORM: AuthError =
            AuthError::CredentialsMalformed("the authorization header must have the form `Bearer TOKEN`");
        let text = header.to_str().map_err(|_| FORM)?;
        let (scheme, token) = text.split_once(' ').ok_or(FORM)?;
        let token = token.trim_start_matches(' ');
        let in_token = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || !token.bytes().all(in_token) {
            return Err(FORM);
        }
        if token.len() > self.max_token_bytes {
            return Err(AuthError::CredentialsMalformed(
                "the token is longer than this service accepts (setting auth.max_token_bytes)",
            ));
        }
        Ok(token)
    }

    async fn by_token(&self, token: &str) -> Result<Arc<Principal>, AuthError> {
        if token.starts_with(static_tokens::PREFIX) {
            let tokens = self.tokens.as_ref().ok_or(AuthError::TokenUnknown)?.load();
            let principal = tokens.verify(token, Timestamp::now())?;
            return Ok(Arc::new(principal.clone()));
        }
        if !jwt::is_jwt(token) {
            return Err(AuthError::TokenUnknown);
        }
        if self.issuers.is_empty() {
            return Err(AuthError::TokenIssuerUnknown);
        }
        let hash = Sha256::digest(token).into();
        if let Some((issuer, verified)) = self.verified.get(&hash)
            && self.is_still_valid(issuer, &verified)
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

    /// Whether a cached token has not expired and its issuer's keys are the same.
    fn is_still_valid(&self, issuer: usize, verified: &VerifiedToken) -> bool {
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let keys = self.issuers.get(issuer).and_then(Issuer::keys);
        now < verified.expires && keys.is_some_and(|keys| Arc::ptr_eq(&keys, &verified.keys))
    }

    fn by_certificate(
        &self,
        certificate: Option<Result<&CertificateDer<'static>, AuthError>>,
    ) -> Result<Arc<Principal>, AuthError> {
        let accepts_tokens = self.tokens.is_some() || !self.issuers.is_empty();
        match (&self.certificates, certificate) {
            (Some(identity), Some(certificate)) => identity.principal(certificate?).map(Arc::new),
            (Some(_), None) if accepts_tokens => Err(AuthError::CredentialsMissing(
                "connect with a client certificate, or send `authorization: Bearer TOKEN`",
            )),
            (Some(_), None) => Err(AuthError::CredentialsMissing("connect with a client certificate")),
            (None, _) => Err(AuthError::CredentialsMissing(
                "send `authorization: Bearer TOKEN`",
            )),
        }
    }
}
