//! Pacing in real time, over the wire.

use std::time::{Duration, Instant};

use serde_json::json;
use tapegate::grpc::proto::ListTapesRequest;
use tokio::{net::TcpListener, sync::oneshot, time::sleep};
use tonic::Code;

use crate::harness::{Reply, Service, Upstream, collect, refusal};

#[tokio::test]
#[ignore = "measures real time; tests/soak/run runs it"]
async fn a_call_that_would_wait_too_long_fails_with_a_retry_delay() {
    let throttled = Reply::aws(
        400,
        &json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }),
    );
    let upstream = Upstream::always(throttled).await;
    let service = Service::over(&upstream, &["--retry-attempts=1"]).await;
    let ask = async |limit: i32| {
        let mut request = tonic::Request::new(ListTapesRequest {
            limit,
            ..Default::default()
        });
        request.set_timeout(Duration::from_secs(4));
        let began = Instant::now();
        let status = collect(service.client().list_tapes(request).await)
            .await
            .unwrap_err();
        (status, began.elapsed())
    };
    let (status, _) = ask(1).await;
    let pushback = |status: &tonic::Status| {
        let value = status.metadata().get("grpc-retry-pushback-ms")?;
        value.to_str().ok()?.parse::<u64>().ok()
    };
    assert_eq!(refusal(&status).reason, "THROTTLING_EXCEPTION");
    assert!(pushback(&status).is_some());

    let calls = futures_util::future::join_all((2..40).map(&ask)).await;
    let mut busy = 0;
    for (status, took) in calls {
        let refused = refusal(&status);
        if refused.reason == "UPSTREAM_BUSY" {
            busy += 1;
            assert_eq!(refused.code, Code::Unavailable);
            assert_eq!(refused.metadata["attempts"], "0");
            let delay = refused.details.retry_info().unwrap().retry_delay.unwrap();
            assert!(delay >= Duration::from_secs(1));
            assert_eq!(u128::from(pushback(&status).unwrap()), delay.as_millis());
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
    }
    assert!(busy >= 20, "{busy}");
    println!(
        "{busy} of 38 calls were told at once, and {} attempts made",
        upstream.asked().len()
    );
}

#[tokio::test]
#[ignore = "measures real time; tests/soak/run runs it"]
async fn calls_fail_fast_during_an_outage_and_succeed_after_it() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let service = Service::at(&format!("http://{address}"), &["--retry-budget-reserve=0"]).await;
    let ask = async |limit| {
        let request = tapegate::grpc::proto::ListTapesRequest {
            limit,
            ..Default::default()
        };
        collect(service.client().list_tapes(request).await).await
    };
    let mut attempts = 0;
    for limit in 1..=100 {
        let refused = refusal(&ask(limit).await.unwrap_err());
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (Code::Unavailable, "UPSTREAM_UNREACHABLE")
        );
        assert!(refused.details.retry_info().is_some());
        attempts += refused.metadata["attempts"].parse::<u32>().unwrap();
    }
    println!("{attempts} attempts of 100 calls before a closed port");
    assert!(attempts <= 120);

    let listener = TcpListener::bind(address).await.unwrap();
    let emulator = tapegate_emulator::Emulator::new(tapegate_emulator::Settings::default());
    let (_stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        emulator.serve(listener, stopped).await.unwrap();
    });
    let back = Instant::now();
    while ask(100).await.is_err() {
        assert!(
            back.elapsed() < Duration::from_secs(10),
            "its return is not noticed"
        );
        sleep(Duration::from_millis(50)).await;
    }
}
