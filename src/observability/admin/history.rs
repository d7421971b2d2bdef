//! How it went over the last minutes, as the page for people draws it.
//!
//! It is read from the instruments themselves, so that the page and `/metrics` cannot differ.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::proto::{LabelPair, Metric, MetricFamily};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    domain::FaultOwner,
    observability::metrics::{Metrics, approximate},
};

/// How often the instruments are read.
pub const EVERY: Duration = Duration::from_secs(5);

/// For how long that is kept.
pub const KEPT: Duration = Duration::from_secs(10 * 60);

/// The instruments as they were, every [`EVERY`].
#[derive(Debug, Default)]
pub struct History(Mutex<VecDeque<Reading>>);

/// What the instruments said at one time. Counts are since the start of the process.
#[derive(Clone, Debug)]
struct Reading {
    at: Instant,
    calls: f64,
    errors: f64,
    throttled: f64,
    /// Calls by the upper bounds of how long they took, in seconds; each counts those below too.
    durations: Vec<(f64, f64)>,
    read_pace: Option<f64>,
    create_pace: Option<f64>,
}

/// What happened between two readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Calls a second.
    pub calls: f64,
    /// Those of them whose fault owner is AWS, a gateway, the service or the deadline.
    pub errors: f64,
    /// Attempts a second that AWS throttled.
    pub throttled: f64,
    /// How long half of the calls took at most, in seconds; `None` where there were none.
    pub median: Option<f64>,
    /// The same of 95 in a hundred.
    pub p95: Option<f64>,
    /// The pace of reads, in attempts a second, where there is one.
    pub read_pace: Option<f64>,
    /// The pace of creates.
    pub create_pace: Option<f64>,
}

impl History {
    /// Reads the instruments for as long as it is polled.
    pub async fn keep(&self, metrics: &Metrics) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.add(Reading::of(&metrics.families(), Instant::now()));
        }
    }

    /// What happened since, the latest last: at most [`KEPT`] of it.
    pub fn points(&self) -> Vec<Point> {
        let readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings
            .iter()
            .zip(readings.iter().skip(1))
            .map(|(before, after)| after.since(before))
            .collect()
    }

    fn add(&self, reading: Reading) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while readings.front().is_some_and(|first| reading.at - first.at > KEPT) {
            readings.pop_front();
        }
        readings.push_back(reading);
    }
}

impl Reading {
    fn of(families: &[MetricFamily], at: Instant) -> Self {
        let series = |name: &str| {
            let family = families.iter().find(|family| family.name() == name);
            family.map(MetricFamily::get_metric).unwrap_or_default()
        };
        let calls = || {
            series("rpc_server_call_duration_seconds")
                .iter()
                .filter(|series| {
                    label(series, "rpc_method").is_some_and(|name| name.starts_with("tapegate."))
                })
        };
        let count = |series: &Metric| approximate(series.get_histogram().get_sample_count());
        let mut durations: Vec<(f64, f64)> = Vec::new();
        for series in calls() {
            let buckets = series.get_histogram().get_bucket();
            durations.resize(buckets.len().max(durations.len()), (0.0, 0.0));
            for (sum, bucket) in durations.iter_mut().zip(buckets) {
                sum.0 = bucket.upper_bound();
                sum.1 += approximate(bucket.cumulative_count());
            }
        }
        // Prometheus's last bucket is only written down when it is asked for.
        let calls_ended = calls().map(count).sum();
        durations.push((f64::INFINITY, calls_ended));
        let pace = |kind: &str| {
            let paces = series("tapegate_upstream_pace_hertz").iter();
            let of_kind = paces.filter(|series| label(series, "tapegate_kind") == Some(kind));
            of_kind
                .map(|series| series.get_gauge().get_value())
                .reduce(f64::min)
        };
        Self {
            at,
            calls: calls_ended,
            errors: calls()
                .filter(|series| {
                    let callers = [FaultOwner::Caller, FaultOwner::Unauthenticated].map(FaultOwner::as_str);
                    label(series, "tapegate_fault_owner").is_some_and(|owner| !callers.contains(&owner))
                })
                .map(count)
                .sum(),
            throttled: series("tapegate_upstream_throttled_attempts_total")
                .iter()
                .map(|series| series.get_counter().get_value())
                .sum(),
            durations,
            read_pace: pace("read"),
            create_pace: pace("create"),
        }
    }

    fn since(&self, before: &Self) -> Point {
        let seconds = (self.at - before.at).as_secs_f64().max(0.001);
        let rate = |of: fn(&Self) -> f64| (of(self) - of(before)).max(0.0) / seconds;
        let mut durations = self.durations.clone();
        // Before the first call there are no other bounds than the last.
        let then = |bound: f64| before.durations.iter().find(|(known, _)| *known >= bound);
        for (bound, count) in &mut durations {
            *count -= then(*bound).map_or(0.0, |(_, count)| *count);
        }
        Point {
            calls: rate(|reading| reading.calls),
            errors: rate(|reading| reading.errors),
            throttled: rate(|reading| reading.throttled),
            median: quantile(&durations, 0.5),
            p95: quantile(&durations, 0.95),
            read_pace: self.read_pace,
            create_pace: self.create_pace,
        }
    }
}

fn label<'m>(series: &'m Metric, name: &str) -> Option<&'m str> {
    let labels = series.get_label();
    labels
        .iter()
        .find(|label| label.name() == name)
        .map(LabelPair::value)
}

/// The value below which this share of what was counted lies, by cumulative buckets: even within
/// each of them, as Prometheus's `histogram_quantile` has it.
fn quantile(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    let (_, all) = *buckets.last()?;
    if all <= 0.0 {
        return None;
    }
    let wanted = share * all;
    let mut below = (0.0, 0.0);
    for bucket in buckets {
        if bucket.1 >= wanted {
            if bucket.0.is_infinite() {
                return Some(below.0);
            }
            let within = (wanted - below.1) / (bucket.1 - below.1);
            return Some((bucket.0 - below.0).mul_add(within, below.0));
        }
        below = *bucket;
    }
    Some(below.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let buckets = [(0.1, 10.0), (0.2, 10.0), (0.4, 20.0), (f64::INFINITY, 20.0)];
        assert_eq!(quantile(&buckets, 0.5), Some(0.1));
        assert_eq!(quantile(&buckets, 0.25), Some(0.05));
        assert!((quantile(&buckets, 0.75).unwrap_or_default() - 0.3).abs() < 1e-9);
        assert_eq!(quantile(&[(0.1, 0.0), (f64::INFINITY, 4.0)], 0.5), Some(0.1));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[(0.1, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
    }

    #[test]
    fn no_more_than_the_last_minutes_are_kept() {
        let history = History::default();
        let began = Instant::now();
        for number in 0..1_000 {
            history.add(Reading::of(&[], began + EVERY * number));
        }
        let points = KEPT.div_duration_f64(EVERY);
        assert_eq!(approximate(history.points().len()), points);
    }
}
