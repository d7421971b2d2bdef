//! What the service is about: tapes, the names of AWS, the five operations.
//!
//! Types here are valid by construction and know neither gRPC nor the AWS SDK.
//! What a caller sends is parsed into them by [`crate::grpc::convert`]; what AWS answers
//! is put into them by [`crate::upstream`], where words that nobody knew yet (a
//! pool, a status, an error code) are values and never failures.

mod account_id;
mod arn;
mod attempts;
mod aws_code;
mod barcode;
mod client_token;
mod failure;
mod invalid;
mod kms_key;
mod marker;
mod operation;
mod outcome;
mod page;
mod pool;
mod principal;
mod region;
mod scope;
mod tags;
mod tape;
mod tape_size;
mod tape_status;
mod timestamp;

pub use account_id::AccountId;
pub use arn::{GatewayArn, TapeArn};
pub use attempts::Attempts;
pub use aws_code::{RetryRule, is_about_credentials};
pub use barcode::{Barcode, BarcodePrefix};
pub use client_token::ClientToken;
pub use failure::{Failure, Fault};
pub use invalid::Invalid;
pub use kms_key::{Encryption, KmsKey};
pub use marker::{Cursor, Marker};
pub use operation::{
    CreateTapeWithBarcode, CreateTapes, CreatedTape, CreatedTapes, DescribeTapeArchives, DescribeTapes,
    Label, ListTapes, Listing, NewTape, NewTapes, Operation, OperationKind,
};
pub use outcome::Outcome;
pub use page::{Page, PageRequest};
pub use pool::{Pool, StorageClass};
pub use principal::{MAX_NAME, Principal, Proof};
pub use region::Region;
pub use scope::Scope;
pub use tags::{MAX_TAGS, Tag, TagKey, TagValue};
pub use tape::{Row, Tape, TapeArchive, TapeInfo};
pub use tape_size::{TapeSize, TapeSizeBounds};
pub use tape_status::{KnownStatus, TapeStatus};
pub use timestamp::Timestamp;
