use std::time::Duration;

use super::{
    Setting,
    values::Values,
    word::{Integer, Span},
};

/// How calls are repeated upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The attempts of a call, the first one included (`retry.attempts`).
    pub attempts: u32,
    /// The longest pause before the second attempt (`retry.base`).
    pub base: Duration,
    /// The same after a throttled attempt (`retry.throttled_base`).
    pub throttled_base: Duration,
    /// The longest pause before any (`retry.cap`).
    pub cap: Duration,
    /// The share of all calls that may be repeated, in percent (`retry.budget_share`).
    pub budget_share: u16,
    /// The repeats a second beside that share (`retry.budget_reserve`).
    pub budget_reserve: u32,
}

pub(crate) static ATTEMPTS: Setting<Integer<u32>> = Setting {
    key: "retry.attempts",
    kind: Integer {
        range: 1..=20,
        unit: "attempts",
    },
    default: Some("4"),
    help: "How often a call is sent to AWS at most, the first time included. 1 repeats nothing.",
};

pub(crate) static BASE: Setting<Span> = Setting {
    key: "retry.base",
    kind: Span(Duration::from_millis(1)..=Duration::from_secs(60)),
    default: Some("100ms"),
    help: "The longest pause before the second attempt. The longest before each one after is twice as long; the \
           pause itself is drawn evenly from nothing to the longest.",
};

pub(crate) static THROTTLED_BASE: Setting<Span> = Setting {
    key: "retry.throttled_base",
    kind: Span(Duration::from_millis(1)..=Duration::from_secs(60)),
    default: Some("1s"),
    help: "The same after an attempt that AWS has throttled, which it will go on to do for a while. Pauses stay \
           within retry.cap.",
};

pub(crate) static CAP: Setting<Span> = Setting {
    key: "retry.cap",
    kind: Span(Duration::from_millis(1)..=Duration::from_secs(10 * 60)),
    default: Some("5s"),
    help: "The longest pause before any attempt, unless AWS asks for a longer one.",
};

pub(crate) static BUDGET_SHARE: Setting<Integer<u16>> = Setting {
    key: "retry.budget_share",
    kind: Integer {
        range: 1..=100,
        unit: "percent",
    },
    default: Some("20"),
    help: "How many repeats all calls together earn: so many for each hundred calls of the last ten seconds, \
           rounded to one repeat for a whole number of calls.",
};

pub(crate) static BUDGET_RESERVE: Setting<Integer<u32>> = Setting {
    key: "retry.budget_reserve",
    kind: Integer {
        range: 0..=10_000,
        unit: "repeats",
    },
    default: Some("10"),
    help: "How many repeats a second need not be earned, so that few calls can be repeated too. What is not used \
           is kept for ten seconds.",
};

impl Retry {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        let [base, cap] = values.in_order([&BASE, &CAP]);
        Some(Self {
            attempts: values.get(&ATTEMPTS)?,
            base: base?,
            throttled_base: values.get(&THROTTLED_BASE)?,
            cap: cap?,
            budget_share: values.get(&BUDGET_SHARE)?,
            budget_reserve: values.get(&BUDGET_RESERVE)?,
        })
    }
}
