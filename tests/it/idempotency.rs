//! A tape is created once, whatever is lost, repeated, killed or cancelled on the way.
//!
//! `scenarios` is the whole of it, by chance; `traffic` the same under a load, with outages. The
//! others show one rule each.

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
