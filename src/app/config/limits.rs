//! How much each caller may have.

use super::{
    Setting, Table,
    values::Values,
    word::{Integer, Text},
};
use crate::access::limits::{GroupLimits, LimitSettings, PrincipalLimits};

macro_rules! limits {
    ($section:literal, $also:literal) => {
        pub(crate) static CALLS_PER_SECOND: Setting<Integer<u32>> = Setting {
            key: concat!($section, "calls_per_second"),
            kind: Integer {
                range: 1..=1_000_000,
                unit: "calls",
            },
            default: None,
            help: concat!(
                "How many calls a second a principal may make, on this replica. So many may come at once.",
                $also
            ),
        };

        pub(crate) static CONCURRENT_STREAMS: Setting<Integer<u32>> = Setting {
            key: concat!($section, "concurrent_streams"),
            kind: Integer {
                range: 1..=1_000_000,
                unit: "calls",
            },
            default: None,
            help: concat!(
                "How many calls a principal may have open at once, on this replica, over all its connections.",
                $also
            ),
        };

        pub(crate) static TAPES_PER_HOUR: Setting<Integer<u32>> = Setting {
            key: concat!($section, "tapes_per_hour"),
            kind: Integer {
                range: 1..=1_000_000,
                unit: "tapes",
            },
            default: None,
            help: concat!(
                "How many tapes an hour a principal may create, on this replica. Tapes that were surely not made \
                 count for nothing; a create that is sent again counts again.",
                $also
            ),
        };
    };
}

pub(crate) mod each {
    use super::{Integer, Setting};

    limits!("limits.", " Default: no limit.");
}

mod group {
    use super::{Integer, Setting};

    limits!("limits.group.", " Default: what holds for everybody.");
}

static NAME: Setting<Text> = Setting {
    key: "limits.group.name",
    kind: Text {
        what: "a group's name",
    },
    default: None,
    help: "The group.",
};

/// Limits of the members of a group.
pub(crate) static TABLE: Table = Table {
    key: "limits.group",
    help: "What holds for each member of a group in the place of what holds for everybody. One table for each group. Of \
           a caller in several of them the largest holds.",
    settings: &[
        &NAME,
        &group::CALLS_PER_SECOND,
        &group::CONCURRENT_STREAMS,
        &group::TAPES_PER_HOUR,
    ],
};

pub(super) fn read(values: &mut Values) -> Option<LimitSettings> {
    let groups = values.each(&TABLE, |row| {
        let name = row.required(&NAME);
        let limits = PrincipalLimits {
            calls_per_second: row.optional(&group::CALLS_PER_SECOND)?,
            concurrent_streams: row.optional(&group::CONCURRENT_STREAMS)?,
            tapes_per_hour: row.optional(&group::TAPES_PER_HOUR)?,
        };
        Some(GroupLimits { name: name?, limits })
    });
    Some(LimitSettings {
        each: PrincipalLimits {
            calls_per_second: values.optional(&each::CALLS_PER_SECOND)?,
            concurrent_streams: values.optional(&each::CONCURRENT_STREAMS)?,
            tapes_per_hour: values.optional(&each::TAPES_PER_HOUR)?,
        },
        groups: groups?,
    })
}
