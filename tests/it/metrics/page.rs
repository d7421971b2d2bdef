use std::fmt::Write;

use tapegate::observability::metrics::{Kind, catalog};

/// docs/metrics.md follows from the catalog; `UPDATE_DOCS=1` writes it anew.
#[test]
fn the_page_of_metrics_is_what_the_catalog_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap_or_default() == page,
        "docs/metrics.md is not what the catalog says; write it anew with\n    \
         UPDATE_DOCS=1 cargo test --test it the_page_of_metrics"
    );
}

fn page() -> String {
    let mut page = include_str!("page.md").to_owned();
    for metric in catalog::ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter".to_owned(),
            Kind::Gauge => "gauge".to_owned(),
            Kind::Histogram(bounds) => {
                let bounds: Vec<_> = bounds.iter().map(ToString::to_string).collect();
                format!("histogram with the bounds {}", bounds.join(", "))
            }
        };
        let stability = format!("{:?}", metric.stability).to_lowercase();
        writeln!(page, "\n### `{}`\n\n{}\n", metric.name, metric.what).unwrap();
        writeln!(page, "- A {kind}, in `{}`, {stability}.", metric.unit).unwrap();
        writeln!(page, "- To Prometheus: `{}`.", metric.prometheus_name()).unwrap();
        if !metric.attributes.is_empty() {
            writeln!(page, "- Attributes: `{}`.", metric.attributes.join("`, `")).unwrap();
        }
    }
    page
}

#[test]
fn no_attribute_can_name_a_caller_or_a_tape() {
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
