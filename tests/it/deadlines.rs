//! The service ends every call before the caller's deadline, with complete error details, and
//! leaves no task and no upstream call behind.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use prost::Message;
use serde_json::json;
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
    ListTapesRequest,
};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};
use tonic::Code;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use crate::{
    harness::{GATEWAY, Refusal, Reply, SIZE, Service, Upstream, refusal, tape_arn},
    wire::{self, Raw},
};

/// What is far longer than anything here may take.
const LONG: Duration = Duration::from_secs(20);

/// The bounds of attempts have to be longer.
const CONNECT: &str = "--upstream-connect-timeout=100ms";

const READS: [&str; 3] = ["DescribeTapeArchives", "DescribeTapes", "ListTapes"];
const CREATES: [&str; 2] = ["CreateTapeWithBarcode", "CreateTapes"];

fn request(method: &str) -> Vec<u8> {
    match method {
        "CreateTapeWithBarcode" => CreateTapeWithBarcodeRequest {
            gateway_arn: GATEWAY.into(),
            tape_size_in_bytes: SIZE,
            tape_barcode: "LATE0001".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "CreateTapes" => CreateTapesRequest {
            gateway_arn: GATEWAY.into(),
            tape_size_in_bytes: SIZE,
            client_token: "token-late".into(),
            num_tapes_to_create: 1,
            tape_barcode_prefix: "LATE".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "DescribeTapes" => DescribeTapesRequest {
            gateway_arn: GATEWAY.into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "DescribeTapeArchives" => DescribeTapeArchivesRequest::default().encode_to_vec(),
        _ => ListTapesRequest::default().encode_to_vec(),
    }
}

/// Calls a method over a connection that keeps no time of its own.
async fn call(service: &Service, method: &str, headers: &[(&str, &str)]) -> Raw {
    let body = Full::new(wire::frame(&request(method)));
    send(service, method, headers, body).await
}

async fn send<B>(service: &Service, method: &str, headers: &[(&str, &str)], body: B) -> Raw
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let path = format!("/tapegate.v1.TapeService/{method}");
    let called = wire::post_at(service.addresses.grpc, &path, headers, body);
    timeout(LONG, called).await.expect("every call ends")
}

/// Reads the end of a call that its deadline ended.
fn out_of_time(raw: &Raw) -> Refusal {
    raw.assert_complete();
    let refused = refusal(&raw.status());
    assert_eq!(
        (refused.code, refused.domain.as_str(), refused.reason.as_str()),
        (Code::DeadlineExceeded, "tapegate", "DEADLINE_EXCEEDED"),
        "{refused:?}"
    );
    assert!(refused.details.retry_info().is_none(), "{refused:?}");
    refused
}

/// An upstream that never answers, and how many of its calls are still waited for.
async fn hanging() -> (Upstream, Arc<AtomicUsize>) {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let open = Arc::new(AtomicUsize::new(0));
    let counted = open.clone();
    let upstream = Upstream::answering(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        let held = Guard(counted.clone());
        async move {
            let _held = held;
            std::future::pending().await
        }
    });
    (upstream.await, open)
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let waited = timeout(LONG, async {
        while !is() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn a_missing_timeout_has_a_default_and_a_long_one_is_capped() {
    let (upstream, _) = hanging().await;
    let flags = [
        "--deadline-unary=250ms",
        "--deadline-unary-max=250ms",
        "--deadline-stream=250ms",
        "--deadline-stream-max=250ms",
        CONNECT,
        "--upstream-create-timeout=1s",
    ];
    let service = Service::over(&upstream, &flags).await;
    for method in READS.into_iter().chain(CREATES) {
        for headers in [
            &[][..],
            &[("grpc-timeout", "1H")],
            &[("grpc-timeout", "99999999H")],
        ] {
            let began = Instant::now();
            let refused = out_of_time(&call(&service, method, headers).await);
            assert!(began.elapsed() >= Duration::from_millis(250));
            assert_eq!(refused.metadata["attempts"], "1");
            let outcome = refused.metadata.get("outcome").map(String::as_str);
            assert_eq!(outcome, CREATES.contains(&method).then_some("unknown"));
        }
    }
}

#[tokio::test]
async fn unary_calls_and_streams_have_separate_limits() {
    let (upstream, _) = hanging().await;
    let flags = ["--deadline-stream=100ms", CONNECT, "--upstream-create-timeout=1s"];
    let service = Service::over(&upstream, &flags).await;
    out_of_time(&call(&service, "ListTapes", &[]).await);
    let create = call(&service, "CreateTapes", &[]);
    let create = timeout(Duration::from_millis(300), create).await;
    assert!(create.is_err(), "its default is a minute");
}

/// Of a timeout, the service leaves a little to its answer's way back, and at the least 95 %
/// and all but 100 ms and 1 % to the call.
#[tokio::test]
async fn a_call_ends_a_little_before_the_callers_deadline() {
    let (upstream, _) = hanging().await;
    let service = Service::over(&upstream, &[]).await;
    let ends = async |timeout: u64| {
        let began = Instant::now();
        out_of_time(&call(&service, "ListTapes", &[("grpc-timeout", &format!("{timeout}m"))]).await);
        began.elapsed()
    };
    for (timeout, least) in [(200, 190), (1000, 950), (3000, 2870)] {
        let took = ends(timeout).await;
        assert!(took >= Duration::from_millis(least), "{timeout} ms: {took:?}");
    }
}

/// tonic has a timer of its own, which answers CANCELLED and no details.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tonic_never_ends_a_call_at_the_deadline() {
    let (upstream, open) = hanging().await;
    // Far off, so that a machine that stalls does not meet it first.
    let flags = [CONNECT, "--upstream-create-timeout=3s", "--retry-attempts=1"];
    let service = Service::over(&upstream, &flags).await;
    let calls = (1..=60).flat_map(|timeout| ["ListTapes", "CreateTapes"].map(|method| (timeout, method)));
    let ended = stream::iter(calls)
        .map(async |(timeout, method)| {
            let raw = call(&service, method, &[("grpc-timeout", &format!("{timeout}m"))]).await;
            out_of_time(&raw);
        })
        .buffer_unordered(30)
        .count()
        .await;
    assert_eq!(ended, 120);
    until("the upstream is left", || open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn deadline_exceeded_has_the_reason_of_the_last_attempt() {
    let busy = json!({ "__type": "ServiceUnavailable", "message": "PLANTED" });
    let asked = AtomicUsize::new(0);
    let upstream = Upstream::answering(move |_| {
        let is_first = asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        let busy = busy.clone();
        async move {
            match is_first {
                true => Reply::aws(503, &busy),
                false => std::future::pending().await,
            }
        }
    });
    let upstream = upstream.await;
    let flags = [CONNECT, "--retry-base=1ms", "--upstream-create-timeout=2s"];
    let service = Service::over(&upstream, &flags).await;
    for method in ["ListTapes", "CreateTapes"] {
        let refused = out_of_time(&call(&service, method, &[("grpc-timeout", "500m")]).await);
        assert_eq!(refused.metadata["last_reason"], "SERVICE_UNAVAILABLE");
        assert_eq!(refused.metadata["attempts"], "2");
        // AWS's words are no part of it.
        assert!(!format!("{refused:?}").contains("PLANTED"), "{refused:?}");
    }
}

/// Pages one after another, each of its own, until one that does not come.
async fn stuck_after(pages: usize, rows: usize) -> Upstream {
    let number = AtomicUsize::new(0);
    Upstream::answering(move |_| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        async move {
            if number == pages {
                return std::future::pending().await;
            }
            let row = |row| json!({ "TapeARN": tape_arn(&format!("P{number:05}R{row:05}")) });
            let rows: Vec<_> = (0..rows).map(row).collect();
            Reply::ok(&json!({ "TapeInfos": rows, "Marker": format!("page-{}", number + 1) }))
        }
    })
    .await
}

#[tokio::test]
async fn a_started_stream_ends_with_complete_error_details() {
    let upstream = stuck_after(2, 1).await;
    let service = Service::over(&upstream, &["--deadline-stream=300ms"]).await;
    for (headers, nth) in [(&[][..], 0), (&[("grpc-timeout", "300m")], 1)] {
        let upstream = stuck_after(2, 1).await;
        let other = Service::over(&upstream, &["--deadline-stream=300ms"]).await;
        let service = [&service, &other][nth];
        let raw = call(service, "ListTapes", headers).await;
        assert!(!raw.is_trailers_only());
        let refused = out_of_time(&raw);
        assert_eq!(refused.metadata["attempts"], "3");
        assert_eq!(raw.trailers["x-tapegate-attempts"], "3");
    }
}

/// While its reader makes no room a stream cannot be told anything. Read on, it tells.
#[tokio::test]
async fn a_reader_that_resumes_in_time_gets_the_status() {
    let upstream = stuck_after(usize::MAX, 1000).await;
    let service = Service::over(&upstream, &["--deadline-stream=400ms"]).await;
    let channel = service.endpoint().initial_stream_window_size(1 << 10);
    let channel = channel.connect().await.unwrap();
    let mut client = tapegate::grpc::proto::tape_service_client::TapeServiceClient::new(channel);
    let mut pages = client
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap()
        .into_inner();
    pages.message().await.unwrap().unwrap();
    sleep(Duration::from_millis(600)).await;
    let end = loop {
        match pages.message().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    let refused = refusal(&end.unwrap_err());
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
    assert!(refused.details.request_info().is_some());
}

#[tokio::test]
async fn a_request_message_that_never_arrives_ends_at_the_default_deadline() {
    let upstream = Upstream::script([]).await;
    let flags = ["--deadline-unary=150ms", "--deadline-stream=150ms"];
    let service = Service::over(&upstream, &flags).await;
    for method in READS.into_iter().chain(CREATES) {
        let never = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let refused = out_of_time(&send(&service, method, &[], never).await);
        let outcome = refused.metadata.get("outcome").map(String::as_str);
        assert_eq!(outcome, CREATES.contains(&method).then_some("not_applied"));
    }
}

#[tokio::test]
async fn health_and_reflection_have_no_deadline() {
    let upstream = Upstream::script([]).await;
    let flags = ["--deadline-unary=50ms", "--deadline-stream=50ms"];
    let mut service = Service::over(&upstream, &flags).await;
    let mut watch = service.watch_health().await;
    watch.message().await.unwrap().unwrap();
    let list = || ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let (ask, asked) = tokio::sync::mpsc::channel(1);
    let questions = stream::unfold(asked, |mut asked| async { Some((asked.recv().await?, asked)) });
    ask.send(list()).await.unwrap();
    let mut answers = ServerReflectionClient::new(service.channel())
        .server_reflection_info(questions)
        .await
        .unwrap()
        .into_inner();
    answers.message().await.unwrap().unwrap();

    sleep(Duration::from_millis(1300)).await;
    ask.send(list()).await.unwrap();
    answers.message().await.unwrap().expect("reflection goes on");
    drop(ask);
    service.begin_stop();
    let told = watch.message().await.unwrap().expect("health goes on");
    assert_ne!(told.status, 1, "it tells of the stop");
}

#[tokio::test]
async fn health_watches_and_reflection_end_at_the_deadline_of_their_caller() {
    let upstream = Upstream::script([]).await;
    let service = Service::over(&upstream, &[]).await;
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    // A client of reflection may ask more, so its request stays open.
    let streams = [
        ("/grpc.health.v1.Health/Watch", Vec::new(), false),
        (
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            list.encode_to_vec(),
            true,
        ),
    ];
    for (path, first, stays_open) in streams {
        let first = Ok::<_, Infallible>(Frame::data(wire::frame(&first)));
        let rest = match stays_open {
            true => stream::pending().left_stream(),
            false => stream::empty().right_stream(),
        };
        let body = StreamBody::new(stream::iter([first]).chain(rest));
        let began = Instant::now();
        let called = wire::post_at(service.addresses.grpc, path, &[("grpc-timeout", "2S")], body);
        let raw = timeout(LONG, called).await.expect("every call ends");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert!(!raw.is_trailers_only(), "{path}: the stream had begun");
        out_of_time(&raw);
    }
}

#[tokio::test]
async fn a_health_watch_that_ends_at_its_deadline_leaves_its_connection_open() {
    let upstream = Upstream::script([]).await;
    let mut service = Service::over(&upstream, &[]).await;
    let mut canary = service.watch_health().await;
    canary.message().await.unwrap().unwrap();
    let watch = "/grpc.health.v1.Health/Watch";
    let ended = wire::post(
        service.channel(),
        watch,
        &[("grpc-timeout", "1S")],
        wire::frame(&[]),
    );
    out_of_time(&timeout(LONG, ended).await.expect("every call ends").unwrap());
    // A stalled reader would be told by now.
    sleep(Duration::from_millis(1300)).await;
    service.begin_stop();
    canary.message().await.unwrap().expect("the connection is open");
}

/// As many tasks as there are in this process; the upstream and its connections are here too.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn an_ended_read_leaves_no_task_and_no_upstream_call() {
    let (upstream, open) = hanging().await;
    let service = Service::over(&upstream, &[]).await;
    // Each has an upstream call of its own.
    let headers = [("cache-control", "no-cache"), ("grpc-timeout", "1500m")];
    let read = async |method: &str| {
        out_of_time(&call(&service, method, &headers).await);
    };
    read("ListTapes").await;
    until("the first is left", || open.load(Ordering::SeqCst) == 0).await;
    let before = tasks();
    let reads = (0..40).map(|n| read(READS[n % READS.len()]));
    futures_util::future::join_all(reads).await;
    assert_eq!(upstream.asked().len(), 41);
    until("the upstream's calls end", || open.load(Ordering::SeqCst) == 0).await;
    until("the tasks end", || tasks() <= before).await;
}

/// Its caller is answered in time, and the create ends within its own bound, not repeated.
#[tokio::test]
async fn a_sent_create_outlives_its_caller_until_its_timeout() {
    let (upstream, open) = hanging().await;
    let flags = [CONNECT, "--upstream-create-timeout=1s", "--retry-base=1ms"];
    let service = Service::over(&upstream, &flags).await;
    let began = Instant::now();
    for method in CREATES {
        let refused = out_of_time(&call(&service, method, &[("grpc-timeout", "200m")]).await);
        assert_eq!(refused.metadata["outcome"], "unknown");
    }
    assert_eq!(open.load(Ordering::SeqCst), 2, "both are on their way");
    until("both end", || open.load(Ordering::SeqCst) == 0).await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(upstream.asked().len(), 2, "nobody asked for a repeat");
    service.stop().await.unwrap();
}
