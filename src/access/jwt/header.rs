use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;

use crate::access::AuthError;

/// What is read of a token's header. A name that stands in it twice makes it unreadable.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
    zip: Option<Value>,
    enc: Option<Value>,
}

impl Header {
    /// The header of a token.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has what would have to be understood (RFC 7515, 4.1.11).
    pub(super) fn of(token: &str) -> Result<Self, AuthError> {
        let read = || {
            let (header, _) = token.split_once('.')?;
            let json = BASE64_URL_SAFE_NO_PAD.decode(header).ok()?;
            serde_json::from_slice(&json).ok()
        };
        let header: Self = read().ok_or(AuthError::Malformed("this is no JSON Web Token"))?;
        let asks = [&header.crit, &header.zip, &header.enc];
        match asks.iter().any(|member| member.is_some()) {
            true => Err(AuthError::Malformed(
                "its header asks for crit, zip or enc, which are not understood",
            )),
            false => Ok(header),
        }
    }

    /// The algorithm that it names, if it is one by which signatures can be checked.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.alg.parse().ok()
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}
