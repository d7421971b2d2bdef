//! Runs seeds, each in a process of its own: what a library keeps in statics begins anew, and a seed that
//! panics stops no other one.

use std::{
    env,
    process::{Command, Output},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The lines of a history that a failure is reported with.
const LAST_LINES: usize = 30;

/// Runs seeds until one fails, and returns its report.
pub fn failing(seeds: impl Iterator<Item = u64>) -> Option<String> {
    let (count, failure) = until_failure(seeds, |seed| {
        let run = run(seed);
        (!run.status.success()).then(|| report(seed, &run))
    });
    println!("{count} seeds were simulated");
    failure
}

/// Runs seeds twice until one has another history at the second time, and returns its report.
pub fn differing(seeds: impl Iterator<Item = u64>) -> Option<String> {
    let (count, failure) = until_failure(seeds, |seed| {
        let (first, second) = (run(seed).stdout, run(seed).stdout);
        let (first, second) = (String::from_utf8_lossy(&first), String::from_utf8_lossy(&second));
        if first == second {
            return None;
        }
        let mut pairs = first.lines().zip(second.lines());
        let differs = pairs.find(|(first, second)| first != second);
        Some(format!("seed {seed} does not replay its history: {differs:?}"))
    });
    println!("{count} seeds were simulated twice");
    failure
}

/// Calls `run` for the seeds, on all processors, until it returns a failure. Returns how many were begun.
fn until_failure(
    seeds: impl Iterator<Item = u64>,
    run: impl Fn(u64) -> Option<String> + Sync,
) -> (usize, Option<String>) {
    let seeds: Vec<_> = seeds.collect();
    let next = AtomicUsize::new(0);
    let failure = OnceLock::new();
    let work = || {
        while failure.get().is_none()
            && let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed))
        {
            if let Some(found) = run(*seed) {
                let _ = failure.set(found);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    (next.into_inner().min(seeds.len()), failure.into_inner())
}

fn run(seed: u64) -> Output {
    let program = env::current_exe().unwrap();
    let run = Command::new(program)
        .env("TAPEGATE_SEED", seed.to_string())
        .output();
    run.unwrap()
}

fn report(seed: u64, run: &Output) -> String {
    let history = String::from_utf8_lossy(&run.stdout);
    let lines: Vec<_> = history.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    format!(
        "seed {seed} fails; TAPEGATE_SEED={seed} cargo test --test simulation prints its history, which ends with\n{}\n{}",
        last.join("\n"),
        String::from_utf8_lossy(&run.stderr)
    )
}
