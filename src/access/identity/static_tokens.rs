//! Verifies static tokens, for grpcurl and for sites without a token issuer.
//!
//! A token is `tapegate_ID_SECRET`. The file of tokens, which `tapegate token new` writes and
//! people may edit, contains the id and the SHA-256 of each token, never the token.

mod digest;
mod edit;
mod issue;
mod revoke;

use std::{
    collections::{BTreeMap, HashMap, hash_map},
    path::Path,
};

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use self::digest::TokenDigest;
pub use self::{
    edit::TokensFileError,
    issue::NewToken,
    revoke::{ListedToken, Revocation, list},
};
use super::auth_error::AuthError;
use crate::{
    access::reload::{FileContents, Files, Reloading},
    domain::{Principal, Proof},
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensFile {
    #[serde(default)]
    token: Vec<Spanned<Table>>,
}

/// A table `[[token]]` of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    id: String,
    name: String,
    #[serde(default)]
    groups: Vec<String>,
    created: Option<Timestamp>,
    expires: Timestamp,
    sha256: String,
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
        self.add_tables(parse(text)?, text)
    }

    /// Adds the tokens of tables of this text.
    fn add_tables(&mut self, tables: Vec<Spanned<Table>>, text: &str) -> Result<(), Vec<(usize, String)>> {
        // Counted once, because each of many tokens can have a fault.
        let line_ends: Vec<_> = text.match_indices('\n').map(|(at, _)| at).collect();
        let line = |offset: usize| line_ends.partition_point(|end| *end < offset) + 1;
        let mut faults = Vec::new();
        for table in tables {
            let start = table.span().start;
            match table.into_inner().token() {
                Ok((id, token)) => match self.0.entry(id) {
                    hash_map::Entry::Vacant(vacant) => drop(vacant.insert(token)),
                    hash_map::Entry::Occupied(occupied) => {
                        let id = occupied.key();
                        faults.push((
                            line(start),
                            format!("another token has the id {id}; ids must be unique"),
                        ));
                    }
                },
                Err(found) => faults.extend(found.into_iter().map(|what| (line(start), what.to_owned()))),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
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

impl Table {
    fn token(self) -> Result<(String, StaticToken), Vec<&'static str>> {
        let Self {
            id,
            name,
            groups,
            created: _,
            expires,
            sha256,
        } = self;
        let mut faults = Vec::new();
        if !is_id(&id) {
            faults.push("id must be 16 lower-case hexadecimal digits");
        }
        let digest = TokenDigest::from_hex(&sha256);
        if digest.is_none() {
            faults.push("sha256 must be 64 hexadecimal digits");
        }
        let principal = Principal::new(name, groups, Proof::Token { id: id.clone() });
        if principal.is_none() {
            faults.push(
                "name and groups must have 1 to 2048 bytes each without control characters, and there may be at \
                 most 1000 groups",
            );
        }
        match (principal, digest) {
            (Some(principal), Some(digest)) if faults.is_empty() => Ok((
                id,
                StaticToken {
                    principal,
                    expires,
                    digest,
                },
            )),
            _ => Err(faults),
        }
    }
}

/// The tables of a file's text. A fault comes with its line.
fn parse(text: &str) -> Result<Vec<Spanned<Table>>, Vec<(usize, String)>> {
    let parsed: Result<TokensFile, _> = toml::from_str(text);
    parsed.map(|file| file.token).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text[..text.floor_char_boundary(at)].matches('\n').count() + 1;
        vec![(line, error.message().trim_end().to_owned())]
    })
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
