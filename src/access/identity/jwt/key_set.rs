use std::path::Path;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use crate::access::reload::{FileContents, Files, Reloading};

/// The public keys of an issuer: a JSON Web Key Set (RFC 7517).
pub struct KeySet(Vec<Key>);

struct Key {
    kid: Option<String>,
    /// The algorithms that the key may be used with.
    algorithms: Vec<Algorithm>,
    parameters: AlgorithmParameters,
    key: DecodingKey,
}

/// The most keys in a set.
const MAX_KEYS: usize = 256;

/// How many keys are tried for a token without `kid`.
const MAX_TRIED: usize = 8;

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    /// Parses a JSON Web Key Set.
    ///
    /// Keys of unknown types and keys that are not for verifying signatures are ignored. So are
    /// symmetric keys, because anyone who has one can sign with it, and different keys with the
    /// same id, because the id does not tell which one a token means.
    ///
    /// # Errors
    ///
    /// If `text` is not a key set, or contains no usable key.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let set: Jwks = serde_json::from_slice(text)
            .map_err(|error| format!("is not a JSON Web Key Set: error at {}", position(&error)))?;
        if set.keys.len() > MAX_KEYS {
            return Err(format!(
                "has {} keys; at most {MAX_KEYS} are allowed",
                set.keys.len()
            ));
        }
        let mut keys: Vec<_> = set.keys.into_iter().filter_map(Key::parse).collect();
        let are_unique: Vec<_> = keys
            .iter()
            .map(|key| !keys.iter().any(|other| key.conflicts_with(other)))
            .collect();
        let mut are_unique = are_unique.into_iter();
        keys.retain(|_| are_unique.next().unwrap_or(false));
        match keys.is_empty() {
            true => {
                Err("has no public key for verifying signatures (RSA, EC P-256 or P-384, Ed25519)".to_owned())
            }
            false => Ok(Self(keys)),
        }
    }

    /// Parses the key set in a file.
    ///
    /// # Errors
    ///
    /// Those of [`KeySet::parse`], with the path.
    pub fn read(contents: &FileContents) -> Result<Self, Vec<String>> {
        let (path, text) = contents
            .get(0)
            .ok_or_else(|| vec!["no file was read".to_owned()])?;
        Self::parse(text).map_err(|what| vec![format!("{} {what}", path.display())])
    }

    /// Opens the key set at `path`, which is reloaded when the file changes.
    ///
    /// # Errors
    ///
    /// As [`KeySet::parse`], and if the file cannot be read.
    pub fn open(path: &Path) -> Result<Reloading<Self>, Vec<String>> {
        Reloading::open("auth.jwt.jwks", Files::Each(vec![path.to_owned()]), Self::read)
    }

    /// Whether the set has a key for a token with this `kid`, or without one.
    pub(super) fn contains(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.0.iter().any(|key| key.kid.as_deref() == kid)
    }

    /// Returns the keys that can have signed a token with this `kid` and algorithm.
    pub(super) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        let matches = move |key: &&Key| {
            key.algorithms.contains(&algorithm) && (kid.is_none() || key.kid.as_deref() == kid)
        };
        self.0.iter().filter(matches).map(|key| &key.key).take(MAX_TRIED)
    }
}

impl Key {
    fn parse(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let supported: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms(),
            AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
                EllipticCurve::P256 => &[Algorithm::ES256],
                EllipticCurve::P384 => &[Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                &[Algorithm::EdDSA]
            }
            _ => return None,
        };
        let common = &jwk.common;
        let is_for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let verifies = common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !is_for_signatures || !verifies {
            return None;
        }
        let algorithms = match &common.key_algorithm {
            None => supported.to_vec(),
            Some(named) => {
                let named = named.to_string().parse().ok()?;
                supported.iter().copied().filter(|one| *one == named).collect()
            }
        };
        Some(Self {
            kid: common.key_id.clone(),
            algorithms,
            key: DecodingKey::from_jwk(&jwk).ok()?,
            parameters: jwk.algorithm,
        })
    }

    /// Whether both have the same id and algorithm but are different keys.
    fn conflicts_with(&self, other: &Self) -> bool {
        let shares_algorithm = self.algorithms.iter().any(|one| other.algorithms.contains(one));
        self.kid.is_some() && self.kid == other.kid && shares_algorithm && self.parameters != other.parameters
    }
}

/// Returns the position of a JSON error. serde's message can contain a part of the text.
fn position(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self.0.iter().map(|key| key.kid.as_deref().unwrap_or("no id"));
        f.debug_list().entries(ids).finish()
    }
}
