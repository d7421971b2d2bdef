//! What travels with one call.
//!
//! - In: what the inbound layers learn of a gRPC call: its method, ids, caller and deadline.
//! - Out: a [`Call`] of one operation for [`upstream`](crate::upstream), the [`Answer`] that comes
//!   back, and the [`CallContext`] that the observer and the admin page read.
//!
//! It uses [`domain`](crate::domain) and tokio's clock.

mod attempts;
mod context;
mod deadline;
pub mod middleware;
mod request;
mod room;
mod transmission;

pub use attempts::{Answer, AttemptHistory, LiveAttempts};
pub use context::{AuthorizationDecision, CallContext, CallCut, CallDeadline, CallFacts, Caller};
pub use deadline::{Deadline, LatestDeadline};
pub use request::{Call, NextAttempt};
pub use room::Room;
pub use transmission::Transmission;
