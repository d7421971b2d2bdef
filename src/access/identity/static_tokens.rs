//! Verifies static tokens, for grpcurl and for sites without a token issuer.
//!
//! A token is `tapegate_ID_SECRET`. The file of tokens, which `tapegate token new` writes and
//! people may edit, contains the id and the SHA-256 of each token, never the token.

mod digest;
mod edit;
mod issue;
mod parse;
mod revoke;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use jiff::Timestamp;

use self::{digest::TokenDigest, parse::parse};
pub use self::{
    edit::TokensFileError,
    issue::NewToken,
    parse::ListedToken,
    revoke::{Revocation, list},
};
use super::auth_error::AuthError;
use crate::{
    access::reload::{FileContents, Files, Reloading},
    domain::Principal,
};

/// The prefix of every static token, by which people and secret scanners recognize one.
pub const PREFIX: &str = "tapegate_";

/// The length of a token's id, in hexadecimal digits.
const ID_LENGTH: usize = 16;

/// The length of a token's secret, in characters of base64url.
const SECRET_LENGTH: usize = 43;

/// The static tokens in a file.
#[derive(Debug, Default)]
pub struct StaticTokens(HashMap<String, StaticToken>);

#[derive(Debug)]
struct StaticToken {
    principal: Principal,
    expires: Timestamp,
    digest: TokenDigest,
}

impl StaticTokens {
    /// Opens the file of tokens at `path`, which is reloaded when it changes.
    ///
    /// # Errors
    ///
    /// All faults, each with its line.
    pub fn open(path: &Path) -> Result<Reloading<Self>, Vec<String>> {
        Reloading::open("auth.tokens.file", Files::Each(vec![path.to_owned()]), Self::read)
    }

    /// Parses a file of tokens.
    ///
    /// # Errors
    ///
    /// All faults, each with its line.
    pub fn read(contents: &FileContents) -> Result<Self, Vec<String>> {
        let mut tokens = Self::default();
        let mut faults = Vec::new();
        for (path, bytes) in contents.iter() {
            let path = path.display();
            let Ok(text) = str::from_utf8(bytes) else {
                faults.push(format!("{path} is not UTF-8"));
                continue;
            };
            if let Err(found) = tokens.add(text) {
                faults.extend(
                    found
                        .into_iter()
                        .map(|(line, what)| format!("{path}:{line}: {what}")),
                );
            }
        }
        if faults.is_empty() {
            Ok(tokens)
        } else {
            Err(faults)
        }
    }

    /// Adds the tokens of a file's text. Faults come with their line.
    fn add(&mut self, text: &str) -> Result<(), Vec<(usize, String)>> {
        let tokens = parse(text)?.into_iter();
        self.0.extend(tokens.map(|(listed, token)| (listed.id, token)));
        Ok(())
    }

    /// When the last token of each principal expires.
    pub fn expiries(&self) -> BTreeMap<&str, Timestamp> {
        let mut last = BTreeMap::new();
        for token in self.0.values() {
            let expires = last.entry(token.principal.name()).or_insert(token.expires);
            *expires = token.expires.max(*expires);
        }
        last
    }

    /// Returns the principal of a token.
    ///
    /// How long this takes does not depend on how much of the token's secret is right.
    ///
    /// # Errors
    ///
    /// If the token is malformed, unknown or expired.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<&Principal, AuthError> {
        let id = id(token).ok_or(AuthError::CredentialsMalformed(
            "this is not a complete static token, tapegate_ID_SECRET",
        ))?;
        let found = self.0.get(id);
        let expected = found.map_or(&TokenDigest::NONE, |found| &found.digest);
        let is_right = TokenDigest::of(token).is_equal(expected);
        match found {
            Some(found) if is_right && now < found.expires => Ok(&found.principal),
            Some(_) if is_right => Err(AuthError::TokenExpired),
            _ => Err(AuthError::TokenUnknown),
        }
    }
}

/// Returns the id of a token; `None` if the token is malformed.
fn id(token: &str) -> Option<&str> {
    let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_valid = is_id(id) && secret.len() == SECRET_LENGTH && secret.bytes().all(is_base64);
    is_valid.then_some(id)
}

fn is_id(text: &str) -> bool {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == ID_LENGTH && text.bytes().all(is_hex)
}
