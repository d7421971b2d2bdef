use std::{fmt, str::FromStr};

use super::Invalid;

/// An S3 storage class that tapes are archived to and that this build knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageClass {
    /// S3 Glacier Flexible Retrieval.
    Glacier,
    /// S3 Glacier Deep Archive.
    DeepArchive,
}

/// A pool, by the API's own word: the name of a storage class or the id of a custom
/// pool. The API declares it a free string, so a word that nobody knew is a pool too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool(String);

impl StorageClass {
    /// The word that the API has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }
}

impl Pool {
    /// A pool in the upstream's own word, whatever that is.
    pub fn reported(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// The API's word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The storage class that the word names, if this build knows it.
    pub fn storage_class(&self) -> Option<StorageClass> {
        [StorageClass::Glacier, StorageClass::DeepArchive]
            .into_iter()
            .find(|class| class.as_str() == self.0)
    }
}

impl From<StorageClass> for Pool {
    fn from(class: StorageClass) -> Self {
        Self(class.as_str().to_owned())
    }
}

/// A pool that a caller names by text: 1–100 characters (service model), and either
/// the form of a custom pool's id, `pool-…`, or that of a storage class, `NEW_CLASS`.
///
/// The model takes any text. A pool's *name* in place of its id is a mistake seen in
/// public scripts, and AWS's answer to it, InvalidParameters, does not say which
/// parameter it means nor, on CreateTapes, that nothing was made: so it is refused here.
impl FromStr for Pool {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let id =
            |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let class = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_uppercase())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        if text.len() <= 100 && (text.strip_prefix("pool-").is_some_and(id) || class(text)) {
            return Ok(Self(text.to_owned()));
        }
        let folded = text.to_ascii_uppercase().replace(['-', ' '], "_");
        Err(Invalid::new(match folded.as_str() {
            "" => "required when chosen: the id of a custom pool, such as pool-12345678".to_owned(),
            "GLACIER" | "DEEP_ARCHIVE" | "POOL_ID_GLACIER" | "POOL_ID_DEEP_ARCHIVE" => format!(
                "{text:?} is spelt differently: did you mean pool_id: POOL_ID_{}?",
                folded.trim_start_matches("POOL_ID_")
            ),
            _ => format!(
                "{} looks like a pool's name: give its id, such as pool-12345678 (AWS's ListTapePools shows both), \
                 at most 100 characters",
                Invalid::quote(text)
            ),
        }))
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
