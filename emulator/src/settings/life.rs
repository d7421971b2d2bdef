use std::{num::NonZeroU64, time::Duration};

use super::{
    form::{Time, Whole},
    group,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// 30 days, in milliseconds.
const MONTH: u64 = 30 * 86_400_000;

group! {
    /// How long a tape stays in each status that it leaves by itself, in the emulator's time, and
    /// which calls show it meanwhile. AWS documents the time of retrievals; the other values are the
    /// emulator's choice.
    pub struct Life: "The life of a tape" {
        /// How long a new tape is CREATING. With 0s it is AVAILABLE at once.
        creating_time: Duration as "Time::<0, MONTH>" = Duration::ZERO,
        /// How many bytes of an ejected tape are uploaded in a second. The tape is IN TRANSIT TO VTS
        /// meanwhile.
        upload_bytes_per_second: NonZeroU64 as "Whole::<1, { i64::MAX as u64 }>" = MIB_128,
        /// An ejected tape with fewer bytes than this skips IN TRANSIT TO VTS.
        small_tape_bytes: i64 as "Whole::<0, { i64::MAX as u64 }>" = 1 << 30,
        /// How long a tape is ARCHIVING.
        archiving_time: Duration as "Time::<0, MONTH>" = MINUTE * 10,
        /// The minimum time that a tape is RETRIEVING from the storage class GLACIER. Each tape has a
        /// time of its own between this and the maximum, the same in every run.
        min_retrieving_time_glacier: Duration as "Time::<0, MONTH>" = HOUR * 3,
        /// The maximum time that a tape is RETRIEVING from the storage class GLACIER.
        max_retrieving_time_glacier: Duration as "Time::<0, MONTH>" = HOUR * 5,
        /// How long a tape is RETRIEVING from the storage class DEEP_ARCHIVE.
        retrieving_time_deep_archive: Duration as "Time::<0, MONTH>" = HOUR * 12,
        /// How long a tape is DELETING.
        deleting_time: Duration as "Time::<0, MONTH>" = MINUTE,
        /// How long a DELETED tape is still shown.
        deleted_time: Duration as "Time::<0, MONTH>" = HOUR,
        /// Whether `DescribeTapes` shows a tape that is IN TRANSIT TO VTS or ARCHIVING.
        leaving_in_library: bool = true,
        /// Whether `DescribeTapeArchives` shows a tape that is IN TRANSIT TO VTS or ARCHIVING.
        leaving_in_archive: bool = false,
        /// Whether `DescribeTapes` shows a RETRIEVING tape, in the library that it is retrieved to.
        retrieving_in_library: bool = false,
    }
}

const MIB_128: NonZeroU64 = NonZeroU64::new(128 << 20).expect("128 MiB is not 0");
