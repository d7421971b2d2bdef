//! A thousand identical walks of ten pages.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tapegate::{
    access::AuthorizedCall,
    call::Answer,
    domain::{ListTapes, Marker, PageRequest},
    grpc::proto::ListTapesRequest,
    upstream::{
        pagination::{ListParams, Paginator},
        stack,
    },
};
use tokio::time::sleep;
use tower::service_fn;

use crate::harness::{
    Service, collect,
    foot::{list, list_context, page, settings, shared},
    get,
};

const WALKS: usize = 1_000;
const PAGES: usize = 10;

#[tokio::test(start_paused = true)]
async fn a_thousand_walks_that_begin_within_a_page_cost_little_more_than_a_few() {
    let shared = shared(settings());
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let foot = service_fn(move |call: AuthorizedCall<ListTapes>| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            sleep(Duration::from_millis(50)).await;
            let at = call.operation.page.marker.clone().map(String::from);
            let at: usize = at.map_or(0, |at| at.parse().unwrap());
            let mut answer = page("LISTED01");
            answer.output.next =
                (at + 1 < PAGES).then(|| Marker::reported(Some((at + 1).to_string())).unwrap());
            Ok(answer)
        }
    });
    let stack = stack::<ListTapes>(&shared, foot);
    let walks = (0..WALKS).map(|number| {
        let stack = stack.clone();
        async move {
            // Evenly over half a second.
            sleep(Duration::from_micros(500 * number as u64)).await;
            let plain = ListTapes {
                page: PageRequest::default(),
                ..list(0)
            };
            let mut walk = Paginator::new(
                stack,
                plain,
                ListParams::default(),
                list_context(Duration::from_secs(60)),
            );
            let mut pages = 0;
            while let Some(answer) = walk.next().await {
                let Answer { output, .. } = answer.unwrap();
                assert_eq!(output.rows.len(), 1);
                pages += 1;
            }
            assert_eq!(pages, PAGES);
        }
    });
    join_all(walks).await;
    let (asked, alone) = (asked.load(Ordering::SeqCst) as usize, WALKS * PAGES);
    println!("{asked} upstream calls for {alone} pages");
    assert!(asked * 50 <= alone);
    assert_eq!(shared.metrics.coalesced_reads.get() as usize, alone - asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_walks_over_the_wire() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("faults.json");
    std::fs::write(&rules, r#"[{"kind": "latency", "min_ms": 50}]"#).unwrap();
    let faults = format!("--emulator-faults={}", rules.display());
    let service = Service::dev(&[&faults, "--emulator-seed-tapes=10"]).await;
    let walks = (0..WALKS).map(|_| {
        let mut client = service.client();
        async move {
            let request = ListTapesRequest {
                limit: 1,
                ..Default::default()
            };
            collect(client.list_tapes(request).await).await.unwrap().len()
        }
    });
    assert!(join_all(walks).await.iter().all(|pages| *pages == PAGES));
    let emulator = service.addresses.emulator.unwrap();
    let (_, body) = get(&format!("http://{emulator}/_emulator/faults")).await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let asked = body["faults"][0]["seen"].as_u64().unwrap() as usize;
    println!("{asked} upstream calls for {} pages", WALKS * PAGES);
    assert!(asked * 50 <= WALKS * PAGES);
}
