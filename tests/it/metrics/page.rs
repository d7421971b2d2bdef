use std::fmt::Write;

use tapegate::observability::metrics::{InstrumentKind, catalog};

/// docs/metrics.md is generated from the catalog; `UPDATE_DOCS=1` regenerates it.
#[test]
fn the_page_of_metrics_matches_the_catalog() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap_or_default() == page,
        "docs/metrics.md does not match the catalog; regenerate it with\n    \
         UPDATE_DOCS=1 cargo test --test it the_page_of_metrics"
    );
}

fn page() -> String {
    let mut page = include_str!("page.md").to_owned();
    for metric in catalog::ALL {
        let kind = match metric.kind {
            InstrumentKind::Counter => "Counter".to_owned(),
            InstrumentKind::Gauge => "Gauge".to_owned(),
            InstrumentKind::Histogram(bounds) => {
                let bounds: Vec<_> = bounds.iter().map(ToString::to_string).collect();
                format!("Histogram (bounds {})", bounds.join(", "))
            }
        };
        let stability = format!("{:?}", metric.stability).to_lowercase();
        writeln!(page, "\n### `{}`\n\n{}\n", metric.name, metric.description).unwrap();
        let unit = match metric.unit {
            "" => String::new(),
            unit => format!(" in `{unit}`"),
        };
        writeln!(page, "- {kind}{unit}, {stability}.").unwrap();
        writeln!(page, "- Prometheus: `{}`.", metric.prometheus_name()).unwrap();
        if !metric.attributes.is_empty() {
            writeln!(page, "- Attributes: `{}`.", metric.attributes.join("`, `")).unwrap();
        }
    }
    page
}

#[test]
fn no_attribute_names_a_caller_or_a_tape() {
    let unbounded = [
        "principal",
        "arn",
        "barcode",
        "address",
        "request_id",
        "user",
        "key",
    ];
    for metric in catalog::ALL {
        for attribute in metric.attributes {
            assert!(
                !unbounded.iter().any(|word| attribute.contains(word)),
                "{} {attribute}",
                metric.name
            );
        }
    }
}
