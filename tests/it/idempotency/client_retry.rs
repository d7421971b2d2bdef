//! Calls that the client library retried (`grpc-previous-rpc-attempts`, gRFC A6).

use std::time::Duration;

use serde_json::json;
use tapegate::grpc::proto::CreateTapesRequest;
use tonic::Request;

use super::aws::{Aws, QUICK, create, failed, refused, tape};
use crate::harness::{Service, one_new_tape, refusal};

const MINUTE: Duration = Duration::from_secs(60);

async fn ask(age: Duration, resent: bool, creates: &[crate::harness::Reply]) -> super::aws::CreateResult {
    let aws = Aws::answering(creates).with(&json!({}), age);
    let upstream = aws.serve().await;
    let flags = [
        "--create-resend-window=10m",
        "--create-clock-skew=1m",
        QUICK[0],
        QUICK[1],
    ];
    create(&Service::over(&upstream, &flags).await, tape(), resent).await
}

#[tokio::test]
async fn a_retried_call_succeeds_when_the_tape_is_within_the_resend_window() {
    let refused = [refused("InvalidParameters")];
    for age in [Duration::ZERO, 5 * MINUTE, 10 * MINUTE] {
        ask(age, true, &refused).await.made();
    }
    // The window, and the clock's skew.
    ask(11 * MINUTE - Duration::from_secs(5), true, &refused)
        .await
        .made();
    ask(11 * MINUTE + Duration::from_secs(5), true, &refused)
        .await
        .exists("", "not_applied");
}

#[tokio::test]
async fn without_previous_attempts_a_matching_tape_is_not_the_result() {
    let refused = [refused("InvalidParameters")];
    ask(Duration::ZERO, false, &refused).await.exists("", "unknown");
    for age in [5 * MINUTE, 10 * MINUTE, 12 * MINUTE] {
        ask(age, false, &refused).await.exists("", "not_applied");
    }
}

#[tokio::test]
async fn a_retry_by_the_service_allows_for_the_clock_skew_only() {
    let lost = [failed(), refused("InvalidParameters")];
    ask(Duration::from_secs(55), false, &lost).await.made();
    ask(Duration::from_secs(65), false, &lost)
        .await
        .exists("", "not_applied");
}

#[tokio::test]
async fn any_rejection_of_a_retried_call_leads_to_a_look_up() {
    // The tape has filled the library.
    let full = [refused("MaximumTapeCartridgeCountExceeded")];
    ask(Duration::ZERO, true, &full).await.made();
    let lost = [failed(), full[0].clone()];
    ask(Duration::ZERO, false, &lost).await.made();
}

#[tokio::test]
async fn an_invalid_or_zero_attempt_count_is_ignored() {
    let aws = Aws::answering(&[refused("InvalidParameters")]).with(&json!({}), 5 * MINUTE);
    let upstream = aws.serve().await;
    let service = Service::over(&upstream, &QUICK).await;
    for count in ["0", "-1", "once", ""] {
        let mut request = Request::new(tape());
        request
            .metadata_mut()
            .insert("grpc-previous-rpc-attempts", count.parse().unwrap());
        let status = service
            .client()
            .create_tape_with_barcode(request)
            .await
            .unwrap_err();
        assert_eq!(refusal(&status).metadata["outcome"], "not_applied", "{count}");
    }
}

/// Nobody here knows what came of the request before: so no statement is made about it.
#[tokio::test]
async fn the_outcome_of_a_retried_call_that_fails_is_unknown() {
    let aws = Aws::answering(&[refused("GatewayNotFound")]);
    let upstream = aws.serve().await;
    let service = Service::over(&upstream, &QUICK).await;
    for (resent, outcome) in [(false, "not_applied"), (true, "unknown")] {
        let told = create(&service, tape(), resent).await.refusal();
        assert_eq!(
            (told.reason.as_str(), told.metadata["outcome"].as_str()),
            ("GATEWAY_NOT_FOUND", outcome)
        );

        let tapes = one_new_tape("token-1");
        // By AWS, and by this service's own rules.
        for count in [1, 11] {
            let mut request = Request::new(CreateTapesRequest {
                num_tapes_to_create: count,
                ..tapes.clone()
            });
            if resent {
                request
                    .metadata_mut()
                    .insert("grpc-previous-rpc-attempts", 2.into());
            }
            let status = service.client().create_tapes(request).await.unwrap_err();
            assert_eq!(refusal(&status).metadata["outcome"], outcome, "{status:?}");
        }
    }
}
