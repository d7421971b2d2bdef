//! A read that follows a create is not coalesced with one before it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tapegate::{
    access::AuthorizedCall,
    domain::{CreateTapes, Fault, ListTapes},
    upstream::{UpstreamSettings, stack},
};
use tokio::time::sleep;
use tower::{ServiceExt, service_fn};

use crate::harness::transport::{aws, call, create, created, list, page, settings, shared};

/// How a create ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    Well,
    Rejected,
    Unclear,
    /// Not before its caller's deadline.
    Late,
}

#[tokio::test(start_paused = true)]
async fn a_read_after_a_create_is_not_coalesced_with_one_before_it() {
    for ends in [Ends::Well, Ends::Rejected, Ends::Unclear, Ends::Late] {
        let shared = shared(UpstreamSettings {
            create_timeout: Duration::from_secs(10),
            ..settings()
        });
        let exists = Arc::new(AtomicBool::new(false));
        let seen = exists.clone();
        // What a list shows is looked at as it begins, and told a second later.
        let lists = service_fn(move |_: AuthorizedCall<ListTapes>| {
            let barcode = match seen.load(Ordering::SeqCst) {
                true => "THERE001",
                false => "ABSENT01",
            };
            async move {
                sleep(Duration::from_secs(1)).await;
                Ok(page(barcode))
            }
        });
        let creates = service_fn(move |_: AuthorizedCall<CreateTapes>| {
            let exists = exists.clone();
            async move {
                sleep(Duration::from_millis(100)).await;
                exists.store(ends != Ends::Rejected, Ordering::SeqCst);
                match ends {
                    Ends::Well => Ok(created("THERE001")),
                    Ends::Rejected => Err(aws("ValidationException", 400)),
                    Ends::Unclear => Err(aws("InvalidParameters", 400)),
                    Ends::Late => std::future::pending().await,
                }
            }
        });
        let lists = stack::<ListTapes>(&shared, lists);
        let creates = stack::<CreateTapes>(&shared, creates);
        let minute = Duration::from_secs(60);
        let mut first = Box::pin(lists.clone().oneshot(call(list(1), minute)));
        assert!(futures_util::poll!(&mut first).is_pending());
        let made = creates
            .oneshot(call(create("token-1"), Duration::from_millis(500)))
            .await;
        assert_eq!(made.is_ok(), ends == Ends::Well);
        if ends == Ends::Late {
            assert!(matches!(made.unwrap_err().fault, Fault::Deadline { .. }));
        }
        // The first is still on its way, so a second could join it.
        assert!(futures_util::poll!(&mut first).is_pending());
        let second = lists.oneshot(call(list(1), minute)).await.unwrap();
        let first = first.await.unwrap();
        let barcode =
            |page: &tapegate::domain::Page<tapegate::domain::TapeInfo>| page.rows[0].tape_barcode.clone();
        assert_eq!(barcode(&first.output).as_deref(), Some("ABSENT01"));
        let expected = match ends {
            Ends::Rejected => "ABSENT01",
            _ => "THERE001",
        };
        assert_eq!(barcode(&second.output).as_deref(), Some(expected), "{ends:?}");
        assert_eq!(shared.metrics.coalesced_reads.get(), 0);
    }
}
