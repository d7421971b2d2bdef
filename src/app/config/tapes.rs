use super::{Setting, values::Values, word::Integer};

/// Which tapes may be created. AWS has raised its bounds twice, so they are settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tapes {
    /// The smallest size, in GiB (`tapes.min_size_gib`).
    pub min_size_gib: i64,
    /// The largest size, in GiB (`tapes.max_size_gib`). In bytes it fits an `i64`.
    pub max_size_gib: i64,
}

const fn gib() -> Integer<i64> {
    Integer {
        range: 1..=i64::MAX >> 30,
        unit: "GiB",
    }
}

pub(crate) static MIN_SIZE_GIB: Setting<Integer<i64>> = Setting {
    key: "tapes.min_size_gib",
    kind: gib(),
    default: Some("100"),
    help: "The smallest tape that may be created.",
};

pub(crate) static MAX_SIZE_GIB: Setting<Integer<i64>> = Setting {
    key: "tapes.max_size_gib",
    kind: gib(),
    default: Some("15360"),
    help: "The largest tape that may be created.",
};

impl Tapes {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        let (min, max) = (values.get(&MIN_SIZE_GIB), values.get(&MAX_SIZE_GIB));
        values.ordered((&MIN_SIZE_GIB, min), (&MAX_SIZE_GIB, max));
        Some(Self {
            min_size_gib: min?,
            max_size_gib: max?,
        })
    }
}
