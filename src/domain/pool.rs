use std::{fmt, str::FromStr};

use super::Invalid;

/// An S3 storage class for archived tapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageClass {
    /// S3 Glacier Flexible Retrieval.
    Glacier,
    /// S3 Glacier Deep Archive.
    DeepArchive,
}

/// A pool as AWS spells it: the name of a storage class, or the ID of a custom pool.
///
/// AWS declares it a free string, so a name that is not known here is a pool, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool(String);

impl StorageClass {
    /// The name in AWS's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }
}

impl Pool {
    /// A pool as AWS spells it, unchecked.
    pub fn reported(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// The pool as AWS spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The storage class, if the pool is a known one.
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

/// Parses the pool of a request: 1–100 characters (service model), in the form of a custom pool's ID,
/// `pool-…`, or of a storage class, `NEW_CLASS`.
///
/// The service model accepts any text. A pool's *name* in place of its ID is a mistake seen in public
/// scripts. It is rejected here because AWS's error for it, InvalidParameters, neither names the
/// parameter nor says, for CreateTapes, that no tape was created. The names of the API's enum,
/// `POOL_ID_…`, are rejected as well: AWS does not know them.
impl FromStr for Pool {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let id =
            |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let class = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_uppercase())
                && !text.starts_with("POOL_ID_")
                && text
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        if text.len() <= 100 && (text.strip_prefix("pool-").is_some_and(id) || class(text)) {
            return Ok(Self(text.to_owned()));
        }
        let folded = text.to_ascii_uppercase().replace(['-', ' '], "_");
        Err(Invalid::new(match folded.as_str() {
            "" => "must not be empty; use the ID of a custom pool, such as pool-12345678".to_owned(),
            "POOL_ID_UNSPECIFIED" => {
                format!("{text:?} names no pool; leave the pool unset to let AWS choose")
            }
            "GLACIER" | "DEEP_ARCHIVE" | "POOL_ID_GLACIER" | "POOL_ID_DEEP_ARCHIVE" => format!(
                "{text:?} is not the ID of a custom pool; did you mean pool_id: POOL_ID_{}?",
                folded.trim_start_matches("POOL_ID_")
            ),
            _ => format!(
                "{} looks like the name of a pool; use its ID, such as pool-12345678, of at most 100 characters \
                 (ListTapePools of AWS shows both)",
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
