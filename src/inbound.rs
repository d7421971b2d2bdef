//! The way in: what every call passes before the service sees it, and its answer after.
//!
//! [`stack`] is where the layers are put together; each stands in a file of its own.

mod at_trailers;
pub mod codec;
mod complete;
mod connection;
mod deadline;
mod frames;
mod grpc_only;
mod log;
mod method;
mod overdue;
mod report;
mod request_id;
mod trailers;

use tokio_util::task::TaskTracker;

use self::{
    complete::CompleteLayer, deadline::DeadlineLayer, frames::FramesLayer, grpc_only::GrpcOnlyLayer,
    log::LogLayer, overdue::OverdueLayer, request_id::RequestIdLayer, trailers::TrailersLayer,
};
pub use self::{
    connection::Connection,
    deadline::{Bounds, Deadline, Deadlines},
    method::is_resent,
    report::Report,
    request_id::RequestId,
};

/// See [`stack`].
pub type Stack = (
    RequestIdLayer,
    LogLayer,
    GrpcOnlyLayer,
    CompleteLayer,
    DeadlineLayer,
    OverdueLayer,
    TrailersLayer,
    FramesLayer,
);

/// The layers of a call, outermost first. `calls` keeps account of those in progress, and
/// `deadlines` bound them.
pub fn stack(calls: TaskTracker, deadlines: Deadlines) -> Stack {
    (
        // First, so that all that is logged of a call has its id.
        RequestIdLayer,
        // Around all that can refuse a call, so that every end is logged.
        LogLayer::new(calls),
        // What is not gRPC is answered in HTTP.
        GrpcOnlyLayer,
        // What is refused below without details gets them.
        CompleteLayer,
        // The caller's timer, or this service's, becomes the call's deadline.
        DeadlineLayer::new(deadlines),
        // Below it, for readers that outlast their deadline.
        OverdueLayer,
        // What the service reports becomes trailers.
        TrailersLayer,
        // Next to the service, so that the reader's pace reaches its pages.
        FramesLayer,
    )
}
