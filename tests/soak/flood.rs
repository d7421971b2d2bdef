//! The emulator throttles over the wire, in real time, while callers flood it with lists.
//! `TAPEGATE_FLOOD_SECONDS` sets for how long; `tests/soak/run` uses 60.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tapegate::grpc::proto::{CreateTapesRequest, ListTapesRequest};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::harness::{GATEWAY, SIZE, Service, get};

/// How often each rule was tried and acted.
async fn counts(emulator: &str) -> (u64, u64) {
    let (_, body) = get(&format!("http://{emulator}/_emulator/faults")).await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let rule = &body["faults"][0];
    (rule["seen"].as_u64().unwrap(), rule["hit"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures real time; tests/soak/run runs it"]
async fn a_throttling_upstream_is_used_fully_and_creates_succeed() {
    let seconds: u64 = std::env::var("TAPEGATE_FLOOD_SECONDS").map_or(8, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("faults.json");
    std::fs::write(&rules, r#"[{"kind": "throttle", "rate": 10, "burst": 10}]"#).unwrap();
    let faults = format!("--emulator-faults={}", rules.display());
    let service = Service::dev(&[&faults]).await;
    let emulator = service.emulator.unwrap().to_string();

    let mut callers = JoinSet::new();
    for caller in 1..=100 {
        let mut client = service.client();
        callers.spawn(async move {
            loop {
                let request = ListTapesRequest {
                    limit: caller,
                    max_items: 1,
                    ..Default::default()
                };
                let mut request = tonic::Request::new(request);
                request
                    .metadata_mut()
                    .insert("cache-control", "no-cache".parse().unwrap());
                if client.list_tapes(request).await.is_err() {
                    sleep(Duration::from_millis(100)).await;
                }
            }
        });
    }
    let made = Arc::new(AtomicU32::new(0));
    let refused = Arc::new(AtomicU32::new(0));
    let (count, count_refused, mut client) = (made.clone(), refused.clone(), service.client());
    callers.spawn(async move {
        // The flood's first wave takes all that there is.
        sleep(Duration::from_secs(1)).await;
        for number in 0.. {
            let request = CreateTapesRequest {
                gateway_arn: GATEWAY.into(),
                tape_size_in_bytes: SIZE,
                client_token: format!("flood-{number}"),
                num_tapes_to_create: 1,
                tape_barcode_prefix: "NEW".into(),
                ..Default::default()
            };
            // Under its own token, as a client's library does by the service config.
            loop {
                let mut request = tonic::Request::new(request.clone());
                request.set_timeout(Duration::from_secs(20));
                match client.create_tapes(request).await {
                    Ok(_) => break,
                    Err(status) => assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}"),
                }
                count_refused.fetch_add(1, Ordering::SeqCst);
                sleep(Duration::from_millis(500)).await;
            }
            count.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_secs(1)).await;
        }
    });
    let began = Instant::now();
    sleep(Duration::from_secs(5)).await;
    let (seen_early, hit_early) = counts(&emulator).await;
    let rest = began + Duration::from_secs(seconds) - Instant::now();
    sleep(rest).await;
    let (seen, hit) = counts(&emulator).await;
    let took = began.elapsed().as_secs_f64();
    let a_create = async {
        while made.load(Ordering::SeqCst) == 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let passed = tokio::time::timeout(Duration::from_secs(20), a_create).await;
    let ended = callers.try_join_next();
    assert!(ended.is_none(), "a create failed: {ended:?}");
    callers.shutdown().await;

    let reached = (seen - hit) as f64 / (10.0 * took);
    let throttled = (hit - hit_early) as f64 / (seen - seen_early) as f64;
    let made = made.load(Ordering::SeqCst);
    let refused = refused.load(Ordering::SeqCst);
    println!(
        "{took:.1} s: {:.1} % of the rate reached, {:.1} % of attempts throttled after 5 s, {made} creates, and \
         {refused} that were throttled to the end",
        reached * 100.0,
        throttled * 100.0
    );
    // In a few seconds one wave of throttling weighs more than in a minute.
    let most = if seconds < 30 { 0.2 } else { 0.1 };
    assert!(reached >= 0.95 && throttled < most);
    assert!(passed.is_ok(), "no create passed");
    let least = if seconds < 30 { 1 } else { seconds / 2 };
    assert!(u64::from(made) >= least, "{made} creates in {seconds} s");
    // Its own repeats see a create through; one in twenty may meet a wave of lists with each of them.
    let most = if seconds < 30 { 1 } else { made / 20 };
    assert!(
        refused <= most,
        "{refused} creates were throttled to the end, and {made} passed"
    );
}
