//! Simulation of the whole service: replicas, callers and AWS on one network and under one clock, with
//! faults that are drawn from a seed. docs/simulation.md says what is simulated, and how to replay a
//! seed.
//!
//! The test harness of Rust is not used: it waits by the clock of the machine, which this binary
//! replaces.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "in a test a panic is the report, and stdout the place for a history"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "nothing outside can see a test's items"
)]

mod aws;
mod caller;
mod fault;
mod history;
mod judge;
mod library;
mod network;
mod planted;
mod replica;
mod runs;
mod wish;
mod world;

use std::{env, process::ExitCode};

use tracing_subscriber::EnvFilter;

/// How many seeds are run if `TAPEGATE_SEEDS` does not say.
const SEEDS: u64 = 100;

/// Seeds that once failed. These three were mistakes of the judge, and no defects of the service.
const KEPT: [u64; 3] = [3193, 6509, 9084];

/// How many of the seeds are run twice, to compare their histories.
const COMPARED: u64 = 5;

fn main() -> ExitCode {
    if let Some(seed) = number("TAPEGATE_SEED") {
        return replay(seed);
    }
    // As with the other tests, an argument selects those whose name contains it.
    let filter = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_selected = |name: &str| {
        filter
            .as_ref()
            .is_none_or(|filter| name.contains(filter.as_str()))
    };
    let mut failed = Vec::new();
    if is_selected("simulation::every_planted_fault_applies") {
        failed.extend(planted::that_do_not_apply());
    }
    if is_selected("simulation::a_seed_replays_its_history") {
        failed.extend(runs::differing(0..COMPARED));
    }
    if is_selected("simulation::every_seed_holds") {
        let first = number("TAPEGATE_FIRST_SEED").unwrap_or_default();
        let seeds = first..first + number("TAPEGATE_SEEDS").unwrap_or(SEEDS);
        failed.extend(runs::failing(KEPT.into_iter().chain(seeds)));
    }
    failed.iter().for_each(|failure| eprintln!("{failure}"));
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is not a number: {value}")),
    )
}

/// Runs one seed, and prints its history and what does not hold. With RUST_LOG, the log of the replicas is among
/// the history.
fn replay(seed: u64) -> ExitCode {
    if env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::from_default_env())
            .with_ansi(false)
            .init();
    }
    let outcome = world::run(seed);
    print!("{}", outcome.history);
    let found = judge::violations(&outcome);
    found
        .iter()
        .for_each(|violation| println!("VIOLATION {violation}"));
    match found.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
