//! Static tokens, for grpcurl and small sites.
//!
//! A token is `tapegate_ID_SECRET`. The file has its id and its SHA-256, never the token: 256
//! random bits need no slower hash.

mod file;
mod issue;

use std::collections::HashMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use self::issue::{NewToken, NotWritten};
use super::AuthError;
use crate::domain::Principal;

/// What every static token begins with, so that people and scanners know one when they see it.
pub const PREFIX: &str = "tapegate_";

/// The length of a token's public half, in hexadecimal digits.
const ID_LENGTH: usize = 16;

/// The length of its secret half, in characters of base64url.
const SECRET_LENGTH: usize = 43;

/// The tokens of a file.
#[derive(Debug, Default)]
pub struct Tokens(HashMap<String, Entry>);

/// One token, without itself.
#[derive(Debug)]
struct Entry {
    principal: Principal,
    expires: Timestamp,
    sha256: [u8; 32],
}

impl Tokens {
    /// Who presents this token at this moment. How long it takes does not depend on how much
    /// of its secret is right; its id is none.
    ///
    /// # Errors
    ///
    /// When it is none, is not known, or has expired.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<&Principal, AuthError> {
        let id = id(token).ok_or(AuthError::Malformed("this is not a whole token of tapegate"))?;
        let entry = self.0.get(id);
        let expected = entry.map_or(&[0; 32], |entry| &entry.sha256);
        let is_right = hash(token).ct_eq(expected);
        match entry {
            Some(entry) if bool::from(is_right) && now < entry.expires => Ok(&entry.principal),
            Some(_) if bool::from(is_right) => Err(AuthError::TokenExpired),
            _ => Err(AuthError::TokenUnknown),
        }
    }
}

/// The public half of a token; `None` if it has not the form of one.
fn id(token: &str) -> Option<&str> {
    let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let right = id.len() == ID_LENGTH
        && id.bytes().all(is_hex)
        && secret.len() == SECRET_LENGTH
        && secret.bytes().all(is_base64);
    right.then_some(id)
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
