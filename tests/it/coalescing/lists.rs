//! A thousand identical lists of ten pages.

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
    upstream::{
        pagination::{ListParams, Paginator},
        stack,
    },
};
use tokio::time::sleep;
use tower::service_fn;

use crate::harness::transport::{list, list_context, page, settings, shared};

const LISTS: usize = 1_000;
const PAGES: usize = 10;

#[tokio::test(start_paused = true)]
async fn a_thousand_identical_lists_share_most_of_their_pages() {
    let shared = shared(settings());
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let transport = service_fn(move |call: AuthorizedCall<ListTapes>| {
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
    let stack = stack::<ListTapes>(&shared, transport);
    let lists = (0..LISTS).map(|number| {
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
                assert_eq!(output.page.rows.len(), 1);
                pages += 1;
            }
            assert_eq!(pages, PAGES);
        }
    });
    join_all(lists).await;
    let (asked, alone) = (asked.load(Ordering::SeqCst) as usize, LISTS * PAGES);
    println!("{asked} upstream calls for {alone} pages");
    assert!(asked * 50 <= alone);
    assert_eq!(shared.metrics.coalesced_reads.get() as usize, alone - asked);
}
