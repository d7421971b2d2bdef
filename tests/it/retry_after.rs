//! `Retry-After` of an upstream response.

use std::time::{Duration, Instant};

use serde_json::json;
use tapegate::grpc::proto::ListTapesRequest;
use tonic::Code;

use crate::harness::{Refusal, Reply, Service, Upstream, collect, refusal};

/// Pauses of its own would be over at once.
const EAGER: &str = "--retry-base=1ms";

fn unavailable() -> Reply {
    Reply::aws(
        503,
        &json!({ "__type": "ServiceUnavailable", "message": "later" }),
    )
}

fn proxy(status: u16) -> Reply {
    Reply::text(status, "text/html", "<html>overloaded</html>")
}

fn none() -> Reply {
    Reply::ok(&json!({ "TapeInfos": [] }))
}

async fn list(service: &Service, timeout: Duration) -> Result<(), Refusal> {
    let mut request = tonic::Request::new(ListTapesRequest::default());
    request.set_timeout(timeout);
    let answer = collect(service.client().list_tapes(request).await).await;
    answer.map(drop).map_err(|status| refusal(&status))
}

fn delay(refused: &Refusal) -> Option<Duration> {
    refused.details.retry_info().and_then(|info| info.retry_delay)
}

#[tokio::test]
async fn a_retry_waits_as_long_as_retry_after_says() {
    let cases = [
        (unavailable().with("x-amz-retry-after", "700"), 700),
        (proxy(503).with("x-amz-retry-after", "700"), 700),
        (proxy(503).with("retry-after", "1"), 1000),
        (proxy(429).with("retry-after", "2"), 2000),
        // AWS's own word is the finer one.
        (
            unavailable()
                .with("x-amz-retry-after", "500")
                .with("retry-after", "60"),
            500,
        ),
    ];
    let waits = cases.map(|(reply, millis)| async move {
        let upstream = Upstream::script([reply.clone(), none()]).await;
        let service = Service::over(&upstream, &[EAGER]).await;
        let start = Instant::now();
        list(&service, Duration::from_secs(30)).await.unwrap();
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(millis), "{took:?} after {reply:?}");
        assert_eq!(upstream.asked().len(), 2);
    });
    futures_util::future::join_all(waits).await;
}

#[tokio::test]
async fn a_call_without_time_for_retry_after_fails_at_once_with_the_delay() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let later = "Sun, 06 Nov 1994 08:50:37 GMT";
    let throttled = Reply::aws(
        400,
        &json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }),
    );
    let replies = [
        unavailable().with("x-amz-retry-after", "59001"),
        throttled.with("x-amz-retry-after", "60000"),
        proxy(503).with("retry-after", "60"),
        proxy(429).with("retry-after", " 60 "),
        proxy(503).with("date", date).with("retry-after", later),
    ];
    for reply in replies {
        let upstream = Upstream::always(reply.clone()).await;
        let service = Service::over(&upstream, &[EAGER]).await;
        let start = Instant::now();
        let refused = list(&service, Duration::from_secs(20)).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(10), "{reply:?}");
        assert_eq!(refused.code, Code::Unavailable, "{refused:?}");
        assert_eq!(delay(&refused), Some(Duration::from_secs(60)), "{reply:?}");
        assert_eq!(upstream.asked().len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn an_invalid_retry_after_is_ignored_and_a_long_one_is_capped() {
    let mut cases = Vec::new();
    for nonsense in ["", "0", "-5", "1.5", "soon", "99999999999999999999999999", "0x10"] {
        cases.push((unavailable().with("x-amz-retry-after", nonsense), 1));
        cases.push((proxy(503).with("retry-after", nonsense), 1));
    }
    // A day is no answer to a caller that can wait for minutes.
    cases.push((unavailable().with("x-amz-retry-after", "86400000"), 300));
    cases.push((proxy(503).with("retry-after", "18446744073709551615"), 300));
    // A date that is past, or that nothing tells the distance of.
    let past = "Sun, 06 Nov 1994 08:49:37 GMT";
    cases.push((proxy(503).with("retry-after", past), 1));
    // Only an upstream that cannot take requests says when it can.
    cases.push((proxy(502).with("retry-after", "60"), 1));
    cases.push((
        Reply::aws(500, &json!({ "__type": "InternalFailure" })).with("retry-after", "60"),
        1,
    ));
    let upstream = Upstream::script(cases.iter().map(|(reply, _)| reply.clone())).await;
    let service = Service::over(&upstream, &["--retry-attempts=1"]).await;
    for (reply, seconds) in cases {
        let refused = list(&service, Duration::from_secs(20)).await.unwrap_err();
        assert_eq!(delay(&refused), Some(Duration::from_secs(seconds)), "{reply:?}");
    }
}

/// A wish does not make a call repeatable.
#[tokio::test]
async fn retry_after_does_not_make_a_rejection_retryable() {
    let refused = json!({
        "__type": "InvalidGatewayRequestException", "error": { "errorCode": "InvalidGateway" }, "message": "no",
    });
    let reply = Reply::aws(400, &refused).with("x-amz-retry-after", "1");
    let upstream = Upstream::always(reply).await;
    let service = Service::over(&upstream, &[]).await;
    let refused = list(&service, Duration::from_secs(20)).await.unwrap_err();
    assert_eq!((refused.code, delay(&refused)), (Code::FailedPrecondition, None));
    assert_eq!(upstream.asked().len(), 1);
}
