//! A create makes its tapes once, though responses are lost, requests are retried, replicas are
//! killed or callers cancel.
//!
//! `scenarios` tests all of this with random faults; `traffic` tests the same under load and
//! outages. The other modules test one rule each.

mod account;
mod aws;
mod client_retry;
mod detached;
mod existing_tape;
mod link;
mod look_up;
mod replica;
mod same_request;
mod scenarios;
mod traffic;

use std::env;

/// How often to run something, or its seed: what the variable says, else this.
fn setting(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |value| value.parse().unwrap())
}
