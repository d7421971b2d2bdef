use std::time::Duration;

use super::{
    Setting,
    values::Values,
    word::{Integer, Span},
};

/// How calls are slowed down when AWS throttles or gives no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least rate, in attempts a second (`pace.floor`).
    pub floor: u32,
    /// What a throttled attempt takes from the rate, in percent (`pace.decrease`).
    pub decrease: u16,
    /// How much the rate grows in a second, in percent of what it fell to (`pace.increase`).
    pub increase: u16,
    /// How long without throttling ends the pace (`pace.forget`).
    pub forget: Duration,
    /// How many attempts in a row without an answer are an outage (`pace.silence`).
    pub silence: u32,
}

pub(crate) static FLOOR: Setting<Integer<u32>> = Setting {
    key: "pace.floor",
    kind: Integer {
        range: 1..=1_000,
        unit: "attempts",
    },
    default: Some("1"),
    help: "The least rate to which attempts are slowed down, a second, for each account, region and kind of call. \
           An upstream that gives no answer is probed at this rate.",
};

pub(crate) static DECREASE: Setting<Integer<u16>> = Setting {
    key: "pace.decrease",
    kind: Integer {
        range: 1..=50,
        unit: "percent",
    },
    default: Some("10"),
    help: "By how much a throttled attempt lowers the rate at least; at most it halves it, towards what AWS \
           answered in the second before.",
};

pub(crate) static INCREASE: Setting<Integer<u16>> = Setting {
    key: "pace.increase",
    kind: Integer {
        range: 1..=100,
        unit: "percent",
    },
    default: Some("2"),
    help: "By how much of what it last fell to the rate grows in a second in which calls wait for their turn; by \
           more until the limit is known, and after ten seconds without throttling.",
};

pub(crate) static FORGET: Setting<Span> = Setting {
    key: "pace.forget",
    kind: Span(Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60)),
    default: Some("1m"),
    help: "After how long without throttling calls are paced no more.",
};

pub(crate) static SILENCE: Setting<Integer<u32>> = Setting {
    key: "pace.silence",
    kind: Integer {
        range: 1..=10_000,
        unit: "attempts",
    },
    default: Some("5"),
    help: "How many attempts in a row that cannot reach AWS, get no answer, or are refused for the service's own \
           credentials, are an outage. New calls then fail at once with the last cause, but for a probe now and \
           then, at the rate of pace.floor.",
};

impl Pace {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        Some(Self {
            floor: values.get(&FLOOR)?,
            decrease: values.get(&DECREASE)?,
            increase: values.get(&INCREASE)?,
            forget: values.get(&FORGET)?,
            silence: values.get(&SILENCE)?,
        })
    }
}
