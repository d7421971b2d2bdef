//! How long a tape stays in each status, in the emulator's time, and which calls show it.

use std::{num::NonZeroU64, time::Duration};

use crate::{
    app::settings::{
        Setting,
        parsers::{Bool, DurationIn, Integer},
        values::Values,
    },
    emulator::Life,
};

const fn up_to_30_days() -> DurationIn {
    DurationIn(Duration::ZERO..=Duration::from_secs(30 * 86_400))
}

pub(crate) static CREATING_TIME: Setting<DurationIn> = Setting {
    key: "emulator.creating_time",
    kind: up_to_30_days(),
    default: Some("0s"),
    help: "How long a new tape is CREATING. 0s makes it AVAILABLE at once.",
};

pub(crate) static UPLOAD_BYTES_PER_SECOND: Setting<Integer<NonZeroU64>> = Setting {
    key: "emulator.upload_bytes_per_second",
    kind: Integer {
        range: NonZeroU64::MIN..=NonZeroU64::MAX,
        unit: "bytes",
    },
    default: Some("134217728"),
    help: "How fast an ejected tape's data is uploaded, and so how long it is IN TRANSIT TO VTS.",
};

pub(crate) static SMALL_TAPE_BYTES: Setting<Integer<i64>> = Setting {
    key: "emulator.small_tape_bytes",
    kind: Integer {
        range: 0..=i64::MAX,
        unit: "bytes",
    },
    default: Some("1073741824"),
    help: "An ejected tape with fewer bytes on it skips IN TRANSIT TO VTS.",
};

pub(crate) static ARCHIVING_TIME: Setting<DurationIn> = Setting {
    key: "emulator.archiving_time",
    kind: up_to_30_days(),
    default: Some("10m"),
    help: "How long a tape is ARCHIVING.",
};

pub(crate) static MIN_RETRIEVING_TIME_GLACIER: Setting<DurationIn> = Setting {
    key: "emulator.min_retrieving_time_glacier",
    kind: up_to_30_days(),
    default: Some("3h"),
    help: "The shortest that a tape is RETRIEVING from the storage class GLACIER. Each tape has a time of its \
           own, the same in every run.",
};

pub(crate) static MAX_RETRIEVING_TIME_GLACIER: Setting<DurationIn> = Setting {
    key: "emulator.max_retrieving_time_glacier",
    kind: up_to_30_days(),
    default: Some("5h"),
    help: "The longest that a tape is RETRIEVING from the storage class GLACIER.",
};

pub(crate) static RETRIEVING_TIME_DEEP_ARCHIVE: Setting<DurationIn> = Setting {
    key: "emulator.retrieving_time_deep_archive",
    kind: up_to_30_days(),
    default: Some("12h"),
    help: "How long a tape is RETRIEVING from the storage class DEEP_ARCHIVE.",
};

pub(crate) static DELETING_TIME: Setting<DurationIn> = Setting {
    key: "emulator.deleting_time",
    kind: up_to_30_days(),
    default: Some("1m"),
    help: "How long a tape is DELETING.",
};

pub(crate) static DELETED_TIME: Setting<DurationIn> = Setting {
    key: "emulator.deleted_time",
    kind: up_to_30_days(),
    default: Some("1h"),
    help: "For how long a DELETED tape is still shown.",
};

pub(crate) static LEAVING_IN_LIBRARY: Setting<Bool> = Setting {
    key: "emulator.leaving_in_library",
    kind: Bool,
    default: Some("true"),
    help: "Whether DescribeTapes shows a tape IN TRANSIT TO VTS or ARCHIVING.",
};

pub(crate) static LEAVING_IN_ARCHIVE: Setting<Bool> = Setting {
    key: "emulator.leaving_in_archive",
    kind: Bool,
    default: Some("false"),
    help: "Whether DescribeTapeArchives shows a tape IN TRANSIT TO VTS or ARCHIVING.",
};

pub(crate) static RETRIEVING_IN_LIBRARY: Setting<Bool> = Setting {
    key: "emulator.retrieving_in_library",
    kind: Bool,
    default: Some("false"),
    help: "Whether DescribeTapes shows a RETRIEVING tape, in the library that it is retrieved to.",
};

pub(super) fn read(values: &mut Values) -> Option<Life> {
    let min = values.get(&MIN_RETRIEVING_TIME_GLACIER);
    let max = values.get(&MAX_RETRIEVING_TIME_GLACIER);
    let shown = [min, max].map(|time| time.map(humantime::Duration::from));
    values.ordered(
        (&MIN_RETRIEVING_TIME_GLACIER, shown[0]),
        (&MAX_RETRIEVING_TIME_GLACIER, shown[1]),
    );
    Some(Life {
        creating: values.get(&CREATING_TIME)?,
        upload_bytes_per_second: values.get(&UPLOAD_BYTES_PER_SECOND)?,
        small_bytes: values.get(&SMALL_TAPE_BYTES)?,
        archiving: values.get(&ARCHIVING_TIME)?,
        retrieving_glacier: min?..=max?,
        retrieving_deep_archive: values.get(&RETRIEVING_TIME_DEEP_ARCHIVE)?,
        deleting: values.get(&DELETING_TIME)?,
        deleted: values.get(&DELETED_TIME)?,
        leaving_in_library: values.get(&LEAVING_IN_LIBRARY)?,
        leaving_in_archive: values.get(&LEAVING_IN_ARCHIVE)?,
        retrieving_in_library: values.get(&RETRIEVING_IN_LIBRARY)?,
    })
}
