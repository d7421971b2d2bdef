use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{
    pool::{Pool, RetentionLock},
    timestamp::Timestamp,
};
use crate::{
    protocol::Error,
    settings::{InTransitSpelling, Undocumented},
};

/// One virtual tape, wherever it is. Its barcode is its key in the store.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    pub(crate) size: i64,
    /// `None` for a tape older than 13 May 2015, for which AWS has no usage.
    pub(crate) used: Option<i64>,
    pub(crate) created: Timestamp,
    pub(crate) status: Status,
    /// When it leaves its status by itself; `None` if only a call moves it.
    pub(crate) until: Option<Timestamp>,
    /// The gateway whose library holds it; `None` for a tape that is only in the archive.
    pub(crate) gateway: Option<Arc<str>>,
    pub(crate) device: Option<Arc<str>>,
    /// How far it is on its way into the archive.
    pub(crate) progress: Option<Progress>,
    /// When it reached the archive.
    pub(crate) completed: Option<Timestamp>,
    pub(crate) retrieved_to: Option<Arc<str>>,
    pub(crate) kms_key: Option<Arc<str>>,
    pub(crate) pool: Pool,
    pub(crate) worm: bool,
    pub(crate) retention_start: Option<Timestamp>,
    pub(crate) pool_entry: Option<Timestamp>,
    /// Whether it was DELETED so long ago that no call shows it.
    pub(crate) forgotten: bool,
}

impl Tape {
    /// Rejects a tape that is in none of these statuses.
    pub(crate) fn check_status(&self, statuses: &[Status]) -> Result<(), Error> {
        if statuses.contains(&self.status) {
            return Ok(());
        }
        let needed: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
        Err(Error::invalid(format!(
            "The tape is {}; for this operation it must be {}.",
            self.status.as_str(),
            needed.join(" or ")
        )))
    }

    /// Rejects a tape that the retention lock of its pool still protects.
    pub(crate) fn check_retention(&self, now: Timestamp, bypass: bool) -> Result<(), Error> {
        let (Pool::Custom(pool), Some(start)) = (&self.pool, self.retention_start) else {
            return Ok(());
        };
        let cause = match pool.lock {
            RetentionLock::Compliance(time) if now < start.after(time) => {
                "The tape is under a COMPLIANCE retention lock, which nobody can bypass."
            }
            RetentionLock::Governance(time) if now < start.after(time) && !bypass => {
                "The tape is under a GOVERNANCE retention lock; BypassGovernanceRetention overrides it."
            }
            _ => return Ok(()),
        };
        Err(Error::invalid(cause))
    }

    /// Assigns a tape to a pool. An archived tape enters the pool now, any other tape when it is
    /// archived.
    pub(crate) fn assign(&mut self, pool: Pool, now: Timestamp) {
        if pool == self.pool {
            return;
        }
        self.pool = pool;
        (self.pool_entry, self.retention_start) = (None, None);
        if self.status == Status::Archived {
            self.enter_pool(now);
        }
    }

    /// Records when a tape entered its pool. Only the first time counts.
    pub(crate) fn enter_pool(&mut self, at: Timestamp) {
        if let Pool::Custom(pool) = &self.pool {
            self.pool_entry.get_or_insert(at);
            if pool.lock != RetentionLock::None {
                self.retention_start.get_or_insert(at);
            }
        }
    }
}

/// How much of the way into the archive a tape has covered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Progress {
    /// At this percentage, without moving.
    Still(f64),
    /// From 0 to 100 percent between two times.
    Between(Timestamp, Timestamp),
}

impl Progress {
    /// The percentage at a time, rounded down to hundredths.
    pub(crate) fn at(self, now: Timestamp) -> f64 {
        let (from, to) = match self {
            Self::Still(percent) => return percent,
            Self::Between(from, to) => (from, to),
        };
        let (done, whole) = (now.since(from), to.since(from));
        if done >= whole {
            return 100.0;
        }
        (done.as_secs_f64() / whole.as_secs_f64() * 10_000.0).floor() / 100.0
    }
}

/// The statuses of the AWS documentation, spelled as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
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

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Available => "AVAILABLE",
            Self::InTransitToVts => "IN TRANSIT TO VTS",
            Self::Archiving => "ARCHIVING",
            Self::Archived => "ARCHIVED",
            Self::Retrieving => "RETRIEVING",
            Self::Retrieved => "RETRIEVED",
            Self::Recovering => "RECOVERING",
            Self::Recovered => "RECOVERED",
            Self::Irrecoverable => "IRRECOVERABLE",
            Self::Deleting => "DELETING",
            Self::Deleted => "DELETED",
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Undocumented {
    /// A status as it is spelled on the wire.
    pub(crate) fn spell(&self, status: Status) -> &'static str {
        match (status, self.in_transit_spelling) {
            (Status::InTransitToVts, InTransitSpelling::Underscores) => "IN_TRANSIT_TO_VTS",
            (Status::InTransitToVts, InTransitSpelling::Joined) => "INTRANSITTOVTS",
            _ => status.as_str(),
        }
    }
}
