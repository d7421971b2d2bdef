//! The limit of connections to AWS.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tapegate::grpc::proto::ListTapesRequest;
use tokio::{sync::Notify, task::JoinSet};
use tonic::{Code, Request, Status};

use crate::harness::{Reply, Service, Upstream, one_new_tape, refusal};

/// An upstream that answers lists when it is told to, and everything else at once, with the number of
/// its lists in progress and the highest number so far.
async fn holds_lists() -> (Upstream, Arc<Notify>, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (go, open, most) = (
        Arc::new(Notify::new()),
        Arc::<AtomicUsize>::default(),
        Arc::<AtomicUsize>::default(),
    );
    let (answer, counted, highest) = (go.clone(), open.clone(), most.clone());
    let upstream = Upstream::answering(move |asked| {
        let (answer, counted, highest) = (answer.clone(), counted.clone(), highest.clone());
        async move {
            if asked.operation != "ListTapes" {
                return Reply::ok(&asked.created());
            }
            let open = counted.fetch_add(1, Ordering::SeqCst) + 1;
            highest.fetch_max(open, Ordering::SeqCst);
            answer.notified().await;
            counted.fetch_sub(1, Ordering::SeqCst);
            Reply::ok(&json!({ "TapeInfos": [] }))
        }
    })
    .await;
    (upstream, go, open, most)
}

/// A list that shares its fetch with no other one.
async fn list(service: &Service, deadline: Duration) -> impl Future<Output = Result<(), Status>> + use<> {
    let mut client = service.client();
    async move {
        let mut request = Request::new(ListTapesRequest::default());
        request
            .metadata_mut()
            .insert("cache-control", "no-cache".parse().unwrap());
        request.set_timeout(deadline);
        let mut pages = client.list_tapes(request).await?.into_inner();
        while pages.message().await?.is_some() {}
        Ok(())
    }
}

#[tokio::test]
async fn reads_wait_for_a_connection_and_a_create_does_not_wait_for_them() {
    let (upstream, go, open, most) = holds_lists().await;
    let service = Service::over(&upstream, &["--upstream-max-connections=10"]).await;
    let mut lists = JoinSet::new();
    for _ in 0..30 {
        lists.spawn(list(&service, Duration::from_secs(60)).await);
    }
    upstream.was_asked(9).await;

    let created = service.client().create_tapes(one_new_tape("beside-lists")).await;
    assert_eq!(created.unwrap().into_inner().tape_arns.len(), 1);

    // The one that has no connection ends with its deadline, and was not sent. The client ends it, too, some
    // time after the service.
    let late = list(&service, Duration::from_secs(4)).await.await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late:?}");
    assert_eq!(refusal(&late).metadata["attempts"], "0");

    while !lists.is_empty() {
        if open.load(Ordering::SeqCst) > 0 {
            go.notify_waiters();
        }
        tokio::task::yield_now().await;
        while let Some(ended) = lists.try_join_next() {
            ended.unwrap().unwrap();
        }
    }
    assert_eq!(most.load(Ordering::SeqCst), 9);
}
