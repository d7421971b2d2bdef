//! Everything that speaks to AWS.
//!
//! - In: an [`AuthorizedCall`] of one operation.
//! - Out: an [`Answer`] with the output, or a [`Failure`]. Both have the attempts that were made.
//!
//! [`stack`] composes the layers. Each is generic over the operation and has a file of its own.
//! Below them is [`sdk`], the only module that names the AWS SDK. [`pagination`] and [`idempotency`]
//! call the stacks: one fetches a list page by page, the other creates a tape only once.
//!
//! The room uses `domain`, `call`, `observability` and `access`, and not tonic.

mod attempt;
mod coalesce;
mod credentials;
mod detach_creates;
mod enforce_deadline;
pub mod idempotency;
mod limit_attempts;
pub mod metrics;
pub mod pace;
pub mod pagination;
mod partition;
mod quota;
pub mod retry;
pub mod retry_budget;
pub mod sdk;
pub mod tags;
mod wait_for_turn;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceBuilder, util::BoxCloneSyncService};

use self::{
    attempt::{AttemptTimeouts, MakeAttempt},
    coalesce::Coalesce,
    credentials::ReportCredentials,
    detach_creates::DetachCreates,
    enforce_deadline::EndAtDeadline,
    limit_attempts::LimitAttempts,
    metrics::UpstreamMetrics,
    partition::Partitions,
    quota::TapeQuota,
    retry::RetryLayer,
    wait_for_turn::WaitForTurn,
};
use crate::{
    access::{Authority, AuthorizedCall, limits::Limits},
    call::{Answer, Room, middleware::Around},
    domain::{
        AccountId, AddTagsToResource, CreateTapeWithBarcode, CreateTapes, DescribeTapeArchives,
        DescribeTapes, Failure, ListTapes, Operation, OperationKind, Scope,
    },
    observability::readiness::{Readiness, UpstreamCondition},
};

/// The upstream stack of one operation, without the types of its layers. Callers of a coalesced
/// read share the output.
pub type Stack<O> = BoxCloneSyncService<AuthorizedCall<O>, Answer<Arc<<O as Operation>::Output>>, Failure>;

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
    /// The maximum number of attempts in flight, each of which uses a connection.
    pub max_connections: usize,
    /// Retries.
    pub retry: retry::RetrySettings,
    /// Pacing.
    pub pace: pace::PaceSettings,
    /// Whether the account of every call is known. Pacing and coalescing are then per account and
    /// region, otherwise per region.
    pub by_account: bool,
    /// The accounts that each caller has a session of its own for. Reads of different callers are not
    /// coalesced there.
    pub per_caller: Arc<BTreeSet<AccountId>>,
    /// Whether the tags of CreateTapeWithBarcode are added by AddTagsToResource.
    pub add_tags: bool,
}

/// The state that the stacks of all operations share.
#[derive(Clone)]
pub struct Shared {
    /// The creates in flight, which a shutdown waits for.
    pub sent_creates: TaskTracker,
    /// Cancelled when a shutdown cuts the creates in flight.
    pub cut_creates: CancellationToken,
    /// Receives whether AWS accepts the service's own credentials.
    pub readiness: Readiness,
    /// The metrics of all stacks.
    pub metrics: Arc<UpstreamMetrics>,
    authority: Authority,
    limits: Arc<Limits>,
    settings: UpstreamSettings,
    partitions: Partitions,
    retry: RetryLayer,
    limit: LimitAttempts,
}

impl Shared {
    /// The shared state of stacks with these settings.
    pub fn new(
        settings: UpstreamSettings,
        authority: Authority,
        limits: Arc<Limits>,
        readiness: Readiness,
        metrics: Arc<UpstreamMetrics>,
    ) -> Self {
        let limit = LimitAttempts::new(settings.max_connections, limits.clone());
        let partitions = Partitions::new(
            settings.by_account,
            settings.pace.clone(),
            settings.retry.budget.clone(),
        );
        Self {
            sent_creates: TaskTracker::new(),
            cut_creates: CancellationToken::new(),
            readiness,
            retry: RetryLayer::new(settings.retry.clone(), partitions.clone(), metrics.clone()),
            limit,
            partitions,
            authority,
            limits,
            metrics,
            settings,
        }
    }

    /// The rooms in which attempts wait for a connection.
    pub fn rooms(&self) -> [Room; 2] {
        self.limit.rooms()
    }

    /// The conditions of AWS, according to recent attempts, by region and account.
    pub fn conditions(&self) -> BTreeMap<Scope, BTreeSet<UpstreamCondition>> {
        self.partitions.conditions()
    }

    /// The number of retries that are left, by region and account. Of the budgets of several gateways
    /// it is the smallest.
    pub fn retry_budgets(&self) -> BTreeMap<Scope, usize> {
        self.partitions.retry_budgets()
    }

    /// The limits of attempts per second, by region, account and kind of operation.
    pub fn paces(&self) -> Vec<(Scope, OperationKind, f64)> {
        self.partitions.paces()
    }
}

/// The upstream stacks, one for each operation.
#[derive(Clone)]
#[allow(
    missing_docs,
    reason = "each stack is that of the operation of its name; they share authority, metrics and the setting `create.add_tags`"
)]
pub struct Upstream {
    pub create_tape_with_barcode: Stack<CreateTapeWithBarcode>,
    pub create_tapes: Stack<CreateTapes>,
    pub describe_tape_archives: Stack<DescribeTapeArchives>,
    pub describe_tapes: Stack<DescribeTapes>,
    pub list_tapes: Stack<ListTapes>,
    pub add_tags_to_resource: Stack<AddTagsToResource>,
    pub add_tags: bool,
    pub authority: Authority,
    pub metrics: Arc<UpstreamMetrics>,
}

impl Upstream {
    /// The stacks of all operations over one transport: the [`Sdk`](sdk::Sdk), or a substitute in
    /// tests.
    pub fn new<F>(shared: &Shared, transport: &F) -> Self
    where
        F: Transport<CreateTapeWithBarcode>
            + Transport<CreateTapes>
            + Transport<DescribeTapeArchives>
            + Transport<DescribeTapes>
            + Transport<ListTapes>
            + Transport<AddTagsToResource>,
    {
        Self {
            create_tape_with_barcode: stack(shared, transport.clone()),
            create_tapes: stack(shared, transport.clone()),
            describe_tape_archives: stack(shared, transport.clone()),
            describe_tapes: stack(shared, transport.clone()),
            list_tapes: stack(shared, transport.clone()),
            add_tags_to_resource: stack(shared, transport.clone()),
            add_tags: shared.settings.add_tags,
            authority: shared.authority.clone(),
            metrics: shared.metrics.clone(),
        }
    }
}

/// The service at the end of an upstream stack, which sends one attempt.
pub trait Transport<O: Operation>:
    Service<AuthorizedCall<O>, Response = Answer<O::Output>, Error = Failure, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<O: Operation, S> Transport<O> for S where
    S: Service<AuthorizedCall<O>, Response = Answer<O::Output>, Error = Failure, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Composes the upstream stack of one operation, outermost layer first.
pub fn stack<O: Operation>(shared: &Shared, transport: impl Transport<O>) -> Stack<O> {
    let Shared {
        sent_creates: sent,
        cut_creates: cut,
        readiness,
        metrics,
        authority: _,
        limits,
        settings,
        partitions,
        retry,
        limit,
    } = shared.clone();
    let timeouts = AttemptTimeouts {
        read: settings.attempt_timeout,
        create: settings.create_timeout,
    };
    let stack = ServiceBuilder::new()
        // Above retries, so that a call is charged to its caller's quota once.
        .layer(Around(TapeQuota(limits)))
        // Above retries, so that coalesced reads share them.
        .layer(Around(Coalesce::new(
            partitions.clone(),
            settings.per_caller.clone(),
            settings.operation_timeout,
            metrics.clone(),
        )))
        // Above retries: only the end of a call tells whether AWS accepts our credentials.
        .layer(Around(ReportCredentials {
            readiness,
            partitions: partitions.clone(),
            per_caller: settings.per_caller,
        }))
        // The only layer that retries.
        .layer(retry)
        // Below retries, so that every attempt waits for its turn and every throttle is recorded.
        .layer(Around(WaitForTurn {
            partitions: partitions.clone(),
            metrics: metrics.clone(),
        }))
        // Below the wait for a turn, which has its own deadline; above attempts that outlive the caller.
        .layer(Around(EndAtDeadline))
        // Below retries, so that a sent attempt of a create runs to its end if its caller has gone,
        // and no further attempt begins.
        .layer(Around(DetachCreates {
            sent,
            cut,
            partitions,
            metrics: metrics.clone(),
        }))
        // Below all that ends an attempt early, so that a waiting one ends too; above the attempt, whose
        // timeout starts when it has a place.
        .layer(Around(limit))
        // Innermost, so that the timeout of an attempt starts with its turn and its place.
        .layer(Around(MakeAttempt { timeouts, metrics }))
        .service(transport);
    BoxCloneSyncService::new(stack)
}
