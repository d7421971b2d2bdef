//! The queue of attempts that wait for their turn.

use std::time::Duration;

use tapegate::{
    access::AuthorizedCall,
    domain::{Fault, ListTapes},
    upstream::{UpstreamSettings, pace, stack},
};
use tokio::time::{Instant, sleep};
use tower::{ServiceExt, service_fn};

use crate::harness::transport::{aws, call, list, page, settings, shared};

/// The list that is throttled; all others are answered.
const THROTTLED: u32 = 1_000;

#[tokio::test(start_paused = true)]
async fn attempts_run_in_order_and_one_that_would_be_too_late_fails_at_once() {
    let shared = shared(UpstreamSettings {
        retry: tapegate::upstream::retry::RetrySettings {
            attempts: 1,
            ..settings().retry
        },
        // It does not grow, so that turns can be counted.
        pace: pace::PaceSettings {
            increase: 0.0,
            ..pace::PaceSettings::default()
        },
        ..settings()
    });
    let (tell, mut order) = tokio::sync::mpsc::unbounded_channel();
    let transport = service_fn(move |call: AuthorizedCall<ListTapes>| {
        let number = call.operation.page.limit.unwrap().get() - 1;
        tell.send(number).unwrap();
        async move {
            match number {
                THROTTLED => Err(aws("ThrottlingException", 400)),
                _ => Ok(page("LISTED01")),
            }
        }
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let ask = |number, timeout| stack.clone().oneshot(call(list(number), timeout));
    // Throttled for the second time a second later, so that the rate no longer grows by itself.
    let minute = Duration::from_secs(60);
    ask(THROTTLED, minute).await.unwrap_err();
    sleep(Duration::from_millis(2_500)).await;
    ask(THROTTLED, minute).await.unwrap_err();
    while order.try_recv().is_ok() {}

    // One a second, so within ten seconds there is room for ten and no more.
    let began = Instant::now();
    let calls = (0..20).map(|number| {
        let asked = ask(number, Duration::from_millis(10_500));
        async move {
            let answer = asked.await;
            (answer, began.elapsed())
        }
    });
    let answers = futures_util::future::join_all(calls).await;
    let mut in_time = 0;
    for (answer, took) in answers {
        match answer {
            Ok(_) => in_time += 1,
            Err(failure) => {
                assert!(matches!(failure.fault, Fault::Paced { wait } if wait > Duration::from_secs(10)));
                assert!(took.is_zero(), "told after {took:?}");
                assert!(failure.pacer_retry_after.unwrap() > Duration::from_secs(9));
            }
        }
    }
    assert_eq!(in_time, 10);
    assert_eq!(
        (
            shared.metrics.paced_attempts.get(),
            shared.metrics.pace_rejections.get()
        ),
        (10, 10)
    );
    let mut went = Vec::new();
    while let Ok(number) = order.try_recv() {
        went.push(number);
    }
    assert_eq!(went, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_gives_its_place_to_the_next() {
    let shared = shared(settings());
    let transport = service_fn(|call: AuthorizedCall<ListTapes>| async move {
        match call.operation.page.limit.unwrap().get() - 1 {
            THROTTLED => Err(aws("ThrottlingException", 400)),
            _ => Ok(page("LISTED01")),
        }
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let ask = |number, seconds| {
        stack
            .clone()
            .oneshot(call(list(number), Duration::from_secs(seconds)))
    };
    let _ = tokio::time::timeout(Duration::from_millis(10), ask(THROTTLED, 60)).await;
    let mut leaving: Vec<_> = (0..5).map(|number| Box::pin(ask(number, 60))).collect();
    for waiting in &mut leaving {
        assert!(futures_util::poll!(waiting).is_pending());
    }
    let mut last = Box::pin(ask(5, 60));
    assert!(futures_util::poll!(&mut last).is_pending());
    drop(leaving);
    let began = Instant::now();
    last.await.unwrap();
    assert!(
        began.elapsed() <= Duration::from_millis(1_100),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_polled_does_not_block_the_queue() {
    // A reader can stop its stream's future from being polled, by its window.
    let shared = shared(settings());
    let transport = service_fn(|call: AuthorizedCall<ListTapes>| async move {
        match call.operation.page.limit.unwrap().get() - 1 {
            THROTTLED => Err(aws("ThrottlingException", 400)),
            _ => Ok(page("LISTED01")),
        }
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let ask = |number| stack.clone().oneshot(call(list(number), Duration::from_secs(60)));
    let _ = tokio::time::timeout(Duration::from_millis(10), ask(THROTTLED)).await;
    let mut still: Vec<_> = (0..3).map(|number| Box::pin(ask(number))).collect();
    for waiting in &mut still {
        assert!(futures_util::poll!(waiting).is_pending());
    }
    let began = Instant::now();
    ask(3).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    for waiting in still {
        waiting.await.unwrap();
    }
}
