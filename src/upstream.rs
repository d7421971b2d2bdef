//! The way out: a [`Call`] goes down one tower stack and comes back as an [`Answer`].
//!
//! [`stack`] is where the layers are put together; each is generic over the operation
//! and stands in a file of its own. Below them all is [`sdk`], the only place that
//! knows the AWS SDK.

mod attempt;
mod deadline;
mod run_to_end;
pub mod sdk;

use std::{sync::Arc, time::Duration};

use tokio_util::task::TaskTracker;
use tower::{ServiceBuilder, util::BoxCloneSyncService};

use self::{
    attempt::AttemptLayer,
    deadline::DeadlineLayer,
    run_to_end::RunToEndLayer,
    sdk::{Clients, Sdk, SdkOperation},
};
use crate::{
    domain::{
        Answer, Call, CreateTapeWithBarcode, CreateTapes, DescribeTapeArchives, DescribeTapes, Failure,
        ListTapes, Operation,
    },
    readiness::Readiness,
};

/// A stack for one operation, its layers' types forgotten.
pub type Stack<O> = BoxCloneSyncService<Call<O>, Answer<<O as Operation>::Output>, Failure>;

/// What all stacks have in common.
#[derive(Clone)]
pub struct Shared {
    /// The SDK's clients, one per region.
    pub clients: Arc<Clients>,
    /// How long one attempt may take, from sending to the last byte of the answer.
    pub attempt_timeout: Duration,
    /// The creates that were sent and have not ended; shutdown waits for them.
    pub sent_creates: TaskTracker,
    /// Told when AWS refuses the service's own credentials, and when it takes them.
    pub readiness: Readiness,
}

/// One stack per operation.
#[derive(Clone)]
#[allow(missing_docs, reason = "each is the operation of that name")]
pub struct Upstream {
    pub create_tape_with_barcode: Stack<CreateTapeWithBarcode>,
    pub create_tapes: Stack<CreateTapes>,
    pub describe_tape_archives: Stack<DescribeTapeArchives>,
    pub describe_tapes: Stack<DescribeTapes>,
    pub list_tapes: Stack<ListTapes>,
}

impl Upstream {
    /// The stacks over what they share.
    pub fn new(shared: &Shared) -> Self {
        Self {
            create_tape_with_barcode: stack(shared),
            create_tapes: stack(shared),
            describe_tape_archives: stack(shared),
            describe_tapes: stack(shared),
            list_tapes: stack(shared),
        }
    }
}

/// The way of a call, outermost first.
pub fn stack<O: SdkOperation>(shared: &Shared) -> Stack<O> {
    let stack = ServiceBuilder::new()
        // The caller's deadline ends the wait, whatever goes on below.
        .layer(DeadlineLayer)
        // A create that was sent ends on its own, though nobody waits any more. So it
        // stands below the deadline.
        .layer(RunToEndLayer::new(shared.sent_creates.clone()))
        // One attempt: a span, a bound of its own, and what it says of our credentials.
        .layer(AttemptLayer::new(
            shared.attempt_timeout,
            shared.readiness.clone(),
        ))
        .service(Sdk::new(shared.clients.clone()));
    BoxCloneSyncService::new(stack)
}
