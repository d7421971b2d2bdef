//! Creations under a client token: the request, and the barcodes that it got.

use std::time::Duration;

use super::{barcode::Barcode, timestamp::Timestamp};

/// The creation of tapes under a client token.
pub(crate) struct Creation {
    pub(crate) at: Timestamp,
    pub(crate) request: CreateTapes,
    pub(crate) barcodes: Vec<Barcode>,
}

impl Creation {
    /// Whether its token is still valid.
    pub(crate) fn counts(&self, now: Timestamp, window: Option<Duration>) -> bool {
        window.is_none_or(|window| now < self.at.after(window))
    }
}

/// The request as it was sent, without its token: what a retry must repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreateTapes {
    pub(crate) new: NewTape,
    pub(crate) count: i32,
    pub(crate) prefix: String,
}

/// The members that `CreateTapes` and `CreateTapeWithBarcode` share, as they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewTape {
    pub(crate) gateway_arn: String,
    pub(crate) size: i64,
    pub(crate) kms_encrypted: Option<bool>,
    pub(crate) kms_key: Option<String>,
    pub(crate) pool_id: Option<String>,
    pub(crate) worm: Option<bool>,
    pub(crate) tags: Vec<Tag>,
}

/// A key and a value given to a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}
