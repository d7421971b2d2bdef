//! Tests that run the whole service over the wire: real sockets, the real SDK, and the
//! emulator or a scripted upstream behind it. `harness` is where to begin reading.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in a test a panic is the report, and stdout the place for figures"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "nothing outside can see a test's items"
)]
#![allow(clippy::cast_possible_truncation, reason = "what a test counts is small")]

mod access;
mod accounts;
mod admin;
mod architecture;
mod cancellation;
mod coalescing;
mod config;
mod connections;
mod create;
mod create_ends;
mod credentials;
mod deadlines;
mod descriptors;
mod details;
mod environment;
mod error_codes;
mod errors_page;
mod fuzz;
mod grpc_web;
mod harness;
mod idempotency;
mod life_cycle;
mod log;
mod metadata;
mod metrics;
mod model;
mod operations_page;
mod pace;
mod pagination;
mod paths_in_docs;
mod reports;
mod requests;
mod retry;
mod retry_after;
mod round_trip;
mod rust_client;
mod service_config;
mod shutdown;
#[path = "../soak/mod.rs"]
mod soak;
mod upstream_connections;
mod upstream_faults;
mod validation;
mod wire;
