//! What the service is about: tapes, the names of AWS, the five operations.
//!
//! Types here are valid by construction and know neither gRPC nor the AWS SDK.
//! What a caller sends is parsed into them by [`crate::grpc::convert`]; what AWS answers
//! is put into them by [`crate::upstream`], where words that nobody knew yet (a
//! pool, a status, an error code) are values and never failures.

mod account_id;
mod arn;
mod barcode;
mod call;
mod client_token;
mod deadline;
pub mod failure;
mod invalid;
mod kms_key;
mod marker;
mod operation;
mod page;
mod pool;
mod principal;
mod progress;
mod region;
mod scope;
mod tags;
mod tape;
mod tape_size;
mod tape_status;
mod timestamp;
mod trail;

pub use account_id::AccountId;
pub use arn::{GatewayArn, TapeArn};
pub use barcode::{Barcode, BarcodePrefix};
pub use call::{Answer, Attempts, Call, Grant};
pub use client_token::ClientToken;
pub use deadline::Deadline;
pub use failure::{
    AttemptResult, Classification, ErrorDomain, ErrorKind, Failure, FailureRow, Fault, FaultOwner, LogLevel,
    Outcome, RetryRule, StatusCode, is_about_credentials,
};
pub use invalid::Invalid;
pub use kms_key::{Encryption, KmsKey};
pub use marker::{Cursor, Marker};
pub use operation::{
    CreateTapeWithBarcode, CreateTapes, CreatedTape, CreatedTapes, DescribeTapeArchives, DescribeTapes,
    Label, ListTapes, Listing, NewTape, NewTapes, Operation, OperationKind,
};
pub use page::{Page, PageRequest};
pub use pool::{Pool, StorageClass};
pub use principal::{Caller, MAX_NAME, Principal, Proof};
pub use progress::{Progress, Step};
pub use region::Region;
pub use scope::Scope;
pub use tags::{MAX_TAGS, Tag, TagKey, TagValue};
pub use tape::{Row, Tape, TapeArchive, TapeInfo};
pub use tape_size::{TapeSize, TapeSizeBounds};
pub use tape_status::{KnownStatus, TapeStatus};
pub use timestamp::Timestamp;
pub use trail::{Decision, Trail};
