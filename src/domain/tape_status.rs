use std::borrow::Cow;

/// A tape's status in the upstream's own word: the API declares it a free string.
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
    /// A status in the upstream's own word, whatever that is.
    pub fn reported(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// The upstream's word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The upstream's word with underscores for its spaces.
    pub fn underscored(&self) -> Cow<'_, str> {
        match self.0.contains(' ') {
            true => Cow::Owned(self.0.replace(' ', "_")),
            false => Cow::Borrowed(&self.0),
        }
    }

    /// The documented status that the word names. How AWS spells IN TRANSIT TO VTS on
    /// the wire is documented nowhere, so spaces and underscores count for nothing.
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
