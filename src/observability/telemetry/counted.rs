//! What became of spans and log records: how many a collector took, and how many it did not.

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

/// What became of what this process had to send.
#[derive(Debug)]
pub struct Sent {
    waiting: AtomicUsize,
    made: Count,
    taken: Count,
    failed: Count,
    dropped: Count,
}

/// Spans that have ended, of traces that are kept.
pub static SPANS: Sent = Sent::new();

/// Log records.
pub static RECORDS: Sent = Sent::new();

impl Sent {
    const fn new() -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            made: Count::new(),
            taken: Count::new(),
            failed: Count::new(),
            dropped: Count::new(),
        }
    }

    /// How many there were, which is called so, and how many of these the collector took, were sent
    /// and not taken, or were dropped because too many waited. The rest wait.
    pub fn by_result(&self, made: &'static str) -> [(&'static str, u64); 4] {
        [
            (made, self.made.get()),
            ("taken", self.taken.get()),
            ("failed", self.failed.get()),
            ("dropped", self.dropped.get()),
        ]
    }

    /// Whether one more may wait beside so many.
    fn admit(&self, most: usize) -> bool {
        self.made.add();
        let one_more = |waiting| (waiting < most).then_some(waiting + 1);
        let admitted = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        if admitted.is_err() {
            self.dropped.add();
        }
        admitted.is_ok()
    }

    /// So many wait no more.
    fn settle(&self, count: usize, exported: &OTelSdkResult) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        let became = if exported.is_ok() {
            &self.taken
        } else {
            &self.failed
        };
        became.add_many(count as u64);
    }
}

/// Counts what an exporter gets rid of.
#[derive(Debug)]
pub(super) struct Counted<E> {
    exporter: E,
    sent: &'static Sent,
}

impl<E> Counted<E> {
    pub(super) fn new(exporter: E, sent: &'static Sent) -> Self {
        Self { exporter, sent }
    }
}

/// Lets so many wait for a [`Counted`] exporter, and drops and counts the others. The batches that
/// the SDK makes below have room for as many, so none is dropped there, where nobody counts.
#[derive(Debug)]
pub(super) struct Bounded<P> {
    batches: P,
    most: usize,
    sent: &'static Sent,
}

impl<P> Bounded<P> {
    /// As many as this variable says, which the batches go by too.
    pub(super) fn new(batches: P, variable: &str, default: usize, sent: &'static Sent) -> Self {
        let most = env::var(variable).ok().and_then(|most| most.parse().ok());
        Self {
            batches,
            most: most.unwrap_or(default),
            sent,
        }
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let exported = self.exporter.export(batch).await;
        self.sent.settle(count, &exported);
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

impl<P: SpanProcessor> SpanProcessor for Bounded<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sent.admit(self.most) {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count();
        let exported = self.exporter.export(batch).await;
        self.sent.settle(count, &exported);
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

impl<P: LogProcessor> LogProcessor for Bounded<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.sent.admit(self.most) {
            self.batches.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.batches.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    #[test]
    fn what_does_not_wait_was_taken_failed_or_dropped() {
        let sent = Sent::new();
        let admitted = (0..10).filter(|_| sent.admit(6)).count();
        assert_eq!(admitted, 6);
        sent.settle(4, &Ok(()));
        assert!(sent.admit(6) && sent.admit(6));
        sent.settle(3, &Err(OTelSdkError::AlreadyShutdown));
        assert_eq!(
            sent.by_result("ended"),
            [("ended", 12), ("taken", 4), ("failed", 3), ("dropped", 4)]
        );
    }
}
