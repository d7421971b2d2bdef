//! Pacing: limits how many attempts per second are sent to AWS.
//!
//! [`rate`] learns the limit from how attempts end; [`pacer`] queues attempts and gives them their
//! turns.

mod pacer;
mod rate;

use std::time::Duration;

pub(super) use self::{
    pacer::{Pacer, Turn, UpstreamState},
    rate::Signal,
};

/// How calls are paced.
#[derive(Clone, Debug, PartialEq)]
pub struct PaceSettings {
    /// The least rate, in attempts a second; above 0. So often an upstream that gives no
    /// answer is probed.
    pub floor: f64,
    /// What a throttled attempt leaves of the rate, at most: above 0 and below 1.
    pub decrease: f64,
    /// By what share of what it fell to the rate grows in a second in which calls wait.
    pub increase: f64,
    /// For how long nothing must be throttled before the pace is given up.
    pub forget: Duration,
    /// How many attempts in a row have to go without an answer for the upstream to count as
    /// unreachable; at least 1.
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
