//! What operators see: metrics, traces, logs, readiness and the admin pages.

pub mod admin;
pub mod metrics;
pub mod readiness;
pub mod telemetry;
