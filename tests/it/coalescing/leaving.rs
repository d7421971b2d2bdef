//! Cancellation of coalesced reads: one caller, and the last one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tapegate::{access::AuthorizedCall, domain::ListTapes, grpc::proto::ListTapesRequest, upstream::stack};
use tokio::{sync::watch, time::sleep};
use tower::{ServiceExt, service_fn};

use crate::harness::{
    Reply, Service, Upstream, collect,
    transport::{call, list, page, settings, shared},
};

/// Counts what has not ended.
struct Running(Arc<AtomicU32>);

impl Running {
    fn begin(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn one_cancelled_caller_leaves_the_fetch_running_and_the_last_one_ends_it() {
    let shared = shared(settings());
    let running = Arc::new(AtomicU32::new(0));
    let count = running.clone();
    let transport = service_fn(move |_: AuthorizedCall<ListTapes>| {
        let running = Running::begin(&count);
        async move {
            let _running = running;
            sleep(Duration::from_secs(1)).await;
            Ok(page("LISTED01"))
        }
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let in_flight = || running.load(Ordering::SeqCst);
    let join = || Box::pin(stack.clone().oneshot(call(list(1), Duration::from_secs(60))));

    let (mut first, mut second, mut third) = (join(), join(), join());
    for caller in [&mut first, &mut second, &mut third] {
        assert!(futures_util::poll!(caller).is_pending());
    }
    drop(first);
    drop(third);
    assert_eq!(in_flight(), 1);
    second.await.unwrap();
    assert_eq!((in_flight(), shared.metrics.attempts.get()), (0, 1));

    let (mut first, mut second) = (join(), join());
    assert!(futures_util::poll!(&mut first).is_pending());
    assert!(futures_util::poll!(&mut second).is_pending());
    drop((first, second));
    assert_eq!(in_flight(), 0);
    // What was left half way is nobody's.
    join().await.unwrap();
    assert_eq!(shared.metrics.attempts.get(), 3);
}

#[tokio::test]
async fn the_last_cancelled_caller_ends_the_upstream_call() {
    let (tell, mut open) = watch::channel(0_u32);
    let tell = Arc::new(tell);
    let upstream = Upstream::answering(move |_| {
        struct Open(Arc<watch::Sender<u32>>);
        impl Drop for Open {
            fn drop(&mut self) {
                self.0.send_modify(|open| *open -= 1);
            }
        }
        tell.send_modify(|open| *open += 1);
        let open = Open(tell.clone());
        async move {
            let _open = open;
            std::future::pending::<()>().await;
            Reply::ok(&json!({}))
        }
    })
    .await;
    let service = Service::over(&upstream, &[]).await;
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let mut client = service.client();
            tokio::spawn(async move { collect(client.list_tapes(ListTapesRequest::default()).await).await })
        })
        .collect();
    open.wait_for(|open| *open == 1).await.unwrap();
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    open.wait_for(|open| *open == 0).await.unwrap();
    assert_eq!(upstream.asked().len(), 1);
}
