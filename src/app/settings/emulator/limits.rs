//! What AWS limits by quotas, and how far off a signature's date may be.

use std::{ops::RangeInclusive, time::Duration};

use crate::app::settings::{
    Setting,
    parsers::{DurationIn, Integer},
    values::Values,
};

const GIB: i64 = 1 << 30;

const fn gib() -> Integer<i64> {
    Integer {
        range: 1..=i64::MAX >> 30,
        unit: "GiB",
    }
}

pub(crate) static MIN_TAPE_SIZE_GIB: Setting<Integer<i64>> = Setting {
    key: "emulator.min_tape_size_gib",
    kind: gib(),
    default: Some("100"),
    help: "The smallest tape that the emulator makes.",
};

pub(crate) static MAX_TAPE_SIZE_GIB: Setting<Integer<i64>> = Setting {
    key: "emulator.max_tape_size_gib",
    kind: gib(),
    default: Some("15360"),
    help: "The largest tape that the emulator makes.",
};

pub(crate) static TAPES_PER_LIBRARY: Setting<Integer<usize>> = Setting {
    key: "emulator.tapes_per_library",
    kind: Integer {
        range: 0..=1_000_000,
        unit: "tapes",
    },
    default: Some("1500"),
    help: "The tapes that the library of one gateway holds at most.",
};

pub(crate) static BYTES_PER_LIBRARY: Setting<Integer<u64>> = Setting {
    key: "emulator.bytes_per_library",
    kind: Integer {
        range: 0..=i64::MAX.unsigned_abs(),
        unit: "bytes",
    },
    default: Some("1125899906842624"),
    help: "The bytes that the tapes of one gateway's library have room for at most, written or not.",
};

pub(crate) static TAPES_PER_PAGE: Setting<Integer<usize>> = Setting {
    key: "emulator.tapes_per_page",
    kind: Integer {
        range: 1..=100_000,
        unit: "tapes",
    },
    default: Some("1000"),
    help: "The tapes on one page at most, whatever Limit asks for.",
};

pub(crate) static MAX_REQUEST_BYTES: Setting<Integer<usize>> = Setting {
    key: "emulator.max_request_bytes",
    kind: Integer {
        range: 1024..=64 * 1024 * 1024,
        unit: "bytes",
    },
    default: Some("1048576"),
    help: "The longest request body that the emulator reads.",
};

pub(crate) static MAX_SNAPSHOT_BYTES: Setting<Integer<usize>> = Setting {
    key: "emulator.max_snapshot_bytes",
    kind: Integer {
        range: 1_024..=4_294_967_296,
        unit: "bytes",
    },
    default: Some("67108864"),
    help: "The longest snapshot that the emulator takes by PUT /_emulator/snapshot. 64 MiB are about \
           250,000 tapes.",
};

pub(crate) static CLOCK_SKEW: Setting<DurationIn> = Setting {
    key: "emulator.clock_skew",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(86_400)),
    default: Some("5m"),
    help: "How far the date of a signature may be from the machine's clock, either way.",
};

/// The sizes of a tape, in bytes.
pub(super) fn tape_size(values: &mut Values) -> Option<RangeInclusive<i64>> {
    let (min, max) = (values.get(&MIN_TAPE_SIZE_GIB), values.get(&MAX_TAPE_SIZE_GIB));
    values.ordered((&MIN_TAPE_SIZE_GIB, min), (&MAX_TAPE_SIZE_GIB, max));
    Some(min? * GIB..=max? * GIB)
}
