//! Callers in a process of their own, so that their processor time is not the service's. They read what
//! to do from their standard input, a line of JSON each, and answer with a line of JSON.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::task::{JoinSet, spawn_blocking};

use crate::target::{Done, Target, Work};

/// What callers shall do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// What each call does.
    pub(crate) work: Work,
    /// How many calls are in progress at a time.
    pub(crate) at_once: usize,
    /// When to stop.
    pub(crate) until: Until,
}

/// When to stop.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Until {
    /// After so many calls.
    Calls(usize),
    /// After so many milliseconds.
    Millis(u64),
}

/// What they have seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Their responses: pages, or creates.
    pub(crate) messages: u64,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// How long each call took, in µs: the 50th, 99th and 99.9th percentile.
    pub(crate) micros: [f64; 3],
    /// How long it took to the first response of a call, in µs: the 50th percentile.
    pub(crate) first: f64,
    /// The errors, with their number.
    pub(crate) errors: BTreeMap<String, usize>,
}

/// Carries out orders until there are no more.
pub(crate) async fn serve(target: Target) -> Result<(), String> {
    let target = Arc::new(target);
    super::announce("callers");
    let next_line = || io::stdin().lines().next().transpose();
    while let Some(line) = spawn_blocking(next_line)
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?
    {
        let order: Order = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let seen = carry_out(&target, order).await;
        super::announce(&serde_json::to_string(&seen).map_err(|error| error.to_string())?);
    }
    Ok(())
}

async fn carry_out(target: &Arc<Target>, order: Order) -> Seen {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..order.at_once {
        let target = target.clone();
        let (end, calls) = match order.until {
            Until::Calls(calls) => (None, (calls + order.at_once - 1 - caller) / order.at_once),
            Until::Millis(millis) => (Some(began + Duration::from_millis(millis)), usize::MAX),
        };
        callers.spawn(async move {
            let mut ended = Vec::new();
            while ended.len() < calls && end.is_none_or(|end| Instant::now() < end) {
                ended.push(target.call(order.work).await);
            }
            ended
        });
    }
    let ended = callers.join_all().await.into_iter().flatten().collect();
    summed_up(ended, began.elapsed())
}

fn summed_up(ended: Vec<Result<Done, String>>, time: Duration) -> Seen {
    let mut seen = Seen {
        seconds: time.as_secs_f64(),
        ..Seen::default()
    };
    let (mut times, mut firsts) = (Vec::new(), Vec::new());
    for call in ended {
        match call {
            Ok(done) => {
                seen.messages += done.messages;
                times.push(done.time);
                firsts.push(done.first);
            }
            Err(error) => *seen.errors.entry(error).or_default() += 1,
        }
    }
    times.sort_unstable();
    firsts.sort_unstable();
    seen.first = micros(&firsts, 500);
    seen.micros = [500, 990, 999].map(|thousandth| micros(&times, thousandth));
    seen
}

/// The value below which so many thousandths of these lie, which are sorted.
fn micros(sorted: &[Duration], thousandth: usize) -> f64 {
    let index = (sorted.len() * thousandth / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}
