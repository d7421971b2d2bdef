//! tapegate-client against the service: what it retries and resumes, and what its errors say.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::ready,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use http::Response;
use serde_json::json;
use tapegate_client::{
    Error, GIVE_UP, Outcome, Retry, Retrying, Verdict, endpoint,
    pb::{
        CreateTapeWithBarcodeRequest, CreateTapesRequest, ListTapesRequest,
        tape_service_client::TapeServiceClient,
    },
    repeat, walk,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, transport::Channel};

use crate::harness::{GATEWAY, Reply, SIZE, Service, Upstream, collect, tape_arn};

/// The service makes each call once, so that the client has to.
const ONCE: &str = "--retry-attempts=1";

type Client = TapeServiceClient<Retrying<Channel>>;

fn client_at(address: SocketAddr) -> Client {
    let channel = endpoint(&format!("http://{address}")).unwrap().connect_lazy();
    TapeServiceClient::new(Retry::default().over(channel))
}

fn client_of(service: &Service) -> Client {
    client_at(service.addresses.grpc)
}

/// An address that nothing listens at.
async fn free_address() -> SocketAddr {
    let reserved = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    reserved.local_addr().unwrap()
}

fn fails(code: &str) -> Reply {
    Reply::aws(503, &json!({ "__type": code, "message": "later" }))
}

fn page(barcodes: &[&str], marker: Option<&str>) -> Reply {
    let tapes: Vec<_> = barcodes
        .iter()
        .map(|barcode| json!({ "TapeARN": tape_arn(barcode), "TapeBarcode": barcode }))
        .collect();
    Reply::ok(&json!({ "TapeInfos": tapes, "Marker": marker }))
}

async fn barcodes(client: Client, request: ListTapesRequest) -> Result<Vec<String>, Error> {
    let pages: Vec<_> = walk(client, request, GIVE_UP).try_collect().await?;
    let tapes = pages.into_iter().flat_map(|page| page.tape_infos);
    Ok(tapes.filter_map(|tape| tape.tape_barcode).collect())
}

#[tokio::test]
async fn unavailable_is_retried_by_the_published_service_config() {
    let replies = [
        fails("ServiceUnavailable"),
        fails("ServiceUnavailable"),
        page(&["A0001"], None),
    ];
    let upstream = Upstream::script(replies).await;
    let service = Service::over(&upstream, &[ONCE]).await;
    let request = ListTapesRequest::default();
    let pages = client_of(&service)
        .list_tapes(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(pages.try_collect::<Vec<_>>().await.unwrap().len(), 1);
}

#[tokio::test]
async fn it_makes_three_attempts_and_returns_the_last_error() {
    let upstream = Upstream::always(fails("ServiceUnavailable")).await;
    let service = Service::over(&upstream, &[ONCE]).await;
    let failed = client_of(&service).list_tapes(ListTapesRequest::default()).await;
    let error = Error::from(failed.unwrap_err());
    assert_eq!(
        (error.code, error.verdict),
        (Code::Unavailable, Verdict::SameCall)
    );
    assert_eq!(upstream.asked().len(), 3);
}

#[tokio::test]
async fn other_codes_are_final_and_say_what_is_wrong() {
    let upstream = Upstream::script([]).await;
    let service = Service::over(&upstream, &[ONCE]).await;
    let request = CreateTapesRequest {
        gateway_arn: GATEWAY.into(),
        num_tapes_to_create: 11,
        ..Default::default()
    };
    let error = Error::from(client_of(&service).create_tapes(request).await.unwrap_err());
    assert_eq!(error.verdict, Verdict::AfterChange);
    assert_eq!(error.outcome, Some(Outcome::NotApplied));
    assert_eq!(error.reason.as_deref(), Some("INVALID_REQUEST"));
    let fields: BTreeSet<_> = error.violations.iter().map(|one| one.field.as_str()).collect();
    for field in ["num_tapes_to_create", "client_token", "tape_barcode_prefix"] {
        assert!(fields.contains(field), "{fields:?}");
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[tokio::test]
async fn it_waits_as_long_as_the_service_asks() {
    let throttled = Reply::aws(
        400,
        &json!({ "__type": "ThrottlingException", "message": "slower" }),
    );
    let upstream = Upstream::script([throttled, page(&[], None)]).await;
    let service = Service::over(&upstream, &[ONCE]).await;
    let began = Instant::now();
    client_of(&service)
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap();
    // Its own backoff would be at most 240 ms.
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_create_whose_response_was_lost_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("faults.json");
    let rule = r#"{"kind": "reset", "when": "after", "operations": ["CreateTapeWithBarcode"], "calls": 1}"#;
    std::fs::write(&rules, rule).unwrap();
    let service = Service::dev(&[ONCE, &format!("--emulator-faults={}", rules.display())]).await;
    let request = CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: "RUST0001".into(),
        ..Default::default()
    };
    let created = client_of(&service)
        .create_tape_with_barcode(request)
        .await
        .unwrap();
    assert_eq!(created.into_inner().tape_arn, tape_arn("RUST0001"));
}

#[tokio::test]
async fn a_call_waits_for_a_service_that_is_not_there_yet() {
    let upstream = Upstream::always(page(&["A0001"], None)).await;
    let service = Service::over(&upstream, &[]).await;
    let address = free_address().await;
    let mut listing = tokio::spawn(barcodes(client_at(address), ListTapesRequest::default()));
    timeout(Duration::from_millis(500), &mut listing)
        .await
        .unwrap_err();

    let listener = TcpListener::bind(address).await.unwrap();
    let _relay = AbortOnDropHandle::new(tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(service.addresses.grpc).await.unwrap();
        copy_bidirectional(&mut client, &mut server).await
    }));
    assert_eq!(listing.await.unwrap().unwrap(), ["A0001"]);
}

#[tokio::test]
async fn the_deadline_ends_the_wait_for_a_service() {
    let address = free_address().await;
    let mut request = tonic::Request::new(ListTapesRequest::default());
    request.set_timeout(Duration::from_secs(1));
    let began = Instant::now();
    let error = Error::from(client_at(address).list_tapes(request).await.unwrap_err());
    assert!(began.elapsed() < Duration::from_secs(3));
    assert!(
        matches!(error.code, Code::Unavailable | Code::DeadlineExceeded),
        "{error}"
    );
    assert_eq!((error.reason, error.verdict), (None, Verdict::SameCall));
}

/// A server in place of the service, which answers each request with this response, and counts them.
async fn server(
    response: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let router = Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        ready(response())
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, asked)
}

#[tokio::test]
async fn a_response_that_hangs_is_given_up() {
    let (address, _) = server(|| {
        let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        Response::builder()
            .header("content-type", "application/grpc")
            .body(body)
            .unwrap()
    })
    .await;
    let began = Instant::now();
    let pages = walk(
        client_at(address),
        ListTapesRequest::default(),
        Duration::from_secs(1),
    );
    let error = pages.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.code, Code::DeadlineExceeded, "{error}");
    let mut client = client_at(address);
    let create = repeat(Duration::from_secs(1), async || {
        client.create_tapes(CreateTapesRequest::default()).await
    });
    let error = create.await.unwrap_err();
    assert!(error.may_have_created(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_error_page_of_a_proxy_is_retried_if_it_says_unavailable() {
    for (status, attempts) in [(503, 3), (404, 1)] {
        let (address, asked) =
            server(move || Response::builder().status(status).body(Body::empty()).unwrap()).await;
        let failed = client_at(address).list_tapes(ListTapesRequest::default()).await;
        let error = Error::from(collect(failed).await.unwrap_err());
        assert_eq!(error.verdict == Verdict::SameCall, status == 503, "{error}");
        assert_eq!(asked.load(Ordering::Relaxed), attempts, "{status}");
    }
}

#[tokio::test]
async fn a_list_that_was_cut_goes_on_after_its_last_page() {
    let replies = [
        page(&["A0001", "A0002"], Some("one")),
        fails("ServiceUnavailable"),
        page(&["A0003"], Some("two")),
        fails("ServiceUnavailable"),
        page(&["A0004"], None),
    ];
    let upstream = Upstream::script(replies).await;
    let service = Service::over(&upstream, &[ONCE]).await;
    let listed = barcodes(client_of(&service), ListTapesRequest::default())
        .await
        .unwrap();
    assert_eq!(listed, ["A0001", "A0002", "A0003", "A0004"]);
}

#[tokio::test]
async fn a_list_that_was_cut_shows_no_more_than_was_asked_for() {
    let replies = [
        page(&["A0001", "A0002"], Some("one")),
        fails("ServiceUnavailable"),
        page(&["A0003"], Some("two")),
    ];
    let upstream = Upstream::script(replies).await;
    let service = Service::over(&upstream, &[ONCE]).await;
    let request = ListTapesRequest {
        max_items: 3,
        ..Default::default()
    };
    assert_eq!(
        barcodes(client_of(&service), request).await.unwrap(),
        ["A0001", "A0002", "A0003"]
    );
    let limit = |index: usize| upstream.asked()[index].body["Limit"].clone();
    assert_eq!(limit(2), 1);
}

#[tokio::test]
async fn a_list_that_may_not_be_resumed_ends_with_its_error() {
    let denied = Reply::aws(
        400,
        &json!({ "__type": "AccessDeniedException", "message": "no" }),
    );
    let upstream = Upstream::script([page(&["A0001"], Some("one")), denied]).await;
    let service = Service::over(&upstream, &[ONCE]).await;
    let error = barcodes(client_of(&service), ListTapesRequest::default())
        .await
        .unwrap_err();
    assert_ne!(error.verdict, Verdict::SameCall, "{error}");
}
