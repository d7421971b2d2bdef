//! Authentication, authorization, limits and the audit log: over the wire, with real certificates and
//! tokens.

mod access_modes;
mod attacks;
mod audit;
mod certificate_patterns;
mod certificates;
mod expiry;
mod filtered;
mod limits;
mod policy;
mod remote_keys;
mod rotation;
mod secrets;
mod static_tokens;
mod transport;
mod trial;
mod wycheproof;

use crate::harness::Service;

/// The sum of all series of a metric.
async fn sum_of(service: &Service, metric: &str) -> f64 {
    let (_, page) = service.admin("/metrics").await;
    let is_series = |series: &str| series.split('{').next() == Some(metric);
    page.lines()
        .filter_map(|line| line.rsplit_once(' '))
        .filter(|(series, _)| is_series(series))
        .map(|(_, value)| value.parse::<f64>().unwrap())
        .sum()
}
