//! The log as its reader gets it.

use std::time::Duration;

use serde_json::json;
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tokio::time::timeout;

use crate::harness::{CREDENTIALS, Program, Reply, Upstream, collect, get};

/// How long something may take that a working program does at once.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn calls_that_fail_have_a_line_also_where_others_have_none() {
    let upstream = Upstream::always(Reply::ok(&json!({ "TapeInfos": [] }))).await;
    let mut program = Program::serve(
        &upstream.endpoint(),
        [("TAPEGATE_LOG_OK_PERCENT", "0"), CREDENTIALS[0], CREDENTIALS[1]],
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let listed = client.list_tapes(ListTapesRequest::default()).await;
    collect(listed).await.unwrap();
    let invalid = ListTapesRequest {
        limit: -1,
        ..Default::default()
    };
    client.list_tapes(invalid).await.unwrap_err();
    let line = program.logged("call ended").await;
    assert!(line.contains("INVALID_ARGUMENT"), "{line}");
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_no_call() {
    let upstream = Upstream::always(Reply::ok(&json!({ "TapeInfos": [] }))).await;
    let mut program = Program::serve(
        &upstream.endpoint(),
        [("TAPEGATE_LOG_QUEUE", "100"), CREDENTIALS[0], CREDENTIALS[1]],
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let lost = async || {
        let (_, metrics) = get(&format!("{}/metrics", program.admin)).await;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("tapegate_log_lost_lines_total"));
        let count = line.and_then(|line| line.split(' ').nth(1)).unwrap();
        count.parse::<u64>().unwrap()
    };
    assert_eq!(lost().await, 0);
    // More than the pipe holds.
    let calls = async {
        while lost().await == 0 {
            for _ in 0..100 {
                client.list_tapes(ListTapesRequest::default()).await.unwrap();
            }
        }
    };
    timeout(PATIENCE, calls).await.expect("calls wait for the log");

    let line = program.logged("log lines were lost").await;
    assert!(line.contains("WARN") && line.contains("lines="), "{line}");
    program.ask_to_stop();
    let (code, lines) = program.ended().await;
    assert_eq!(code, Some(0));
    let said = |what| lines.iter().any(|line| line.contains(what));
    assert!(
        said("received SIGTERM") && !said("log lines were lost"),
        "{lines:?}"
    );
}
