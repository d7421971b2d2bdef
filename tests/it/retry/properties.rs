//! Properties of retries that hold for any upstream.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::prelude::*;
use tapegate::{
    access::AuthorizedCall,
    domain::{Attempts, CreateTapes, Failure, Fault},
    upstream::{Shared, UpstreamSettings, pace, retry, stack},
};
use tokio::time::{Instant, sleep};
use tower::{ServiceExt, service_fn};

use crate::harness::transport::{aws, call, create, created, settings, shared};

/// What an attempt meets.
#[derive(Clone, Copy, Debug)]
enum Meets {
    Success,
    Refusal,
    Failure,
    Throttling,
    NoConnection,
    NoAnswer,
    Expired,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    meets: Meets,
    takes: Duration,
    asked: Option<Duration>,
}

fn step() -> impl Strategy<Value = Step> {
    let meets = prop_oneof![
        1 => Just(Meets::Success),
        1 => Just(Meets::Refusal),
        4 => Just(Meets::Failure),
        2 => Just(Meets::Throttling),
        4 => Just(Meets::NoConnection),
        4 => Just(Meets::NoAnswer),
        2 => Just(Meets::Expired),
    ];
    let asked = prop::option::weighted(0.3, (0_u64..3_000).prop_map(Duration::from_millis));
    (meets, 0_u64..2_000, asked).prop_map(|(meets, takes, asked)| Step {
        meets,
        takes: Duration::from_millis(takes),
        asked,
    })
}

/// An attempt as the fake saw it; one that was cut at its bound has no end.
#[derive(Clone, Debug)]
struct Made {
    began: Instant,
    ended: Option<Instant>,
    asked: Duration,
    operation: CreateTapes,
}

const ATTEMPT: Duration = Duration::from_secs(1);

fn bounded(attempts: u32) -> UpstreamSettings {
    UpstreamSettings {
        create_timeout: ATTEMPT,
        retry: retry::RetrySettings {
            attempts,
            ..settings().retry
        },
        // So that no outage has a part in the pauses.
        pace: pace::PaceSettings {
            silence: u32::MAX,
            ..pace::PaceSettings::default()
        },
        ..settings()
    }
}

/// A create before an upstream that answers its attempts so: what was made, and whether it
/// ended well.
async fn run(shared: &Shared, steps: Vec<Step>, timeout: Duration) -> (Vec<Made>, bool) {
    let made: Arc<Mutex<Vec<Made>>> = Arc::default();
    let seen = made.clone();
    let transport = service_fn(move |call: AuthorizedCall<CreateTapes>| {
        let (seen, steps) = (seen.clone(), steps.clone());
        async move {
            let number = {
                let mut made = seen.lock().unwrap();
                made.push(Made {
                    began: Instant::now(),
                    ended: None,
                    asked: Duration::ZERO,
                    operation: call.operation.clone(),
                });
                made.len() - 1
            };
            let step = steps[number % steps.len()];
            sleep(step.takes).await;
            let failure = match step.meets {
                Meets::Success => return Ok(created("MADE0001")),
                Meets::NoAnswer => std::future::pending().await,
                Meets::Refusal => aws("ValidationException", 400),
                Meets::Throttling => aws("ThrottlingException", 400),
                Meets::Expired => aws("ExpiredTokenException", 400),
                Meets::Failure => aws("InternalFailure", 500),
                Meets::NoConnection => {
                    let cause = String::new();
                    Fault::ConnectionLost { cause }.after(Attempts::one(None))
                }
            };
            let mut made = seen.lock().unwrap();
            made[number].ended = Some(Instant::now());
            made[number].asked = step.asked.unwrap_or_default();
            Err(Failure {
                upstream_retry_after: step.asked,
                ..failure
            })
        }
    });
    let stack = stack::<CreateTapes>(shared, transport);
    let answer = stack.oneshot(call(create("token-of-the-laws"), timeout)).await;
    let made = made.lock().unwrap().clone();
    (made, answer.is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn attempts_stay_within_limit_and_deadline_and_send_the_same_request(
        steps in prop::collection::vec(step(), 1..8),
        attempts in 1_u32..6,
        timeout in 1_u64..10_000,
    ) {
        let clock = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        clock.block_on(async {
            let shared = shared(bounded(attempts));
            let timeout = Duration::from_millis(timeout);
            let deadline = Instant::now() + timeout;
            let (made, succeeded) = run(&shared, steps.clone(), timeout).await;
            // A timer of tokio's fires up to a millisecond late.
            let late = Duration::from_millis(1);
            prop_assert!(Instant::now() <= deadline + late);
            prop_assert!(!made.is_empty() && made.len() <= attempts as usize);
            prop_assert_eq!(shared.metrics.attempts.get(), made.len() as u64);
            let meets = |number: usize| steps[number % steps.len()].meets;
            for attempt in &made {
                prop_assert!(attempt.began < deadline, "an attempt began after the deadline");
                prop_assert_eq!(&attempt.operation, &made[0].operation);
            }
            for (number, pair) in made.windows(2).enumerate() {
                let before = pair[0].ended.unwrap_or(pair[0].began + ATTEMPT);
                let (pause, asked) = (pair[1].began - before, pair[0].asked);
                prop_assert!(pause >= asked, "{pause:?} where {asked:?} was asked for");
                let most = asked + Duration::from_millis(100) * (1 << number) + 2 * late;
                let is_paced = (0..=number).any(|number| matches!(meets(number), Meets::Throttling));
                prop_assert!(is_paced || pause <= most, "a pause of {pause:?} after attempt {number}");
                let is_final = matches!(meets(number), Meets::Success | Meets::Refusal);
                prop_assert!(!is_final || pair[0].ended.is_none(), "attempt {number} was final");
            }
            prop_assert!(!succeeded || matches!(meets(made.len() - 1), Meets::Success));
            Ok(())
        })?;
    }
}
