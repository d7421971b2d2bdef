use super::{KmsKey, Pool, TapeStatus, Timestamp};

/// A tape in a gateway's library, as DescribeTapes answers it.
///
/// What AWS sent is kept as it came, its ARNs too: a new partition or a longer barcode
/// is news, not a failure. [`Tape::tape_arn`] is never empty.
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

/// A tape in the archive, as DescribeTapeArchives answers it; see [`Tape`].
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

/// A tape wherever it is, in the short form of ListTapes; see [`Tape`].
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
