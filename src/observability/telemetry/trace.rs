use std::{borrow::Cow, sync::OnceLock};

use opentelemetry::{
    Context, KeyValue, Value,
    trace::{SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::SdkTracer;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Makes this the tracer of the process, if it has none.
pub(super) fn install(tracer: SdkTracer) {
    let _ = TRACER.set(tracer);
}

/// A span of a trace, which ends when this is dropped. If traces are not exported, there is none, and the
/// context of the parent goes on.
///
/// It is independent of `tracing`: the filter of the log does not switch it off, and of a trace that is not
/// sampled, nothing is recorded.
#[derive(Debug)]
pub struct TraceSpan {
    context: Context,
    is_recorded: bool,
}

impl TraceSpan {
    /// Begins a span in the current context.
    pub fn begin(name: impl Into<Cow<'static, str>>, kind: SpanKind) -> Self {
        Self::begin_in(Context::current(), name, kind)
    }

    /// Begins a span whose parent is that of `context`.
    pub fn begin_in(context: Context, name: impl Into<Cow<'static, str>>, kind: SpanKind) -> Self {
        let Some(tracer) = TRACER.get() else {
            return Self::none_in(context);
        };
        let span = SpanBuilder::from_name(name).with_kind(kind);
        let context = context.with_span(tracer.build_with_context(span, &context));
        Self {
            is_recorded: context.span().is_recording(),
            context,
        }
    }

    /// No span: `context` goes on.
    pub fn none_in(context: Context) -> Self {
        Self {
            context,
            is_recorded: false,
        }
    }

    /// The context to work in.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The trace and the span, of the caller if there is no own one.
    pub fn ids(&self) -> SpanContext {
        self.context.span().span_context().clone()
    }

    /// Whether the trace is sampled, so that attributes are of use.
    pub fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Sets an attribute.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        if self.is_recorded {
            self.context.span().set_attribute(KeyValue::new(name, value));
        }
    }

    /// Marks the span as failed, with `error.type`.
    pub fn fail(&self, error_type: &'static str) {
        if self.is_recorded {
            self.set("error.type", error_type);
            self.context.span().set_status(Status::error(error_type));
        }
    }
}

impl Drop for TraceSpan {
    fn drop(&mut self) {
        if self.is_recorded {
            self.context.span().end();
        }
    }
}
