//! The way in: what every call passes before the service sees it, and its answer after.
//!
//! [`stack`] is where the layers are put together; each stands in a file of its own.

pub mod accept;
mod address;
mod admission;
mod at_trailers;
mod audit;
mod authenticate;
mod catch_panic;
pub mod codec;
mod complete;
mod connection;
mod deadline;
mod frames;
mod grpc_only;
mod held;
mod limit;
mod log;
mod measure;
mod method;
mod overdue;
mod report;
mod request_id;
mod trace;
mod trailers;
mod until_end;

use std::sync::Arc;

use tokio_util::task::TaskTracker;

pub use self::{
    address::of_caller as address_of_caller,
    authenticate::{AccessMode, AuthSettings, Refusals},
    connection::Connection,
    deadline::{Bounds, Deadline, Deadlines},
    measure::Calls,
    method::is_resent,
    report::Report,
    request_id::RequestId,
};
use self::{
    admission::AdmissionLayer, audit::AuditLayer, authenticate::AuthenticateLayer,
    catch_panic::CatchPanicLayer, complete::CompleteLayer, deadline::DeadlineLayer, frames::FramesLayer,
    grpc_only::GrpcOnlyLayer, limit::LimitLayer, log::LogLayer, measure::MeasureLayer, overdue::OverdueLayer,
    request_id::RequestIdLayer, trace::TraceLayer, trailers::TrailersLayer,
};
use crate::{
    access::{audit::Audit, limits::Limits},
    observability::{calls::CallRegistry, metrics::Count},
};

/// See [`stack`].
pub type Stack = (
    RequestIdLayer,
    TraceLayer,
    LogLayer,
    MeasureLayer,
    AuditLayer,
    GrpcOnlyLayer,
    CompleteLayer,
    CatchPanicLayer,
    DeadlineLayer,
    OverdueLayer,
    AdmissionLayer,
    AuthenticateLayer,
    LimitLayer,
    TrailersLayer,
    FramesLayer,
);

/// What the layers of a call go by.
#[derive(Clone, Debug)]
pub struct InboundSettings {
    /// Keeps account of the calls in progress.
    pub calls: TaskTracker,
    /// Registers them for the admin page.
    pub registry: Arc<CallRegistry>,
    /// How long they may take.
    pub deadlines: Deadlines,
    /// How many there may be.
    pub max_concurrent_calls: usize,
    /// How callers are let in.
    pub entrance: AuthSettings,
    /// How much each may have.
    pub limits: Arc<Limits>,
    /// Where calls are recorded.
    pub audit: Arc<Audit>,
    /// What is measured of calls.
    pub measured: Arc<Calls>,
    /// How many calls were refused because there were too many.
    pub shed: Arc<Count>,
    /// How many were refused for want of an identity.
    pub refusals: Arc<Refusals>,
}

/// The layers of a call, outermost first.
pub fn stack(settings: InboundSettings) -> Stack {
    let InboundSettings {
        calls,
        registry,
        deadlines,
        max_concurrent_calls,
        entrance,
        limits,
        audit,
        measured,
        shed,
        refusals,
    } = settings;
    (
        // First, so that all that is logged of a call has its id.
        RequestIdLayer,
        // Around all that can refuse a call, so that every end is in its trace, and lines have its id.
        TraceLayer,
        // Likewise, so that every end is logged.
        LogLayer::new(calls, registry),
        // Likewise, so that every end is measured.
        MeasureLayer::new(measured),
        // Likewise, so that every end is recorded, by whom as far as that was found out.
        AuditLayer::new(audit),
        // What is not gRPC is answered in HTTP.
        GrpcOnlyLayer,
        // What is refused below without details gets them.
        CompleteLayer,
        // Around all that may have a defect.
        CatchPanicLayer,
        // The caller's timer, or this service's, becomes the call's deadline.
        DeadlineLayer::new(deadlines),
        // Below it, for readers that outlast their deadline.
        OverdueLayer,
        // Before any work is done for it, a call needs room.
        AdmissionLayer::new(max_concurrent_calls, shed),
        // Nothing below is reached by whoever is not let in; its message is not read either.
        AuthenticateLayer::new(entrance, refusals),
        // How much a caller may have is known once it is known who it is.
        LimitLayer::new(limits),
        // What the service reports becomes trailers.
        TrailersLayer,
        // Next to the service, so that the reader's pace reaches its pages.
        FramesLayer,
    )
}
