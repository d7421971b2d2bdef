//! The life of a tape: what moves it from one status to the next, and when.
//!
//! A tape that leaves its status by itself knows when (`until`). The store settles that
//! before anybody looks, so a tape's status is true whenever it is seen.

use std::{sync::Arc, time::Duration};

use super::{
    Life,
    barcode::Barcode,
    pool::{Pool, StorageClass},
    tape::{Status, Tape},
    timestamp::Timestamp,
};

impl Life {
    /// How long the data of a tape with so many bytes takes to upload; `None` if it is
    /// uploaded unseen.
    fn upload(&self, bytes: i64) -> Option<Duration> {
        let seen = bytes >= self.small_tape_bytes;
        let bytes = u64::try_from(bytes).ok().filter(|_| seen)?;
        let rate = self.upload_bytes_per_second;
        let (seconds, rest) = (bytes / rate, bytes % rate);
        let millis = u128::from(rest) * 1000 / u128::from(rate.get());
        let millis = u64::try_from(millis).expect("a part of a second has under 1,000 of them");
        Some(Duration::from_secs(seconds) + Duration::from_millis(millis))
    }

    /// How long a tape takes to come back: in the range, where its barcode falls.
    fn retrieval(&self, barcode: Barcode, pool: &Pool) -> Duration {
        match pool.class() {
            StorageClass::DeepArchive => self.retrieving_time_deep_archive,
            StorageClass::Glacier => {
                let (least, most) = (self.min_retrieving_time_glacier, self.max_retrieving_time_glacier);
                let part = barcode.spread(1001);
                least + most.saturating_sub(least).saturating_mul(part) / 1000
            }
        }
    }
}

/// How far a tape is on its way into the archive.
#[derive(Clone, Copy, Debug)]
pub(super) enum Progress {
    /// At this percentage, for good.
    Still(f64),
    /// From nothing to all of it, between two moments.
    Between(Timestamp, Timestamp),
}

impl Progress {
    /// Percent at a moment, in hundredths.
    pub(super) fn at(self, now: Timestamp) -> f64 {
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

impl Tape {
    /// Ejects a tape of a library: an AVAILABLE one sets out for the archive, a RETRIEVED
    /// one, whose data is there already, is back in it.
    pub(super) fn eject(&mut self, now: Timestamp, life: &Life) {
        self.device = None;
        if self.status == Status::Retrieved {
            return self.archive(now);
        }
        let upload = life.upload(self.used.unwrap_or(0));
        let uploaded = now.after(upload.unwrap_or_default());
        self.progress = Some(Progress::Between(now, uploaded.after(life.archiving_time)));
        if upload.is_some() {
            self.go(Status::InTransitToVts, uploaded);
        } else {
            self.go(Status::Archiving, now.after(life.archiving_time));
        }
    }

    /// Stops the upload of an ejected tape, whose gateway can no longer be reached.
    pub(super) fn halt(&mut self, now: Timestamp) {
        self.until = None;
        self.progress = self.progress.map(|progress| Progress::Still(progress.at(now)));
    }

    /// Goes on with the upload of an ejected tape, from where it was halted.
    pub(super) fn resume(&mut self, now: Timestamp, life: &Life) {
        let upload = life.upload(self.used.unwrap_or(0)).unwrap_or_default();
        let whole = upload + life.archiving_time;
        let percent = self.progress.map_or(0.0, |progress| progress.at(now));
        let ejected = now.before(whole.mul_f64(percent / 100.0));
        self.progress = Some(Progress::Between(ejected, ejected.after(whole)));
        self.until = Some(ejected.after(upload).max(now));
    }

    /// Begins to bring an archived tape back, to a gateway's library.
    pub(super) fn retrieve(&mut self, barcode: Barcode, gateway: Arc<str>, now: Timestamp, life: &Life) {
        self.retrieved_to = Some(gateway);
        self.go(Status::Retrieving, now.after(life.retrieval(barcode, &self.pool)));
    }

    /// Begins to delete a tape, wherever it is.
    pub(super) fn delete(&mut self, now: Timestamp, life: &Life) {
        self.device = None;
        self.go(Status::Deleting, now.after(life.deleting_time));
    }

    /// Leaves a status whose time is over, for the next one.
    pub(super) fn advance(&mut self, life: &Life) {
        let Some(at) = self.until.take() else {
            return;
        };
        match self.status {
            Status::Creating => self.status = Status::Available,
            Status::InTransitToVts => self.go(Status::Archiving, at.after(life.archiving_time)),
            Status::Archiving => self.archive(at),
            Status::Retrieving => {
                self.status = Status::Retrieved;
                self.gateway = self.retrieved_to.clone();
            }
            Status::Deleting => self.go(Status::Deleted, at.after(life.deleted_time)),
            Status::Deleted => self.forgotten = true,
            Status::Available
            | Status::Archived
            | Status::Retrieved
            | Status::Recovering
            | Status::Recovered
            | Status::Irrecoverable => {}
        }
    }

    fn go(&mut self, status: Status, until: Timestamp) {
        self.status = status;
        self.until = Some(until);
    }

    fn archive(&mut self, at: Timestamp) {
        self.status = Status::Archived;
        self.gateway = None;
        self.retrieved_to = None;
        self.progress = None;
        self.completed = Some(at);
        self.enter_pool(at);
    }

    /// The gateway whose library shows the tape.
    pub(super) fn shown_in(&self, life: &Life) -> Option<&Arc<str>> {
        match self.status {
            _ if self.forgotten => None,
            Status::InTransitToVts | Status::Archiving if !life.leaving_in_library => None,
            Status::Retrieving if life.retrieving_in_library => self.retrieved_to.as_ref(),
            _ => self.gateway.as_ref(),
        }
    }

    /// Whether the archive shows the tape. One that is deleted is shown where it was
    /// deleted from.
    pub(super) fn shown_in_archive(&self, life: &Life) -> bool {
        match self.status {
            _ if self.forgotten => false,
            Status::Archived | Status::Retrieving | Status::Retrieved => true,
            Status::InTransitToVts | Status::Archiving => life.leaving_in_archive,
            Status::Deleting | Status::Deleted => self.gateway.is_none(),
            _ => false,
        }
    }

    /// The gateway against whose quota the tape counts: a RETRIEVING one has its place
    /// already, a DELETED one has none.
    pub(super) fn counts_for(&self) -> Option<&Arc<str>> {
        match self.status {
            Status::Deleted => None,
            Status::Retrieving => self.retrieved_to.as_ref(),
            _ => self.gateway.as_ref(),
        }
    }
}
