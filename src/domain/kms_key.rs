use std::{fmt, str::FromStr, sync::LazyLock};

use regex::Regex;

use super::Invalid;

/// The service model's pattern.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\A(arn:(aws(|-cn|-us-gov|-iso[A-Za-z0-9_-]*|-eusc)):kms:[a-zA-Z0-9-]+:[0-9]+:(key|alias)/\S+",
        r"|alias/\S+)\z"
    ))
    .expect("the pattern is a constant")
});

/// A symmetric KMS key, as an ARN or `alias/NAME`, 7–2,048 characters (service model).
///
/// `Debug` does not show it, since only the caller may know which key protects which tape.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KmsKey(String);

/// How a new tape is encrypted. What the caller leaves out is not sent to AWS either.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Encryption {
    kms_encrypted: Option<bool>,
    kms_key: Option<KmsKey>,
}

impl KmsKey {
    /// A key as AWS spells it, unchecked.
    pub fn reported(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// Whether it is the ARN of a key. An alias cannot be compared, since it can point to another key
    /// later.
    pub fn is_key_arn(&self) -> bool {
        self.0.starts_with("arn:") && self.0.contains(":key/")
    }

    /// The name of the key.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The name of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Encryption {
    /// Combines both members.
    ///
    /// # Errors
    ///
    /// If there is a key and `kms_encrypted` is not true: AWS accepts a key only then.
    pub fn new(kms_encrypted: Option<bool>, kms_key: Option<KmsKey>) -> Result<Self, Invalid> {
        match (kms_encrypted, &kms_key) {
            (Some(true), _) | (_, None) => Ok(Self {
                kms_encrypted,
                kms_key,
            }),
            (None, Some(_)) => Err(Invalid::new(
                "a key requires kms_encrypted: true; without it the tape is not encrypted with the key",
            )),
            (Some(false), Some(_)) => Err(Invalid::new(
                "a key contradicts kms_encrypted: false; leave out the key, or set kms_encrypted to true",
            )),
        }
    }

    /// Whether the tape is encrypted with KMS; `None` if the caller left it out.
    pub fn kms_encrypted(&self) -> Option<bool> {
        self.kms_encrypted
    }

    /// The key, if the caller named one.
    pub fn kms_key(&self) -> Option<&KmsKey> {
        self.kms_key.as_ref()
    }
}

impl FromStr for KmsKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if (7..=2048).contains(&text.chars().count()) && PATTERN.is_match(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new(
            "not a KMS key; use its ARN (arn:PARTITION:kms:REGION:ACCOUNT:key/ID, or :alias/NAME) or alias/NAME, \
             7–2048 characters; a bare key ID is not accepted",
        ))
    }
}

impl fmt::Debug for KmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KmsKey(…)")
    }
}
