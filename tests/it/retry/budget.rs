//! The retry budgets: of each gateway, and of the calls without one.

use std::time::Duration;

use tapegate::{
    access::AuthorizedCall,
    domain::{CreateTapes, ListTapes},
    upstream::{Shared, UpstreamSettings, retry, retry_budget::RetryBudgetSettings, stack},
};
use tokio::{
    task::JoinSet,
    time::{interval, sleep},
};
use tower::{ServiceExt, service_fn};

use crate::harness::transport::{aws, call, create, list, page, settings, shared};

/// So many calls a second, for so many seconds, before an upstream that fails every one.
async fn fail(retry: retry::RetrySettings, per_second: u32, seconds: u32) -> Shared {
    let shared = shared(UpstreamSettings { retry, ..settings() });
    let transport = service_fn(|_: AuthorizedCall<ListTapes>| async { Err(aws("InternalFailure", 500)) });
    let stack = stack::<ListTapes>(&shared, transport);
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    let mut calls = JoinSet::new();
    for number in 0..per_second * seconds {
        ticks.tick().await;
        calls.spawn(stack.clone().oneshot(call(list(number), Duration::from_secs(60))));
    }
    assert!(calls.join_all().await.iter().all(Result::is_err));
    shared
}

#[tokio::test(start_paused = true)]
async fn retries_stay_within_their_share_of_the_calls() {
    for calls_per_retry in [1, 2, 3, 5, 7, 20, 100] {
        let retry = retry::RetrySettings {
            attempts: 20,
            budget: RetryBudgetSettings {
                calls_per_retry,
                reserve: 0,
            },
            ..settings().retry
        };
        let tally = fail(retry, 100, 30).await.metrics;
        let (calls, repeats) = (3_000, tally.retries.sum());
        let share = calls / u64::from(calls_per_retry);
        println!("1 in {calls_per_retry}: {repeats} repeats of {calls} calls");
        assert!(repeats <= share && repeats * 100 >= share * 95);
        assert_eq!(tally.attempts.get(), calls + repeats);
        assert!(tally.retries_ended.of(&"budget") > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_reserve_allows_retries_of_few_calls_and_runs_out() {
    let retry = |reserve| retry::RetrySettings {
        attempts: 20,
        budget: RetryBudgetSettings {
            reserve,
            ..RetryBudgetSettings::default()
        },
        cap: Duration::from_millis(100),
        ..settings().retry
    };
    // One call earns nothing by itself.
    let tally = fail(retry(0), 1, 1).await.metrics;
    assert_eq!((tally.attempts.get(), tally.retries_ended.of(&"budget")), (1, 1));
    // A reserve of 1 a second is 10 in ten seconds.
    let tally = fail(retry(1), 1, 1).await.metrics;
    assert_eq!((tally.attempts.get(), tally.retries_ended.of(&"budget")), (11, 1));
    let tally = fail(retry(2), 100, 30).await.metrics;
    let repeats = tally.retries.sum();
    println!("2 a second, and 1 in 5 of 3,000 calls in 30 s: {repeats} repeats");
    // What is kept for ten seconds can be used at either end of thirty.
    assert!((600..=600 + 2 * 40).contains(&repeats));
}

#[tokio::test(start_paused = true)]
async fn the_reason_why_a_call_is_not_retried_is_counted() {
    let once = retry::RetrySettings {
        attempts: 1,
        ..settings().retry
    };
    let tally = fail(once, 1, 1).await.metrics;
    assert_eq!(
        (
            tally.retries_ended.of(&"attempts"),
            tally.retries_ended.of(&"budget")
        ),
        (1, 0)
    );

    let shared = shared(settings());
    let transport = service_fn(|_: AuthorizedCall<ListTapes>| async {
        sleep(Duration::from_millis(96)).await;
        Err(aws("InternalFailure", 500))
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let failure = stack.oneshot(call(list(0), Duration::from_millis(100))).await;
    assert!(matches!(
        failure.unwrap_err().fault,
        tapegate::domain::Fault::Aws { .. }
    ));
    let tally = &shared.metrics;
    assert_eq!(
        (tally.retries_ended.of(&"deadline"), tally.attempts.get()),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn retries_are_counted_by_the_failure_before() {
    for (code, after) in [
        ("InternalFailure", "error"),
        ("ThrottlingException", "throttling"),
        ("ExpiredTokenException", "error"),
    ] {
        let shared = shared(settings());
        let failures = std::sync::atomic::AtomicU32::new(1);
        let failures = std::sync::Arc::new(failures);
        let transport = service_fn(move |_: AuthorizedCall<ListTapes>| {
            let fails = failures.swap(0, std::sync::atomic::Ordering::SeqCst) > 0;
            async move {
                match fails {
                    true => Err(aws(code, 400)),
                    false => Ok(crate::harness::transport::page("LISTED01")),
                }
            }
        });
        let stack = stack::<ListTapes>(&shared, transport);
        let answer = stack
            .oneshot(call(list(0), Duration::from_secs(10)))
            .await
            .unwrap();
        assert_eq!(answer.attempts.count, 2);
        let tally = &shared.metrics;
        assert_eq!(tally.retries.get(), [(("ListTapes", after), 1)].into(), "{code}");
        assert_eq!(tally.throttled_attempts.get(), u64::from(after == "throttling"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_does_not_respond_takes_no_retries_from_others() {
    let shared = shared(settings());
    let offline = service_fn(|_: AuthorizedCall<CreateTapes>| async { Err(aws("GatewayNotConnected", 400)) });
    let creates = stack::<CreateTapes>(&shared, offline);
    let flaky = service_fn(|call: AuthorizedCall<ListTapes>| async move {
        match call.attempt.earlier {
            0 => Err(aws("InternalFailure", 500)),
            _ => Ok(page("LISTED01")),
        }
    });
    let lists = stack::<ListTapes>(&shared, flaky);
    let mut ticks = interval(Duration::from_millis(10));
    let (mut failing, mut others) = (JoinSet::new(), JoinSet::new());
    for number in 0..3_000_u32 {
        ticks.tick().await;
        let create = create(&format!("token-{number}"));
        failing.spawn(creates.clone().oneshot(call(create, Duration::from_secs(60))));
        if number % 10 == 0 {
            others.spawn(lists.clone().oneshot(call(list(number), Duration::from_secs(60))));
        }
    }
    failing.join_all().await;
    assert!(shared.metrics.retries_ended.of(&"budget") > 0);
    assert!(others.join_all().await.iter().all(Result::is_ok));
}
