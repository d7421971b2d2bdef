//! The details of an error, as a program reads them.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use prost::Message;
use serde_json::{Value, json};
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapesRequest, ListTapesRequest,
};
use tokio::net::TcpListener;
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    harness::{GATEWAY, Refusal, Reply, SIZE, Service, Upstream, collect, one_new_tape, refusal, tape_arn},
    wire::{self, Raw},
};

const PUSHBACK: &str = "grpc-retry-pushback-ms";

async fn call(service: &Service, method: &str, headers: &[(&str, &str)], message: &impl Message) -> Raw {
    let path = format!("/tapegate.v1.TapeService/{method}");
    let body = wire::frame(&message.encode_to_vec());
    wire::post(service.channel(), &path, headers, body).await.unwrap()
}

fn create(barcode: &str) -> CreateTapeWithBarcodeRequest {
    CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: barcode.into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn every_error_has_the_request_id_of_its_call() {
    // The first page succeeds, everything else is rejected.
    let asked = AtomicUsize::new(0);
    let upstream = Upstream::answering(move |_| {
        let reply = match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::ok(&json!({ "TapeInfos": [{ "TapeARN": tape_arn("FIRST001") }], "Marker": "on" })),
            _ => Reply::aws(
                400,
                &json!({ "__type": "AccessDeniedException", "message": "no" }),
            ),
        };
        std::future::ready(reply)
    });
    let upstream = upstream.await;
    let service = Service::over(&upstream, &[]).await;
    let id = "i".repeat(128);
    let id = [("x-request-id", id.as_str())];

    let in_a_list = call(&service, "ListTapes", &id, &ListTapesRequest::default()).await;
    assert!(!in_a_list.is_trailers_only());
    let unknown = "/tapegate.v1.TapeService/DeleteTape";
    let unknown = wire::post(service.channel(), unknown, &id, Bytes::new()).await;
    let grpc = service.addresses.grpc;
    let late = wire::frame(&ListTapesRequest::default().encode_to_vec());
    let no_time = [id[0], ("grpc-timeout", "0n")];
    let late = wire::post_at(
        grpc,
        "/tapegate.v1.TapeService/ListTapes",
        &no_time,
        Full::new(late),
    );
    let ended = [
        in_a_list,
        call(&service, "ListTapes", &id, &ListTapesRequest::default()).await,
        call(&service, "CreateTapeWithBarcode", &id, &create("TEST01")).await,
        call(&service, "CreateTapeWithBarcode", &id, &create("")).await,
        late.await,
        unknown.unwrap(),
    ];
    let reasons = ended.each_ref().map(|raw| {
        raw.assert_complete();
        let refused = refusal(&raw.status());
        let request = refused.details.request_info().unwrap();
        assert_eq!(request.request_id, id[0].1, "{refused:?}");
        refused.reason
    });
    assert_eq!(
        reasons,
        [
            "ACCESS_DENIED_EXCEPTION",
            "ACCESS_DENIED_EXCEPTION",
            "ACCESS_DENIED_EXCEPTION",
            "INVALID_REQUEST",
            "DEADLINE_EXCEEDED",
            "UNKNOWN_METHOD"
        ]
    );
}

#[tokio::test]
async fn a_health_check_with_a_long_name_is_too_large() {
    let service = Service::dev(&[]).await;
    let mut health = HealthClient::new(service.channel());
    let check = HealthCheckRequest {
        service: "a".repeat(5000),
    };
    let rejected = refusal(&health.check(check).await.unwrap_err());
    assert_eq!(rejected.reason, "REQUEST_TOO_LARGE");
}

#[tokio::test]
async fn errors_of_the_health_service_have_details() {
    let service = Service::over(&Upstream::script([]).await, &[]).await;
    let nobody = HealthCheckRequest {
        service: "nobody".into(),
    };
    let refused = HealthClient::new(service.channel())
        .check(nobody)
        .await
        .unwrap_err();
    let refused = refusal(&refused);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::NotFound, "NOT_FOUND")
    );
    assert!(refused.details.request_info().is_some());
    assert!(!refused.metadata.contains_key("outcome"));
}

/// The longest values of callers and of AWS in one error.
#[tokio::test]
async fn the_largest_errors_fit_into_the_trailers() {
    let id = "i".repeat(128);
    let id = [("x-request-id", id.as_str())];
    for unit in ["w", "é", "\"", "本"] {
        let words = unit.repeat(4_000 / unit.len());
        let upstream = Upstream::answering(move |asked| {
            let words = words.clone();
            let code = ["GatewayNotFound", &words][usize::from(asked.operation == "ListTapes")];
            let body = json!({ "__type": "InvalidGatewayRequestException", "error": { "errorCode": code }, "message": words });
            std::future::ready(Reply::aws(400, &body))
        });
        let upstream = upstream.await;
        let service = Service::over(&upstream, &[]).await;
        let described = DescribeTapesRequest {
            gateway_arn: GATEWAY.into(),
            tape_arns: vec![tape_arn("ABCDEFGHIJKLMNOP")],
            ..Default::default()
        };
        let not_found = call(&service, "DescribeTapes", &id, &described).await;
        assert_eq!(not_found.status().code(), Code::NotFound);
        not_found.assert_complete();
        let unknown = call(&service, "ListTapes", &id, &ListTapesRequest::default()).await;
        assert_eq!(refusal(&unknown.status()).reason, "UPSTREAM_UNKNOWN");
        unknown.assert_complete();
        // Hundreds of violations in a create: the request id and the outcome still fit.
        let mistakes = CreateTapesRequest {
            tags: (0..300)
                .map(|_| tapegate::grpc::proto::Tag {
                    key: unit.repeat(400),
                    value: unit.repeat(400),
                })
                .collect(),
            ..Default::default()
        };
        let mistaken = call(&service, "CreateTapes", &id, &mistakes).await;
        mistaken.assert_complete();
        let refused = refusal(&mistaken.status());
        assert_eq!(refused.metadata["outcome"], "not_applied");
        assert!(!refused.fields().is_empty(), "{refused:?}");
    }
}

async fn list(service: &Service) -> Status {
    let answer = service.client().list_tapes(ListTapesRequest::default()).await;
    collect(answer).await.unwrap_err()
}

/// The delays of the pushback trailer and of `RetryInfo`, in milliseconds.
fn delays(status: &Status) -> (Option<u64>, Option<u64>) {
    let pushback = status.metadata().get(PUSHBACK);
    let pushback = pushback.map(|millis| millis.to_str().unwrap().parse().unwrap());
    let details = refusal(status).details;
    let delay = details.retry_info().and_then(|info| info.retry_delay);
    (
        pushback,
        delay.map(|delay| u64::try_from(delay.as_millis()).unwrap()),
    )
}

#[tokio::test]
async fn a_throttled_call_and_one_without_a_turn_have_pushback() {
    let throttled = Reply::aws(
        400,
        &json!({ "__type": "ThrottlingException", "message": "slow" }),
    );
    let upstream = Upstream::always(throttled).await;
    let service = Service::over(&upstream, &["--retry-attempts=1", "--pace-floor=1"]).await;
    let first = list(&service).await;
    assert_eq!(refusal(&first).reason, "THROTTLING_EXCEPTION");
    let (pushback, delay) = delays(&first);
    assert!(pushback.is_some() && pushback == delay, "{first:?}");

    // Its turn would come in a second.
    let mut request = Request::new(ListTapesRequest::default());
    request.set_timeout(std::time::Duration::from_millis(300));
    let busy = service.client().list_tapes(request).await.unwrap_err();
    assert_eq!(
        (busy.code(), refusal(&busy).reason.as_str()),
        (Code::Unavailable, "UPSTREAM_BUSY")
    );
    let (pushback, delay) = delays(&busy);
    assert!(pushback.is_some() && pushback == delay, "{busy:?}");
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn in_an_outage_calls_without_a_turn_have_pushback() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", closed.local_addr().unwrap());
    let port = closed.local_addr().unwrap().port().to_string();
    drop(closed);
    let service = Service::at(&endpoint, &["--retry-attempts=1", "--pace-silence=2"]).await;
    let mut seen = vec![list(&service).await, list(&service).await];
    assert!(seen.iter().all(|status| delays(status).0.is_none()));
    seen.extend([list(&service).await, list(&service).await]);
    let last = seen.last().unwrap();
    let refused = refusal(last);
    assert_eq!(refused.reason, "UPSTREAM_UNREACHABLE");
    assert_eq!(refused.metadata["attempts"], "0", "nothing is sent: {refused:?}");
    let (pushback, delay) = delays(last);
    assert!(pushback.is_some() && pushback == delay, "{last:?}");
    // Callers do not learn the endpoint.
    for status in &seen {
        assert!(!format!("{status:?}").contains(&port), "{status:?}");
    }
}

#[tokio::test]
async fn an_error_that_no_retry_can_help_has_no_delay() {
    for (http_status, code) in [(400, "AccessDeniedException"), (400, "ValidationException")] {
        let upstream = Upstream::always(Reply::aws(http_status, &json!({ "__type": code }))).await;
        let service = Service::over(&upstream, &[]).await;
        assert_eq!(delays(&list(&service).await), (None, None));
    }
    let upstream = Upstream::always(Reply::aws(503, &json!({ "__type": "ServiceUnavailable" }))).await;
    let service = Service::over(&upstream, &["--retry-attempts=1"]).await;
    // A retry may help, but nothing is known about when.
    let (pushback, delay) = delays(&list(&service).await);
    assert!(pushback.is_none() && delay.is_some());
}

async fn refused_create(service: &Service, request: CreateTapeWithBarcodeRequest) -> Refusal {
    refusal(
        &service
            .client()
            .create_tape_with_barcode(request)
            .await
            .unwrap_err(),
    )
}

#[tokio::test]
async fn an_existing_tape_is_compared_with_the_request() {
    let service = Service::dev(&["--emulator-seed-tapes=0"]).await;
    service
        .client()
        .create_tape_with_barcode(create("TAKEN001"))
        .await
        .unwrap();
    let same = refused_create(&service, create("TAKEN001")).await;
    let other = CreateTapeWithBarcodeRequest {
        tape_size_in_bytes: 2 * SIZE,
        worm: Some(true),
        ..create("TAKEN001")
    };
    let other = refused_create(&service, other).await;
    for (refused, matches, differs) in [
        (&same, "true", None),
        (&other, "false", Some("tape_size_in_bytes,worm")),
    ] {
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (Code::AlreadyExists, "TAPE_EXISTS")
        );
        assert_eq!(refused.metadata["matches"], matches, "{refused:?}");
        assert_eq!(refused.metadata.get("differs").map(String::as_str), differs);
        let resource = refused.details.resource_info().unwrap();
        assert_eq!(resource.resource_type, "storagegateway.amazonaws.com/Tape");
        assert_eq!(resource.resource_name, tape_arn("TAKEN001"));
        assert!(refused.details.retry_info().is_none());
    }
}

/// The error of a create whose look-up receives this response.
async fn looked_up(lists: Reply) -> Refusal {
    let refused: Value = json!({
        "__type": "InvalidGatewayRequestException",
        "error": { "errorCode": "InvalidParameters" },
        "message": "no",
    });
    let upstream = Upstream::answering(move |asked| {
        let reply = match &*asked.operation {
            "CreateTapeWithBarcode" => Reply::aws(400, &refused),
            _ => lists.clone(),
        };
        std::future::ready(reply)
    });
    let upstream = upstream.await;
    let service = Service::over(&upstream, &["--retry-attempts=1"]).await;
    refused_create(&service, create("TEST01")).await
}

#[tokio::test]
async fn a_failed_look_up_leaves_the_outcome_unknown() {
    let code = |name: &str| json!({ "__type": name });
    let cases = [
        (
            Reply::aws(503, &code("ServiceUnavailable")),
            Code::Unavailable,
            "SERVICE_UNAVAILABLE",
            true,
        ),
        (
            Reply::aws(400, &code("AccessDeniedException")),
            Code::Internal,
            "ACCESS_DENIED_EXCEPTION",
            false,
        ),
        (
            Reply::text(200, "text/html", "<html>"),
            Code::Internal,
            "UPSTREAM_UNREADABLE",
            false,
        ),
    ];
    for (lists, grpc, why, again) in cases {
        let refused = looked_up(lists).await;
        assert_eq!(
            (refused.code, refused.domain.as_str(), refused.reason.as_str()),
            (grpc, "tapegate", "TAPE_LOOKUP_FAILED"),
            "{refused:?}"
        );
        assert_eq!(refused.metadata["outcome"], "unknown");
        assert_eq!(refused.metadata["last_reason"], "INVALID_PARAMETERS");
        assert_eq!(refused.metadata["lookup_reason"], why);
        assert_eq!(refused.details.retry_info().is_some(), again, "{refused:?}");
    }
}

/// What the caller may do after this error, and its reason.
fn verdict(refused: &Refusal) -> (&str, &str) {
    (refused.metadata["retry"].as_str(), refused.reason.as_str())
}

#[tokio::test]
async fn every_failed_create_says_what_the_caller_may_do() {
    let nested = |code: &str| {
        let body = json!({ "__type": "InvalidGatewayRequestException", "error": { "errorCode": code } });
        Reply::aws(400, &body)
    };
    let named = |code: &str| Reply::aws(400, &json!({ "__type": code }));
    let cases = [
        (named("ThrottlingException"), "same_call", "THROTTLING_EXCEPTION"),
        (named("InternalServerError"), "same_call", "INTERNAL_SERVER_ERROR"),
        (
            nested("GatewayNotConnected"),
            "same_call",
            "GATEWAY_NOT_CONNECTED",
        ),
        (nested("StorageFailure"), "after_change", "STORAGE_FAILURE"),
        (
            Reply::text(502, "text/html", "<html>"),
            "same_call",
            "UPSTREAM_HTTP_ERROR",
        ),
        // The outcome is unknown, and only the same call can find out.
        (
            Reply::text(404, "text/html", "<html>"),
            "same_call",
            "UPSTREAM_HTTP_ERROR",
        ),
        (
            Reply::text(200, "text/html", "<html>"),
            "same_call",
            "UPSTREAM_UNREADABLE",
        ),
        // The outcome is unknown, but the same call fails again: an agent that made it would never end.
        (nested("InvalidParameters"), "after_change", "INVALID_PARAMETERS"),
        (nested("GatewayNotFound"), "after_change", "GATEWAY_NOT_FOUND"),
        (
            nested("MaximumTapeCartridgeCountExceeded"),
            "after_change",
            "MAXIMUM_TAPE_CARTRIDGE_COUNT_EXCEEDED",
        ),
        (
            named("AccessDeniedException"),
            "after_change",
            "ACCESS_DENIED_EXCEPTION",
        ),
        (named("AWordOfTomorrow"), "after_change", "UPSTREAM_UNKNOWN"),
    ];
    for (reply, retry, reason) in cases {
        let upstream = Upstream::always(reply).await;
        let service = Service::over(&upstream, &["--retry-attempts=1"]).await;
        let request = one_new_tape("token-1");
        let refused = refusal(&service.client().create_tapes(request).await.unwrap_err());
        assert_eq!(verdict(&refused), (retry, reason), "{refused:?}");
    }
}

#[tokio::test]
async fn every_other_error_says_what_the_caller_may_do() {
    let service = Service::dev(&[]).await;
    let mut client = service.client();
    let invalid = client
        .create_tape_with_barcode(CreateTapeWithBarcodeRequest::default())
        .await;
    let invalid = refusal(&invalid.unwrap_err());
    assert_eq!(verdict(&invalid), ("after_change", "INVALID_REQUEST"));

    client.create_tape_with_barcode(create("ONCE0001")).await.unwrap();
    let again = refusal(
        &client
            .create_tape_with_barcode(create("ONCE0001"))
            .await
            .unwrap_err(),
    );
    assert_eq!(verdict(&again), ("never", "TAPE_EXISTS"));
    let larger = CreateTapeWithBarcodeRequest {
        tape_size_in_bytes: 2 * SIZE,
        ..create("ONCE0001")
    };
    let larger = refusal(&client.create_tape_with_barcode(larger).await.unwrap_err());
    assert_eq!(verdict(&larger), ("after_change", "TAPE_EXISTS"));

    let unknown = "/tapegate.v1.TapeService/DeleteTape";
    let unknown = wire::post(service.channel(), unknown, &[], Bytes::new())
        .await
        .unwrap();
    assert_eq!(verdict(&refusal(&unknown.status())), ("never", "UNKNOWN_METHOD"));
    let silent = Upstream::answering(|_| std::future::pending::<Reply>()).await;
    let service = Service::over(&silent, &["--deadline-stream=500ms"]).await;
    let request = ListTapesRequest::default();
    let late = refusal(&service.client().list_tapes(request).await.unwrap_err());
    assert_eq!(verdict(&late), ("same_call", "DEADLINE_EXCEEDED"));
}
