//! Rows of the domain become messages with the same value in every field.

use proptest::{option, prelude::*};
use tapegate::{
    domain::{KmsKey, Pool, Tape, TapeArchive, TapeInfo, TapeStatus, Timestamp},
    grpc::proto,
};

type At = Option<(i64, u32)>;

fn texts() -> impl Strategy<Value = Option<String>> {
    option::of(".{0,12}")
}

fn pools() -> impl Strategy<Value = Option<String>> {
    option::of("GLACIER|DEEP_ARCHIVE|pool-[0-9A-F]{8}|GLACIER[A-Z_ ]|.{0,12}")
}

fn statuses() -> impl Strategy<Value = Option<String>> {
    option::of("CREATING|AVAILABLE|IN[ _]TRANSIT[ _]TO[ _]VTS|ARCHIVED|RETRIEVED|DELETED|[A-Z_ ]{0,9}")
}

fn sizes() -> impl Strategy<Value = Option<i64>> {
    option::of(any::<i64>())
}

fn times() -> impl Strategy<Value = At> {
    option::of((-62_135_596_800..253_402_300_800_i64, 0..1_000_000_000_u32))
}

fn time(at: At) -> Option<Timestamp> {
    at.map(|(seconds, nanos)| Timestamp::new(seconds, nanos).unwrap())
}

fn message_time(at: At) -> Option<prost_types::Timestamp> {
    at.map(|(seconds, nanos)| prost_types::Timestamp {
        seconds,
        nanos: nanos.try_into().unwrap(),
    })
}

/// The enum value with the name of the text.
fn pool_id(text: Option<&String>) -> i32 {
    let name = format!("POOL_ID_{}", text.map_or("", String::as_str));
    proto::PoolId::from_str_name(&name).unwrap_or_default().into()
}

fn tape_status(text: Option<&String>) -> i32 {
    let name = format!(
        "TAPE_STATUS_{}",
        text.map_or("", String::as_str).replace(' ', "_")
    );
    proto::TapeStatus::from_str_name(&name).unwrap_or_default().into()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tapes_keep_every_field(
        (tape_arn, tape_barcode, vtl_device, key) in (".{1,12}", texts(), texts(), texts()),
        (size, used) in (sizes(), sizes()),
        (pool, status) in (pools(), statuses()),
        (created, retained, entered) in (times(), times(), times()),
        (progress, worm) in (option::of(any::<f64>()), any::<bool>()),
    ) {
        let row = Tape {
            tape_arn: tape_arn.clone(),
            tape_barcode: tape_barcode.clone(),
            tape_created_date: time(created),
            tape_size_in_bytes: size,
            tape_status: status.clone().map(TapeStatus::reported),
            vtl_device: vtl_device.clone(),
            progress,
            tape_used_in_bytes: used,
            kms_key: key.clone().map(KmsKey::reported),
            pool_id: pool.clone().map(Pool::reported),
            worm,
            retention_start_date: time(retained),
            pool_entry_date: time(entered),
        };
        prop_assert_eq!(proto::Tape::from(row), proto::Tape {
            tape_arn,
            tape_barcode,
            tape_created_date: message_time(created),
            tape_size_in_bytes: size,
            tape_status: tape_status(status.as_ref()),
            tape_status_text: status,
            vtl_device,
            progress,
            tape_used_in_bytes: used,
            kms_key: key,
            pool_id: pool_id(pool.as_ref()),
            pool_id_text: pool,
            worm,
            retention_start_date: message_time(retained),
            pool_entry_date: message_time(entered),
        });
    }

    #[test]
    fn tape_archives_keep_every_field(
        (tape_arn, tape_barcode, retrieved_to, key) in (".{1,12}", texts(), texts(), texts()),
        (size, used) in (sizes(), sizes()),
        (pool, status) in (pools(), statuses()),
        (created, completed, retained, entered) in (times(), times(), times(), times()),
        worm: bool,
    ) {
        let row = TapeArchive {
            tape_arn: tape_arn.clone(),
            tape_barcode: tape_barcode.clone(),
            tape_created_date: time(created),
            tape_size_in_bytes: size,
            completion_time: time(completed),
            retrieved_to: retrieved_to.clone(),
            tape_status: status.clone().map(TapeStatus::reported),
            tape_used_in_bytes: used,
            kms_key: key.clone().map(KmsKey::reported),
            pool_id: pool.clone().map(Pool::reported),
            worm,
            retention_start_date: time(retained),
            pool_entry_date: time(entered),
        };
        prop_assert_eq!(proto::TapeArchive::from(row), proto::TapeArchive {
            tape_arn,
            tape_barcode,
            tape_created_date: message_time(created),
            tape_size_in_bytes: size,
            completion_time: message_time(completed),
            retrieved_to,
            tape_status: tape_status(status.as_ref()),
            tape_status_text: status,
            tape_used_in_bytes: used,
            kms_key: key,
            pool_id: pool_id(pool.as_ref()),
            pool_id_text: pool,
            worm,
            retention_start_date: message_time(retained),
            pool_entry_date: message_time(entered),
        });
    }

    #[test]
    fn tape_infos_keep_every_field(
        (tape_arn, tape_barcode, gateway_arn) in (".{1,12}", texts(), texts()),
        size in sizes(),
        (pool, status) in (pools(), statuses()),
        (retained, entered) in (times(), times()),
    ) {
        let row = TapeInfo {
            tape_arn: tape_arn.clone(),
            tape_barcode: tape_barcode.clone(),
            tape_size_in_bytes: size,
            tape_status: status.clone().map(TapeStatus::reported),
            gateway_arn: gateway_arn.clone(),
            pool_id: pool.clone().map(Pool::reported),
            retention_start_date: time(retained),
            pool_entry_date: time(entered),
        };
        prop_assert_eq!(proto::TapeInfo::from(row), proto::TapeInfo {
            tape_arn,
            tape_barcode,
            tape_size_in_bytes: size,
            tape_status: tape_status(status.as_ref()),
            tape_status_text: status,
            gateway_arn,
            pool_id: pool_id(pool.as_ref()),
            pool_id_text: pool,
            retention_start_date: message_time(retained),
            pool_entry_date: message_time(entered),
        });
    }
}
