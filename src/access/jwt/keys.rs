use std::path::Path;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use crate::access::reload::{Contents, Files, Reloading};

/// The public keys of an issuer: a JSON Web Key Set (RFC 7517).
pub struct Keys(Vec<Key>);

struct Key {
    kid: Option<String>,
    /// The algorithms that it may be used by.
    algorithms: Vec<Algorithm>,
    parameters: AlgorithmParameters,
    key: DecodingKey,
}

/// The most keys of a set.
const MAX_KEYS: usize = 256;

/// How many keys are tried for a token that does not say which is meant.
const MAX_TRIED: usize = 8;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// The keys of a set's text. Keys that are not for checking signatures, or of a kind that
    /// nobody knew, are passed over; symmetric ones too, since whoever has them could sign. So
    /// are different keys with one id: which of them a token means could not be told.
    ///
    /// # Errors
    ///
    /// When it is no key set, or no key in it can be used.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(text)
            .map_err(|error| format!("is no JSON Web Key Set: {}", position(&error)))?;
        if set.keys.len() > MAX_KEYS {
            return Err(format!(
                "has {} keys; at most {MAX_KEYS} are taken",
                set.keys.len()
            ));
        }
        let mut keys: Vec<_> = set.keys.into_iter().filter_map(Key::read).collect();
        let are_clear: Vec<_> = keys
            .iter()
            .map(|key| !keys.iter().any(|other| key.is_confused_with(other)))
            .collect();
        let mut are_clear = are_clear.into_iter();
        keys.retain(|_| are_clear.next().unwrap_or(false));
        match keys.is_empty() {
            true => Err(
                "has no key that signatures can be checked with (RSA, EC P-256 or P-384, Ed25519)".to_owned(),
            ),
            false => Ok(Self(keys)),
        }
    }

    /// The keys of a file.
    ///
    /// # Errors
    ///
    /// As [`Keys::parse`], with the path.
    pub fn read(contents: &Contents) -> Result<Self, Vec<String>> {
        let (path, text) = contents
            .get(0)
            .ok_or_else(|| vec!["no file was read".to_owned()])?;
        Self::parse(text).map_err(|what| vec![format!("{} {what}", path.display())])
    }

    /// The keys of the file at `path`, which are reloaded when it changes.
    ///
    /// # Errors
    ///
    /// As [`Keys::parse`], and if the file cannot be read.
    pub fn open(path: &Path) -> Result<Reloading<Self>, Vec<String>> {
        Reloading::open("auth.jwt.jwks", Files::Each(vec![path.to_owned()]), Self::read)
    }

    /// Whether there is a key that a token may mean which names this id, or none.
    pub(super) fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.0.iter().any(|key| key.kid.as_deref() == kid)
    }

    /// The keys that a token may mean.
    pub(super) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        let meant = move |key: &&Key| {
            key.algorithms.contains(&algorithm) && (kid.is_none() || key.kid.as_deref() == kid)
        };
        self.0.iter().filter(meant).map(|key| &key.key).take(MAX_TRIED)
    }
}

impl Key {
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let fitting: &[Algorithm] = match &jwk.algorithm {
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
        let is_to_sign = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let verifies = common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !is_to_sign || !verifies {
            return None;
        }
        let algorithms = match &common.key_algorithm {
            None => fitting.to_vec(),
            Some(named) => {
                let named = named.to_string().parse().ok()?;
                fitting.iter().copied().filter(|one| *one == named).collect()
            }
        };
        Some(Self {
            kid: common.key_id.clone(),
            algorithms,
            key: DecodingKey::from_jwk(&jwk).ok()?,
            parameters: jwk.algorithm,
        })
    }

    fn is_confused_with(&self, other: &Self) -> bool {
        let has_same_use = self.algorithms.iter().any(|one| other.algorithms.contains(one));
        self.kid.is_some() && self.kid == other.kid && has_same_use && self.parameters != other.parameters
    }
}

/// Where JSON goes wrong. Its own message may show what is there.
fn position(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self
            .0
            .iter()
            .map(|key| key.kid.as_deref().unwrap_or("without an id"));
        f.debug_list().entries(ids).finish()
    }
}
