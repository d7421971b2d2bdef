use crate::{
    domain::{KmsKey, KnownStatus, Pool, StorageClass, Tape, TapeArchive, TapeInfo, TapeStatus, Timestamp},
    grpc::proto,
};

impl From<Tape> for proto::Tape {
    fn from(tape: Tape) -> Self {
        let Tape {
            tape_arn,
            tape_barcode,
            tape_created_date,
            tape_size_in_bytes,
            tape_status,
            vtl_device,
            progress,
            tape_used_in_bytes,
            kms_key,
            pool_id,
            worm,
            retention_start_date,
            pool_entry_date,
        } = tape;
        let (pool_id, pool_id_text) = pool_fields(pool_id);
        let (tape_status, tape_status_text) = status(tape_status);
        Self {
            tape_arn,
            tape_barcode,
            tape_created_date: tape_created_date.map(time),
            tape_size_in_bytes,
            tape_status,
            tape_status_text,
            vtl_device,
            progress,
            tape_used_in_bytes,
            kms_key: kms_key.map(KmsKey::into_string),
            pool_id,
            pool_id_text,
            worm,
            retention_start_date: retention_start_date.map(time),
            pool_entry_date: pool_entry_date.map(time),
        }
    }
}

impl From<TapeArchive> for proto::TapeArchive {
    fn from(tape: TapeArchive) -> Self {
        let TapeArchive {
            tape_arn,
            tape_barcode,
            tape_created_date,
            tape_size_in_bytes,
            completion_time,
            retrieved_to,
            tape_status,
            tape_used_in_bytes,
            kms_key,
            pool_id,
            worm,
            retention_start_date,
            pool_entry_date,
        } = tape;
        let (pool_id, pool_id_text) = pool_fields(pool_id);
        let (tape_status, tape_status_text) = status(tape_status);
        Self {
            tape_arn,
            tape_barcode,
            tape_created_date: tape_created_date.map(time),
            tape_size_in_bytes,
            completion_time: completion_time.map(time),
            retrieved_to,
            tape_status,
            tape_status_text,
            tape_used_in_bytes,
            kms_key: kms_key.map(KmsKey::into_string),
            pool_id,
            pool_id_text,
            worm,
            retention_start_date: retention_start_date.map(time),
            pool_entry_date: pool_entry_date.map(time),
        }
    }
}

impl From<TapeInfo> for proto::TapeInfo {
    fn from(tape: TapeInfo) -> Self {
        let TapeInfo {
            tape_arn,
            tape_barcode,
            tape_size_in_bytes,
            tape_status,
            gateway_arn,
            pool_id,
            retention_start_date,
            pool_entry_date,
        } = tape;
        let (pool_id, pool_id_text) = pool_fields(pool_id);
        let (tape_status, tape_status_text) = status(tape_status);
        Self {
            tape_arn,
            tape_barcode,
            tape_size_in_bytes,
            tape_status,
            tape_status_text,
            gateway_arn,
            pool_id,
            pool_id_text,
            retention_start_date: retention_start_date.map(time),
            pool_entry_date: pool_entry_date.map(time),
        }
    }
}

/// The enum and the text of a pool.
pub(super) fn pool_fields(pool: Option<Pool>) -> (i32, Option<String>) {
    let id = match pool.as_ref().and_then(Pool::storage_class) {
        Some(StorageClass::Glacier) => proto::PoolId::Glacier,
        Some(StorageClass::DeepArchive) => proto::PoolId::DeepArchive,
        None => proto::PoolId::Unspecified,
    };
    (id.into(), pool.map(|pool| pool.as_str().to_owned()))
}

/// The enum and the text of a status.
fn status(status: Option<TapeStatus>) -> (i32, Option<String>) {
    use proto::TapeStatus as Message;
    let known = match status.as_ref().and_then(TapeStatus::known) {
        None => Message::Unspecified,
        Some(KnownStatus::Creating) => Message::Creating,
        Some(KnownStatus::Available) => Message::Available,
        Some(KnownStatus::InTransitToVts) => Message::InTransitToVts,
        Some(KnownStatus::Archiving) => Message::Archiving,
        Some(KnownStatus::Archived) => Message::Archived,
        Some(KnownStatus::Retrieving) => Message::Retrieving,
        Some(KnownStatus::Retrieved) => Message::Retrieved,
        Some(KnownStatus::Recovering) => Message::Recovering,
        Some(KnownStatus::Recovered) => Message::Recovered,
        Some(KnownStatus::Irrecoverable) => Message::Irrecoverable,
        Some(KnownStatus::Deleting) => Message::Deleting,
        Some(KnownStatus::Deleted) => Message::Deleted,
    };
    (known.into(), status.map(|status| status.as_str().to_owned()))
}

fn time(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.seconds(),
        nanos: at
            .nanos()
            .try_into()
            .expect("a Timestamp has under 1,000,000,000 nanoseconds"),
    }
}
