//! An upstream that gives no response.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::json;
use tapegate::{
    access::AuthorizedCall,
    domain::{Failure, Fault, ListTapes},
    grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient},
    upstream::{self, Shared, UpstreamSettings, pace, retry, retry_budget::RetryBudgetSettings, stack},
};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Endpoint;
use tower::{ServiceExt, service_fn};

use crate::harness::{
    Program, Reply, Service, Upstream, one_new_tape,
    transport::{aws, call, list, page, settings, shared, unreachable},
};

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

/// A stack before an upstream that fails while `is_lost`, and the number of its attempts. Calls are
/// not retried.
fn switched(forget: Duration) -> (upstream::Stack<ListTapes>, Arc<AtomicBool>, Arc<AtomicU32>) {
    let shared = shared(UpstreamSettings {
        retry: retry::RetrySettings {
            attempts: 1,
            ..settings().retry
        },
        pace: pace::PaceSettings {
            forget,
            ..settings().pace
        },
        ..settings()
    });
    let (is_lost, attempts) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let (lost, made) = (is_lost.clone(), attempts.clone());
    let transport = service_fn(move |_: AuthorizedCall<ListTapes>| {
        made.fetch_add(1, Ordering::SeqCst);
        let is_lost = lost.load(Ordering::SeqCst);
        async move {
            sleep(Duration::from_millis(20)).await;
            if is_lost {
                Err(unreachable())
            } else {
                Ok(page("LISTED01"))
            }
        }
    });
    (stack::<ListTapes>(&shared, transport), is_lost, attempts)
}

/// So many calls at once, of which each has 30 s.
async fn burst(stack: &upstream::Stack<ListTapes>, calls: u32) -> Vec<Result<(), Failure>> {
    let calls = (0..calls).map(|number| {
        let asked = stack.clone().oneshot(call(list(number), Duration::from_secs(30)));
        async move { asked.await.map(|_| ()) }
    });
    join_all(calls).await
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_forgotten_without_traffic_and_the_first_burst_is_paced() {
    let forget = Duration::from_secs(60);
    let (stack, is_lost, attempts) = switched(forget);
    burst(&stack, 40).await;
    let refused = burst(&stack, 40).await;
    assert!(refused.iter().all(Result::is_err), "no outage");
    is_lost.store(false, Ordering::SeqCst);
    // What is known is not forgotten yet: one call finds out, and the others fail at once.
    sleep(forget - Duration::from_secs(5)).await;
    is_lost.store(true, Ordering::SeqCst);
    attempts.store(0, Ordering::SeqCst);
    burst(&stack, 40).await;
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    is_lost.store(false, Ordering::SeqCst);
    sleep(forget + Duration::from_secs(15)).await;
    let began = Instant::now();
    for answer in burst(&stack, 40).await {
        answer.unwrap();
    }
    let took = began.elapsed();
    let paced = Duration::from_secs(1)..Duration::from_secs(10);
    assert!(paced.contains(&took), "{took:?}");
    // After the recovery there is no limit.
    sleep(Duration::from_secs(11)).await;
    let began = Instant::now();
    for answer in burst(&stack, 40).await {
        answer.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_goes_on_after_a_silence_is_noticed_at_the_first_attempt() {
    let forget = Duration::from_secs(60);
    let (stack, _, attempts) = switched(forget);
    burst(&stack, 40).await;
    sleep(forget * 2).await;
    attempts.store(0, Ordering::SeqCst);
    let began = Instant::now();
    assert!(burst(&stack, 40).await.iter().all(Result::is_err));
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_first_burst_of_creates_after_a_forgotten_outage_succeeds() {
    let is_lost = Arc::new(AtomicBool::new(true));
    let lost = is_lost.clone();
    let upstream = Upstream::answering(move |asked| {
        let reply = match lost.load(Ordering::SeqCst) {
            true => Reply::text(502, "text/html", "<html>"),
            false => Reply::ok(&asked.created()),
        };
        std::future::ready(reply)
    });
    let upstream = upstream.await;
    let flags = ["--pace-forget=1s", "--retry-attempts=1"];
    let service = Service::over(&upstream, &flags).await;
    let creates = async |of: &str| {
        let calls = (0..20).map(|number| {
            let (mut client, token) = (service.client(), format!("{of}-{number}"));
            async move { client.create_tapes(one_new_tape(&token)).await }
        });
        join_all(calls).await
    };
    assert!(creates("lost").await.iter().all(Result::is_err));
    assert!(upstream.asked().len() < 40, "no outage");
    is_lost.store(false, Ordering::SeqCst);
    // Longer than pace.forget: no event tells that time has passed.
    sleep(Duration::from_millis(1500)).await;
    for answer in creates("well").await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn the_begin_and_the_end_of_an_outage_are_logged() {
    let is_well = Arc::new(AtomicBool::new(false));
    let answers = is_well.clone();
    let upstream = Upstream::answering(move |_| {
        let reply = match answers.load(Ordering::SeqCst) {
            true => Reply::ok(&json!({"TapeInfos": []})),
            false => Reply::text(502, "text/html", "no AWS here"),
        };
        async move { reply }
    })
    .await;
    let mut program = Program::over(&upstream.endpoint(), "tapegate::upstream=info");
    let endpoint = Endpoint::from_shared(program.grpc.clone()).unwrap();
    let mut client = TapeServiceClient::new(endpoint.connect().await.unwrap());
    let _calling = AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let _ = client.list_tapes(ListTapesRequest::default()).await;
        }
    }));
    let began = program.logged("an outage begins").await;
    for part in ["read", "us-east-1", "502"] {
        assert!(began.contains(part), "{began}");
    }
    is_well.store(true, Ordering::SeqCst);
    let ended = program.logged("an outage ends").await;
    assert!(ended.contains("seconds"), "{ended}");
}
