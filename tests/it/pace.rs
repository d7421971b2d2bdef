//! Pacing of attempts, with a scripted transport below the layers and tokio's paused clock.
//! `tests/soak/pace.rs` and `tests/soak/flood.rs` test it over the wire.

mod creates;
mod outage;
mod queue;
mod throttled;
