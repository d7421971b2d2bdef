//! Pacing of attempts. Most tests use a scripted transport below the layers and tokio's paused
//! clock; tests that need the wire run the whole service.

mod creates;
mod flood;
mod outage;
mod queue;
mod throttled;
