//! The inbound stack: the layers that every call passes on its way to the service, and every
//! response on its way back.
//!
//! - In: an HTTP request on a [`connection`](super::connection), with its [`Peer`](super::connection::Peer).
//! - Out: the same request for the service, with a [`CallContext`] that has its deadline and its
//!   authenticated caller. Or a rejection, before the service sees the request.
//!
//! [`stack`] composes the layers; each has a file of its own. They know HTTP and gRPC, and nothing of
//! tapes.

mod address;
mod admission;
mod authenticate;
mod bound_requests;
mod by_address;
mod catch_panic;
mod check_origin;
mod complete;
mod decide_deadline;
mod end_at_deadline;
mod end_when_cut;
mod frames;
mod grpc_only;
mod limit;
mod method;
mod observe;
mod one_message;
mod pressure;
mod request_id;
mod stalled_reader;
mod until_status;
mod watch_request;
mod wrap;

use std::{collections::BTreeSet, sync::Arc};

use http::Request;
use ipnet::IpNet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    address::of_caller as address_of_caller,
    admission::ShedCalls,
    authenticate::{AccessMode, AuthSettings, Refusals},
    decide_deadline::{Bounds, Deadlines},
    method::is_resent,
    observe::CallMetrics,
    pressure::Pressure,
};
use self::{
    admission::Admission,
    authenticate::Authenticate,
    bound_requests::BoundRequests,
    catch_panic::CatchPanic,
    check_origin::CheckOrigin,
    complete::CompleteTrailers,
    decide_deadline::DecideDeadline,
    end_at_deadline::EndStreamsAtDeadline,
    end_when_cut::EndWhenCut,
    frames::SplitFrames,
    grpc_only::GrpcOnly,
    limit::LimitPrincipals,
    observe::{ObserveCalls, Sinks},
    one_message::OneMessage,
    stalled_reader::EndStalledReaders,
    watch_request::WatchRequest,
};
use crate::{
    access::{audit::AuditLog, limits::Limits},
    call::{CallContext, middleware::Around},
    grpc::web::Origins,
    observability::calls::CallRegistry,
};

/// The layers of the inbound stack; see [`stack`].
pub type Stack = (
    Around<ObserveCalls>,
    Around<CheckOrigin>,
    Around<GrpcOnly>,
    Around<CompleteTrailers>,
    Around<CatchPanic>,
    Around<DecideDeadline>,
    Around<EndStalledReaders>,
    Around<Admission>,
    Around<Authenticate>,
    Around<LimitPrincipals>,
    Around<SplitFrames>,
    Around<EndStreamsAtDeadline>,
    Around<EndWhenCut>,
    Around<WatchRequest>,
    Around<BoundRequests>,
    Around<OneMessage>,
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
    /// How many bytes requests may hold that have not arrived as a whole.
    pub max_arriving_bytes: usize,
    /// What part of calls is admitted when the processors cannot keep up.
    pub pressure: Arc<Pressure>,
    /// How callers are authenticated.
    pub auth: AuthSettings,
    /// The limits of each principal.
    pub limits: Arc<Limits>,
    /// Where calls are recorded.
    pub audit: Arc<AuditLog>,
    /// The percentage of the calls with the code OK that get a line in the log (`log.ok_percent`).
    pub log_ok_percent: u8,
    /// What is measured of calls.
    pub metrics: Arc<CallMetrics>,
    /// The proxies whose `x-forwarded-for` is trusted.
    pub trusted_proxies: BTreeSet<IpNet>,
    /// The origins of the web pages that may call the service.
    pub origins: Origins,
    /// The calls that were shed.
    pub shed: Arc<ShedCalls>,
    /// How many were rejected because they were not authenticated.
    pub refusals: Arc<Refusals>,
    /// Cancelled when a shutdown cuts the calls in progress.
    pub cut: CancellationToken,
}

/// Composes the inbound stack, outermost layer first.
pub fn stack(settings: InboundSettings) -> Stack {
    let InboundSettings {
        calls,
        registry,
        deadlines,
        max_concurrent_calls,
        max_arriving_bytes,
        pressure,
        auth,
        limits,
        audit,
        log_ok_percent,
        metrics,
        trusted_proxies,
        origins,
        shed,
        refusals,
        cut,
    } = settings;
    (
        // Outermost, so that every end of a call is traced, logged, measured and recorded.
        Around(ObserveCalls::new(Sinks {
            in_progress: calls,
            registry,
            metrics,
            audit,
            log_ok_percent,
            trusted_proxies,
        })),
        // These two reject requests with an HTTP status: those of other web pages, and those that are not gRPC.
        Around(CheckOrigin(origins.clone())),
        Around(GrpcOnly::beside_grpc_web(!origins.is_empty())),
        // Around everything that makes a gRPC status, so that each has its details and trailers.
        Around(CompleteTrailers),
        // Around all code that may panic.
        Around(CatchPanic),
        // Before anything that may wait.
        Around(DecideDeadline(deadlines)),
        // Needs the deadline.
        Around(EndStalledReaders),
        // Before authentication, so that a flood causes no signature checks.
        Around(Admission::new(max_concurrent_calls, pressure, shed.clone())),
        // Before the message is read.
        Around(Authenticate::new(auth, refusals)),
        // Needs the principal.
        Around(LimitPrincipals(limits)),
        // So near the service that a slow reader slows down the fetching of pages.
        Around(SplitFrames),
        // These two are where the response still consists of whole messages.
        Around(EndStreamsAtDeadline),
        Around(EndWhenCut(cut)),
        // Next to tonic, which hides that the client has reset its stream.
        Around(WatchRequest),
        // These two are innermost, so that their errors do not look like a stream that the client has reset.
        Around(BoundRequests::new(max_arriving_bytes, shed)),
        Around(OneMessage),
    )
}

/// The context of the request's call, which [`observe`] has added.
fn context_of<B>(request: &Request<B>) -> Option<&Arc<CallContext>> {
    request.extensions().get()
}
