//! Calls in progress during shutdown.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};
use tapegate::{
    app::Cut,
    grpc::proto::{CreateTapeWithBarcodeRequest, ListTapesRequest, tape_service_client::TapeServiceClient},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt;

use crate::harness::{GATEWAY, Program, Reply, SIZE, Service, Upstream, refusal, tape_arn};

fn create() -> CreateTapeWithBarcodeRequest {
    CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: "LAST0001".into(),
        ..Default::default()
    }
}

/// An upstream that answers when it is told to.
async fn held() -> (Upstream, Arc<Notify>) {
    let go = Arc::new(Notify::new());
    let upstream = {
        let go = go.clone();
        Upstream::answering(move |_| {
            let go = go.clone();
            async move {
                go.notified().await;
                let arn = tape_arn("LAST0001");
                Reply::ok(&json!({ "TapeARN": arn, "TapeInfos": [{ "TapeARN": arn }] }))
            }
        })
    };
    (upstream.await, go)
}

#[tokio::test]
async fn calls_in_progress_finish_and_new_ones_are_not_accepted() {
    let (upstream, go) = held().await;
    let mut service = Service::over(&upstream, &[]).await;
    let mut client = service.client();
    let call = tokio::spawn(async move { client.create_tape_with_barcode(create()).await });
    upstream.was_asked(1).await;

    service.begin_stop();
    service.not_ready().await;
    let endpoint = service.endpoint();
    // The door is closed once a new connection is refused, or dropped without a word.
    while let Ok(channel) = endpoint.connect().await {
        let mut client = TapeServiceClient::new(channel);
        match client
            .list_tapes(ListTapesRequest {
                limit: -1,
                ..Default::default()
            })
            .await
        {
            Err(status) if status.code() == Code::InvalidArgument => tokio::task::yield_now().await,
            _ => break,
        }
    }
    go.notify_one();
    assert_eq!(
        call.await.unwrap().unwrap().into_inner().tape_arn,
        tape_arn("LAST0001")
    );
    service.stop().await.unwrap();
}

#[tokio::test]
async fn new_connections_are_served_until_the_shutdown_delay_has_passed() {
    let mut service = Service::dev(&["--shutdown-delay=10m"]).await;
    service.begin_stop();
    service.not_ready().await;
    for _ in 0..3 {
        let channel = service.endpoint().connect().await.unwrap();
        let mut client = TapeServiceClient::new(channel);
        client.list_tapes(ListTapesRequest::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_sent_create_finishes_after_its_caller_cancels() {
    let (upstream, go) = held().await;
    let service = Service::over(&upstream, &[]).await;
    let mut client = service.client();
    let call = tokio::spawn(async move { client.create_tape_with_barcode(create()).await });
    upstream.was_asked(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());

    let mut stopped = std::pin::pin!(service.stop());
    // The upstream's answer is all that the stop waits for.
    assert!(futures_util::poll!(&mut stopped).is_pending());
    go.notify_one();
    stopped.await.unwrap();
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn a_create_that_is_cut_after_its_caller_has_gone_is_counted() {
    let (upstream, _go) = held().await;
    let mut service = Service::over(&upstream, &["--shutdown-drain-timeout=100ms"]).await;
    let channel = service.endpoint().connect().await.unwrap();
    let call = tokio::spawn(async move {
        let mut client = TapeServiceClient::new(channel);
        client.create_tape_with_barcode(create()).await
    });
    upstream.was_asked(1).await;
    // The connection closes with its only client, so nothing but the create is left.
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    service.begin_stop();
    let cut = service.stop().await.unwrap_err().to_string();
    assert!(cut.ends_with("cut: calls 0, creates sent to AWS 1"), "{cut}");
}

#[tokio::test]
async fn the_result_of_a_cancelled_create_is_logged_with_token_and_barcode() {
    let (upstream, go) = held().await;
    let mut program = Program::over(&upstream.endpoint(), "info");
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let call = tokio::spawn(async move { client.create_tape_with_barcode(create()).await });
    upstream.was_asked(1).await;
    call.abort();
    program
        .logged("cancelled by the caller, or connection closed")
        .await;
    go.notify_one();
    let line = program.logged("its caller had cancelled or disconnected").await;
    let arn = tape_arn("LAST0001");
    for part in [
        "a create succeeded",
        GATEWAY,
        "barcode LAST0001",
        &arn,
        "request-of-the-test",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

/// The records of the audit file.
fn records(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn calls_that_exceed_the_drain_timeout_get_a_status_and_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let (upstream, _never) = held().await;
    let flags = [
        "--shutdown-drain-timeout=100ms",
        "--audit-reads=true",
        &format!("--audit-file={}", audit.display()),
    ];
    let service = Service::over(&upstream, &flags).await;
    let mut client = service.client();
    let call = tokio::spawn(async move { client.create_tape_with_barcode(create()).await });
    upstream.was_asked(1).await;
    let mut client = service.client();
    let list = tokio::spawn(async move { client.list_tapes(ListTapesRequest::default()).await.map(drop) });
    upstream.was_asked(2).await;
    match service.stop().await {
        Err(Cut::InProgress { calls: 2, creates: 1 }) => {}
        other => panic!("{other:?}"),
    }
    let created = call.await.unwrap().unwrap_err();
    let listed = list.await.unwrap().unwrap_err();
    for status in [&created, &listed] {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        let told = refusal(status);
        assert_eq!(told.reason, "SHUTTING_DOWN");
        assert_eq!(told.metadata["retry"], "same_call");
        assert_eq!(told.metadata["attempts"], "1");
        assert!(status.get_details_retry_info().is_some(), "{status:?}");
        assert!(status.get_details_request_info().is_some(), "{status:?}");
        assert_eq!(status.metadata().get("x-tapegate-attempts").unwrap(), "1");
    }
    assert_eq!(refusal(&created).metadata["outcome"], "unknown");
    assert_eq!(refusal(&created).metadata["operation"], "CreateTapeWithBarcode");
    assert_eq!(refusal(&listed).metadata["operation"], "ListTapes");
    let records = records(&audit);
    assert_eq!(records.len(), 2, "{records:?}");
    for record in &records {
        assert_eq!(record["reason"], "SHUTTING_DOWN");
        assert_eq!(record["code"], "UNAVAILABLE");
    }
    assert!(records.iter().any(|record| record["outcome"] == "unknown"));
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_with_its_status_after_whole_pages() {
    let pages = Arc::new(AtomicU32::new(0));
    let upstream = Upstream::answering(move |_| {
        let pages = pages.clone();
        async move {
            if pages.fetch_add(1, Ordering::Relaxed) > 0 {
                std::future::pending::<()>().await;
            }
            let tapes: Vec<_> = (0..500)
                .map(|number| json!({ "TapeARN": tape_arn(&format!("LAST{number:04}")) }))
                .collect();
            Reply::ok(&json!({ "TapeInfos": tapes, "Marker": "next" }))
        }
    })
    .await;
    let service = Service::over(&upstream, &["--shutdown-drain-timeout=100ms"]).await;
    let mut client = service.client();
    let mut stream = client
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().tape_infos.len(), 500);
    let next = tokio::spawn(async move { stream.message().await });
    upstream.was_asked(2).await;
    assert!(matches!(
        service.stop().await,
        Err(Cut::InProgress { calls: 1, creates: 0 })
    ));
    let status = next.await.unwrap().unwrap_err();
    assert_eq!(refusal(&status).reason, "SHUTTING_DOWN");
    assert!(!refusal(&status).metadata.contains_key("outcome"));
}

#[tokio::test]
async fn a_reader_that_reads_nothing_does_not_hold_the_end_and_has_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let flags = [
        "--shutdown-drain-timeout=100ms",
        "--audit-reads=true",
        "--emulator-seed-tapes=20000",
        &format!("--audit-file={}", audit.display()),
    ];
    let service = Service::dev(&flags).await;
    // A window that is smaller than a page, so that the rest of the page holds up the trailers.
    let endpoint = service.endpoint().initial_stream_window_size(16 * 1024);
    let mut client = TapeServiceClient::new(endpoint.connect().await.unwrap());
    let unread = client.list_tapes(ListTapesRequest::default()).await.unwrap();
    assert!(matches!(
        service.stop().await,
        Err(Cut::InProgress { calls: 1, .. })
    ));
    let records = records(&audit);
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["code"], "given up");
    drop(unread);
}

#[tokio::test]
async fn the_last_line_of_a_json_log_is_json() {
    let (upstream, _never) = held().await;
    let mut program = Program::serve(
        &upstream.endpoint(),
        [
            ("TAPEGATE_LOG_FORMAT", "json"),
            ("TAPEGATE_SHUTDOWN_DRAIN_TIMEOUT", "100ms"),
            ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
        ],
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let call = tokio::spawn(async move { client.create_tape_with_barcode(create()).await });
    upstream.was_asked(1).await;
    program.ask_to_stop();
    let (code, lines) = program.ended().await;
    assert_eq!(code, Some(1));
    for line in &lines {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{line}");
    }
    let last = lines.last().unwrap();
    assert!(last.contains("cut: calls 1, creates sent to AWS 1"), "{last}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("SHUTTING_DOWN") && line.contains("call ended"))
    );
    assert_eq!(refusal(&call.await.unwrap().unwrap_err()).reason, "SHUTTING_DOWN");
}

#[tokio::test]
async fn idle_emulator_and_admin_connections_do_not_delay_shutdown() {
    let service = Service::dev(&["--emulator-seed-tapes=0"]).await;
    let mut connection = TcpStream::connect(service.addresses.admin).await.unwrap();
    // Half a request: nobody knows whether the rest will come.
    connection.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    service.stop().await.unwrap();
}

#[tokio::test]
async fn health_watches_and_idle_connections_do_not_delay_shutdown() {
    let upstream = Upstream::always(Reply::ok(&json!({}))).await;
    let service = Service::over(&upstream, &[]).await;
    let _silent = TcpStream::connect(service.addresses.grpc).await.unwrap();
    let mut health = HealthClient::new(service.channel());
    let request = HealthCheckRequest {
        service: "tapegate.v1.TapeService".into(),
    };
    let mut watch = health.watch(request.clone()).await.unwrap().into_inner();
    while watch.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}
    assert_eq!(
        health.check(request).await.unwrap().into_inner().status(),
        ServingStatus::Serving
    );
    service.stop().await.unwrap();
    // The watch has ended, in whatever way.
    while let Ok(Some(_)) = watch.message().await {}
}
