//! How many spans there were, and how many of them a collector took.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

use crate::metrics::Count;

/// What became of spans in this process. Those that ended and were neither taken nor failed
/// wait, or were dropped because too many waited (`OTEL_BSP_MAX_QUEUE_SIZE`).
#[derive(Debug, Default)]
pub struct Sent {
    /// Ended, of traces that are kept.
    pub ended: Count,
    /// Taken by the collector.
    pub taken: Count,
    /// Sent, and not taken.
    pub failed: Count,
}

static SENT: Sent = Sent {
    ended: Count::new(),
    taken: Count::new(),
    failed: Count::new(),
};

/// What became of spans in this process.
pub fn sent() -> &'static Sent {
    &SENT
}

/// Counts what an exporter gets rid of.
#[derive(Debug)]
pub(super) struct Counted<E>(E);

/// Counts spans as they end.
#[derive(Debug)]
pub(super) struct Ended;

impl<E> Counted<E> {
    pub(super) fn new(exporter: E) -> Self {
        Self(exporter)
    }
}

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, _: SpanData) {
        SENT.ended.add();
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let exported = self.0.export(batch).await;
        match exported {
            Ok(()) => SENT.taken.add_many(count),
            Err(_) => SENT.failed.add_many(count),
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}
