//! Everything that operators see: metrics, traces, log lines, readiness and the admin pages.
//!
//! - In: counts, durations and facts of calls from the other rooms; the state of AWS as closures or
//!   plain data from [`app`](crate::app).
//! - Out: HTTP pages on the admin listener, log lines on stderr, and OTLP to a collector.
//! - May use: [`domain`](crate::domain) and [`call`](crate::call). It knows neither gRPC nor the
//!   upstream stack; they call it.

pub mod account_names;
pub mod admin;
pub mod calls;
pub mod lines;
pub mod metrics;
pub mod readiness;
pub mod telemetry;
