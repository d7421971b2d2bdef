//! The life of a tape: what moves it from one status to the next, and when.
//!
//! A tape that leaves its status by itself has the time in `until`. The store applies due changes
//! before each access, so every access sees the current status.

use std::{sync::Arc, time::Duration};

use super::{
    barcode::Barcode,
    pool::{Pool, StorageClass},
    tape::{Progress, Status, Tape},
    timestamp::Timestamp,
};
use crate::settings::Life;

impl Life {
    /// How long a tape with this many bytes is IN TRANSIT TO VTS; `None` if it skips that status.
    fn upload(&self, bytes: i64) -> Option<Duration> {
        let seen = bytes >= self.small_tape_bytes;
        let bytes = u64::try_from(bytes).ok().filter(|_| seen)?;
        let rate = self.upload_bytes_per_second;
        let (seconds, rest) = (bytes / rate, bytes % rate);
        let millis = u128::from(rest) * 1000 / u128::from(rate.get());
        let millis = u64::try_from(millis).expect("a part of a second has under 1,000 of them");
        Some(Duration::from_secs(seconds) + Duration::from_millis(millis))
    }

    /// How long a tape is RETRIEVING: its barcode selects a time in the range.
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

impl Tape {
    /// Ejects a tape of a library: an AVAILABLE tape moves towards the archive, a RETRIEVED tape,
    /// whose data is already there, is ARCHIVED at once.
    pub(crate) fn eject(&mut self, now: Timestamp, life: &Life) {
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

    /// Pauses the upload of an ejected tape whose gateway is no longer connected.
    pub(crate) fn pause_upload(&mut self, now: Timestamp) {
        self.until = None;
        self.progress = self.progress.map(|progress| Progress::Still(progress.at(now)));
    }

    /// Resumes the upload of an ejected tape.
    pub(crate) fn resume_upload(&mut self, now: Timestamp, life: &Life) {
        let upload = life.upload(self.used.unwrap_or(0)).unwrap_or_default();
        let whole = upload + life.archiving_time;
        let percent = self.progress.map_or(0.0, |progress| progress.at(now));
        let ejected = now.before(whole.mul_f64(percent / 100.0));
        self.progress = Some(Progress::Between(ejected, ejected.after(whole)));
        self.until = Some(ejected.after(upload).max(now));
    }

    /// Starts to retrieve an archived tape to the library of a gateway.
    pub(crate) fn retrieve(&mut self, barcode: Barcode, gateway: Arc<str>, now: Timestamp, life: &Life) {
        self.retrieved_to = Some(gateway);
        self.go(Status::Retrieving, now.after(life.retrieval(barcode, &self.pool)));
    }

    /// Starts to delete a tape.
    pub(crate) fn delete(&mut self, now: Timestamp, life: &Life) {
        self.device = None;
        self.go(Status::Deleting, now.after(life.deleting_time));
    }

    /// Moves a tape whose time in its status is over to the next status.
    pub(crate) fn advance(&mut self, life: &Life) {
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
    pub(crate) fn shown_in(&self, life: &Life) -> Option<&Arc<str>> {
        match self.status {
            _ if self.forgotten => None,
            Status::InTransitToVts | Status::Archiving if !life.leaving_in_library => None,
            Status::Retrieving if life.retrieving_in_library => self.retrieved_to.as_ref(),
            _ => self.gateway.as_ref(),
        }
    }

    /// Whether the archive shows the tape. A deleted tape is shown where it was before.
    pub(crate) fn shown_in_archive(&self, life: &Life) -> bool {
        match self.status {
            _ if self.forgotten => false,
            Status::Archived | Status::Retrieving | Status::Retrieved => true,
            Status::InTransitToVts | Status::Archiving => life.leaving_in_archive,
            Status::Deleting | Status::Deleted => self.gateway.is_none(),
            _ => false,
        }
    }

    /// The gateway against whose quota the tape counts: a RETRIEVING tape counts already, a DELETED
    /// one no longer.
    pub(crate) fn counted_by(&self) -> Option<&Arc<str>> {
        match self.status {
            Status::Deleted => None,
            Status::Retrieving => self.retrieved_to.as_ref(),
            _ => self.gateway.as_ref(),
        }
    }
}
