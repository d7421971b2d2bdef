//! Creates and lists that AWS throttles by one token bucket.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tapegate::{
    access::AuthorizedCall,
    domain::{CreateTapes, ListTapes},
    upstream::stack,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tower::{ServiceExt, service_fn};

use super::throttled::Bucket;
use crate::harness::transport::{aws, call, create, created, list, page, settings, shared};

/// What creates came to, one a second in the minute in which 100 callers list.
#[derive(Default)]
struct Seen {
    passed: u32,
    failed: u32,
    longest: Duration,
}

async fn flood(latency: Duration) -> Seen {
    let start = Instant::now();
    let bucket = Arc::new(Mutex::new(Bucket::new(10.0, start)));
    let ask = move || {
        let bucket = bucket.clone();
        async move {
            sleep(latency / 2).await;
            let passed = bucket.lock().unwrap().take(10.0, start);
            sleep(latency / 2).await;
            match passed {
                true => Ok(()),
                false => Err(aws("ThrottlingException", 400)),
            }
        }
    };
    let shared = shared(settings());
    let asked = ask.clone();
    let lists = stack(
        &shared,
        service_fn(move |_: AuthorizedCall<ListTapes>| {
            let asked = asked();
            async move { asked.await.map(|()| page("LISTED01")) }
        }),
    );
    let creates = stack(
        &shared,
        service_fn(move |_: AuthorizedCall<CreateTapes>| {
            let asked = ask();
            async move { asked.await.map(|()| created("MADE0001")) }
        }),
    );
    let minute = Duration::from_secs(60);
    let mut callers = JoinSet::new();
    for caller in 0..100 {
        let lists = lists.clone();
        callers.spawn(async move {
            loop {
                let listed = lists.clone().oneshot(call(list(caller), minute)).await;
                if listed.is_err() {
                    sleep(Duration::from_millis(100)).await;
                }
            }
        });
    }
    let mut seen = Seen::default();
    let mut creating = JoinSet::new();
    for second in 0..60 {
        // Not in step with the lists.
        let at = start + Duration::from_micros(second * 1_000_000 + fastrand::u64(0..1_000_000));
        let creates = creates.clone();
        creating.spawn(async move {
            sleep_until(at).await;
            let made = creates
                .oneshot(call(create(&format!("token-{second}")), minute))
                .await;
            (made, at.elapsed())
        });
    }
    for (made, took) in creating.join_all().await {
        seen.longest = seen.longest.max(took);
        match made {
            Ok(_) => seen.passed += 1,
            Err(failure) => {
                assert!(failure.fault.is_throttling(), "{failure}");
                seen.failed += 1;
            }
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn creates_succeed_while_lists_are_throttled() {
    for millis in [0, 20, 100] {
        let mut all = Seen::default();
        for seed in 0..5 {
            fastrand::seed(seed);
            let seen = flood(Duration::from_millis(millis)).await;
            all.passed += seen.passed;
            all.failed += seen.failed;
            all.longest = all.longest.max(seen.longest);
        }
        let Seen {
            passed,
            failed,
            longest,
        } = all;
        println!("{millis} ms away: {passed} creates passed, {failed} failed, {longest:?} at most");
        // One in a hundred may meet a wave of lists with each of its four attempts.
        assert!(failed * 100 <= passed && longest < Duration::from_secs(30));
    }
}
