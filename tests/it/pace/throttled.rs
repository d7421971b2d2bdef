//! An upstream that throttles.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tapegate::{access::AuthorizedCall, domain::ListTapes, upstream::stack};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tower::{ServiceExt, service_fn};

use crate::harness::transport::{aws, call, list, page, settings, shared};

/// A token bucket, as AWS has one.
pub(super) struct Bucket {
    burst: f64,
    tokens: f64,
    filled: Instant,
    attempts: Vec<Attempt>,
}

#[derive(Clone, Copy)]
struct Attempt {
    at: Duration,
    passed: bool,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(burst: f64, now: Instant) -> Self {
        Self {
            burst,
            tokens: burst,
            filled: now,
            attempts: Vec::new(),
        }
    }

    /// Whether an attempt passes, at so many a second.
    pub(super) fn take(&mut self, rate: f64, start: Instant) -> bool {
        let now = Instant::now();
        let seconds = (now - self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = seconds.mul_add(rate, self.tokens).min(self.burst);
        let passed = self.tokens >= 1.0;
        if passed {
            self.tokens -= 1.0;
        }
        self.attempts.push(Attempt {
            at: now - start,
            passed,
        });
        passed
    }
}

/// Calls a second, by the time since the start.
type Rate = fn(Duration) -> f64;

/// What an upstream saw that let a flood through at `rate`, which follows the time since the
/// start, with a burst.
struct Flood {
    rate: Rate,
    burst: f64,
    latency: Duration,
    callers: u32,
    lasts: Duration,
}

impl Flood {
    async fn run(&self) -> Seen {
        let start = Instant::now();
        let bucket = Arc::new(Mutex::new(Bucket::new(self.burst, start)));
        let (rate, latency, taken) = (self.rate, self.latency, bucket.clone());
        let transport = service_fn(move |_: AuthorizedCall<ListTapes>| {
            let taken = taken.clone();
            async move {
                sleep(latency / 2).await;
                let passed = taken.lock().unwrap().take(rate(start.elapsed()), start);
                sleep(latency / 2).await;
                match passed {
                    true => Ok(page("LISTED01")),
                    false => Err(aws("ThrottlingException", 400)),
                }
            }
        });
        let stack = stack::<ListTapes>(&shared(settings()), transport);
        let mut callers = JoinSet::new();
        for caller in 0..self.callers {
            let stack = stack.clone();
            callers.spawn(async move {
                loop {
                    let answer = stack
                        .clone()
                        .oneshot(call(list(caller), Duration::from_secs(60)))
                        .await;
                    if answer.is_err() {
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            });
        }
        sleep(self.lasts).await;
        callers.shutdown().await;
        let attempts = std::mem::take(&mut bucket.lock().unwrap().attempts);
        Seen(attempts)
    }
}

struct Seen(Vec<Attempt>);

impl Seen {
    fn between(&self, from: u64, to: u64) -> (f64, f64) {
        let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
        let within = self.0.iter().filter(|a| (from..to).contains(&a.at));
        let all = within.clone().count() as f64;
        let passed = within.filter(|a| a.passed).count() as f64;
        (all, passed)
    }
}

const LASTS: u64 = 60;

#[tokio::test(start_paused = true)]
async fn the_rate_reaches_the_limit_of_aws_with_few_throttled_attempts() {
    let rates: [Rate; 4] = [|_| 2.0, |_| 10.0, |_| 50.0, |_| 200.0];
    for (rate, millis) in rates.into_iter().flat_map(|rate| [(rate, 0), (rate, 100)]) {
        let flood = Flood {
            rate,
            burst: 10.0,
            latency: Duration::from_millis(millis),
            callers: 100,
            lasts: Duration::from_secs(LASTS),
        };
        let seen = flood.run().await;
        let granted = rate(Duration::ZERO);
        let (_, passed) = seen.between(0, LASTS);
        let (later, passed_later) = seen.between(5, LASTS);
        let reached = passed / (granted * LASTS as f64);
        let reached_later = passed_later / (granted * (LASTS - 5) as f64);
        let throttled = 1.0 - passed_later / later;
        println!(
            "{granted} a second, {millis} ms away: {:.1} % reached; after 5 s {:.1} %, and {:.1} % of attempts throttled",
            reached * 100.0,
            reached_later * 100.0,
            throttled * 100.0
        );
        // 200 a second take some of the first seconds to be found.
        let least = if granted > 100.0 { 0.94 } else { 0.95 };
        assert!(reached >= least && reached_later >= 0.95 && throttled < 0.1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_follows_a_limit_that_changes() {
    // At half time; the time that a rise of so much may take to be found.
    let changes: [(Rate, u64); 4] = [
        (|at| if at.as_secs() < 60 { 40.0 } else { 10.0 }, 5),
        (|at| if at.as_secs() < 60 { 200.0 } else { 2.0 }, 5),
        (|at| if at.as_secs() < 60 { 10.0 } else { 40.0 }, 30),
        (|at| if at.as_secs() < 60 { 2.0 } else { 200.0 }, 50),
    ];
    for (rate, within) in changes {
        let flood = Flood {
            rate,
            burst: 10.0,
            latency: Duration::from_millis(100),
            callers: 100,
            lasts: Duration::from_secs(150),
        };
        let seen = flood.run().await;
        let found = 60 + within;
        let (all, passed) = seen.between(found, 150);
        let granted = rate(Duration::from_secs(150)) * (150 - found) as f64;
        println!(
            "from {} to {} a second: after {within} s {:.1} % reached, {:.1} % throttled",
            rate(Duration::ZERO),
            rate(Duration::from_secs(150)),
            passed / granted * 100.0,
            (1.0 - passed / all) * 100.0
        );
        assert!(passed >= 0.95 * granted && passed > 0.9 * all);
    }
}
