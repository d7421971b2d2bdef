//! Metrics of the last minutes, for the charts of the admin page.
//!
//! They are read from the registry of `/metrics`, so that the page and Prometheus cannot differ.

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

/// Interval between two readings.
pub const EVERY: Duration = Duration::from_secs(5);

/// How long readings are kept.
pub const KEPT: Duration = Duration::from_secs(10 * 60);

/// Readings of the metrics, one each [`EVERY`].
#[derive(Debug, Default)]
pub struct History(Mutex<VecDeque<Reading>>);

/// Values of the metrics at one moment. Counts are since the start of the process.
#[derive(Clone, Debug)]
struct Reading {
    at: Instant,
    calls: f64,
    errors: f64,
    throttled: f64,
    /// Cumulative histogram of durations: upper bound in seconds, number of calls.
    durations: Vec<(f64, f64)>,
    read_pace: Option<f64>,
    create_pace: Option<f64>,
}

/// Rates and durations between two readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Calls per second.
    pub calls: f64,
    /// Failed calls per second whose fault owner is AWS, a gateway, the service or the deadline.
    pub errors: f64,
    /// Attempts per second that AWS throttled.
    pub throttled: f64,
    /// Median duration of the calls in seconds; `None` without calls.
    pub median: Option<f64>,
    /// 95th percentile of the duration in seconds; `None` without calls.
    pub p95: Option<f64>,
    /// Paced rate of reads in attempts per second; `None` if reads are not paced.
    pub read_pace: Option<f64>,
    /// Paced rate of creates; `None` if creates are not paced.
    pub create_pace: Option<f64>,
}

impl History {
    /// Reads the metrics at each interval, for as long as it is polled.
    pub async fn record(&self, metrics: &Metrics) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.add(Reading::of(&metrics.families(), Instant::now()));
        }
    }

    /// The points of the last [`KEPT`], newest last.
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
        // The registry has no bucket for infinity; only the text format adds it.
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
        // A reading before the first call has the last bound only.
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

/// A quantile of a cumulative histogram, interpolated within a bucket like Prometheus's
/// `histogram_quantile`.
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
    fn an_empty_histogram_has_no_quantile() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[(0.1, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
    }

    #[test]
    fn only_the_readings_of_the_last_minutes_are_kept() {
        let history = History::default();
        let began = Instant::now();
        for number in 0..1_000 {
            history.add(Reading::of(&[], began + EVERY * number));
        }
        let points = KEPT.div_duration_f64(EVERY);
        assert_eq!(approximate(history.points().len()), points);
    }
}
