/// Why a caller was not authenticated.
///
/// The messages go to callers. They contain no part of the credentials, which may be a secret in
/// the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthError {
    /// The call has no credentials.
    #[error("the call has no credentials: {0}")]
    CredentialsMissing(&'static str),
    /// The credentials do not have a supported form.
    #[error("the credentials are malformed: {0}")]
    CredentialsMalformed(&'static str),
    /// The file of static tokens does not contain the token.
    #[error("the token is unknown: it was never issued for this service, or was revoked; get a new one")]
    TokenUnknown,
    /// The token has expired.
    #[error("the token has expired; get a new one")]
    TokenExpired,
    /// The token's `nbf` is in the future.
    #[error("the token is not valid yet (nbf); check the clocks of its issuer and of this service")]
    TokenNotYetValid,
    /// No configured issuer has the token's `iss`.
    #[error(
        "the token's issuer (iss) is not trusted by this service; get a token of an issuer in its setting auth.jwt"
    )]
    TokenIssuerUnknown,
    /// The token's `aud` does not contain the configured audience.
    #[error("the token is for another audience (aud); get a token for the audience of this service")]
    TokenAudienceWrong,
    /// The token's `alg` is not among the issuer's configured algorithms.
    #[error(
        "the token's signature algorithm (alg) is not accepted; sign with one of the issuer's setting \
         auth.jwt.algorithms"
    )]
    TokenAlgorithmRejected,
    /// The issuer has no key with the token's `kid`.
    #[error("the token's issuer has no key with its key id (kid); get a new token")]
    TokenKeyUnknown,
    /// The token's signature is invalid.
    #[error("the token's signature is invalid; get a new token from its issuer")]
    TokenSignatureInvalid,
    /// The token's claims do not identify a caller.
    #[error("the token's claims are invalid: {0}")]
    TokenClaimsInvalid(&'static str),
    /// The keys of the token's issuer could not be fetched. Not the caller's fault, and temporary.
    #[error("the keys of the token's issuer are temporarily unavailable; retry later")]
    IssuerKeysUnavailable,
    /// The certificate has no acceptable name.
    #[error("the client certificate is rejected: {0}")]
    CertificateNameRejected(&'static str),
    /// The certificate has expired, or its root was removed, since the connection was opened.
    #[error("the client certificate is no longer valid; reconnect with a new one")]
    CertificateInvalid,
}
