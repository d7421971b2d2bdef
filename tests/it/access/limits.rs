//! Limits per caller, and limits of the service.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tapegate::grpc::proto::{CreateTapeWithBarcodeRequest, CreateTapesRequest, ListTapesRequest};
use tokio::{io::AsyncReadExt, net::TcpStream, time::Instant};
use tonic::{Code, Status};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use super::attacks::OPERATORS;
use crate::harness::{
    Client, GATEWAY, Refusal, Reply, SIZE, Service, Site, Upstream, bearer, collect, refusal, tape_arn,
};

async fn list(client: &Client) -> Result<(), Status> {
    let request = ListTapesRequest {
        max_items: 1,
        ..Default::default()
    };
    collect(client.clone().list_tapes(request).await).await.map(drop)
}

async fn create(client: &Client, token: &str, tapes: i32) -> Result<(), Status> {
    created(client, token, tapes).await.map(drop)
}

/// The ARNs of the tapes of a create.
async fn created(client: &Client, token: &str, tapes: i32) -> Result<Vec<String>, Status> {
    let request = CreateTapesRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        client_token: token.into(),
        num_tapes_to_create: tapes,
        tape_barcode_prefix: "LIM".into(),
        ..Default::default()
    };
    let created = client.clone().create_tapes(request).await?;
    Ok(created.into_inner().tape_arns)
}

fn limited(answer: Result<(), Status>) -> Refusal {
    let rejected = refusal(&answer.unwrap_err());
    assert_eq!(
        (rejected.code, rejected.reason.as_str()),
        (Code::ResourceExhausted, "LIMIT_REACHED")
    );
    let [violation] = &rejected.details.quota_failure().unwrap().violations[..] else {
        panic!("{rejected:?}")
    };
    assert!(violation.subject.starts_with("tapegate:"), "{violation:?}");
    assert!(
        violation.description.ends_with(')') && violation.description.contains(" (limits."),
        "{violation:?}"
    );
    rejected
}

fn delay(rejected: &Refusal) -> Duration {
    rejected.details.retry_info().unwrap().retry_delay.unwrap()
}

#[tokio::test]
async fn calls_per_second_limits_one_caller_and_no_other() {
    let site = Site::new();
    let more = "[limits]\ncalls_per_second = 3\n[[limits.group]]\nname = \"many\"\ncalls_per_second = 50\n";
    let service = site.run(&(site.config() + more), &[]).await;
    let client = |name, groups: &[&str]| bearer(service.channel(), Some(&site.jwt(name, groups)));
    let (one, other, many) = (
        client("one", OPERATORS),
        client("other", OPERATORS),
        client("many", &["many", "operators"]),
    );
    // All at once, so that most are over the limit on a slow machine too.
    let began = Instant::now();
    let (admitted, rejected): (Vec<_>, Vec<_>) = join_all((0..20).map(|_| list(&one)))
        .await
        .into_iter()
        .partition(Result::is_ok);
    let refilled = 3.0 * began.elapsed().as_secs_f64();
    assert!(
        admitted.len() >= 3 && admitted.len() as f64 <= 3.0 + refilled,
        "{} admitted",
        admitted.len()
    );
    let rejected = rejected.into_iter().map(limited).last().unwrap();
    let wait = delay(&rejected);
    assert!(
        wait > Duration::ZERO && wait <= Duration::from_secs(1),
        "{wait:?}"
    );
    assert!(
        rejected.message.contains("calls of one caller per second: 3"),
        "{}",
        rejected.message
    );
    list(&other).await.unwrap();
    for _ in 0..20 {
        list(&many).await.unwrap();
    }
    tokio::time::sleep(wait).await;
    list(&one).await.unwrap();
}

#[tokio::test]
async fn concurrent_streams_limits_a_caller_over_all_its_connections() {
    let site = Site::new();
    let upstream = Upstream::answering(|_| std::future::pending::<Reply>()).await;
    let more = "[limits]\nconcurrent_streams = 2\n";
    let service = site.over(&upstream, &(site.config() + more), &[]).await;
    let token = site.jwt("one", OPERATORS);
    // Each call has a connection of its own, and a different limit, so that it is not coalesced.
    let call = |limit| {
        let mut client = bearer(service.endpoint().connect_lazy(), Some(&token));
        async move {
            let request = ListTapesRequest {
                limit,
                ..Default::default()
            };
            collect(client.list_tapes(request).await).await.map(drop)
        }
    };
    let first = tokio::spawn(call(1));
    upstream.was_asked(1).await;
    let _second = tokio::spawn(call(2));
    upstream.was_asked(2).await;
    limited(call(3).await);
    // An abandoned call makes room for another.
    first.abort();
    let waiting = async { while call(4).await.is_err() {} };
    tokio::select! {
        () = upstream.was_asked(3) => {}
        () = waiting => panic!("the upstream never responds, but a call succeeded"),
    }
}

#[tokio::test]
async fn attempts_in_flight_keeps_a_caller_waiting_and_others_not() {
    let site = Site::new();
    let upstream = Upstream::answering(|_| std::future::pending::<Reply>()).await;
    let more = "[limits]\nattempts_in_flight = 1\n";
    let service = site.over(&upstream, &(site.config() + more), &[]).await;
    let call = |name, limit| {
        let client = bearer(service.channel(), Some(&site.jwt(name, OPERATORS)));
        tokio::spawn(async move {
            let request = ListTapesRequest {
                limit,
                ..Default::default()
            };
            collect(client.clone().list_tapes(request).await).await.map(drop)
        })
    };
    let first = call("one", 1);
    upstream.was_asked(1).await;
    let _waits = call("one", 2);
    let _other = call("two", 3);
    upstream.was_asked(2).await;
    assert_eq!(limits_asked(&upstream), [1, 3]);
    // A create has a place of its own.
    let client = bearer(service.channel(), Some(&site.jwt("one", OPERATORS)));
    let _create = tokio::spawn(async move { create(&client, "token-1", 1).await });
    upstream.was_asked(3).await;
    first.abort();
    upstream.was_asked(4).await;
    assert_eq!(limits_asked(&upstream), [1, 3, 2]);
}

/// The limits of the lists that the upstream was asked for.
fn limits_asked(upstream: &Upstream) -> Vec<u64> {
    let requests = upstream.asked().into_iter();
    requests
        .filter_map(|request| request.body["Limit"].as_u64())
        .collect()
}

#[tokio::test]
async fn tapes_per_hour_counts_only_tapes_that_may_have_been_created() {
    let site = Site::new();
    site.policies(
        r#"permit (principal in TapeGate::Group::"operators", action, resource);
           forbid (principal, action, resource) when { context has prefix && context.prefix == "NO" };"#,
    );
    let service = site
        .run(&(site.config() + "[limits]\ntapes_per_hour = 12\n"), &[])
        .await;
    let client = bearer(service.channel(), Some(&site.jwt("one", OPERATORS)));
    create(&client, "first-ten", 10).await.unwrap();
    // A denied create does not count.
    let denied = CreateTapesRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        client_token: "denied".into(),
        num_tapes_to_create: 2,
        tape_barcode_prefix: "NO".into(),
        ..Default::default()
    };
    assert_eq!(
        client.clone().create_tapes(denied).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    // A create that AWS rejects is given back.
    let elsewhere = CreateTapesRequest {
        gateway_arn: GATEWAY.replace("sgw-12A3456B", "sgw-00000000"),
        tape_size_in_bytes: SIZE,
        client_token: "no-such-gateway".into(),
        num_tapes_to_create: 2,
        tape_barcode_prefix: "LIM".into(),
        ..Default::default()
    };
    assert_eq!(
        client.clone().create_tapes(elsewhere).await.unwrap_err().code(),
        Code::NotFound
    );
    let rejected = limited(create(&client, "three-more", 3).await);
    let wait = delay(&rejected);
    assert!(
        wait > Duration::from_secs(200) && wait <= Duration::from_secs(301),
        "{wait:?}"
    );
    assert_eq!(rejected.metadata["outcome"], "not_applied");
    assert!(
        rejected.message.contains("retry after the delay"),
        "{}",
        rejected.message
    );
    assert!(!rejected.message.contains("fewer"), "{}", rejected.message);
    create(&client, "the-last-two", 2).await.unwrap();
    limited(create(&client, "one-more", 1).await);
    list(&client).await.unwrap();
}

#[tokio::test]
async fn a_repeat_with_the_same_token_counts_once() {
    let site = Site::new();
    let service = site
        .run(&(site.config() + "[limits]\ntapes_per_hour = 10\n"), &[])
        .await;
    let client = bearer(service.channel(), Some(&site.jwt("one", OPERATORS)));
    let first = created(&client, "token-1", 8).await.unwrap();
    assert_eq!(created(&client, "token-1", 8).await.unwrap(), first);
    // With another number of tapes it is another create. It is charged before AWS rejects it, and stays
    // charged, because INVALID_PARAMETERS does not say whether tapes were created.
    limited(create(&client, "token-1", 10).await);
    let rejected = refusal(&create(&client, "token-1", 2).await.unwrap_err());
    assert_eq!(rejected.reason, "INVALID_PARAMETERS");
    // For another caller, the token is a new one.
    let other = bearer(service.channel(), Some(&site.jwt("other", OPERATORS)));
    create(&other, "token-1", 8).await.unwrap();
    limited(create(&other, "token-2", 3).await);
    limited(create(&client, "token-2", 1).await);
    assert_eq!(created(&client, "token-1", 8).await.unwrap(), first);
}

#[tokio::test]
async fn a_repeat_after_a_lost_response_counts_once() {
    let site = Site::new();
    let lost = Reply::aws(500, &json!({ "__type": "InternalFailure" }));
    let arns: Vec<_> = (0..8)
        .map(|number| tape_arn(&format!("LIM00000{number}")))
        .collect();
    let made = json!({ "TapeARNs": arns });
    let upstream = Upstream::script([lost, Reply::ok(&made)]).await;
    let config = site.config() + "[limits]\ntapes_per_hour = 10\n";
    let service = site.over(&upstream, &config, &["--retry-attempts=1"]).await;
    let client = bearer(service.channel(), Some(&site.jwt("one", OPERATORS)));
    let unclear = refusal(&create(&client, "token-1", 8).await.unwrap_err());
    assert_eq!(unclear.metadata["outcome"], "unknown");
    create(&client, "token-1", 8).await.unwrap();
    limited(create(&client, "token-2", 3).await);
}

#[tokio::test]
async fn a_repeat_after_aws_may_have_forgotten_the_token_counts_again_though_its_responses_are_lost() {
    let site = Site::new();
    let lost = Reply::aws(500, &json!({ "__type": "InternalFailure" }));
    let upstream = Upstream::always(lost).await;
    let config = site.config() + "[limits]\ntapes_per_hour = 20\n[create]\ntoken_window = \"0s\"\n";
    let service = site.over(&upstream, &config, &["--retry-attempts=1"]).await;
    let client = bearer(service.channel(), Some(&site.jwt("one", OPERATORS)));
    for _ in 0..2 {
        let unclear = refusal(&create(&client, "token-1", 8).await.unwrap_err());
        assert_eq!(unclear.metadata["outcome"], "unknown");
    }
    limited(create(&client, "token-1", 8).await);
    assert_eq!(upstream.asked().len(), 2);
}

#[tokio::test]
async fn a_token_that_aws_has_forgotten_creates_no_tapes_free_of_charge() {
    let site = Site::new();
    let made = |call| {
        let arns = (0..5).map(|number| tape_arn(&format!("LIM0000{call}{number}")));
        Reply::ok(&json!({ "TapeARNs": arns.collect::<Vec<_>>() }))
    };
    let upstream = Upstream::script((0..2).map(made)).await;
    let config = site.config() + "[limits]\ntapes_per_hour = 10\n";
    let service = site.over(&upstream, &config, &[]).await;
    let client = bearer(service.channel(), Some(&site.jwt("one", OPERATORS)));
    create(&client, "token-1", 5).await.unwrap();
    create(&client, "token-1", 5).await.unwrap();
    limited(create(&client, "token-1", 5).await);
    limited(create(&client, "token-2", 1).await);
}

#[tokio::test]
async fn a_repeat_with_the_same_barcode_counts_once() {
    let site = Site::new();
    let service = site
        .run(&(site.config() + "[limits]\ntapes_per_hour = 1\n"), &[])
        .await;
    let client = bearer(service.channel(), Some(&site.jwt("one", OPERATORS)));
    let create = async |barcode: &str| {
        let request = CreateTapeWithBarcodeRequest {
            gateway_arn: GATEWAY.into(),
            tape_size_in_bytes: SIZE,
            tape_barcode: barcode.into(),
            ..Default::default()
        };
        client.clone().create_tape_with_barcode(request).await.map(drop)
    };
    create("LIMIT001").await.unwrap();
    let exists = refusal(&create("LIMIT001").await.unwrap_err());
    assert_eq!(exists.reason, "TAPE_EXISTS");
    limited(create("LIMIT002").await);
}

#[tokio::test]
async fn a_create_over_the_whole_limit_has_no_retry_delay() {
    let site = Site::new();
    let service = site
        .run(&(site.config() + "[limits]\ntapes_per_hour = 5\n"), &[])
        .await;
    let client = bearer(service.channel(), Some(&site.jwt("one", OPERATORS)));
    let rejected = limited(create(&client, "ten-at-once", 10).await);
    assert!(rejected.details.retry_info().is_none());
    create(&client, "five-at-once", 5).await.unwrap();
}

#[tokio::test]
async fn anonymous_callers_are_not_limited() {
    let service = Service::dev(&["--limits-calls-per-second=1", "--limits-tapes-per-hour=1"]).await;
    for _ in 0..10 {
        let request = ListTapesRequest {
            max_items: 1,
            ..Default::default()
        };
        collect(service.client().list_tapes(request).await).await.unwrap();
    }
}

#[tokio::test]
async fn calls_over_max_concurrent_calls_are_shed_at_once_and_health_checks_are_not() {
    let site = Site::new();
    let upstream = Upstream::answering(|_| std::future::pending::<Reply>()).await;
    let audit = format!("--audit-file={}", site.path("audit.jsonl").display());
    let service = site
        .over(
            &upstream,
            &site.config(),
            &[
                "--max-concurrent-calls=3",
                &audit,
                "--upstream-attempt-timeout=5s",
            ],
        )
        .await;
    let client = bearer(service.channel(), Some(&site.jwt("one", OPERATORS)));
    let mut open = tokio::task::JoinSet::new();
    for number in 0..3 {
        let mut client = client.clone();
        open.spawn(async move {
            let request = ListTapesRequest {
                limit: number,
                ..Default::default()
            };
            client.list_tapes(request).await.map(drop)
        });
    }
    upstream.was_asked(3).await;
    let began = Instant::now();
    let status = list(&client).await.unwrap_err();
    let rejected = refusal(&status);
    assert_eq!(
        (rejected.code, rejected.reason.as_str()),
        (Code::Unavailable, "OVERLOADED")
    );
    assert_eq!(delay(&rejected), Duration::from_secs(1));
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
    assert!(began.elapsed() < Duration::from_secs(2));
    let mut health = tonic_health::pb::health_client::HealthClient::new(service.channel());
    health
        .check(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap();
    open.shutdown().await;
    let (_, metrics) = service.admin("/metrics").await;
    let counted = "tapegate_server_shed_calls_total{tapegate_limit=\"max_concurrent_calls\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
    let (_, records) = super::attacks::recorded(&site, service).await;
    let shed: Vec<_> = records
        .iter()
        .filter(|record| record["reason"] == "OVERLOADED")
        .collect();
    assert_eq!(shed.len(), 1);
    assert!(shed[0]["principal"].is_null());
}

#[tokio::test]
async fn neither_lists_nor_creates_can_keep_the_other_out() {
    let site = Site::new();
    let upstream = Upstream::answering(|_| std::future::pending::<Reply>()).await;
    // A quarter each for creates and for reads, and half for both.
    let service = site
        .over(&upstream, &site.config(), &["--max-concurrent-calls=8"])
        .await;
    let token = site.jwt("one", OPERATORS);
    let client = bearer(service.channel(), Some(&token));
    let mut open = tokio::task::JoinSet::new();
    for number in 0..6 {
        let mut client = client.clone();
        open.spawn(async move {
            let request = ListTapesRequest {
                limit: number,
                ..Default::default()
            };
            client.list_tapes(request).await.map(drop)
        });
    }
    upstream.was_asked(6).await;
    assert_eq!(refusal(&list(&client).await.unwrap_err()).reason, "OVERLOADED");
    for number in 0..2 {
        let client = client.clone();
        open.spawn(async move { create(&client, &format!("token-{number}"), 1).await });
    }
    upstream.was_asked(8).await;
    let shed = create(&client, "token-2", 1).await.unwrap_err();
    assert_eq!(refusal(&shed).reason, "OVERLOADED");
}

#[tokio::test]
async fn connections_are_limited_and_silent_ones_are_closed() {
    let site = Site::new();
    let flags = ["--max-connections=2", "--handshake-timeout=3s"];
    // The first half of the HTTP/2 preface, and of a TLS ClientHello.
    let halves = [&b"PRI * HTTP/2.0\r\n"[..], b"\x16\x03\x01\x02\x00"];
    for (config, half) in [site.config(), site.config_with_tls()].into_iter().zip(halves) {
        let service = site.run(&config, &flags).await;
        let address = service.addresses.grpc;
        let mut silent = Vec::new();
        for beginning in [b"", half] {
            let mut socket = TcpStream::connect(address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut socket, beginning)
                .await
                .unwrap();
            silent.push(socket);
        }
        // Connections are accepted in order. This one is over the limit and is closed at once.
        let mut third = TcpStream::connect(address).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(2), third.read(&mut [0; 1])).await;
        assert!(!matches!(closed.unwrap(), Ok(1..)));
        for socket in &mut silent {
            let ended = tokio::time::timeout(Duration::from_secs(20), async {
                let mut rest = Vec::new();
                let _ = socket.read_to_end(&mut rest).await;
            });
            ended.await.expect("a silent connection is still open");
        }
        // There is room again.
        let token = site.jwt("one", OPERATORS);
        let channel = match config.contains("[tls]") {
            true => site.channel(&service, None),
            false => service.channel(),
        };
        list(&bearer(channel, Some(&token))).await.unwrap();
    }
}

#[tokio::test]
async fn reflection_and_health_watches_do_not_use_up_max_concurrent_calls() {
    let site = Site::new();
    let service = site.run(&site.config(), &["--max-concurrent-calls=10"]).await;
    let token = site.jwt("somebody", &[]);
    // Reflection may have a tenth of the calls: one, which stays open.
    let (_ask, asked) = tokio::sync::mpsc::channel(1);
    let never = tokio_stream::wrappers::ReceiverStream::new(asked);
    let with = |token: &str| {
        let value = format!("Bearer {token}").parse().unwrap();
        crate::harness::With(http::HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]))
    };
    let reflect = async |stream| {
        let channel = service.channel();
        let mut client = ServerReflectionClient::with_interceptor(channel, with(&token));
        client.server_reflection_info(stream).await
    };
    let first = reflect(never).await.unwrap();
    let (_ask, asked) = tokio::sync::mpsc::channel(1);
    let rejected = reflect(tokio_stream::wrappers::ReceiverStream::new(asked)).await;
    assert_eq!(refusal(&rejected.unwrap_err()).reason, "OVERLOADED");
    let mut health = tonic_health::pb::health_client::HealthClient::new(service.channel());
    let request = tonic_health::pb::HealthCheckRequest::default;
    let watch = health.watch(request()).await.unwrap();
    let rejected = health.watch(request()).await;
    assert_eq!(refusal(&rejected.unwrap_err()).reason, "OVERLOADED");
    health.check(request()).await.unwrap();
    let jwt = site.jwt("operator", OPERATORS);
    list(&bearer(service.channel(), Some(&jwt))).await.unwrap();
    drop((first, watch));
}

#[tokio::test]
async fn while_the_processors_cannot_keep_up_reads_are_rejected_before_creates() {
    let service = Service::dev(&["--max-scheduling-delay=100ms"]).await;
    // The test and the service share one thread, which this keeps busy: for so long that no read is
    // accepted, and every create.
    let busy = tokio::spawn(async {
        loop {
            std::thread::sleep(Duration::from_millis(250));
            tokio::task::yield_now().await;
        }
    });
    let client = bearer(service.channel(), None);
    let rejected = async {
        loop {
            if let Err(status) = list(&client).await {
                return status;
            }
        }
    };
    let rejected = tokio::time::timeout(Duration::from_secs(20), rejected).await;
    let status = rejected.expect("a read is rejected");
    assert_eq!(refusal(&status).reason, "OVERLOADED");
    assert!(status.message().contains("max_scheduling_delay"), "{status:?}");
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
    create(&client, "token-1", 1).await.unwrap();
    busy.abort();
}
