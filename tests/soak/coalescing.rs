//! Coalescing in real time, over the wire.

use futures_util::future::join_all;
use tapegate::grpc::proto::ListTapesRequest;

use crate::harness::{Service, collect, get};

/// How many callers list the same tapes at the same time.
const LISTS: usize = 1_000;

/// How many pages each list has.
const PAGES: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures real time; tests/soak/run runs it"]
async fn a_thousand_identical_lists_over_the_wire_share_their_pages() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("faults.json");
    std::fs::write(&rules, r#"[{"kind": "latency", "min_ms": 50}]"#).unwrap();
    let faults = format!("--emulator-faults={}", rules.display());
    let service = Service::dev(&[&faults, "--emulator-seed-tapes=10"]).await;
    let lists = (0..LISTS).map(|_| {
        let mut client = service.client();
        async move {
            let request = ListTapesRequest {
                limit: 1,
                ..Default::default()
            };
            collect(client.list_tapes(request).await).await.unwrap().len()
        }
    });
    assert!(join_all(lists).await.iter().all(|pages| *pages == PAGES));
    let emulator = service.emulator.unwrap();
    let (_, body) = get(&format!("http://{emulator}/_emulator/faults")).await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let asked = body["faults"][0]["seen"].as_u64().unwrap() as usize;
    println!("{asked} upstream calls for {} pages", LISTS * PAGES);
    assert!(asked * 50 <= LISTS * PAGES);
}
