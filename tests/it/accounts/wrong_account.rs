use serde_json::json;
use tonic::Code;

use super::*;
use crate::harness::{Reply, Upstream, eventually, get, refusal, tape_arn};

async fn reasons(program: &Program) -> String {
    get(&format!("{}/readyz", program.admin)).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_another_account_serve_nothing() {
    let world = World::new().await;
    // Of this account there are no tapes in the region, so no row could show the mistake.
    let program = world.serve(&config(BACKUP), &["--allow-anonymous", "--region=eu-west-1"]);
    let told = async || reasons(&program).await.contains("aws_account_mismatch");
    eventually("readiness tells", told).await;
    assert!(
        reasons(&program)
            .await
            .contains(&format!("belong to account {MAIN}, not to {BACKUP}"))
    );
    let mut client = connect(&program).await;
    let status = list(&mut client, BACKUP, "eu-west-1").await.unwrap_err();
    let refused = refusal(&status);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::Internal, "AWS_ACCOUNT_MISMATCH")
    );
    assert!(!status.message().contains(MAIN), "{}", status.message());
    assert_eq!(world.signed().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credentials_are_of_the_configured_account() {
    let world = World::new().await;
    let program = world.serve(&config(MAIN), &["--allow-anonymous", "--region=us-east-1"]);
    let mut client = connect(&program).await;
    assert_eq!(list(&mut client, MAIN, "us-east-1").await.unwrap().len(), 5);
    let asked = world.emulator.calls().into_iter();
    let asked = asked.filter(|call| call.operation == "GetCallerIdentity");
    assert_eq!(asked.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_name_no_other_account_than_that_of_the_credentials() {
    let world = World::new().await;
    let program = world.serve("", &["--allow-anonymous", "--region=us-east-1"]);
    let ready = async || reasons(&program).await.contains("\"ready\":true");
    eventually("it is ready", ready).await;
    let mut client = connect(&program).await;
    assert_eq!(list(&mut client, MAIN, "us-east-1").await.unwrap().len(), 5);
    let status = list(&mut client, BACKUP, "us-east-1").await.unwrap_err();
    assert_eq!(refusal(&status).reason, "AWS_ACCOUNT_MISMATCH");
}

/// Without STS, the tapes in a page show whose they are, also to an anonymous caller.
#[tokio::test]
async fn a_page_of_another_account_is_an_error() {
    let page = json!({ "TapeInfos": [{ "TapeARN": tape_arn("MINE0001") }] });
    let upstream = Upstream::always(Reply::ok(&page)).await;
    let service = crate::harness::Service::over(&upstream, &[]).await;
    let mut client = service.client();
    assert_eq!(list(&mut client, MAIN, "us-east-1").await.unwrap().len(), 1);
    let status = list(&mut client, BACKUP, "us-east-1").await.unwrap_err();
    assert_eq!(refusal(&status).reason, "UPSTREAM_UNREADABLE");
}

/// STS that is away keeps nothing from being served.
#[tokio::test(flavor = "multi_thread")]
async fn without_sts_the_credentials_are_used_as_they_are() {
    let world = World::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sts = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let mut program = world.serve_with_sts(&sts, &config(MAIN), &["--allow-anonymous", "--region=us-east-1"]);
    let line = program.logged("STS did not say").await;
    assert!(line.contains("WARN"), "{line}");
    let ready = async || reasons(&program).await.contains("\"ready\":true");
    eventually("it is ready", ready).await;
    let mut client = connect(&program).await;
    assert_eq!(list(&mut client, MAIN, "us-east-1").await.unwrap().len(), 5);
}

fn config(account: &str) -> String {
    format!("account_id = \"{account}\"")
}
