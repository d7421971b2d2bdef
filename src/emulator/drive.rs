//! What backup software does to a tape in a drive: it writes and ejects. At AWS that goes
//! over iSCSI and a media changer; here it is methods of the [`Emulator`].

use std::time::Duration;

use super::{
    Emulator,
    arn::TapeArns,
    tape::{Status, Tape},
    timestamp::Timestamp,
};

/// Why a drive did not do what was asked. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    /// No tape of the account has this ARN.
    #[error("no tape of this account has the ARN {0}")]
    NotFound(String),
    /// The tape is in a status in which no drive can do that.
    #[error("the tape is {status}; to {action} it, it has to be {needed}")]
    Status {
        /// The status that it is in.
        status: String,
        /// What was asked.
        action: &'static str,
        /// The statuses in which that can be done.
        needed: &'static str,
    },
    /// The tape has no room for so much.
    #[error("the tape has room for {free} bytes more")]
    Full {
        /// The bytes that still fit.
        free: u64,
    },
}

impl Emulator {
    /// Writes so many bytes at the end of an AVAILABLE tape.
    ///
    /// # Errors
    /// When there is no such tape, when it is in another status (a RETRIEVED or RECOVERED
    /// tape is read-only), or when not all of it fits.
    pub fn write(&self, tape_arn: &str, bytes: u64) -> Result<(), DriveError> {
        let writable = |tape: &Tape| {
            if tape.status != Status::Available {
                return Err(refused(tape, "write", "AVAILABLE"));
            }
            let used = tape.used.unwrap_or(0);
            let free = u64::try_from(tape.size - used).unwrap_or(0);
            if bytes > free {
                return Err(DriveError::Full { free });
            }
            Ok(())
        };
        self.drive(tape_arn, writable, |tape, _| {
            let more = i64::try_from(bytes).unwrap_or(i64::MAX);
            tape.used = Some(tape.used.unwrap_or(0).saturating_add(more));
        })
    }

    /// Ejects a tape: an AVAILABLE one goes to the archive by way of IN TRANSIT TO VTS and
    /// ARCHIVING, a RETRIEVED one is ARCHIVED again at once.
    ///
    /// # Errors
    /// When there is no such tape, or when it is in another status.
    pub fn eject(&self, tape_arn: &str) -> Result<(), DriveError> {
        let ejectable = |tape: &Tape| match tape.status {
            Status::Available | Status::Retrieved => Ok(()),
            _ => Err(refused(tape, "eject", "AVAILABLE or RETRIEVED")),
        };
        let life = &self.inner.settings.life;
        self.drive(tape_arn, ejectable, |tape, now| tape.eject(now, life))
    }

    /// Puts the emulator's clock forward: what would have happened in that time has happened.
    /// It cannot go back, and stops in the year 9999.
    pub fn step(&self, by: Duration) {
        self.inner.clock.step(by);
    }

    fn drive(
        &self,
        tape_arn: &str,
        check: impl FnOnce(&Tape) -> Result<(), DriveError>,
        change: impl FnOnce(&mut Tape, Timestamp),
    ) -> Result<(), DriveError> {
        let not_found = || DriveError::NotFound(tape_arn.to_owned());
        let name = tape_arn.split(':').nth(3).ok_or_else(not_found)?;
        let arns = TapeArns::new(name, &self.inner.settings.account_id);
        let barcode = arns.barcode(tape_arn).ok_or_else(not_found)?;
        let (mut store, now) = self.inner.write();
        let region = store.region_mut(name).ok_or_else(not_found)?;
        check(region.present(barcode).ok_or_else(not_found)?)?;
        region.change(barcode, |tape| change(tape, now));
        Ok(())
    }
}

fn refused(tape: &Tape, action: &'static str, needed: &'static str) -> DriveError {
    DriveError::Status {
        status: tape.status.as_str().to_owned(),
        action,
        needed,
    }
}
