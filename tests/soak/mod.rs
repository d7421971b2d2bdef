//! Tests that compare real time, throughput or memory with bounds.
//!
//! A busy machine can break such a bound, so `cargo test` skips these tests. `tests/run soak` runs them
//! with few repetitions, `tests/soak/run` with as many as the documents state.

mod coalescing;
mod flood;
mod formula;
mod memory;
mod pace;
mod tokens;
mod traffic;
