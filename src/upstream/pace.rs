//! Pacing: limits how many attempts per second are sent to AWS.
//!
//! `rate` learns the limit from how attempts end; `pacer` queues attempts and gives them their
//! turns.

mod pacer;
mod rate;

use std::time::Duration;

pub(super) use self::{
    pacer::{Pacer, Turn, UpstreamChange, UpstreamState},
    rate::Signal,
};

/// How calls are paced.
#[derive(Clone, Debug, PartialEq)]
pub struct PaceSettings {
    /// The minimum rate, in attempts per second; above 0. During an outage, the upstream is probed
    /// at this rate.
    pub floor: f64,
    /// The maximum factor of the rate after a throttled attempt; above 0 and below 1.
    pub decrease: f64,
    /// The increase of the rate per second while calls wait, as a share of the rate after the last
    /// decrease.
    pub increase: f64,
    /// How long after the last throttled attempt pacing ends, and an outage without attempts is
    /// forgotten.
    pub forget: Duration,
    /// How many attempts in a row without a response are an outage; at least 1.
    pub silence: u32,
}

impl Default for PaceSettings {
    fn default() -> Self {
        Self {
            floor: 1.0,
            decrease: 0.9,
            increase: 0.02,
            forget: Duration::from_secs(60),
            silence: 5,
        }
    }
}
