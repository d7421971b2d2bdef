//! Identical reads share one upstream call. Most tests use a scripted transport below the layers
//! and tokio's paused clock; tests that need the wire run the whole service.

mod creates;
mod joining;
mod leaving;
mod lists;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tapegate::{
    access::AuthorizedCall,
    domain::ListTapes,
    upstream::{Shared, Stack, stack},
};
use tokio::time::sleep;
use tower::service_fn;

use crate::harness::transport::{page, settings, shared};

/// Lists before an upstream that takes so long for each, and counts them.
fn slow(takes: Duration) -> (Stack<ListTapes>, Arc<AtomicU32>, Shared) {
    let shared = shared(settings());
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let transport = service_fn(move |_: AuthorizedCall<ListTapes>| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move {
            sleep(takes).await;
            Ok(page(&format!("LISTED{number}")))
        }
    });
    (stack::<ListTapes>(&shared, transport), asked, shared)
}
