//! Probes are answered, whatever other clients of the admin listener do.

use std::time::{Duration, Instant};

use serde_json::json;
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::harness::{Program, Reply, Upstream, eventually, get};

/// More than enough for an answer, on a busy machine too.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A connection that was used once and is open.
async fn idle(address: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    connection.write_all(request).await.unwrap();
    assert!(connection.read(&mut [0; 1024]).await.unwrap() > 0);
    connection
}

/// A connection that asks for a page again and again, and reads nothing.
async fn unread(address: &str, page: &str, times: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut connection = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!("GET {page} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    connection
        .write_all(request.repeat(times).as_bytes())
        .await
        .unwrap();
    connection
}

#[tokio::test]
async fn idle_clients_and_clients_that_do_not_read_keep_out_no_probe_and_slow_down_no_call() {
    let upstream = Upstream::always(Reply::ok(&json!({ "TapeInfos": [] }))).await;
    let program = Program::over(&upstream.endpoint(), "warn");
    let admin = program.admin.strip_prefix("http://").unwrap();
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(idle(admin).await);
    }
    for _ in 0..100 {
        held.push(unread(admin, "/metrics", 100).await);
    }
    let client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    for _ in 0..20 {
        let began = Instant::now();
        for path in ["/livez", "/readyz"] {
            assert_eq!(get(&format!("{}{path}", program.admin)).await.0, 200);
        }
        let probed = began.elapsed();
        let began = Instant::now();
        client
            .clone()
            .list_tapes(ListTapesRequest::default())
            .await
            .unwrap();
        let called = began.elapsed();
        assert!(probed < AT_ONCE && called < AT_ONCE, "{probed:?}, {called:?}");
    }
    drop(held);
}

#[tokio::test]
async fn metrics_are_rendered_once_for_all_who_ask_within_a_second() {
    let upstream = Upstream::always(Reply::ok(&json!({ "TapeInfos": [] }))).await;
    let program = Program::over(&upstream.endpoint(), "warn");
    let url = format!("{}/metrics", program.admin);
    get(&url).await;
    let mut asked = JoinSet::new();
    for _ in 0..50 {
        let url = url.clone();
        asked.spawn(async move { get(&url).await });
    }
    let answers = asked.join_all().await;
    // The uptime, if nothing else, differs between two renderings.
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(answers[0].0, 200);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_response_is_disconnected() {
    let upstream = Upstream::always(Reply::ok(&json!({ "TapeInfos": [] }))).await;
    let program = Program::serve(
        &upstream.endpoint(),
        [
            ("TAPEGATE_HANDSHAKE_TIMEOUT", "2s"),
            ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
        ],
    );
    let admin = program.admin.strip_prefix("http://").unwrap();
    // More than the kernels hold between the two.
    let mut connection = unread(admin, "/config", 2000).await;
    let began = Instant::now();
    eventually("the connection is closed", async || {
        connection.write_all(b"\r\n").await.is_err()
    })
    .await;
    // A connection that is read ends after six times the timeout.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}
