//! Each create and each rejected call has one audit record, however it ends; other calls have none.

use std::{fs, path::PathBuf, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use tapegate::{
    access::audit::{AuditFileError, AuditLog, AuditRecord, AuditSettings},
    grpc::proto::{CreateTapesRequest, DescribeTapesRequest, ListTapesRequest},
};
use tonic::{Code, Request};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use super::attacks::{OPERATORS, audited, recorded};
use crate::harness::{GATEWAY, Reply, SIZE, Site, Upstream, With, bearer, collect, eventually};

fn create(token: &str) -> CreateTapesRequest {
    CreateTapesRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        client_token: token.into(),
        num_tapes_to_create: 1,
        tape_barcode_prefix: "AUD".into(),
        ..Default::default()
    }
}

/// The record without the members that differ in each run.
fn fixed(record: &Value) -> Value {
    let mut record = record.clone();
    for name in ["time", "seconds", "request_id", "aws_request_id"] {
        record.as_object_mut().unwrap().remove(name).unwrap();
    }
    record
}

#[tokio::test]
async fn each_create_and_each_rejected_call_is_recorded_once() {
    let site = Site::new();
    site.policies(
        r#"@id("operators") permit (principal in TapeGate::Group::"operators", action, resource);
           @id("not on sundays") forbid (principal == TapeGate::Agent::"never", action, resource);"#,
    );
    let token = site.token("operator", OPERATORS);
    let service = audited(&site, &site.config()).await;
    let mut operator = bearer(service.channel(), Some(&token));
    let mut nobody = bearer(service.channel(), Some(&site.jwt("somebody", &["others"])));
    let mut never = bearer(service.channel(), Some(&site.jwt("never", OPERATORS)));

    // Not recorded: an allowed read, and an invalid read.
    collect(operator.list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap();
    operator
        .describe_tapes(DescribeTapesRequest::default())
        .await
        .unwrap_err();

    let mut request = Request::new(create("token-of-the-audit"));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request
        .metadata_mut()
        .insert("traceparent", trace.parse().unwrap());
    request
        .metadata_mut()
        .insert("x-request-id", "id-of-the-agent".parse().unwrap());
    operator.create_tapes(request).await.unwrap();
    operator
        .create_tapes(CreateTapesRequest::default())
        .await
        .unwrap_err();
    nobody.create_tapes(create("token-of-nobody")).await.unwrap_err();
    nobody.list_tapes(ListTapesRequest::default()).await.unwrap_err();
    never.list_tapes(ListTapesRequest::default()).await.unwrap_err();
    service
        .client()
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap_err();

    let (text, records) = recorded(&site, service).await;
    let common = json!({
        "trace_id": null, "method": "tapegate.v1.TapeService/CreateTapes", "principal": "operator",
        "groups": OPERATORS, "source": null, "peer": "127.0.0.1", "address": "127.0.0.1", "action": null,
        "resource": null, "decision": "none", "policies": [], "code": "OK", "reason": null, "panicked": false,
        "asked": null, "outcome": null, "hidden_tapes": 0, "attempts": 0,
    });
    let with = |members: Value| {
        let mut record = common.clone();
        record
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        record
    };
    let source = records[0]["source"].as_str().unwrap();
    assert!(
        source.starts_with("token ") && source.len() == "token ".len() + 16,
        "{source}"
    );
    let somebody = json!("jwt https://issuer.example");
    let list = "tapegate.v1.TapeService/ListTapes";
    let scope = "123456789012/us-east-1";
    let denied = json!({ "decision": "deny", "code": "PERMISSION_DENIED", "reason": "PERMISSION_DENIED", "source": somebody });
    let denied = |members: Value| {
        let mut record = denied.clone();
        record
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        with(record)
    };
    let expected = [
        with(json!({
            "trace_id": "0af7651916cd43dd8448eb211c80319c", "source": source, "action": "CreateTapes",
            "resource": GATEWAY, "decision": "allow", "policies": ["operators"], "outcome": "applied", "attempts": 1,
            "asked": "prefix AUD, client token token-of-the-audit",
        })),
        with(json!({
            "source": source, "code": "INVALID_ARGUMENT", "reason": "INVALID_REQUEST", "outcome": "not_applied",
        })),
        denied(json!({
            "principal": "somebody", "groups": ["others"], "action": "CreateTapes", "resource": GATEWAY,
            "asked": "prefix AUD, client token token-of-nobody", "outcome": "not_applied",
        })),
        denied(json!({
            "principal": "somebody", "groups": ["others"], "action": "ListTapes", "resource": scope, "method": list,
        })),
        denied(json!({
            "principal": "never", "action": "ListTapes", "resource": scope, "method": list,
            "policies": ["not on sundays"],
        })),
        with(json!({
            "principal": null, "groups": [], "method": list, "code": "UNAUTHENTICATED",
            "reason": "CREDENTIALS_MISSING",
        })),
    ];
    let found: Vec<_> = records.iter().map(fixed).collect();
    assert_eq!(found, expected, "{text}");
    assert_eq!(records[0]["request_id"], "id-of-the-agent");
    assert!(records[0]["aws_request_id"].is_string() && records[0]["time"].as_str().unwrap().ends_with('Z'));
    assert!(!text.contains(&token), "a token is in the audit");
}

#[tokio::test]
async fn audit_reads_records_reads_with_the_number_of_hidden_tapes() {
    let site = Site::new();
    site.policies(
        r#"permit (principal, action == TapeGate::Action::"ListTapes", resource);
           permit (principal, action == TapeGate::Action::"ReadTape", resource) when { resource.pool == "GLACIER" };"#,
    );
    let flags = [
        &format!("--audit-file={}", site.path("audit.jsonl").display()),
        "--audit-reads",
    ];
    let service = site.run(&site.config(), &flags).await;
    let mut client = bearer(service.channel(), Some(&site.jwt("somebody", &[])));
    let pages = collect(client.list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap();
    let shown: usize = pages.iter().map(|page| page.tape_infos.len()).sum();
    let (_, records) = recorded(&site, service).await;
    let [record] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!(record["action"], "ListTapes");
    assert_eq!(record["hidden_tapes"], 250 - shown);
    assert!(shown > 0 && shown < 250);
    assert_eq!(record["attempts"], 3);
}

#[tokio::test]
async fn a_create_that_is_abandoned_or_ends_at_its_deadline_is_recorded_once() {
    let site = Site::new();
    // Never responds, so that the calls end first.
    let upstream = Upstream::answering(|_| std::future::pending::<Reply>()).await;
    let audit = format!("--audit-file={}", site.path("audit.jsonl").display());
    let flags = [
        audit.as_str(),
        "--upstream-create-timeout=4s",
        "--retry-attempts=1",
    ];
    let service = site.over(&upstream, &site.config(), &flags).await;
    let client = bearer(service.channel(), Some(&site.jwt("somebody", OPERATORS)));
    let mut leaving = client.clone();
    tokio::select! {
        answer = leaving.create_tapes(create("token-given-up")) => panic!("{answer:?}"),
        () = upstream.was_asked(1) => {}
    }
    let mut request = Request::new(create("token-too-late"));
    request.set_timeout(Duration::from_secs(2));
    let status = client.clone().create_tapes(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let (_, records) = recorded(&site, service).await;
    let recorded: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record["code"].as_str().unwrap(),
                record["outcome"].as_str().unwrap(),
                &record["decision"],
                &record["attempts"],
            )
        })
        .collect();
    assert_eq!(
        recorded,
        [
            ("given up", "unknown", &json!("allow"), &json!(1)),
            ("DEADLINE_EXCEEDED", "unknown", &json!("allow"), &json!(1))
        ]
    );
}

#[tokio::test]
async fn reflection_is_recorded_only_if_it_is_turned_away() {
    let site = Site::new();
    let service = audited(&site, &site.config()).await;
    let with = |token: Option<String>| {
        let value = token.map(|token| format!("Bearer {token}").parse().unwrap());
        let value = value.map(|value| (http::header::AUTHORIZATION, value));
        let with = With(http::HeaderMap::from_iter(value));
        ServerReflectionClient::with_interceptor(service.channel(), with)
    };
    let list = |name: &str| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(name.to_owned())),
    };
    let ask = |name: &str| stream::iter([list(name)]).chain(stream::pending());
    let mut known = with(Some(site.jwt("somebody", OPERATORS)));
    for name in ["no.such.Symbol", "tapegate.v1.TapeService"] {
        let asked = known.server_reflection_info(ask(name)).await;
        let mut cancelled = asked.unwrap().into_inner();
        cancelled.message().await.unwrap();
    }
    with(None)
        .server_reflection_info(ask("tapegate.v1.TapeService"))
        .await
        .unwrap_err();
    let (_, records) = recorded(&site, service).await;
    let reasons: Vec<_> = records.iter().map(|record| &record["reason"]).collect();
    assert_eq!(reasons, ["CREDENTIALS_MISSING"], "{records:?}");
}

#[tokio::test]
async fn a_new_audit_file_is_opened_after_the_old_one_was_moved_away() {
    let site = Site::new();
    let service = audited(&site, &site.config()).await;
    let mut client = bearer(service.channel(), Some(&site.jwt("somebody", OPERATORS)));
    client.create_tapes(create("token-number-0")).await.unwrap();
    let (path, rotated) = (site.path("audit.jsonl"), site.path("audit.jsonl.1"));
    eventually("the first record is written", async || {
        !fs::read_to_string(&path).unwrap().is_empty()
    })
    .await;
    fs::rename(&path, &rotated).unwrap();
    // The file is checked when a record is written, at most once per second.
    let mut calls = 1;
    eventually("a new file is there", async || {
        client
            .create_tapes(create(&format!("token-number-{calls}")))
            .await
            .unwrap();
        calls += 1;
        path.exists()
    })
    .await;
    let (_, records) = recorded(&site, service).await;
    let before = fs::read_to_string(rotated).unwrap().lines().count();
    assert!(before >= 1 && !records.is_empty(), "{before} before");
    assert_eq!(before + records.len(), calls);
}

fn open(path: impl Into<PathBuf>) -> Result<AuditLog, AuditFileError> {
    AuditLog::open(&AuditSettings {
        file: Some(path.into()),
        reads: false,
        rejections: 1,
        queue: 10,
    })
}

#[tokio::test]
async fn a_record_that_cannot_be_written_to_the_file_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let [path, moved] = ["audit.jsonl", "moved.jsonl"].map(|name| folder.path().join(name));
    let audit = open(&path).unwrap();
    // A directory takes the place of the file, so that no record can be written, as on a full disk.
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    let record = record();
    let mut recorded = 0;
    eventually("a record is lost", async || {
        audit.record(&record);
        recorded += 1;
        audit.lost() > 0
    })
    .await;
    audit.finish();
    let written = fs::read_to_string(&moved).unwrap().lines().count() as u64;
    assert_eq!(written + audit.lost(), recorded);
    // A record after the end is counted too.
    audit.record(&record);
    assert_eq!(written + audit.lost(), recorded + 1);
    let missing = open("/nowhere/audit.jsonl");
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("/nowhere/audit.jsonl (setting audit.file)")
    );
}

fn record() -> AuditRecord<'static> {
    AuditRecord {
        time: std::time::SystemTime::UNIX_EPOCH,
        request_id: "request",
        trace_id: None,
        method: "method",
        principal: None,
        groups: &[],
        source: None,
        peer: None,
        address: None,
        action: None,
        resource: None,
        decision: "none",
        policies: &[],
        code: "OK",
        reason: None,
        panicked: false,
        asked: None,
        outcome: None,
        hidden_tapes: 0,
        attempts: 0,
        aws_request_id: None,
        seconds: 0.0,
    }
}

#[tokio::test]
async fn a_forwarded_address_is_accepted_from_trusted_proxies_only() {
    for (trusted, expected) in [("[]", "127.0.0.1"), ("[\"127.0.0.0/8\"]", "198.51.100.7")] {
        let site = Site::new();
        let config = format!("trusted_proxies = {trusted}\n{}", site.config());
        let service = audited(&site, &config).await;
        let token = site.jwt("somebody", OPERATORS);
        let mut headers = http::HeaderMap::new();
        headers.insert(
            http::header::AUTHORIZATION,
            format!("Bearer {token}").parse().unwrap(),
        );
        headers.insert("x-forwarded-for", "203.0.113.9, 198.51.100.7".parse().unwrap());
        let with = crate::harness::With(headers);
        let channel = service.channel();
        let mut client =
            tapegate::grpc::proto::tape_service_client::TapeServiceClient::with_interceptor(channel, with);
        client
            .create_tapes(create("token-of-a-proxy"))
            .await
            .unwrap_or_else(|status| panic!("{status:?}"));
        let (_, records) = recorded(&site, service).await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["peer"], "127.0.0.1");
        assert_eq!(records[0]["address"], expected);
    }
}

#[tokio::test]
async fn a_flood_of_calls_without_credentials_is_summed_up_exactly() {
    const CALLS: usize = 300;
    let site = Site::new();
    let upstream = Upstream::answering(|_| async { Reply::ok(&json!({})) }).await;
    let audit = format!("--audit-file={}", site.path("audit.jsonl").display());
    let flags = [&*audit, "--audit-rejections-per-minute=10"];
    let service = site.over(&upstream, &site.config(), &flags).await;
    let client = bearer(service.channel(), None);
    let calls = (0..CALLS).map(|_| {
        let mut client = client.clone();
        async move { client.list_tapes(ListTapesRequest::default()).await.unwrap_err() }
    });
    for status in join_all(calls).await {
        assert_eq!(status.code(), Code::Unauthenticated);
    }
    // Another reason has records of its own.
    let unknown = bearer(service.channel(), Some("tapegate_unknown"));
    collect(unknown.clone().list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap_err();
    let (_, metrics) = service.admin("/metrics").await;
    assert!(
        metrics.contains(&format!("{{tapegate_reason=\"CREDENTIALS_MISSING\"}} {CALLS}")),
        "{metrics}"
    );
    // The end of the service sums up what the minute has not.
    let (_, records) = recorded(&site, service).await;
    let of = |reason: &'static str| records.iter().filter(move |record| record["reason"] == reason);
    let (summaries, whole): (Vec<_>, Vec<_>) =
        of("CREDENTIALS_MISSING").partition(|record| record.get("calls").is_some());
    assert_eq!(whole.len(), 10);
    let [summary] = &summaries[..] else {
        panic!("{summaries:?}")
    };
    assert_eq!(summary["calls"], CALLS - 10);
    assert_eq!(summary["address"], "127.0.0.1");
    assert_eq!(
        of("TOKEN_UNKNOWN").count() + of("CREDENTIALS_MALFORMED").count(),
        1
    );
}
