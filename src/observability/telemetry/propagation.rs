//! W3C trace context in headers: `traceparent`, `tracestate` and `baggage`.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapCompositePropagator, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

static W3C: LazyLock<TextMapCompositePropagator> = LazyLock::new(|| {
    TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ])
});

/// Maximum length of a caller's baggage in bytes, the minimum that W3C requires to be propagated.
/// Longer baggage is ignored.
const MAX_BAGGAGE: usize = 8_192;

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.to_str().ok()?;
        (key != "baggage" || value.len() <= MAX_BAGGAGE).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// Extracts the trace context from a call's headers.
pub fn extract(headers: &HeaderMap) -> Context {
    W3C.extract_with_context(&Context::new(), &Headers(headers))
}

/// The headers that propagate a trace; none without a trace.
pub fn headers(context: &Context) -> Vec<(HeaderName, HeaderValue)> {
    struct Written(Vec<(HeaderName, HeaderValue)>);
    impl Injector for Written {
        fn set(&mut self, key: &str, value: String) {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value))
                && !value.is_empty()
            {
                self.0.push((name, value));
            }
        }
    }
    let mut written = Written(Vec::new());
    if context.span().span_context().is_valid() {
        W3C.inject_context(context, &mut written);
    }
    written.0
}
