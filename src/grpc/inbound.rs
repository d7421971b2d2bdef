//! The inbound stack: what every call passes before the service sees it, and its response after.
//!
//! [`stack`] puts the layers together; each is in a file of its own.

pub mod accept;
mod address;
mod admission;
mod authenticate;
mod catch_panic;
mod complete;
mod connection;
mod deadline;
mod frames;
mod grpc_only;
mod limit;
mod method;
mod observe;
mod request_id;
mod stalled_reader;
mod wrap;

use std::sync::Arc;

use http::Request;
use tokio_util::task::TaskTracker;

pub use self::{
    address::of_caller as address_of_caller,
    authenticate::{AccessMode, AuthSettings, Refusals},
    connection::Connection,
    deadline::{Bounds, Deadlines},
    method::is_resent,
    observe::CallMetrics,
};
use self::{
    admission::Admission,
    authenticate::Authenticate,
    catch_panic::CatchPanic,
    complete::CompleteTrailers,
    deadline::DecideDeadline,
    frames::SplitFrames,
    grpc_only::GrpcOnly,
    limit::LimitPrincipals,
    observe::{ObserveCalls, Sinks},
    stalled_reader::CloseStalledReaders,
};
use crate::{
    access::{audit::AuditLog, limits::Limits},
    call::{CallContext, middleware::Around},
    observability::{calls::CallRegistry, metrics::Count},
};

/// See [`stack`].
pub type Stack = (
    Around<ObserveCalls>,
    Around<GrpcOnly>,
    Around<CompleteTrailers>,
    Around<CatchPanic>,
    Around<DecideDeadline>,
    Around<CloseStalledReaders>,
    Around<Admission>,
    Around<Authenticate>,
    Around<LimitPrincipals>,
    Around<SplitFrames>,
);

/// What the layers of the inbound stack need.
#[derive(Clone, Debug)]
pub struct InboundSettings {
    /// Tracks the calls in progress.
    pub calls: TaskTracker,
    /// Registers them for the admin page.
    pub registry: Arc<CallRegistry>,
    /// How long they may take.
    pub deadlines: Deadlines,
    /// How many may be in progress.
    pub max_concurrent_calls: usize,
    /// How callers are authenticated.
    pub auth: AuthSettings,
    /// The limits of each principal.
    pub limits: Arc<Limits>,
    /// Where calls are recorded.
    pub audit: Arc<AuditLog>,
    /// What is measured of calls.
    pub metrics: Arc<CallMetrics>,
    /// How many calls were shed because there were too many.
    pub shed: Arc<Count>,
    /// How many were rejected because they were not authenticated.
    pub refusals: Arc<Refusals>,
}

/// The layers of a call, outermost first.
pub fn stack(settings: InboundSettings) -> Stack {
    let InboundSettings {
        calls,
        registry,
        deadlines,
        max_concurrent_calls,
        auth,
        limits,
        audit,
        metrics,
        shed,
        refusals,
    } = settings;
    (
        // Around everything that can end a call, so that every end is traced, logged, measured and
        // recorded.
        Around(ObserveCalls::new(Sinks {
            in_progress: calls,
            registry,
            metrics,
            audit,
        })),
        // Requests that are not gRPC get an HTTP status.
        Around(GrpcOnly),
        // Errors from below that lack details get them; all calls get their trailers.
        Around(CompleteTrailers),
        // Around everything that may have a defect.
        Around(CatchPanic),
        // The caller's deadline, or the settings', becomes the call's.
        Around(DecideDeadline(deadlines)),
        // Below it, for readers that outlast their deadline.
        Around(CloseStalledReaders),
        // Before authentication, so that a flood costs no verified signatures.
        Around(Admission::new(max_concurrent_calls, shed)),
        // Nothing below is reached without an identity; the message is not read either.
        Around(Authenticate::new(auth, refusals)),
        // The limits of a principal need its identity.
        Around(LimitPrincipals(limits)),
        // Next to the service, so that the reader's pace reaches its pages.
        Around(SplitFrames),
    )
}

/// The context of a request's call, which [`observe`] has put there.
fn context_of<B>(request: &Request<B>) -> Option<&Arc<CallContext>> {
    request.extensions().get()
}
