//! A create makes its tapes once, though responses are lost, requests are retried, replicas are
//! killed or callers cancel.
//!
//! `scenarios` tests all of this with random faults, `tests/soak/traffic.rs` under load and
//! outages, `tests/simulation` on a simulated network. `protocol` checks a model of it exhaustively. The
//! other modules test one rule each.

pub mod account;
mod aws;
mod client_retry;
mod detached;
mod existing_tape;
pub mod link;
mod look_up;
mod protocol;
pub mod replica;
mod same_request;
mod scenarios;
mod tags;
mod unsent;

use std::env;

/// The value of an environment variable, such as a number of repetitions or a seed, or the default.
pub fn setting(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |value| value.parse().unwrap())
}
