//! Paginated lists: properties of the paginator, then lists over the wire.

mod named_tapes;
mod properties;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tapegate::grpc::proto::{
    DescribeTapeArchivesRequest, DescribeTapesRequest, ListTapesRequest, ListTapesResponse,
    tape_service_client::TapeServiceClient,
};
use tokio::sync::watch;
use tonic::{Code, Status};

use crate::harness::{Asked, GATEWAY, Reply, Service, Upstream, collect, refusal, tape_arn};

/// The `number`-th page of an endless list of full pages.
pub fn full_page(number: usize, rows: usize) -> Value {
    let row = |row| {
        json!({
            "TapeARN": tape_arn(&format!("P{number:05}R{row:05}")),
            "TapeStatus": "ARCHIVED",
            "GatewayARN": GATEWAY,
        })
    };
    json!({ "TapeInfos": (0..rows).map(row).collect::<Vec<_>>(), "Marker": format!("page-{}", number + 1) })
}

/// Which page a request of an endless list asks for.
pub fn page_number(asked: &Asked) -> usize {
    asked.body["Marker"]
        .as_str()
        .map_or(0, |marker| marker["page-".len()..].parse().unwrap())
}

fn barcodes(pages: &[ListTapesResponse]) -> Vec<String> {
    let tapes = pages.iter().flat_map(|page| &page.tape_infos);
    tapes.map(|tape| tape.tape_barcode.clone().unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_complete_with_any_page_size_and_resumes_after_any_page() {
    let service = Service::dev(&["--emulator-seed-tapes=60"]).await;
    let list =
        async |request: ListTapesRequest| collect(service.client().list_tapes(request).await).await.unwrap();
    let whole = barcodes(&list(ListTapesRequest::default()).await);
    assert_eq!(whole.len(), 60);
    for limit in [1, 7, 59, 60, 61, 1000] {
        let pages = list(ListTapesRequest {
            limit,
            ..Default::default()
        })
        .await;
        assert_eq!(barcodes(&pages), whole);
        let mut seen = 0;
        for page in &pages {
            seen += page.tape_infos.len();
            assert_eq!(page.marker.is_empty(), seen == whole.len());
            if !page.marker.is_empty() {
                let marker = page.marker.clone();
                let rest = list(ListTapesRequest {
                    marker,
                    limit,
                    ..Default::default()
                })
                .await;
                assert_eq!(barcodes(&rest), whole[seen..]);
            }
        }
    }
}

#[tokio::test]
async fn max_items_ends_a_list_with_a_marker_that_continues_it() {
    let service = Service::dev(&["--emulator-seed-tapes=60"]).await;
    let list =
        async |request: ListTapesRequest| collect(service.client().list_tapes(request).await).await.unwrap();
    let whole = barcodes(&list(ListTapesRequest::default()).await);
    for (limit, max_items) in [(0, 1), (0, 59), (7, 7), (7, 8), (7, 20), (1000, 60), (0, 61)] {
        let first = list(ListTapesRequest {
            limit,
            max_items,
            ..Default::default()
        })
        .await;
        let shown = usize::try_from(max_items).unwrap().min(60);
        assert_eq!(barcodes(&first), whole[..shown]);
        let marker = first.last().unwrap().marker.clone();
        assert_eq!(marker.is_empty(), shown == 60, "{limit} {max_items}");
        if !marker.is_empty() {
            assert_eq!(
                barcodes(
                    &list(ListTapesRequest {
                        marker,
                        ..Default::default()
                    })
                    .await
                ),
                whole[shown..]
            );
        }
    }
}

#[tokio::test]
async fn describe_tapes_and_describe_tape_archives_are_paginated() {
    let service = Service::dev(&[]).await;
    let library = DescribeTapesRequest {
        gateway_arn: GATEWAY.into(),
        limit: 50,
        ..Default::default()
    };
    let library = collect(service.client().describe_tapes(library).await)
        .await
        .unwrap();
    assert_eq!(
        library.iter().map(|page| page.tapes.len()).collect::<Vec<_>>(),
        [50, 50, 30]
    );
    let archive = DescribeTapeArchivesRequest {
        max_items: 70,
        limit: 50,
        ..Default::default()
    };
    let archive = collect(service.client().describe_tape_archives(archive).await)
        .await
        .unwrap();
    assert_eq!(
        archive
            .iter()
            .map(|page| page.tape_archives.len())
            .collect::<Vec<_>>(),
        [50, 20]
    );
}

#[tokio::test]
async fn a_list_continues_after_an_empty_page_with_a_marker() {
    let pages = [
        json!({ "TapeInfos": [], "Marker": "a" }),
        json!({ "TapeInfos": [{ "TapeARN": tape_arn("ONLY0001") }], "Marker": "b" }),
        json!({ "TapeInfos": [] }),
    ];
    let upstream = Upstream::script(pages.iter().map(Reply::ok)).await;
    let service = Service::over(&upstream, &[]).await;
    let answers = collect(service.client().list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap();
    let shown: Vec<_> = answers
        .iter()
        .map(|page| (page.tape_infos.len(), page.marker.as_str()))
        .collect();
    assert_eq!(shown, [(0, "a"), (1, "b"), (0, "")]);
}

#[tokio::test]
async fn a_repeated_marker_is_data_loss() {
    for circle in [&["a", "a"][..], &["a", "b", "c", "b"], &["a", "b", "a"]] {
        let markers = circle.iter().cycle().map(|marker| {
            Reply::ok(&json!({ "TapeInfos": [{ "TapeARN": tape_arn("SAME0001") }], "Marker": marker }))
        });
        let upstream = Upstream::script(markers.take(20)).await;
        let service = Service::over(&upstream, &[]).await;
        let answer = collect(service.client().list_tapes(ListTapesRequest::default()).await).await;
        let refused = refusal(&answer.unwrap_err());
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (Code::DataLoss, "UPSTREAM_MARKER_REPEATED")
        );
    }
}

#[tokio::test]
async fn a_page_longer_than_max_items_is_an_error() {
    let upstream = Upstream::always(Reply::ok(&full_page(0, 5))).await;
    let service = Service::over(&upstream, &[]).await;
    let request = ListTapesRequest {
        max_items: 3,
        ..Default::default()
    };
    let refused = refusal(&service.client().list_tapes(request).await.unwrap_err());
    assert_eq!(refused.reason, "UPSTREAM_PAGE_TOO_LONG");
    assert_eq!(upstream.asked()[0].body["Limit"], 3);
}

#[tokio::test]
async fn a_failed_first_page_fails_the_call_and_a_later_one_fails_the_stream() {
    let failure = Reply::aws(500, &json!({ "__type": "InternalFailure" }));
    let upstream = Upstream::script([failure.clone()]).await;
    let service = Service::over(&upstream, &["--retry-attempts=1"]).await;
    let refused = service
        .client()
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refusal(&refused).reason, "INTERNAL_FAILURE");

    let upstream = Upstream::script([Reply::ok(&full_page(0, 2)), failure]).await;
    let service = Service::over(&upstream, &["--retry-attempts=1"]).await;
    let mut pages = service
        .client()
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(pages.message().await.unwrap().unwrap().tape_infos.len(), 2);
    let refused = refusal(&pages.message().await.unwrap_err());
    assert_eq!(refused.reason, "INTERNAL_FAILURE");
    // Of the whole call, as in the trailers.
    assert_eq!(refused.metadata["attempts"], "2");
}

/// An upstream whose first page comes at once and whose second never does, and a watch that
/// turns true when the request for the second is dropped.
async fn stuck_at_the_second_page() -> (Upstream, watch::Receiver<bool>) {
    struct Dropped(watch::Sender<bool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send_replace(true);
        }
    }
    let (tell, dropped) = watch::channel(false);
    let upstream = Upstream::answering(move |asked| {
        let tell = tell.clone();
        async move {
            if page_number(&asked) > 0 {
                let _dropped = Dropped(tell);
                std::future::pending::<()>().await;
            }
            Reply::ok(&full_page(0, 2))
        }
    });
    (upstream.await, dropped)
}

#[tokio::test]
async fn a_stream_and_its_upstream_call_end_at_the_deadline() {
    let (upstream, mut dropped) = stuck_at_the_second_page().await;
    let service = Service::over(&upstream, &[]).await;
    let mut request = tonic::Request::new(ListTapesRequest::default());
    request.set_timeout(Duration::from_secs(4));
    let mut pages = service.client().list_tapes(request).await.unwrap().into_inner();
    pages.message().await.unwrap().unwrap();
    let refused = refusal(&pages.message().await.unwrap_err());
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
    dropped.wait_for(|dropped| *dropped).await.unwrap();
    assert_eq!(upstream.asked().len(), 2);
}

#[tokio::test]
async fn cancelling_a_stream_ends_its_upstream_call() {
    let (upstream, mut dropped) = stuck_at_the_second_page().await;
    let service = Service::over(&upstream, &[]).await;
    let mut pages = service
        .client()
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap()
        .into_inner();
    pages.message().await.unwrap().unwrap();
    upstream.was_asked(2).await;
    drop(pages);
    dropped.wait_for(|dropped| *dropped).await.unwrap();
    assert_eq!(upstream.asked().len(), 2);
}

#[tokio::test]
async fn at_most_one_page_is_fetched_ahead_of_the_reader() {
    const PAGES: usize = 20;
    let consumed = Arc::new(AtomicUsize::new(0));
    let furthest = Arc::new(AtomicUsize::new(0));
    let upstream = {
        let (consumed, furthest) = (consumed.clone(), furthest.clone());
        Upstream::answering(move |asked| {
            let number = page_number(&asked);
            furthest.fetch_max(
                number - consumed.load(Ordering::SeqCst).min(number),
                Ordering::SeqCst,
            );
            let mut page = full_page(number, 1000);
            if number + 1 == PAGES {
                page["Marker"] = Value::Null;
            }
            std::future::ready(Reply::ok(&page))
        })
        .await
    };
    let service = Service::over(&upstream, &[]).await;
    // A page (140 KB) is larger than the windows (64 KB) and a frame (16 KB) together, so that
    // the reader's pace reaches the service.
    let endpoint = service
        .endpoint()
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(65_535);
    let mut client = TapeServiceClient::new(endpoint.connect().await.unwrap());
    let mut pages = client
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap()
        .into_inner();
    let mut tapes = 0;
    loop {
        // A pause, long enough for a service that runs ahead to do so: other calls come and
        // go meanwhile, over connections of their own.
        for _ in 0..3 {
            let refused: Status = service
                .client()
                .describe_tapes(DescribeTapesRequest::default())
                .await
                .unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
        }
        let Some(page) = pages.message().await.unwrap() else {
            break;
        };
        tapes += page.tape_infos.len();
        consumed.fetch_add(1, Ordering::SeqCst);
    }
    assert_eq!(tapes, PAGES * 1000);
    assert!(
        furthest.load(Ordering::SeqCst) <= 1,
        "{} pages ahead",
        furthest.load(Ordering::SeqCst)
    );
}
