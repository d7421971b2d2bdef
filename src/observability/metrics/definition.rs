use std::fmt;

use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider, NoopMeterProvider},
};

/// What a metric is.
#[derive(Debug)]
pub struct Definition {
    /// Its name, as OpenTelemetry writes it.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// Its unit (UCUM).
    pub unit: &'static str,
    /// Whether dashboards may rely on it.
    pub stability: Stability,
    /// The attributes that it may carry. Each has a bounded set of values: never an ARN, a
    /// barcode or a principal.
    pub attributes: &'static [&'static str],
    /// What it says, for people.
    pub what: &'static str,
}

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// It only grows, but for restarts.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How values are spread, by these bounds.
    Histogram(&'static [f64]),
}

/// Whether dashboards may rely on a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Its name, unit and attributes change with a major version alone.
    Stable,
    /// It may change with any version; the changelog says so.
    Experimental,
}

impl Definition {
    /// These attributes, as OpenTelemetry has them.
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

    /// Its name, as Prometheus has it.
    pub fn prometheus_name(&self) -> String {
        let name = self.name.replace('.', "_");
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            "Hz" => "_hertz",
            _ => "",
        };
        let suffix = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{name}{unit}{suffix}")
    }
}

/// Where durations go, in seconds. The default keeps nothing.
#[derive(Clone)]
pub struct Histogram {
    definition: Option<&'static Definition>,
    inner: opentelemetry::metrics::Histogram<f64>,
}

impl Histogram {
    pub(super) fn new(meter: &Meter, definition: &'static Definition) -> Self {
        let bounds = match definition.kind {
            Kind::Histogram(bounds) => bounds.to_vec(),
            Kind::Counter | Kind::Gauge => Vec::new(),
        };
        let inner = meter
            .f64_histogram(definition.name)
            .with_unit(definition.unit)
            .with_description(definition.what)
            .with_boundaries(bounds)
            .build();
        Self {
            definition: Some(definition),
            inner,
        }
    }

    /// One more value.
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
