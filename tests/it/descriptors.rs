//! A process with few open files refuses connections, and has the rest of them for everything else.

use std::time::{Duration, Instant};

use serde_json::json;
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tonic::{Request, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::harness::{Program, Reply, Upstream, get};

const OPEN_FILES: u32 = 200;

/// How many connections clients try to open.
const TRIED: usize = 500;

#[tokio::test]
async fn a_low_limit_of_open_files_refuses_connections_and_leaves_room_for_calls_and_probes() {
    let upstream = Upstream::answering(|_| async {
        sleep(Duration::from_millis(50)).await;
        Reply::ok(&json!({ "TapeInfos": [] }))
    })
    .await;
    let mut program = Program::with_open_files(OPEN_FILES, &upstream.endpoint());
    let warning = program.logged("max_connections").await;
    for part in [
        "the settings need 3392 open files",
        "the limit of this process is 200",
        "81 gRPC, 40 upstream and 5 admin connections",
        "raise the limit to 3392",
    ] {
        assert!(warning.contains(part), "{part} is not in {warning}");
    }
    let endpoint = Endpoint::new(program.grpc.clone()).unwrap();
    let channel = endpoint.connect().await.unwrap();
    // With an open call, so that the connection does not give its place to another one.
    let _watch = HealthClient::new(channel.clone())
        .watch(HealthCheckRequest::default())
        .await
        .unwrap();
    let client = TapeServiceClient::new(channel);

    let address = program.grpc.strip_prefix("http://").unwrap().to_owned();
    let mut idle = JoinSet::new();
    for _ in 0..TRIED {
        let mut connection = TcpStream::connect(&address).await.unwrap();
        idle.spawn(async move { timeout(Duration::from_secs(5), connection.read(&mut [0])).await });
    }

    let asked = Instant::now();
    assert_eq!(get(&format!("{}/livez", program.admin)).await.0, 200);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    // Together, so that they need more connections to AWS.
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let mut client = client.clone();
        calls.spawn(async move {
            let mut request = Request::new(ListTapesRequest::default());
            request
                .metadata_mut()
                .insert("cache-control", "no-cache".parse().unwrap());
            client.list_tapes(request).await.map(drop)
        });
    }
    for ended in calls.join_all().await {
        ended.unwrap();
    }

    let ends = idle.join_all().await;
    // A connection that is not refused waits for the client.
    let refused = ends.iter().filter(|end| end.is_ok()).count();
    assert_eq!(refused, TRIED - 80);
}
