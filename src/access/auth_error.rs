/// Why a caller was not let in. The texts are for callers, and show nothing of what was sent:
/// it may have been a secret in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthError {
    /// Nothing says who calls.
    #[error("the call says nothing of who makes it: {0}")]
    Missing(&'static str),
    /// What says who calls is not in the form that it must have.
    #[error("the credentials cannot be read: {0}")]
    Malformed(&'static str),
    /// A static token that is not in the file, or not any more.
    #[error("this token is not known here: it was never made, or has been taken back")]
    TokenUnknown,
    /// The token has lapsed.
    #[error("the token has expired: get a new one")]
    TokenExpired,
    /// The token begins to count later.
    #[error("the token is not valid yet: check the clocks of its issuer and of this service")]
    TokenNotYetValid,
    /// No issuer that is trusted here has made it.
    #[error("the token's issuer (iss) is not trusted here")]
    IssuerUnknown,
    /// It was made for somebody else.
    #[error("the token is for another audience (aud) than this service")]
    AudienceWrong,
    /// It is signed in a way that its issuer does not sign in.
    #[error("the token is signed by an algorithm (alg) that is not taken from its issuer")]
    AlgorithmRefused,
    /// Its issuer has no such key.
    #[error("the token's key (kid) is not among those of its issuer")]
    KeyUnknown,
    /// Its signature does not hold.
    #[error("the token's signature is wrong")]
    SignatureWrong,
    /// Its claims do not say who calls.
    #[error("the token's claims cannot be used: {0}")]
    ClaimsUnusable(&'static str),
    /// The keys of its issuer cannot be had: the service's own trouble, which passes.
    #[error("the keys of the token's issuer cannot be had at the moment; try again")]
    KeysUnavailable,
    /// The certificate has no name that counts here.
    #[error("the client certificate cannot be used: {0}")]
    CertificateName(&'static str),
    /// The certificate has lapsed since its connection was opened.
    #[error("the client certificate is no longer valid: connect again with a new one")]
    CertificateInvalid,
}
