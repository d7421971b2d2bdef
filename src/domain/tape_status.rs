use std::borrow::Cow;

/// A tape's status as AWS spells it: AWS declares it a free string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapeStatus(String);

/// The statuses that AWS documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their meaning stands in proto/tapegate/v1/tape.proto")]
pub enum KnownStatus {
    Creating,
    Available,
    InTransitToVts,
    Archiving,
    Archived,
    Retrieving,
    Retrieved,
    Recovering,
    Recovered,
    Irrecoverable,
    Deleting,
    Deleted,
}

impl TapeStatus {
    /// A status as AWS spells it, unchecked.
    pub fn reported(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// The status as AWS spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The status with underscores in place of spaces.
    pub fn underscored(&self) -> Cow<'_, str> {
        match self.0.contains(' ') {
            true => Cow::Owned(self.0.replace(' ', "_")),
            false => Cow::Borrowed(&self.0),
        }
    }

    /// The documented status, if it is one. Spaces and underscores are ignored, because AWS does not
    /// document how it spells IN TRANSIT TO VTS in responses.
    pub fn known(&self) -> Option<KnownStatus> {
        use KnownStatus as Known;
        Some(match self.0.replace([' ', '_'], "").as_str() {
            "CREATING" => Known::Creating,
            "AVAILABLE" => Known::Available,
            "INTRANSITTOVTS" => Known::InTransitToVts,
            "ARCHIVING" => Known::Archiving,
            "ARCHIVED" => Known::Archived,
            "RETRIEVING" => Known::Retrieving,
            "RETRIEVED" => Known::Retrieved,
            "RECOVERING" => Known::Recovering,
            "RECOVERED" => Known::Recovered,
            "IRRECOVERABLE" => Known::Irrecoverable,
            "DELETING" => Known::Deleting,
            "DELETED" => Known::Deleted,
            _ => return None,
        })
    }
}
