//! The operations, one file each, and what they have in common.

mod create_tape_with_barcode;
mod create_tapes;
mod describe_tape_archives;
mod describe_tapes;
mod list_tapes;
mod new_tape;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::Serialize;

use super::{
    Settings,
    arn::TapeArns,
    error::{Code, Error},
    store::Store,
    timestamp::Timestamp,
};

pub(super) use create_tapes::CreateTapes;

const TARGET_PREFIX: &str = "StorageGateway_20130630.";

/// An operation that this service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateTapeWithBarcode,
    CreateTapes,
    DescribeTapeArchives,
    DescribeTapes,
    ListTapes,
}

impl Operation {
    /// The operation of an `X-Amz-Target`.
    pub(super) fn from_target(target: &str) -> Option<Self> {
        match target.strip_prefix(TARGET_PREFIX)? {
            "CreateTapeWithBarcode" => Some(Self::CreateTapeWithBarcode),
            "CreateTapes" => Some(Self::CreateTapes),
            "DescribeTapeArchives" => Some(Self::DescribeTapeArchives),
            "DescribeTapes" => Some(Self::DescribeTapes),
            "ListTapes" => Some(Self::ListTapes),
            _ => None,
        }
    }

    /// The name, for a log line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CreateTapeWithBarcode => "CreateTapeWithBarcode",
            Self::CreateTapes => "CreateTapes",
            Self::DescribeTapeArchives => "DescribeTapeArchives",
            Self::DescribeTapes => "DescribeTapes",
            Self::ListTapes => "ListTapes",
        }
    }

    /// Answers a proven request with its JSON body.
    pub(super) fn run(self, body: &[u8], call: &Call<'_>) -> Result<Vec<u8>, Error> {
        match self {
            Self::CreateTapeWithBarcode => create_tape_with_barcode::run(body, call).map(json),
            Self::CreateTapes => create_tapes::run(body, call).map(json),
            Self::DescribeTapeArchives => describe_tape_archives::run(body, call).map(json),
            Self::DescribeTapes => describe_tapes::run(body, call).map(json),
            Self::ListTapes => list_tapes::run(body, call).map(json),
        }
    }
}

fn json(answer: impl Serialize) -> Vec<u8> {
    serde_json::to_vec(&answer).expect("an answer is strings, finite numbers and lists")
}

/// What an operation is run with: who asks, when, and of what.
pub(super) struct Call<'a> {
    /// The region that the signature is scoped to.
    pub(super) region: &'a str,
    /// The ARNs of the account's tapes in that region.
    pub(super) arns: TapeArns,
    pub(super) now: Timestamp,
    pub(super) settings: &'a Settings,
    pub(super) store: &'a RwLock<Store>,
}

impl Call<'_> {
    // A panic while the lock was held cannot leave a tape on half of its shelves: nothing
    // between the first change and the last one can fail.
    fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn gateway_not_found(&self, arn: &str) -> Error {
        let cause = format!(
            "Account {} has no gateway {arn} in {}.",
            self.settings.account_id, self.region
        );
        Error::gateway(Code::GatewayNotFound, cause)
    }
}
