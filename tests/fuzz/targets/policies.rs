#![no_main]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../it/fuzz/policies.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
