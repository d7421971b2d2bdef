use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};

use super::timestamp::Timestamp;

/// One virtual tape, wherever it is. Its barcode is its key in the store.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    pub(super) size: i64,
    /// `None` for a tape older than the 13th of May 2015, of which AWS knows no usage.
    pub(super) used: Option<i64>,
    pub(super) created: Timestamp,
    pub(super) status: Status,
    /// Since when a tape that is stored as CREATING is AVAILABLE.
    pub(super) ready: Option<Timestamp>,
    /// The gateway whose library holds it; `None` for an archived tape.
    pub(super) gateway: Option<Arc<str>>,
    pub(super) device: Option<Arc<str>>,
    /// Percent of the way into the archive.
    pub(super) progress: Option<f64>,
    /// When it reached the archive.
    pub(super) completed: Option<Timestamp>,
    pub(super) retrieved_to: Option<Arc<str>>,
    pub(super) kms_key: Option<Arc<str>>,
    pub(super) pool: Pool,
    pub(super) worm: bool,
    pub(super) retention_start: Option<Timestamp>,
    pub(super) pool_entry: Option<Timestamp>,
}

impl Tape {
    /// The status at a moment.
    pub(super) fn status(&self, now: Timestamp) -> Status {
        match self.ready {
            Some(ready) if self.status == Status::Creating && ready <= now => Status::Available,
            _ => self.status,
        }
    }
}

/// The statuses of the AWS documentation, spelled as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Creating,
    Available,
    #[serde(rename = "IN TRANSIT TO VTS")]
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

impl Status {
    /// Whether `DescribeTapeArchives` shows a tape in this status. A deleted tape is
    /// shown where it was deleted from: in the archive when no library held it.
    pub(super) fn in_archive(self, in_library: bool) -> bool {
        match self {
            Self::Archived | Self::Retrieving | Self::Retrieved => true,
            Self::Deleted => !in_library,
            _ => false,
        }
    }
}

/// Where a tape is kept once archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    Glacier,
    DeepArchive,
    Custom(Arc<str>),
}

impl Pool {
    fn as_str(&self) -> &str {
        match self {
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
            Self::Custom(id) => id,
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Pool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
