//! What the service is about: tapes, the names of AWS, the five operations.
//!
//! Types here are valid by construction and know neither gRPC nor the AWS SDK.
//! What a caller sends is parsed into them by [`crate::convert`]; what AWS answers
//! is put into them by [`crate::upstream`], where words that nobody knew yet (a
//! pool, a status, an error code) are values and never failures.

mod account_id;
mod invalid;
mod region;

pub use account_id::AccountId;
pub use invalid::Invalid;
pub use region::Region;
