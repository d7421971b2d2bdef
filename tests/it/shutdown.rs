//! Calls in progress during shutdown.

use std::sync::Arc;

use serde_json::json;
use tapegate::{
    app::Cut,
    grpc::proto::{CreateTapeWithBarcodeRequest, ListTapesRequest, tape_service_client::TapeServiceClient},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::harness::{GATEWAY, Program, Reply, SIZE, Service, Upstream, tape_arn};

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

#[tokio::test]
async fn calls_that_exceed_the_drain_timeout_are_cut_off_and_counted() {
    let (upstream, _never) = held().await;
    let service = Service::over(&upstream, &["--shutdown-drain-timeout=100ms"]).await;
    let mut client = service.client();
    let call = tokio::spawn(async move { client.create_tape_with_barcode(create()).await });
    upstream.was_asked(1).await;
    match service.stop().await {
        Err(Cut::InProgress { calls: 1, creates: 1 }) => {}
        other => panic!("{other:?}"),
    }
    call.abort();
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
