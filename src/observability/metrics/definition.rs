use std::fmt;

use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider, NoopMeterProvider},
};

/// Declaration of a metric.
#[derive(Debug)]
pub struct MetricDefinition {
    /// Its OpenTelemetry name.
    pub name: &'static str,
    /// Its instrument.
    pub kind: InstrumentKind,
    /// Its unit in UCUM.
    pub unit: &'static str,
    /// Whether dashboards may rely on it.
    pub stability: Stability,
    /// The attributes that it may carry. Each has a bounded set of values: never an ARN, a
    /// barcode or a principal.
    pub attributes: &'static [&'static str],
    /// Its description, for operators.
    pub description: &'static str,
}

/// The instrument of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InstrumentKind {
    /// A number that only grows, except at restarts.
    Counter,
    /// A current value.
    Gauge,
    /// A distribution, with these bucket bounds.
    Histogram(&'static [f64]),
}

/// Whether dashboards may rely on a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Its name, unit and attributes change only with a major version.
    Stable,
    /// It may change with any version; the changelog names each change.
    Experimental,
}

impl MetricDefinition {
    /// Converts attributes to OpenTelemetry's type, without those that are not declared.
    pub(super) fn attributes(&self, attributes: &[(&'static str, &str)]) -> Vec<KeyValue> {
        let declared = attributes
            .iter()
            .filter(|(name, _)| self.attributes.contains(name));
        let declared: Vec<_> = declared
            .map(|(name, value)| KeyValue::new(*name, (*value).to_owned()))
            .collect();
        debug_assert_eq!(
            declared.len(),
            attributes.len(),
            "{} declares no such attribute",
            self.name
        );
        declared
    }

    /// Its Prometheus name.
    pub fn prometheus_name(&self) -> String {
        let name = self.name.replace('.', "_");
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            "Hz" => "_hertz",
            "1" => "_ratio",
            _ => "",
        };
        let suffix = if self.kind == InstrumentKind::Counter {
            "_total"
        } else {
            ""
        };
        format!("{name}{unit}{suffix}")
    }
}

/// A histogram of durations in seconds. The default one records nothing.
#[derive(Clone)]
pub struct Histogram {
    definition: Option<&'static MetricDefinition>,
    inner: opentelemetry::metrics::Histogram<f64>,
}

impl Histogram {
    pub(super) fn new(meter: &Meter, definition: &'static MetricDefinition) -> Self {
        let bounds = match definition.kind {
            InstrumentKind::Histogram(bounds) => bounds.to_vec(),
            InstrumentKind::Counter | InstrumentKind::Gauge => Vec::new(),
        };
        let inner = meter
            .f64_histogram(definition.name)
            .with_unit(definition.unit)
            .with_description(definition.description)
            .with_boundaries(bounds)
            .build();
        Self {
            definition: Some(definition),
            inner,
        }
    }

    /// Records one value.
    pub fn record(&self, value: f64, attributes: &[(&'static str, &str)]) {
        if let Some(definition) = self.definition {
            self.inner.record(value, &definition.attributes(attributes));
        }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            definition: None,
            inner: NoopMeterProvider::new().meter("").f64_histogram("").build(),
        }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.definition.map(|definition| definition.name);
        f.debug_tuple("Histogram").field(&name).finish()
    }
}
