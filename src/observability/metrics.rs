//! The metrics of a running service.
//!
//! Every metric is declared in [`catalog`]; docs/metrics.md is generated from it. Layers own plain
//! counters ([`Count`], [`Counts`]) and know nothing of exporting; only durations go into a
//! [`Histogram`]. [`Metrics`] reads the counters whenever Prometheus scrapes `/metrics` of the admin
//! listener, and for each export to an OpenTelemetry collector, if one is configured.

pub mod catalog;
mod counts;
mod definition;
pub mod labels;
mod process;

use std::fmt;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{PeriodicReader, SdkMeterProvider},
};
use prometheus::{Encoder, Registry, TextEncoder, proto::MetricFamily};

pub use self::{
    counts::{Count, Counts},
    definition::{Histogram, InstrumentKind, MetricDefinition, Stability},
};

/// Content type of `/metrics`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The instruments of one service.
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: Registry,
    meter: Meter,
}

/// Exports metrics to an OpenTelemetry collector at intervals.
pub type OtlpMetricReader = PeriodicReader<MetricExporter>;

/// Takes the current value of a metric for one set of attributes.
pub type Observer<'a, T> = &'a mut dyn FnMut(T, &[(&'static str, &str)]);

impl Metrics {
    /// Instruments of a process with these resource attributes, for Prometheus, and for a collector
    /// if there is one.
    ///
    /// # Panics
    ///
    /// Never: the Prometheus exporter has a registry of its own, in which no name is taken.
    pub fn new(resource: Resource, collector: Option<OtlpMetricReader>) -> Self {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .expect("the registry is empty");
        let provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(exporter);
        let provider = match collector {
            Some(collector) => provider.with_reader(collector),
            None => provider,
        }
        .build();
        let meter = provider.meter("tapegate");
        let metrics = Self {
            provider,
            registry,
            meter,
        };
        process::observe(&metrics);
        metrics
    }

    /// Registers a histogram.
    pub fn histogram(&self, definition: &'static MetricDefinition) -> Histogram {
        Histogram::new(&self.meter, definition)
    }

    /// Registers a counter without attributes.
    pub fn count(
        &self,
        definition: &'static MetricDefinition,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.counts(definition, move |observe| observe(read(), &[]));
    }

    /// Registers a counter with attributes.
    pub fn counts(
        &self,
        definition: &'static MetricDefinition,
        read: impl Fn(Observer<'_, u64>) + Send + Sync + 'static,
    ) {
        self.meter
            .u64_observable_counter(definition.name)
            .with_unit(definition.unit)
            .with_description(definition.description)
            .with_callback(move |observer| {
                read(&mut |value, attributes| observer.observe(value, &definition.attributes(attributes)));
            })
            .build();
    }

    /// Registers a counter with this one attribute.
    pub fn counts_by<I: IntoIterator<Item = (&'static str, u64)>>(
        &self,
        definition: &'static MetricDefinition,
        attribute: &'static str,
        read: impl Fn() -> I + Send + Sync + 'static,
    ) {
        self.counts(definition, move |observe| {
            read()
                .into_iter()
                .for_each(|(value, count)| observe(count, &[(attribute, value)]));
        });
    }

    /// Registers a counter of seconds with attributes.
    pub fn sums(
        &self,
        definition: &'static MetricDefinition,
        read: impl Fn(Observer<'_, f64>) + Send + Sync + 'static,
    ) {
        self.meter
            .f64_observable_counter(definition.name)
            .with_unit(definition.unit)
            .with_description(definition.description)
            .with_callback(move |observer| {
                read(&mut |value, attributes| observer.observe(value, &definition.attributes(attributes)));
            })
            .build();
    }

    /// Registers a gauge with attributes.
    pub fn gauges(
        &self,
        definition: &'static MetricDefinition,
        read: impl Fn(Observer<'_, f64>) + Send + Sync + 'static,
    ) {
        self.meter
            .f64_observable_gauge(definition.name)
            .with_unit(definition.unit)
            .with_description(definition.description)
            .with_callback(move |observer| {
                read(&mut |value, attributes| observer.observe(value, &definition.attributes(attributes)));
            })
            .build();
    }

    /// Registers a gauge without attributes.
    pub fn gauge(
        &self,
        definition: &'static MetricDefinition,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.gauges(definition, move |observe| observe(read(), &[]));
    }

    /// The current values of all metrics.
    pub fn families(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// The current values of all metrics, in Prometheus's text format.
    ///
    /// # Errors
    ///
    /// If two instruments have the same Prometheus name.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.families(), &mut text)?;
        Ok(text)
    }

    /// Exports the remaining values to the collector, and stops. It blocks.
    ///
    /// # Errors
    ///
    /// If the collector does not accept them.
    pub fn shut_down(&self) -> OTelSdkResult {
        self.provider.shutdown()
    }
}

/// Converts a count to the number type of metrics.
#[allow(
    clippy::cast_precision_loss,
    reason = "a metric need not be exact beyond 2^53"
)]
pub fn approximate(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
