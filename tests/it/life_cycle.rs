//! What the program tells the service manager, and how it starts and stops.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tokio::{
    net::{TcpListener, UnixDatagram},
    time::timeout,
};
use tonic::Code;

use crate::harness::{CREDENTIALS, Program, Reply, Upstream, get, one_new_tape, refusal};

/// How long something may take that a working program does at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    lines: VecDeque<String>,
}

impl Manager {
    /// Waits until the service says this.
    async fn hears(&mut self, line: &str) {
        let heard = timeout(PATIENCE, async {
            loop {
                while let Some(said) = self.lines.pop_front() {
                    if said == line {
                        return;
                    }
                }
                let mut datagram = [0; 4096];
                let length = self.socket.recv(&mut datagram).await.unwrap();
                let text = std::str::from_utf8(&datagram[..length]).unwrap();
                self.lines.extend(text.lines().map(str::to_owned));
            }
        });
        assert!(heard.await.is_ok(), "never: {line}");
    }
}

#[tokio::test]
async fn the_service_manager_is_told_of_start_life_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let mut manager = Manager {
        socket: UnixDatagram::bind(&path).unwrap(),
        lines: VecDeque::new(),
    };
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let mut program = Program::serve(
        &upstream.endpoint(),
        [
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "200000"),
            CREDENTIALS[0],
            CREDENTIALS[1],
        ],
    );
    manager.hears("READY=1").await;
    manager.hears("STATUS=serving calls").await;
    let began = Instant::now();
    for _ in 0..5 {
        manager.hears("WATCHDOG=1").await;
    }
    assert!(
        began.elapsed() >= Duration::from_millis(300),
        "{:?}",
        began.elapsed()
    );

    // A call in progress, so that the stop takes time.
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let call = tokio::spawn(async move { client.create_tapes(one_new_tape("cut-by-the-manager")).await });
    upstream.was_asked(1).await;
    program.ask_to_stop();
    manager.hears("STOPPING=1").await;
    // The watchdog also watches the stop.
    manager.hears("WATCHDOG=1").await;
    program.ask_to_stop();
    assert_eq!(program.ended().await.0, Some(1));
    call.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_second_signal_ends_the_calls_with_a_status_and_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let mut program = Program::serve(
        &upstream.endpoint(),
        [
            ("TAPEGATE_SHUTDOWN_DELAY", "10m"),
            ("TAPEGATE_SHUTDOWN_DRAIN_TIMEOUT", "10m"),
            ("TAPEGATE_UPSTREAM_CREATE_TIMEOUT", "10m"),
            ("TAPEGATE_AUDIT_FILE", audit.to_str().unwrap()),
            CREDENTIALS[0],
            CREDENTIALS[1],
        ],
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let call = tokio::spawn(async move { client.create_tapes(one_new_tape("hastened")).await });
    upstream.was_asked(1).await;
    program.ask_to_stop();
    program.logged("received SIGTERM").await;
    program.ask_to_stop();
    let status = timeout(PATIENCE, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let told = refusal(&status);
    assert_eq!(told.reason, "SHUTTING_DOWN");
    assert_eq!(
        (told.metadata["retry"].as_str(), told.metadata["outcome"].as_str()),
        ("same_call", "unknown")
    );
    let (code, lines) = program.ended().await;
    assert_eq!(code, Some(1));
    let last = lines.last().unwrap();
    assert!(
        last.contains("in progress at the second signal, and cut: calls 1, creates sent to AWS 1"),
        "{last}"
    );
    let record = std::fs::read_to_string(&audit).unwrap();
    assert!(
        record.contains("SHUTTING_DOWN") && record.lines().count() == 1,
        "{record}"
    );
}

#[tokio::test]
async fn a_second_signal_cuts_nothing_if_nothing_is_in_progress() {
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let mut program = Program::serve(
        &upstream.endpoint(),
        [("TAPEGATE_SHUTDOWN_DELAY", "10m"), CREDENTIALS[0], CREDENTIALS[1]],
    );
    program.ask_to_stop();
    program.logged("received SIGTERM").await;
    program.ask_to_stop();
    assert_eq!(program.ended().await.0, Some(0));
}

#[tokio::test]
async fn a_third_signal_ends_the_process_without_waiting() {
    // A collector that accepts the last telemetry and never answers, for which a stop waits five seconds.
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let upstream = Upstream::always(Reply::ok(&serde_json::json!({ "TapeInfos": [] }))).await;
    let mut program = Program::serve(
        &upstream.endpoint(),
        [
            ("TAPEGATE_OTLP_ENDPOINT", endpoint.as_str()),
            CREDENTIALS[0],
            CREDENTIALS[1],
        ],
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    client.list_tapes(ListTapesRequest::default()).await.unwrap();
    let began = Instant::now();
    for line in [
        "received SIGTERM: ",
        "received SIGTERM again",
        "received SIGTERM a third time",
    ] {
        program.ask_to_stop();
        program.logged(line).await;
    }
    assert_eq!(program.ended().await.0, Some(1));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn without_aws_the_program_starts_and_says_so() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let program = Program::serve(
        &format!("http://{nobody}"),
        [
            ("TAPEGATE_RETRY_ATTEMPTS", "1"),
            ("TAPEGATE_PACE_SILENCE", "1"),
            CREDENTIALS[0],
            CREDENTIALS[1],
        ],
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let status = client.list_tapes(ListTapesRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(get(&format!("{}/livez", program.admin)).await.0, 200);
    crate::harness::eventually("readiness names AWS", async || {
        let (status, body) = get(&format!("{}/readyz", program.admin)).await;
        status == 200 && body.contains("\"condition\":\"no_answer\"")
    })
    .await;
}

#[tokio::test]
async fn the_number_of_worker_threads_can_be_set_and_is_logged() {
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let variables = [("TAPEGATE_WORKER_THREADS", "3"), CREDENTIALS[0], CREDENTIALS[1]];
    let mut program = Program::serve(&upstream.endpoint(), variables);
    let line = program.logged("the service has started").await;
    assert!(line.contains("worker_threads=3"), "{line}");
}
