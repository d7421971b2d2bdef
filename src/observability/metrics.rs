//! What is measured of a running service.
//!
//! Every metric is declared in [`catalog`], and docs/metrics.md is made from there. Layers count
//! where things happen and know nothing of exporting; only how long something took goes into a
//! [`Histogram`] that they are given. [`Metrics`] reads all of it when somebody asks: Prometheus
//! on the admin listener's `/metrics`, and an OpenTelemetry collector where one is configured.

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
    definition::{Definition, Histogram, Kind, Stability},
};

/// What `/metrics` is, to HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The instruments of one service.
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: Registry,
    meter: Meter,
}

/// Sends metrics to an OpenTelemetry collector.
pub type Collector = PeriodicReader<MetricExporter>;

/// What a metric is at the moment, for one set of attributes.
pub type Seen<'a, T> = &'a mut dyn FnMut(T, &[(&'static str, &str)]);

impl Metrics {
    /// Instruments of a process that says this of itself, read by Prometheus, and by a collector
    /// where there is one.
    ///
    /// # Panics
    ///
    /// Never: Prometheus's reader has a registry of its own, in which no name is taken.
    pub fn new(resource: Resource, collector: Option<Collector>) -> Self {
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

    /// Where durations go.
    pub fn histogram(&self, definition: &'static Definition) -> Histogram {
        Histogram::new(&self.meter, definition)
    }

    /// Shows a number that only grows, and has no attributes.
    pub fn count(&self, definition: &'static Definition, read: impl Fn() -> u64 + Send + Sync + 'static) {
        self.counts(definition, move |seen| seen(read(), &[]));
    }

    /// Shows numbers that only grow, each with its attributes.
    pub fn counts(
        &self,
        definition: &'static Definition,
        read: impl Fn(Seen<'_, u64>) + Send + Sync + 'static,
    ) {
        self.meter
            .u64_observable_counter(definition.name)
            .with_unit(definition.unit)
            .with_description(definition.what)
            .with_callback(move |observer| {
                read(&mut |value, attributes| observer.observe(value, &definition.attributes(attributes)));
            })
            .build();
    }

    /// Shows numbers that only grow, told apart by this attribute.
    pub fn counts_by<I: IntoIterator<Item = (&'static str, u64)>>(
        &self,
        definition: &'static Definition,
        attribute: &'static str,
        read: impl Fn() -> I + Send + Sync + 'static,
    ) {
        self.counts(definition, move |seen| {
            read()
                .into_iter()
                .for_each(|(value, count)| seen(count, &[(attribute, value)]));
        });
    }

    /// Shows a sum of seconds that only grows, each with its attributes.
    pub fn sums(
        &self,
        definition: &'static Definition,
        read: impl Fn(Seen<'_, f64>) + Send + Sync + 'static,
    ) {
        self.meter
            .f64_observable_counter(definition.name)
            .with_unit(definition.unit)
            .with_description(definition.what)
            .with_callback(move |observer| {
                read(&mut |value, attributes| observer.observe(value, &definition.attributes(attributes)));
            })
            .build();
    }

    /// Shows how much there is of something now, each with its attributes.
    pub fn gauges(
        &self,
        definition: &'static Definition,
        read: impl Fn(Seen<'_, f64>) + Send + Sync + 'static,
    ) {
        self.meter
            .f64_observable_gauge(definition.name)
            .with_unit(definition.unit)
            .with_description(definition.what)
            .with_callback(move |observer| {
                read(&mut |value, attributes| observer.observe(value, &definition.attributes(attributes)));
            })
            .build();
    }

    /// Shows how much there is of something now.
    pub fn gauge(&self, definition: &'static Definition, read: impl Fn() -> f64 + Send + Sync + 'static) {
        self.gauges(definition, move |seen| seen(read(), &[]));
    }

    /// All of it.
    pub fn families(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// All of it, as Prometheus reads it.
    ///
    /// # Errors
    ///
    /// When two instruments would be one to Prometheus.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.families(), &mut text)?;
        Ok(text)
    }

    /// Sends what is not sent yet, and measures no more. It blocks.
    ///
    /// # Errors
    ///
    /// When the collector does not take it.
    pub fn finish(&self) -> OTelSdkResult {
        self.provider.shutdown()
    }
}

/// A number as figures have it.
#[allow(
    clippy::cast_precision_loss,
    reason = "a figure need not be exact beyond 2^53"
)]
pub fn approximate(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
