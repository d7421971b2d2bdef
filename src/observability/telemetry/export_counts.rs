//! Counts of spans and log records: exported, failed, or dropped because the queue was full.

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use opentelemetry::{Context, InstrumentationScope, logs::Severity};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogBatch, LogExporter, LogProcessor, SdkLogRecord},
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

use crate::observability::metrics::Count;

/// Counts of one signal's items, from creation to export.
#[derive(Debug)]
pub struct ExportCounts {
    queued: AtomicUsize,
    created: Count,
    taken: Count,
    failed: Count,
    dropped: Count,
}

/// Counts of ended spans of sampled traces.
pub static SPAN_EXPORTS: ExportCounts = ExportCounts::new();

/// Counts of log records.
pub static LOG_RECORD_EXPORTS: ExportCounts = ExportCounts::new();

impl ExportCounts {
    const fn new() -> Self {
        Self {
            queued: AtomicUsize::new(0),
            created: Count::new(),
            taken: Count::new(),
            failed: Count::new(),
            dropped: Count::new(),
        }
    }

    /// The counts by result. `created` names the count of all items; those that are neither
    /// `taken`, `failed` nor `dropped` are queued.
    pub fn by_result(&self, created: &'static str) -> [(&'static str, u64); 4] {
        [
            (created, self.created.get()),
            ("taken", self.taken.get()),
            ("failed", self.failed.get()),
            ("dropped", self.dropped.get()),
        ]
    }

    /// Counts one more item, and whether the queue of this capacity has room for it.
    fn admit(&self, capacity: usize) -> bool {
        self.created.add();
        let one_more = |queued| (queued < capacity).then_some(queued + 1);
        let admitted = self
            .queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        if admitted.is_err() {
            self.dropped.add();
        }
        admitted.is_ok()
    }

    /// Counts a batch that has left the queue.
    fn settle(&self, count: usize, exported: &OTelSdkResult) {
        self.queued.fetch_sub(count, Ordering::Relaxed);
        let result = if exported.is_ok() {
            &self.taken
        } else {
            &self.failed
        };
        result.add_many(count as u64);
    }
}

/// An exporter that counts its batches in an [`ExportCounts`].
#[derive(Debug)]
pub(super) struct CountingExporter<E> {
    exporter: E,
    counts: &'static ExportCounts,
}

impl<E> CountingExporter<E> {
    pub(super) fn new(exporter: E, counts: &'static ExportCounts) -> Self {
        Self { exporter, counts }
    }
}

/// A processor that bounds the queue of a [`CountingExporter`], and counts what it drops. The SDK's
/// own queue below has the same capacity, so it drops nothing that is not counted.
#[derive(Debug)]
pub(super) struct BoundedProcessor<P> {
    inner: P,
    capacity: usize,
    counts: &'static ExportCounts,
}

impl<P> BoundedProcessor<P> {
    /// A queue with the capacity of this environment variable, which the SDK reads too.
    pub(super) fn new(inner: P, variable: &str, default: usize, counts: &'static ExportCounts) -> Self {
        let capacity = env::var(variable).ok().and_then(|capacity| capacity.parse().ok());
        Self {
            inner,
            capacity: capacity.unwrap_or(default),
            counts,
        }
    }
}

impl<E: SpanExporter> SpanExporter for CountingExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let exported = self.exporter.export(batch).await;
        self.counts.settle(count, &exported);
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<P: SpanProcessor> SpanProcessor for BoundedProcessor<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.counts.admit(self.capacity) {
            self.inner.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for CountingExporter<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count();
        let exported = self.exporter.export(batch).await;
        self.counts.settle(count, &exported);
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.exporter.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<P: LogProcessor> LogProcessor for BoundedProcessor<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.counts.admit(self.capacity) {
            self.inner.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.inner.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    #[test]
    fn items_that_left_the_queue_were_taken_failed_or_dropped() {
        let counts = ExportCounts::new();
        let admitted = (0..10).filter(|_| counts.admit(6)).count();
        assert_eq!(admitted, 6);
        counts.settle(4, &Ok(()));
        assert!(counts.admit(6) && counts.admit(6));
        counts.settle(3, &Err(OTelSdkError::AlreadyShutdown));
        assert_eq!(
            counts.by_result("ended"),
            [("ended", 12), ("taken", 4), ("failed", 3), ("dropped", 4)]
        );
    }
}
