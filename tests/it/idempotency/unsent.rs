//! A create whose request is not on the wire yet when its deadline passes or its caller cancels: it
//! is not sent afterwards, and the outcome is `not_applied`.

use std::{fs, net::SocketAddr, time::Duration};

use serde_json::json;
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};
use tonic::{Code, Status};

use super::aws::tape;
use crate::harness::{Program, Refusal, Reply, Service, Upstream, eventually, one_new_tape, refusal};

/// Long after everything that these tests wait for.
const LONG: Duration = Duration::from_secs(20);

/// The deadline of a create is the only timeout that ends it.
const SHORT: [&str; 4] = [
    "--deadline-unary=500ms",
    "--upstream-connect-timeout=1m",
    "--upstream-attempt-timeout=1m",
    "--upstream-create-timeout=10m",
];

fn check_not_sent(status: &Status) -> Refusal {
    let refused = refusal(status);
    assert_eq!(refused.code, Code::DeadlineExceeded, "{refused:?}");
    assert_eq!(refused.metadata["outcome"], "not_applied", "{refused:?}");
    assert_eq!(refused.metadata["attempts"], "0", "{refused:?}");
    assert_eq!(refused.metadata["retry"], "same_call", "{refused:?}");
    assert_eq!(status.metadata().get("x-tapegate-attempts").unwrap(), "0");
    refused
}

/// A TLS server that accepts connections and never answers the client's first message.
struct SilentServer {
    listener: TcpListener,
    endpoint: String,
}

impl SilentServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        Self { listener, endpoint }
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }
}

/// Reads until the other side closes the connection, and returns what it sent.
async fn rest(mut connection: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let ended = timeout(LONG, connection.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "the connection stays open");
    bytes
}

#[tokio::test]
async fn a_create_is_not_sent_after_its_deadline_if_the_tls_handshake_takes_longer() {
    let server = SilentServer::start().await;
    let service = Service::at(&server.endpoint, &SHORT).await;
    let mut client = service.client();
    let (answer, connection) = tokio::join!(client.create_tapes(one_new_tape("token-1")), server.accept());
    check_not_sent(&answer.unwrap_err());
    let sent = rest(connection).await;
    assert_eq!(sent.first(), Some(&0x16), "a handshake record, the ClientHello");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_create_is_not_sent_after_its_caller_cancels_during_the_tls_handshake() {
    let server = SilentServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = format!("--audit-file={}", path.display());
    let service = Service::at(&server.endpoint, &[&SHORT[1..], &[audit.as_str()]].concat()).await;
    let mut client = service.client();
    let connection = tokio::select! {
        answer = client.create_tape_with_barcode(tape()) => panic!("{answer:?}"),
        connection = server.accept() => connection,
    };
    rest(connection).await;
    // The shutdown waits for creates in flight, and there are none.
    timeout(LONG, service.stop()).await.unwrap().unwrap();
    let record: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(record["outcome"], "not_applied", "{record}");
    assert_eq!(record["attempts"], 0, "{record}");
}

/// A listener whose queue of connections is full, so that the kernel answers no further one.
async fn full_listener() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
    }
    (listener, address, queued)
}

#[tokio::test]
async fn a_create_is_not_sent_after_its_deadline_if_the_connect_takes_longer() {
    let (listener, address, queued) = full_listener().await;
    let service = Service::at(&format!("http://{address}"), &SHORT).await;
    let status = service
        .client()
        .create_tape_with_barcode(tape())
        .await
        .unwrap_err();
    check_not_sent(&status);
    let count = queued.len();
    drop(queued);
    timeout(LONG, service.stop()).await.unwrap().unwrap();
    // The queue has room again: a connection that the service still wants would come now.
    for _ in 0..count {
        let (connection, _) = listener.accept().await.unwrap();
        assert_eq!(rest(connection).await, b"");
    }
    let late = timeout(Duration::from_millis(1500), listener.accept()).await;
    if let Ok(Ok((connection, _))) = late {
        assert_eq!(rest(connection).await, b"");
    }
}

#[tokio::test]
async fn a_create_is_not_sent_after_its_deadline_if_the_credentials_come_later() {
    let upstream = Upstream::answering(|_| async { Reply::ok(&json!({"TapeInfos": []})) }).await;
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let script = format!(
        "#!/bin/sh\nwhile [ ! -e {}/go ]; do sleep 0.05; done\n\
         echo '{{\"Version\": 1, \"AccessKeyId\": \"AKIDTEST\", \"SecretAccessKey\": \"secret-of-the-tests\"}}'\n",
        home.path().display()
    );
    fs::write(path("script"), script).unwrap();
    fs::create_dir(path(".aws")).unwrap();
    let profile = format!(
        "[default]\ncredential_process = /bin/sh {}\n",
        path("script").display()
    );
    fs::write(path(".aws/config"), profile).unwrap();
    let program = Program::serve(
        &upstream.endpoint(),
        [
            ("HOME", home.path().to_str().unwrap()),
            ("PATH", "/usr/bin:/bin"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("TAPEGATE_DEADLINE_UNARY", "500ms"),
        ],
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let (tapes, with_barcode) = tokio::join!(
        async {
            client
                .clone()
                .create_tapes(one_new_tape("token-1"))
                .await
                .map(drop)
        },
        async { client.clone().create_tape_with_barcode(tape()).await.map(drop) },
    );
    check_not_sent(&tapes.unwrap_err());
    check_not_sent(&with_barcode.unwrap_err());
    fs::write(path("go"), "").unwrap();
    eventually("the credentials arrive", async || {
        client.list_tapes(ListTapesRequest::default()).await.is_ok()
    })
    .await;
    // A create that still waited for the credentials would have been sent with the first list.
    client.list_tapes(ListTapesRequest::default()).await.unwrap();
    let asked = upstream.asked();
    assert!(
        asked.iter().all(|asked| asked.operation == "ListTapes"),
        "{asked:?}"
    );
}

/// The same create that hangs once it is on the wire: AWS may carry it out.
#[tokio::test]
async fn a_create_whose_request_is_sent_counts_and_is_unknown_at_its_deadline() {
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let service = Service::over(&upstream, &SHORT).await;
    let status = service
        .client()
        .create_tapes(one_new_tape("token-1"))
        .await
        .unwrap_err();
    let refused = refusal(&status);
    assert_eq!(refused.code, Code::DeadlineExceeded, "{refused:?}");
    assert_eq!(refused.metadata["outcome"], "unknown");
    assert_eq!(refused.metadata["attempts"], "1");
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_no_request_to_aws_and_is_retried() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let service = Service::at(&endpoint, &["--retry-base=1ms", "--retry-cap=2ms"]).await;
    let status = service
        .client()
        .create_tape_with_barcode(tape())
        .await
        .unwrap_err();
    let refused = refusal(&status);
    assert_eq!(refused.reason, "UPSTREAM_UNREACHABLE");
    assert_eq!(refused.metadata["outcome"], "not_applied");
    assert_eq!(refused.metadata["attempts"], "0");
    let (_, metrics) = service.admin("/metrics").await;
    let retries = "tapegate_upstream_retries_total{tapegate_operation=\"CreateTapeWithBarcode\",tapegate_reason=\"no_answer\"} 3";
    assert!(metrics.contains(retries), "{metrics}");
}
