use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, WeakShared},
};
use opentelemetry::{
    Context,
    trace::{FutureExt as _, SpanContext, TraceContextExt},
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tower::{Service, ServiceExt};
use tracing::{Instrument, Span};

use super::{metrics::UpstreamMetrics, partition::Partitions};
use crate::{
    access::AuthorizedCall,
    call::{Answer, LatestDeadline, LiveAttempts, middleware::Middleware},
    domain::{AccountId, Failure, Fault, Operation, OperationKind},
};

/// Coalesces identical reads: those in flight at the same time become one upstream call, a fetch.
///
/// A fetch belongs to no caller. Every waiting caller polls it, and all receive its result, also a
/// failure. It is dropped when the last of them leaves. Only reads that began in the same epoch
/// coalesce, so that a read that follows a create sees the new tape. A fetch ends after
/// `upstream.operation_timeout`.
///
/// A read that asks for a fresh response is not coalesced. Creates pass through.
#[derive(Clone, Debug)]
pub(super) struct Coalesce<O: Operation> {
    partitions: Partitions,
    /// The accounts whose reads are signed in a session of their caller.
    per_caller: Arc<BTreeSet<AccountId>>,
    timeout: Duration,
    metrics: Arc<UpstreamMetrics>,
    fetches: Fetches<O>,
}

type Outcome<O> = Result<Answer<Arc<<O as Operation>::Output>>, Failure>;
type Running<O> = BoxFuture<'static, Outcome<O>>;

/// What is equal in coalesced reads: the epoch, the operation with its arguments, and the name of the
/// caller where it has a session of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key<O> {
    epoch: u64,
    operation: O,
    caller: Option<String>,
}

/// The fetches in flight.
struct Fetches<O: Operation>(Arc<Mutex<InFlight<O>>>);

struct InFlight<O: Operation> {
    begun: u64,
    by_key: HashMap<Key<O>, Fetch<O>>,
}

/// A fetch. Its callers share its deadline and its attempts.
struct Fetch<O: Operation> {
    id: u64,
    running: WeakShared<Running<O>>,
    deadline: LatestDeadline,
    bound: Instant,
    live: LiveAttempts,
    began_in: SpanContext,
}

impl<O: Operation> Coalesce<O> {
    /// Coalesces within the epochs of `partitions`. A fetch with all its attempts may take `timeout`.
    pub(super) fn new(
        partitions: Partitions,
        per_caller: Arc<BTreeSet<AccountId>>,
        timeout: Duration,
        metrics: Arc<UpstreamMetrics>,
    ) -> Self {
        Self {
            partitions,
            per_caller,
            timeout,
            metrics,
            fetches: Fetches::default(),
        }
    }

    /// The name of the caller, if the call is signed in a session of that caller.
    fn session_of(&self, call: &AuthorizedCall<O>) -> Option<String> {
        let account = call.operation.account()?;
        let is_own = self.per_caller.contains(account);
        is_own.then(|| call.caller.principal.name().to_owned())
    }
}

impl<O, S> Middleware<S, AuthorizedCall<O>> for Coalesce<O>
where
    O: Operation,
    S: Service<AuthorizedCall<O>, Response = Answer<O::Output>, Error = Failure> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Answer<Arc<O::Output>>;
    type Future = Running<O>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        if O::KIND == OperationKind::Create {
            return shared(inner.call(call)).boxed();
        }
        let own_deadline = call.deadline.moment();
        let bound = Instant::now() + self.timeout;
        if call.fresh {
            return fetch(inner.clone(), call, bound).boxed();
        }
        let key = Key {
            epoch: self.partitions.of(&call.operation).epoch(),
            operation: call.operation.clone(),
            caller: self.session_of(&call),
        };
        let mut in_flight = self.fetches.lock();
        if let Some(fetch) = in_flight.by_key.get(&key)
            && let Some(running) = fetch.running.upgrade()
        {
            fetch.deadline.extend_to(own_deadline.min(fetch.bound));
            call.context.enter_step(&fetch.live);
            self.metrics.coalesced_reads.add();
            Context::current()
                .span()
                .add_link(fetch.began_in.clone(), Vec::new());
            return wait::<O>(running, own_deadline, fetch.live.clone()).boxed();
        }
        in_flight.begun += 1;
        let id = in_flight.begun;
        let live = call.live.clone();
        let deadline = LatestDeadline::new(own_deadline.min(bound));
        let fetched = fetch(inner.clone(), call.with_deadline(deadline.clone()), bound);
        // Dropped with the future, also if the last waiting caller leaves.
        let entry = Entry {
            id,
            fetches: self.fetches.clone(),
            key: key.clone(),
        };
        let running = async move {
            let _entry = entry;
            fetched.await
        };
        // It is in the trace of the caller that began it, whichever caller polls it.
        let began_in = Context::current().span().span_context().clone();
        let running = running.instrument(Span::current()).with_current_context();
        let running = running.boxed().shared();
        if let Some(weak) = running.downgrade() {
            let fetch = Fetch {
                id,
                running: weak,
                deadline,
                bound,
                live: live.clone(),
                began_in,
            };
            in_flight.by_key.insert(key, fetch);
        }
        wait::<O>(running, own_deadline, live).boxed()
    }
}

/// Sends the call, and ends it at `bound`.
async fn fetch<O, S>(inner: S, call: AuthorizedCall<O>, bound: Instant) -> Outcome<O>
where
    O: Operation,
    S: Service<AuthorizedCall<O>, Response = Answer<O::Output>, Error = Failure>,
{
    let live = call.live.clone();
    tokio::select! {
        // Polled first: at `bound`, the latest deadline of the callers can pass at the same moment.
        biased;
        () = sleep_until(bound) => Err(Fault::OperationTimeout.after(live.attempts())),
        outcome = shared(inner.oneshot(call)) => outcome,
    }
}

/// Waits for a fetch until the caller's own deadline.
async fn wait<O: Operation>(
    fetch: impl Future<Output = Outcome<O>>,
    deadline: Instant,
    live: LiveAttempts,
) -> Outcome<O> {
    match timeout_at(deadline, fetch).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let last = live.last_fault().map(Box::new);
            Err(Fault::Deadline { last }.after(live.attempts()))
        }
    }
}

/// Shares the output, so that several callers can have it.
async fn shared<T>(
    answer: impl Future<Output = Result<Answer<T>, Failure>>,
) -> Result<Answer<Arc<T>>, Failure> {
    let Answer { output, attempts } = answer.await?;
    Ok(Answer {
        output: Arc::new(output),
        attempts,
    })
}

impl<O: Operation> Fetches<O> {
    fn lock(&self) -> MutexGuard<'_, InFlight<O>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Operation> Default for Fetches<O> {
    fn default() -> Self {
        let none = InFlight {
            begun: 0,
            by_key: HashMap::new(),
        };
        Self(Arc::new(Mutex::new(none)))
    }
}

impl<O: Operation> Clone for Fetches<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O: Operation> fmt::Debug for Fetches<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fetches", self.lock().by_key.len())
    }
}

/// Removes a fetch from the map when it ends.
struct Entry<O: Operation> {
    id: u64,
    fetches: Fetches<O>,
    key: Key<O>,
}

impl<O: Operation> Drop for Entry<O> {
    fn drop(&mut self) {
        let mut in_flight = self.fetches.lock();
        // After the last caller left, another fetch may have taken its place.
        let is_own = in_flight
            .by_key
            .get(&self.key)
            .is_some_and(|fetch| fetch.id == self.id);
        if is_own {
            in_flight.by_key.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::net::Ipv4Addr;

    use tower::{Layer, service_fn};

    use super::*;
    use crate::{
        access::Authority,
        call::{Call, CallContext, Caller, middleware::Around},
        domain::{Attempts, ListTapes, Page, PageRequest, Principal, Scope},
        upstream::{pace, retry_budget::RetryBudgetSettings},
    };

    #[tokio::test]
    async fn a_fetch_is_removed_when_it_ends_and_when_all_callers_leave() {
        let partitions = Partitions::new(
            false,
            pace::PaceSettings::default(),
            RetryBudgetSettings::default(),
        );
        let layer = Coalesce::<ListTapes>::new(
            partitions,
            Arc::default(),
            Duration::from_secs(60),
            Arc::default(),
        );
        let service = Around(layer.clone()).layer(service_fn(async |call: AuthorizedCall<ListTapes>| {
            if call.operation.tapes.is_empty() {
                std::future::pending::<()>().await;
            }
            let output = Page::new(Vec::new(), None);
            Ok(Answer {
                output,
                attempts: Attempts::default(),
            })
        }));
        let in_flight = || layer.fetches.lock().by_key.len();
        let list = |marker: usize, answered: bool| {
            let tape = "arn:aws:storagegateway:us-east-1:123456789012:tape/LISTED01";
            let list = ListTapes {
                scope: Scope {
                    region: "us-east-1".parse().unwrap(),
                    account: None,
                },
                tapes: answered.then(|| tape.parse().unwrap()).into_iter().collect(),
                page: PageRequest {
                    marker: crate::domain::Marker::reported(Some(marker.to_string())),
                    limit: None,
                },
            };
            let deadline = Instant::now() + Duration::from_secs(60);
            let caller = Caller::new(Principal::anonymous(), Ipv4Addr::LOCALHOST.into());
            let context = Arc::new(CallContext::new("/test", "request-1", None, None));
            let call = Call::new(&context, caller, list, deadline);
            service
                .clone()
                .oneshot(Authority::Anyone.authorize(call).unwrap())
        };
        for marker in 0..100 {
            list(marker, true).await.unwrap();
        }
        assert_eq!(in_flight(), 0);
        let mut left: Vec<_> = (0..100).map(|marker| Box::pin(list(marker, false))).collect();
        for call in &mut left {
            assert!(futures_util::poll!(call).is_pending());
        }
        assert_eq!(in_flight(), 100);
        drop(left);
        assert_eq!(in_flight(), 0);
    }
}
