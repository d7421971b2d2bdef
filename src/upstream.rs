//! The way out: a [`Call`] goes down one tower stack and comes back as an [`Answer`].
//!
//! [`stack`] is where the layers are put together; each is generic over the operation
//! and stands in a file of its own. Below them all is [`sdk`], the only place that
//! knows the AWS SDK.

mod attempt;
mod authorize;
mod coalesce;
mod credentials;
mod deadline;
pub(crate) mod detach_creates;
pub mod idempotency;
pub mod metrics;
pub mod pace;
pub mod pagination;
mod partition;
mod quota;
pub mod retry;
pub mod sdk;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio_util::task::TaskTracker;
use tower::{Service, ServiceBuilder, util::BoxCloneSyncService};

use self::{
    attempt::{AttemptLayer, Bounds},
    authorize::AuthorizeLayer,
    coalesce::CoalesceLayer,
    credentials::CredentialsLayer,
    deadline::DeadlineLayer,
    detach_creates::DetachCreatesLayer,
    metrics::UpstreamMetrics,
    pace::PaceLayer,
    partition::Partitions,
    quota::QuotaLayer,
    retry::RetryLayer,
};
use crate::{
    access::{Authority, limits::Limits},
    domain::{
        Answer, Call, CreateTapeWithBarcode, CreateTapes, DescribeTapeArchives, DescribeTapes, Failure,
        ListTapes, Operation, OperationKind, Region,
    },
    observability::readiness::{Condition, Readiness},
};

/// A stack for one operation, its layers' types forgotten. What it answers can be another
/// caller's too.
pub type Stack<O> = BoxCloneSyncService<Call<O>, Answer<Arc<<O as Operation>::Output>>, Failure>;

/// Timeouts, retries and pacing of calls to AWS.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamSettings {
    /// The timeout of one attempt of a read, from the end of its wait for pacing to the last byte
    /// of the response.
    pub attempt_timeout: Duration,
    /// The timeout of one attempt of a create. It applies to a sent attempt even if its caller
    /// disconnects.
    pub create_timeout: Duration,
    /// The timeout of one read, including all its attempts.
    pub operation_timeout: Duration,
    /// Retries.
    pub retry: retry::RetrySettings,
    /// Pacing.
    pub pace: pace::PaceSettings,
    /// Whether the account of every call is known. Pacing and coalescing are then per account and
    /// region, otherwise per region.
    pub by_account: bool,
}

/// What all stacks have in common.
#[derive(Clone)]
pub struct Shared {
    /// The creates that were sent and have not ended; shutdown waits for them.
    pub sent_creates: TaskTracker,
    /// Told when AWS refuses the service's own credentials, and when it takes them.
    pub readiness: Readiness,
    /// What was done since the start.
    pub metrics: Arc<UpstreamMetrics>,
    authority: Authority,
    limits: Arc<Limits>,
    settings: UpstreamSettings,
    partitions: Partitions,
    retry: RetryLayer,
}

impl Shared {
    /// What stacks share that go out as `settings` say, when `authority` lets them, within
    /// `limits`, and count what they do in `metrics`.
    pub fn new(
        settings: UpstreamSettings,
        authority: Authority,
        limits: Arc<Limits>,
        readiness: Readiness,
        metrics: Arc<UpstreamMetrics>,
    ) -> Self {
        Self {
            sent_creates: TaskTracker::new(),
            readiness,
            partitions: Partitions::new(settings.by_account, settings.pace.clone()),
            retry: RetryLayer::new(settings.retry.clone(), metrics.clone()),
            authority,
            limits,
            metrics,
            settings,
        }
    }

    /// What recent attempts say of AWS, by the regions that were called.
    pub fn conditions(&self) -> BTreeMap<Region, BTreeSet<Condition>> {
        self.partitions.conditions()
    }

    /// How many repeats all calls together have left now.
    pub fn retry_budget(&self) -> usize {
        self.retry.budget_left()
    }

    /// How many attempts a second are let through where there is a pace, by region and kind; of
    /// several accounts the slowest.
    pub fn paces(&self) -> Vec<(Region, OperationKind, f64)> {
        self.partitions.paces()
    }
}

/// One stack per operation.
#[derive(Clone)]
#[allow(
    missing_docs,
    reason = "each is the stack of the operation of that name; authority and metrics are theirs together"
)]
pub struct Upstream {
    pub create_tape_with_barcode: Stack<CreateTapeWithBarcode>,
    pub create_tapes: Stack<CreateTapes>,
    pub describe_tape_archives: Stack<DescribeTapeArchives>,
    pub describe_tapes: Stack<DescribeTapes>,
    pub list_tapes: Stack<ListTapes>,
    pub authority: Authority,
    pub metrics: Arc<UpstreamMetrics>,
}

impl Upstream {
    /// The stacks over what they share, and one transport under them all: the
    /// [`Sdk`](sdk::Sdk), or a test's stand-in.
    pub fn new<F>(shared: &Shared, transport: &F) -> Self
    where
        F: Transport<CreateTapeWithBarcode>
            + Transport<CreateTapes>
            + Transport<DescribeTapeArchives>
            + Transport<DescribeTapes>
            + Transport<ListTapes>,
    {
        Self {
            create_tape_with_barcode: stack(shared, transport.clone()),
            create_tapes: stack(shared, transport.clone()),
            describe_tape_archives: stack(shared, transport.clone()),
            describe_tapes: stack(shared, transport.clone()),
            list_tapes: stack(shared, transport.clone()),
            authority: shared.authority.clone(),
            metrics: shared.metrics.clone(),
        }
    }
}

/// What can stand under a stack: it makes one attempt.
pub trait Transport<O: Operation>:
    Service<Call<O>, Response = Answer<O::Output>, Error = Failure, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<O: Operation, S> Transport<O> for S where
    S: Service<Call<O>, Response = Answer<O::Output>, Error = Failure, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The way of a call, outermost first.
pub fn stack<O: Operation>(shared: &Shared, transport: impl Transport<O>) -> Stack<O> {
    let Shared {
        sent_creates,
        readiness,
        metrics,
        authority,
        limits: quotas,
        settings,
        partitions,
        retry,
    } = shared.clone();
    let bounds = Bounds {
        read: settings.attempt_timeout,
        create: settings.create_timeout,
    };
    let stack = ServiceBuilder::new()
        // Each caller's own deadline ends its wait, whatever goes on below.
        .layer(DeadlineLayer)
        // Above what is shared: of two who ask alike, one may not have the answer.
        .layer(AuthorizeLayer::new(authority))
        // What is denied takes nothing from the caller's quota, and repeats take no more.
        .layer(QuotaLayer::new(quotas))
        // Identical reads become one, with all its repeats.
        .layer(CoalesceLayer::new(
            partitions.clone(),
            settings.operation_timeout,
            metrics.clone(),
        ))
        // What a call says of our credentials, once no repeat can mend it.
        .layer(CredentialsLayer::new(readiness))
        // The one authority on repeating.
        .layer(retry)
        // Below it, so that every attempt waits for its turn and every throttle is seen.
        .layer(PaceLayer::new(partitions.clone(), metrics.clone()))
        // An attempt of a create that was sent ends on its own, though nobody waits any more;
        // what stands above ends with the caller, so no other attempt begins.
        .layer(DetachCreatesLayer::new(sent_creates, partitions, metrics.clone()))
        // One attempt: a span, and a bound from its turn on.
        .layer(AttemptLayer::new(bounds, metrics))
        .service(transport);
    BoxCloneSyncService::new(stack)
}
