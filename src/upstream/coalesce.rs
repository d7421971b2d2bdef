use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, WeakShared},
};
use opentelemetry::trace::FutureExt as _;
use tokio::time::{Instant, timeout_at};
use tower::{Layer, Service, ServiceExt};
use tracing::{Instrument, Span};

use super::{metrics::UpstreamMetrics, partition::Partitions};
use crate::domain::{Answer, Attempts, Call, Deadline, Failure, Fault, Operation, OperationKind, Progress};

/// Lets identical reads that are in flight at once be one upstream call.
///
/// The fetch belongs to no caller: whoever waits for it drives it, it ends with the last of
/// them, and what it comes to is everyone's, an error too. Only reads that began in the same
/// epoch share, so a read that follows a create sees what was made. A read that asks
/// for a fresh answer shares nobody's, and nobody shares its. Either has a bound of its own.
///
/// Creates pass through.
#[derive(Clone, Debug)]
pub(super) struct CoalesceLayer<O: Operation> {
    partitions: Partitions,
    limit: Duration,
    metrics: Arc<UpstreamMetrics>,
    fetches: Fetches<O>,
}

/// See [`CoalesceLayer`].
#[derive(Clone, Debug)]
pub(super) struct Coalesce<O: Operation, S> {
    layer: CoalesceLayer<O>,
    inner: S,
}

type Outcome<O> = Result<Answer<Arc<<O as Operation>::Output>>, Failure>;
type Running<O> = BoxFuture<'static, Outcome<O>>;

/// What reads have to have in common: the epoch, and all that they ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key<O> {
    epoch: u64,
    operation: O,
}

/// The fetches that somebody waits for.
struct Fetches<O: Operation>(Arc<Mutex<InFlight<O>>>);

struct InFlight<O: Operation> {
    begun: u64,
    by_key: HashMap<Key<O>, Fetch<O>>,
}

struct Fetch<O: Operation> {
    id: u64,
    running: WeakShared<Running<O>>,
    deadline: FetchDeadline,
    progress: Progress,
    began_in: Span,
}

/// When a fetch must have ended: when the caller has to who waits longest, or at its own
/// bound. An attempt that begins later is in nobody's time.
struct FetchDeadline {
    deadline: Deadline,
    bound: Instant,
}

impl<O: Operation> CoalesceLayer<O> {
    /// By the epochs of `partitions`; a fetch may take `limit`, all its attempts included.
    pub(super) fn new(partitions: Partitions, limit: Duration, metrics: Arc<UpstreamMetrics>) -> Self {
        Self {
            partitions,
            limit,
            metrics,
            fetches: Fetches::default(),
        }
    }
}

impl<O: Operation, S> Layer<S> for CoalesceLayer<O> {
    type Service = Coalesce<O, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Coalesce {
            layer: self.clone(),
            inner,
        }
    }
}

impl<O, S> Service<Call<O>> for Coalesce<O, S>
where
    O: Operation,
    S: Service<Call<O>, Response = Answer<O::Output>, Error = Failure> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Answer<Arc<O::Output>>;
    type Error = Failure;
    type Future = Running<O>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call<O>) -> Self::Future {
        if O::KIND == OperationKind::Create {
            return shared(self.inner.call(call)).boxed();
        }
        let CoalesceLayer {
            partitions,
            limit,
            metrics,
            fetches,
        } = &self.layer;
        let deadline = FetchDeadline::new(&call.deadline, *limit);
        if call.fresh {
            return deadline.bind(self.inner.clone(), call).boxed();
        }
        let key = Key {
            epoch: partitions.of(&call.operation).epoch(),
            operation: call.operation.clone(),
        };
        let mut in_flight = fetches.lock();
        if let Some(fetch) = in_flight.by_key.get(&key)
            && let Some(running) = fetch.running.upgrade()
        {
            fetch.deadline.put_off(&call.deadline);
            call.progress.follow(&fetch.progress);
            metrics.shared_reads.add();
            Span::current().follows_from(&fetch.began_in);
            return running.boxed();
        }
        in_flight.begun += 1;
        let id = in_flight.begun;
        let progress = call.progress.clone();
        let fetched = deadline.bind(self.inner.clone(), call);
        // Ends with the future, also when the last who waited for it has gone.
        let entry = Entry {
            id,
            fetches: fetches.clone(),
            key: key.clone(),
        };
        let running = async move {
            let _entry = entry;
            fetched.await
        };
        // Whoever polls it later, its trace is that of the caller that began it.
        let began_in = Span::current();
        let running = running.instrument(began_in.clone()).with_current_context();
        let running = running.boxed().shared();
        if let Some(weak) = running.downgrade() {
            let fetch = Fetch {
                id,
                running: weak,
                deadline,
                progress,
                began_in,
            };
            in_flight.by_key.insert(key, fetch);
        }
        running.boxed()
    }
}

impl FetchDeadline {
    fn new(first: &Deadline, limit: Duration) -> Self {
        let bound = Instant::now() + limit;
        Self {
            deadline: Deadline::at(first.moment().min(bound)),
            bound,
        }
    }

    /// Another waits for it too.
    fn put_off(&self, other: &Deadline) {
        self.deadline.put_off(other.moment().min(self.bound));
    }

    /// The call with this deadline in the place of its own, ended at the bound.
    fn bind<O, S>(&self, inner: S, call: Call<O>) -> impl Future<Output = Outcome<O>> + use<O, S>
    where
        O: Operation,
        S: Service<Call<O>, Response = Answer<O::Output>, Error = Failure>,
    {
        let fetched = inner.oneshot(Call {
            deadline: self.deadline.clone(),
            ..call
        });
        let in_time = timeout_at(self.bound, shared(fetched));
        async {
            in_time
                .await
                .unwrap_or_else(|_| Err(Fault::OperationTimeout.after(Attempts::default())))
        }
    }
}

/// The answer in a form that many can have.
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

/// A fetch in the map, which it leaves when it ends.
struct Entry<O: Operation> {
    id: u64,
    fetches: Fetches<O>,
    key: Key<O>,
}

impl<O: Operation> Drop for Entry<O> {
    fn drop(&mut self) {
        let mut in_flight = self.fetches.lock();
        // Another may have begun in its place, when nobody waited for this one any more.
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

    use tower::service_fn;

    use super::*;
    use crate::{
        domain::{Caller, ListTapes, Page, PageRequest, Principal, Scope},
        upstream::pace,
    };

    #[tokio::test]
    async fn a_fetch_is_forgotten_when_it_ends_and_when_it_is_left() {
        let partitions = Partitions::new(false, pace::PaceSettings::default());
        let layer = CoalesceLayer::<ListTapes>::new(partitions, Duration::from_secs(60), Arc::default());
        let service = layer.layer(service_fn(async |call: Call<ListTapes>| {
            if call.operation.tapes.is_empty() {
                std::future::pending::<()>().await;
            }
            let output = Page {
                rows: Vec::new(),
                next: None,
            };
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
            let deadline = Deadline::at(Instant::now() + Duration::from_secs(60));
            let caller = Caller::new(Principal::anonymous(), Ipv4Addr::LOCALHOST.into());
            service.clone().oneshot(Call::new(caller, list, deadline))
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
