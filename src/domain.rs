//! The values, operations and failures of tapes.
//!
//! - In: text of a request, which [`grpc::convert`](crate::grpc::convert) and the settings parse,
//!   and values of a response of AWS, which [`upstream::sdk`](crate::upstream::sdk) reads.
//! - Out: types that all rooms share. Values of a request are valid by construction. Values of a
//!   response are those of AWS: an unknown pool, status or error code is a value, not a failure.
//!   What follows from a failure is in one [table](failure::table).
//!
//! It is pure: it uses no other room, neither tokio nor tonic nor the AWS SDK, and no names of
//! settings.

mod account_id;
mod add_tags;
mod arn;
mod attempts;
mod aws_partition;
mod barcode;
mod client_network;
mod client_token;
pub mod failure;
mod invalid;
mod kms_key;
mod marker;
mod operation;
mod page;
mod pool;
mod principal;
mod region;
mod role_arn;
mod scope;
mod tags;
mod tape;
mod tape_size;
mod tape_status;
mod timestamp;

pub use account_id::AccountId;
pub use add_tags::AddTagsToResource;
pub use arn::{GatewayArn, TapeArn};
pub use attempts::Attempts;
pub use aws_partition::AwsPartition;
pub use barcode::{Barcode, BarcodePrefix};
pub use client_network::client_network;
pub use client_token::ClientToken;
pub use failure::{
    AttemptResult, Classification, ErrorDomain, ErrorKind, Failure, FailureRow, Fault, FaultOwner, LogLevel,
    Outcome, RetryRule, RetryVerdict, StatusCode, is_about_credentials,
};
pub use invalid::Invalid;
pub use kms_key::{Encryption, KmsKey};
pub use marker::{Cursor, Marker};
pub use operation::{
    CreateTapeWithBarcode, CreateTapes, CreatedTape, CreatedTapes, DescribeTapeArchives, DescribeTapes,
    ListOperation, ListTapes, NewTape, Operation, OperationKind, RequestedBarcode, RequestedTapes,
};
pub use page::{Page, PageRequest};
pub use pool::{Pool, StorageClass};
pub use principal::{MAX_NAME, Principal, Proof};
pub use region::Region;
pub use role_arn::RoleArn;
pub use scope::Scope;
pub use tags::{MAX_TAGS, Tag, TagKey, TagValue};
pub use tape::{Row, Tape, TapeArchive, TapeInfo};
pub use tape_size::{TapeSize, TapeSizeBounds};
pub use tape_status::{KnownStatus, TapeStatus};
pub use timestamp::Timestamp;
