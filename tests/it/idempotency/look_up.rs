//! The look-up after AWS rejected a barcode, and the result that follows from it.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use tonic::{Code, Request};

use super::aws::{Aws, BARCODE, QUICK, create, failed, made, refused, tape};
use crate::harness::{GATEWAY, Reply, SIZE, Service, Upstream, refusal, tape_arn};

fn lost() -> Aws {
    Aws::answering(&[failed(), refused("InvalidParameters")]).with(&json!({}), Duration::ZERO)
}

#[tokio::test]
async fn a_create_succeeds_when_the_look_up_finds_its_tape() {
    let upstream = lost().serve().await;
    let service = Service::over(&upstream, &QUICK).await;
    create(&service, tape(), false).await.made();
    let asked = upstream.asked();
    let operations: Vec<_> = asked.iter().map(|asked| asked.operation.as_str()).collect();
    assert_eq!(
        operations,
        [
            "CreateTapeWithBarcode",
            "CreateTapeWithBarcode",
            "ListTapes",
            "DescribeTapes"
        ]
    );
    assert_eq!(asked[2].body, json!({ "TapeARNs": [tape_arn(BARCODE)] }));
    let described = json!({ "TapeARNs": [tape_arn(BARCODE)], "GatewayARN": GATEWAY });
    assert_eq!(asked[3].body, described);
}

#[tokio::test]
async fn a_rejected_create_without_a_tape_is_an_invalid_argument() {
    let upstream = Aws::answering(&[refused("InvalidParameters")]).serve().await;
    let service = Service::over(&upstream, &QUICK).await;
    create(&service, tape(), false).await.invalid("not_applied");
    assert_eq!(upstream.asked().len(), 2);
}

#[tokio::test]
async fn a_rejected_retry_without_a_tape_leaves_the_outcome_unknown() {
    let aws = Aws::answering(&[failed(), refused("InvalidParameters")]);
    let upstream = aws.serve().await;
    let service = Service::over(&upstream, &QUICK).await;
    create(&service, tape(), false).await.invalid("unknown");
}

/// AWS documents nowhere whether it leaves an ARN out that it does not know.
#[tokio::test]
async fn tape_cartridge_not_found_means_that_the_tape_does_not_exist() {
    let aws = Aws {
        list: refused("TapeCartridgeNotFound"),
        ..Aws::answering(&[refused("InvalidParameters")])
    };
    let upstream = aws.serve().await;
    let service = Service::over(&upstream, &QUICK).await;
    create(&service, tape(), false).await.invalid("not_applied");
}

#[tokio::test]
async fn the_look_up_continues_after_a_page_without_the_tape() {
    let row = json!({ "TapeARN": tape_arn(BARCODE), "GatewayARN": GATEWAY, "TapeSizeInBytes": SIZE });
    let described = lost();
    let upstream = Upstream::answering(move |asked| {
        let reply = match (asked.operation.as_str(), asked.body["Marker"].as_str()) {
            ("ListTapes", None) => Reply::ok(&json!({ "TapeInfos": [], "Marker": "more" })),
            ("ListTapes", Some(_)) => Reply::ok(&json!({ "TapeInfos": [row] })),
            ("DescribeTapes", _) => described.library.clone(),
            _ => refused("InvalidParameters"),
        };
        std::future::ready(reply)
    });
    let upstream = upstream.await;
    let service = Service::over(&upstream, &QUICK).await;
    create(&service, tape(), false).await.exists("", "unknown");
}

#[tokio::test]
async fn a_tape_that_is_listed_twice_is_described_in_the_library() {
    let row = |gateway: Option<&str>| json!({ "TapeARN": tape_arn(BARCODE), "GatewayARN": gateway });
    let aws = Aws {
        list: Reply::ok(&json!({ "TapeInfos": [row(None), row(Some(GATEWAY))] })),
        ..lost()
    };
    let upstream = aws.serve().await;
    let service = Service::over(&upstream, &QUICK).await;
    create(&service, tape(), false).await.made();
}

/// The code of the refusal would say that the create has failed. What is told is what stood in
/// the way of knowing, and that a repeat of the call will tell.
#[tokio::test]
async fn a_failed_look_up_leaves_the_outcome_unknown() {
    let failures = [
        (
            Reply::aws(
                400,
                &json!({ "__type": "AccessDeniedException", "message": "arn:aws:iam::1" }),
            ),
            Code::Internal,
            "ACCESS_DENIED_EXCEPTION",
            false,
        ),
        (
            Reply::aws(
                400,
                &json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }),
            ),
            Code::Unavailable,
            "THROTTLING_EXCEPTION",
            true,
        ),
        (failed(), Code::Internal, "INTERNAL_SERVER_ERROR", true),
        (
            Reply::text(502, "text/html", "<html>"),
            Code::Unavailable,
            "UPSTREAM_HTTP_ERROR",
            true,
        ),
        (
            Reply::text(200, "application/x-amz-json-1.1", "{"),
            Code::Internal,
            "UPSTREAM_UNREADABLE",
            false,
        ),
    ];
    for (reply, code, reason, can_repeat) in failures {
        let looks = [
            Aws {
                list: reply.clone(),
                ..lost()
            },
            Aws {
                library: reply.clone(),
                ..lost()
            },
            Aws {
                list: reply.clone(),
                ..Aws::answering(&[refused("InvalidParameters")])
            },
        ];
        for aws in looks {
            let upstream = aws.serve().await;
            let flags = [QUICK[0], QUICK[1], "--pace-floor=1000"];
            let service = Service::over(&upstream, &flags).await;
            let told = create(&service, tape(), false).await.refusal();
            assert_eq!(
                (told.code, told.reason.as_str()),
                (code, "TAPE_LOOKUP_FAILED"),
                "{told:?}"
            );
            assert_eq!(told.metadata["lookup_reason"], reason);
            assert_eq!(told.metadata["outcome"], "unknown");
            assert_eq!(told.metadata["last_reason"], "INVALID_PARAMETERS");
            // Those of the create and of the look-up.
            assert_eq!(told.metadata["attempts"], upstream.asked().len().to_string());
            assert!(
                told.message.contains("the look-up of the tape failed"),
                "{}",
                told.message
            );
            assert!(!told.message.contains("iam"), "{}", told.message);
            assert_eq!(told.details.retry_info().is_some(), can_repeat, "{told:?}");
        }
    }
}

#[tokio::test]
async fn a_deadline_during_the_look_up_leaves_the_outcome_unknown() {
    let upstream = Upstream::answering(|asked| async move {
        match asked.operation.as_str() {
            "CreateTapeWithBarcode" => refused("InvalidParameters"),
            _ => std::future::pending().await,
        }
    });
    let upstream = upstream.await;
    let service = Service::over(&upstream, &QUICK).await;
    let mut request = Request::new(tape());
    request.set_timeout(Duration::from_secs(4));
    let told = refusal(
        &service
            .client()
            .create_tape_with_barcode(request)
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (told.code, told.reason.as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
    assert_eq!(told.metadata["outcome"], "unknown");
    assert_eq!(told.metadata["last_reason"], "INVALID_PARAMETERS");
    assert_eq!(told.metadata["attempts"], "2");
    assert!(
        told.message.contains("the look-up of the tape failed"),
        "{}",
        told.message
    );
}

#[tokio::test]
async fn the_requests_of_a_look_up_count_as_attempts_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = format!("--audit-file={}", path.display());
    let upstream = lost().serve().await;
    let service = Service::over(&upstream, &[QUICK[0], QUICK[1], audit.as_str()]).await;
    let found = service.client().create_tape_with_barcode(tape()).await.unwrap();
    let refused = service
        .client()
        .create_tape_with_barcode(tape())
        .await
        .unwrap_err();
    // Two creates and two reads; a create and two reads.
    assert_eq!(found.metadata().get("x-tapegate-attempts").unwrap(), "4");
    assert_eq!(refused.metadata().get("x-tapegate-attempts").unwrap(), "3");
    assert_eq!(refusal(&refused).metadata["attempts"], "3");
    assert_eq!(upstream.asked().len(), 7);
    service.stop().await.unwrap();
    let text = fs::read_to_string(path).unwrap();
    let attempts = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["attempts"].clone());
    assert_eq!(attempts.collect::<Vec<_>>(), [4, 3]);
}

/// What others see of the same ARN may be from before the create: a look shares nobody's.
#[tokio::test]
async fn the_look_up_is_not_coalesced_with_another_read() {
    let upstream = Aws::answering(&[refused("InvalidParameters"), made()])
        .serve()
        .await;
    let service = Service::over(&upstream, &QUICK).await;
    create(&service, tape(), false).await.invalid("not_applied");
    create(&service, tape(), false).await.made();
    assert_eq!(upstream.asked().len(), 3);
}
