//! An upstream that gives no response.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tapegate::{
    access::AuthorizedCall,
    domain::{Failure, Fault, ListTapes},
    upstream::{Shared, UpstreamSettings, retry, retry_budget::RetryBudgetSettings, stack},
};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};
use tower::{ServiceExt, service_fn};

use crate::harness::transport::{aws, call, list, page, settings, shared, unreachable};

/// How the upstream is lost.
#[derive(Clone, Copy, Debug)]
enum Lost {
    Refused,
    Hangs,
    Credentials,
    Proxy,
}

const PER_SECOND: u32 = 200;
const BEFORE: u64 = 10;
const OUTAGE: u64 = 60;
const AFTER: u64 = 20;
/// How long an attempt may take.
const ATTEMPT: Duration = Duration::from_secs(2);

/// A call: when it came, how long it took, and what it came to.
struct Ended {
    second: u64,
    took: Duration,
    answer: Result<(), Failure>,
}

struct Seen {
    shared: Shared,
    /// The attempts of each second.
    attempts: Vec<u32>,
    calls: Vec<Ended>,
}

/// 200 calls a second, and between the 10th and the 70th second the upstream is lost.
async fn run(lost: Lost) -> Seen {
    let shared = shared(UpstreamSettings {
        attempt_timeout: ATTEMPT,
        retry: retry::RetrySettings {
            budget: RetryBudgetSettings {
                reserve: 0,
                ..RetryBudgetSettings::default()
            },
            ..settings().retry
        },
        ..settings()
    });
    let start = Instant::now();
    let outage = start + Duration::from_secs(BEFORE)..start + Duration::from_secs(BEFORE + OUTAGE);
    let attempts = Arc::new(Mutex::new(vec![0; 200]));
    let count = attempts.clone();
    let transport = service_fn(move |_: AuthorizedCall<ListTapes>| {
        count.lock().unwrap()[start.elapsed().as_secs() as usize] += 1;
        let is_lost = outage.contains(&Instant::now());
        async move {
            sleep(Duration::from_millis(20)).await;
            match lost {
                _ if !is_lost => Ok(page("LISTED01")),
                Lost::Refused => Err(unreachable()),
                Lost::Hangs => std::future::pending().await,
                Lost::Credentials => Err(aws("UnrecognizedClientException", 400)),
                Lost::Proxy => Err(Fault::Http { http_status: 502 }.after(aws("", 502).attempts)),
            }
        }
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
    let mut calls = JoinSet::new();
    for number in 0..PER_SECOND * (BEFORE + OUTAGE + AFTER) as u32 {
        ticks.tick().await;
        let asked = stack.clone().oneshot(call(list(number), Duration::from_secs(30)));
        calls.spawn(async move {
            let began = Instant::now();
            let answer = asked.await.map(|_| ());
            Ended {
                second: (began - start).as_secs(),
                took: began.elapsed(),
                answer,
            }
        });
    }
    let calls = calls.join_all().await;
    let attempts = attempts.lock().unwrap().clone();
    Seen {
        shared,
        attempts,
        calls,
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_few_attempts_and_ends_without_a_burst() {
    for lost in [Lost::Refused, Lost::Hangs, Lost::Credentials, Lost::Proxy] {
        let Seen {
            shared,
            attempts,
            calls,
        } = run(lost).await;
        let during = BEFORE as usize..(BEFORE + OUTAGE) as usize;
        let made: u32 = attempts[during.clone()].iter().sum();
        let share = f64::from(made) / f64::from(PER_SECOND * OUTAGE as u32);
        println!(
            "{lost:?}: {share:.3} attempts per call in the outage; attempts a second: {:?}",
            &attempts[BEFORE as usize - 1..(BEFORE + OUTAGE + AFTER) as usize]
        );
        assert!(share <= 1.2);

        // Once it is noticed there is a probe a second, and calls fail at once, by its cause.
        let noticed = during.start + ATTEMPT.as_secs() as usize + 1;
        assert!(
            attempts[noticed..during.end]
                .iter()
                .all(|made| (1..=2).contains(made))
        );
        let refused: Vec<_> = calls
            .iter()
            .filter(|call| (noticed..during.end - 3).contains(&(call.second as usize)))
            .collect();
        let at_once = refused.iter().filter(|call| call.took.is_zero()).count();
        assert!(
            at_once * 100 >= refused.len() * 98,
            "{at_once} of {}",
            refused.len()
        );
        for call in refused.iter().filter(|call| call.took.is_zero()) {
            let failure = call.answer.as_ref().unwrap_err();
            let is_the_cause = match &failure.fault {
                Fault::Unreachable { .. } => matches!(lost, Lost::Refused),
                Fault::AttemptTimeout => matches!(lost, Lost::Hangs),
                Fault::Aws { code, .. } => code == "UnrecognizedClientException",
                Fault::Http { .. } => matches!(lost, Lost::Proxy),
                _ => false,
            };
            assert!(is_the_cause, "{lost:?}: {failure:?}");
            assert_eq!(failure.attempts.count, 0);
            assert!(failure.pacer_retry_after.is_some());
        }
        assert!(shared.metrics.pace_rejections.get() >= at_once as u64);

        // The recovery: noticed within seconds, and then step by step.
        let after = &attempts[during.end..during.end + AFTER as usize];
        assert!(after[..3].iter().sum::<u32>() > 2, "not noticed");
        for (second, pair) in after.windows(2).enumerate() {
            assert!(
                pair[1] <= pair[0] * 4 + 8,
                "{pair:?} in second {second} after the outage"
            );
        }
        let late = calls.iter().filter(|call| call.second >= BEFORE + OUTAGE + 10);
        assert!(late.clone().count() > 1_000);
        late.for_each(|call| assert!(call.answer.is_ok(), "{:?}", call.answer));
    }
}

#[tokio::test(start_paused = true)]
async fn failures_between_responses_are_not_an_outage() {
    let once = retry::RetrySettings {
        attempts: 1,
        ..settings().retry
    };
    let shared = shared(UpstreamSettings {
        retry: once,
        ..settings()
    });
    let transport = service_fn(move |call: AuthorizedCall<ListTapes>| async move {
        sleep(Duration::from_millis(10)).await;
        match call.operation.page.limit.unwrap().get() % 2 {
            0 => Err(unreachable()),
            _ => Ok(page("LISTED01")),
        }
    });
    let stack = stack::<ListTapes>(&shared, transport);
    for round in 0..20 {
        let calls = (0..50).map(|number| stack.clone().oneshot(call(list(50 * round + number), ATTEMPT)));
        for (number, answer) in futures_util::future::join_all(calls).await.iter().enumerate() {
            assert_eq!(answer.is_ok(), number % 2 == 0);
        }
    }
    assert_eq!(shared.metrics.pace_rejections.get(), 0);
}
