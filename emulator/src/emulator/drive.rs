//! What backup software does with a tape in a drive: load, write, eject. With AWS that goes over
//! iSCSI and a media changer; here it is methods of the [`Emulator`].

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;

use super::Emulator;
use crate::account::{
    arn::TapeArns,
    gateway::{DRIVES, Gateway},
    store::{AccountRegion, Region},
    tape::{Status, Tape},
    timestamp::Timestamp,
};

/// A tape after an action of a drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TapeState {
    /// Its ARN.
    pub arn: String,
    /// Its status, spelled as in the AWS documentation.
    pub status: String,
    /// The ARN of the tape drive that it is in.
    pub device: Option<String>,
    /// The bytes written to it.
    pub used: i64,
    /// The maximum number of bytes on it.
    pub size: i64,
}

/// Why a drive rejected an action. Nothing changes then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    /// No tape has this ARN.
    #[error("no tape has the ARN {0}")]
    NotFound(String),
    /// The status of the tape does not allow the action.
    #[error("the tape is {status}; to {action} it, it must be {needed}")]
    Status {
        /// The status that it is in.
        status: String,
        /// The action.
        action: &'static str,
        /// The statuses that allow the action.
        needed: &'static str,
    },
    /// The tape has not enough room.
    #[error("the tape has room for {free} more bytes")]
    Full {
        /// The bytes that still fit.
        free: u64,
    },
    /// The tape is in a drive already.
    #[error("the tape is already in the drive {0}")]
    Loaded(String),
    /// The tape is in no drive.
    #[error("the tape is not in a drive; load it first")]
    NotLoaded,
    /// All tape drives of the gateway have a tape in them.
    #[error("all {DRIVES} tape drives of the gateway are in use; unload or eject a tape")]
    NoDrive,
    /// The tape's gateway is not connected, so nothing would reach AWS.
    #[error("the gateway {0} is not connected; connect it first")]
    NotConnected(String),
}

impl Emulator {
    /// Loads an AVAILABLE, RETRIEVED or RECOVERED tape into the first free of the ten tape drives of
    /// its gateway.
    ///
    /// # Errors
    /// When there is no such tape, when it is in another status or in a drive already, when
    /// no drive is free, or when its gateway is not connected.
    pub fn load(&self, tape_arn: &str) -> Result<TapeState, DriveError> {
        let free = |region: &Region, tape: &Tape| {
            if !matches!(
                tape.status,
                Status::Available | Status::Retrieved | Status::Recovered
            ) {
                return Err(wrong_status(tape, "load", "AVAILABLE, RETRIEVED or RECOVERED"));
            }
            if let Some(device) = &tape.device {
                return Err(DriveError::Loaded(device.to_string()));
            }
            let gateway = gateway_of(region, tape);
            let drive = gateway.and_then(|gateway| free_drive(region, gateway));
            drive.ok_or(DriveError::NoDrive)
        };
        self.drive(tape_arn, free, |tape, _, drive| tape.device = Some(drive))
    }

    /// Moves a tape from its drive back to its slot in the library.
    ///
    /// # Errors
    /// When there is no such tape, when it is in no drive, or when its gateway is not
    /// connected.
    pub fn unload(&self, tape_arn: &str) -> Result<TapeState, DriveError> {
        let loaded = |_: &Region, tape: &Tape| match tape.device {
            Some(_) => Ok(()),
            None => Err(DriveError::NotLoaded),
        };
        self.drive(tape_arn, loaded, |tape, _, ()| tape.device = None)
    }

    /// Writes this many bytes at the end of an AVAILABLE tape. The tape need not be in a drive:
    /// backup software would load it to write.
    ///
    /// # Errors
    /// When there is no such tape, when it is in another status (a RETRIEVED or RECOVERED
    /// tape is read-only), when not all of it fits, or when its gateway is not connected.
    pub fn write(&self, tape_arn: &str, bytes: u64) -> Result<TapeState, DriveError> {
        let writable = |_: &Region, tape: &Tape| {
            if tape.status != Status::Available {
                return Err(wrong_status(tape, "write", "AVAILABLE"));
            }
            let used = tape.used.unwrap_or(0);
            let free = u64::try_from(tape.size - used).unwrap_or(0);
            if bytes > free {
                return Err(DriveError::Full { free });
            }
            Ok(())
        };
        self.drive(tape_arn, writable, |tape, _, ()| {
            let more = i64::try_from(bytes).unwrap_or(i64::MAX);
            tape.used = Some(tape.used.unwrap_or(0).saturating_add(more));
        })
    }

    /// Ejects a tape: an AVAILABLE tape moves to the archive through IN TRANSIT TO VTS and ARCHIVING,
    /// a RETRIEVED tape is ARCHIVED again at once.
    ///
    /// # Errors
    /// When there is no such tape, when it is in another status, or when its gateway is not
    /// connected.
    pub fn eject(&self, tape_arn: &str) -> Result<TapeState, DriveError> {
        let ejectable = |_: &Region, tape: &Tape| match tape.status {
            Status::Available | Status::Retrieved => Ok(()),
            _ => Err(wrong_status(tape, "eject", "AVAILABLE or RETRIEVED")),
        };
        let life = &self.inner.settings.life;
        self.drive(tape_arn, ejectable, |tape, now, ()| tape.eject(now, life))
    }

    /// Changes a tape of a library with the result of `check`.
    fn drive<T>(
        &self,
        tape_arn: &str,
        check: impl FnOnce(&Region, &Tape) -> Result<T, DriveError>,
        change: impl FnOnce(&mut Tape, Timestamp, T),
    ) -> Result<TapeState, DriveError> {
        let not_found = || DriveError::NotFound(tape_arn.to_owned());
        let mut parts = tape_arn.split(':').skip(3);
        let (region, account) = parts.next().zip(parts.next()).ok_or_else(not_found)?;
        let at = AccountRegion::new(account, region);
        let barcode = TapeArns::new(&at).barcode(tape_arn).ok_or_else(not_found)?;
        let (mut store, now) = self.inner.write();
        let region = store.region_mut(&at).ok_or_else(not_found)?;
        let tape = region.present(barcode).ok_or_else(not_found)?;
        let found = check(region, tape)?;
        if let Some(gateway) = gateway_of(region, tape).filter(|gateway| !gateway.connected) {
            return Err(DriveError::NotConnected(gateway.arn.to_string()));
        }
        region.change(barcode, |tape| change(tape, now, found));
        let tape = region.tape(barcode).ok_or_else(not_found)?;
        Ok(TapeState {
            arn: tape_arn.to_owned(),
            status: tape.status.as_str().to_owned(),
            device: tape.device.as_deref().map(str::to_owned),
            used: tape.used.unwrap_or(0),
            size: tape.size,
        })
    }
}

/// The gateway whose library holds the tape.
fn gateway_of<'r>(region: &'r Region, tape: &Tape) -> Option<&'r Gateway> {
    region.gateway(tape.gateway.as_deref()?)
}

/// The first tape drive of the gateway without a tape in it.
fn free_drive(region: &Region, gateway: &Gateway) -> Option<Arc<str>> {
    let library = region.library(&gateway.arn)?.iter();
    let in_use: BTreeSet<&str> = library
        .filter_map(|barcode| region.tape(*barcode)?.device.as_deref())
        .collect();
    let mut drives = (1..=DRIVES).map(|number| gateway.drive(number));
    drives.find(|drive| !in_use.contains(&**drive))
}

fn wrong_status(tape: &Tape, action: &'static str, needed: &'static str) -> DriveError {
    DriveError::Status {
        status: tape.status.as_str().to_owned(),
        action,
        needed,
    }
}
