//! Values, operations and failures: pure types that know neither gRPC nor the AWS SDK.
//!
//! Values of a request are valid by construction: [`crate::grpc::convert`] parses them. Values of a
//! response are those of AWS, by [`crate::upstream`]: an unknown pool, status or error code is a value
//! there, not a failure. What follows from a failure is in the [table](failure::table).

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
