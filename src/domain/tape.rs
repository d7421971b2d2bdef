use std::fmt;

use super::{KmsKey, Pool, TapeStatus, Timestamp};

/// The fields that the rows of all lists have.
pub trait Row: Clone + fmt::Debug + Send + Sync + 'static {
    /// The ARN of the tape.
    fn tape_arn(&self) -> &str;

    /// The barcode of the tape.
    fn barcode(&self) -> Option<&str>;

    /// The pool of the tape.
    fn pool(&self) -> Option<&Pool>;

    /// The status of the tape.
    fn status(&self) -> Option<&TapeStatus>;

    /// The ARN of the gateway in whose library the tape is, if the row has it.
    fn gateway(&self) -> Option<&str>;
}

/// A tape in a gateway's library, as DescribeTapes returns it.
///
/// The values are those of AWS, unchecked: a new partition or a longer barcode is not a failure.
/// [`Tape::tape_arn`] is never empty.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "their meaning stands in proto/tapegate/v1/tape.proto")]
pub struct Tape {
    pub tape_arn: String,
    pub tape_barcode: Option<String>,
    pub tape_created_date: Option<Timestamp>,
    pub tape_size_in_bytes: Option<i64>,
    pub tape_status: Option<TapeStatus>,
    pub vtl_device: Option<String>,
    pub progress: Option<f64>,
    pub tape_used_in_bytes: Option<i64>,
    pub kms_key: Option<KmsKey>,
    pub pool_id: Option<Pool>,
    pub worm: bool,
    pub retention_start_date: Option<Timestamp>,
    pub pool_entry_date: Option<Timestamp>,
}

/// A tape in the archive, as DescribeTapeArchives returns it; see [`Tape`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "their meaning stands in proto/tapegate/v1/tape.proto")]
pub struct TapeArchive {
    pub tape_arn: String,
    pub tape_barcode: Option<String>,
    pub tape_created_date: Option<Timestamp>,
    pub tape_size_in_bytes: Option<i64>,
    pub completion_time: Option<Timestamp>,
    pub retrieved_to: Option<String>,
    pub tape_status: Option<TapeStatus>,
    pub tape_used_in_bytes: Option<i64>,
    pub kms_key: Option<KmsKey>,
    pub pool_id: Option<Pool>,
    pub worm: bool,
    pub retention_start_date: Option<Timestamp>,
    pub pool_entry_date: Option<Timestamp>,
}

/// A tape in a library or the archive, in the short form of ListTapes; see [`Tape`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "their meaning stands in proto/tapegate/v1/tape.proto")]
pub struct TapeInfo {
    pub tape_arn: String,
    pub tape_barcode: Option<String>,
    pub tape_size_in_bytes: Option<i64>,
    pub tape_status: Option<TapeStatus>,
    pub gateway_arn: Option<String>,
    pub pool_id: Option<Pool>,
    pub retention_start_date: Option<Timestamp>,
    pub pool_entry_date: Option<Timestamp>,
}

macro_rules! row {
    ($name:ident, |$row:ident| $gateway:expr) => {
        impl Row for $name {
            fn tape_arn(&self) -> &str {
                &self.tape_arn
            }

            fn barcode(&self) -> Option<&str> {
                self.tape_barcode.as_deref()
            }

            fn pool(&self) -> Option<&Pool> {
                self.pool_id.as_ref()
            }

            fn status(&self) -> Option<&TapeStatus> {
                self.tape_status.as_ref()
            }

            fn gateway(&self) -> Option<&str> {
                let $row = self;
                $gateway
            }
        }
    };
}

// The request of DescribeTapes names the gateway.
row!(Tape, |_row| None);
// `retrieved_to` is not the owner.
row!(TapeArchive, |_row| None);
row!(TapeInfo, |row| row.gateway_arn.as_deref());
