//! The metrics: declared once, documented from there, and bounded whatever callers send.

mod cardinality;
mod counts;
mod page;

use std::collections::BTreeMap;

use crate::harness::Service;

/// One scrape of `/metrics`: the value of each series, by its text.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    async fn of(service: &Service) -> Self {
        let (status, text) = service.admin("/metrics").await;
        assert_eq!(status, 200);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            samples
                .map(|line| {
                    let (series, value) = line.rsplit_once(' ').unwrap();
                    (series.to_owned(), value.parse().unwrap())
                })
                .collect(),
        )
    }

    /// The value of a series; 0 if it does not exist.
    fn value(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or_default()
    }

    /// The names of all metrics, those of histograms without their suffixes.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .0
            .keys()
            .map(|series| series.split('{').next().unwrap())
            .map(|name| {
                let bare = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end));
                bare.filter(|bare| bare.ends_with("_seconds")).unwrap_or(name)
            })
            .collect();
        names.dedup();
        names
    }
}
