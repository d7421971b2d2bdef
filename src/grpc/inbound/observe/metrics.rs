use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use super::{End, EndedCall, method};
use crate::{
    grpc::status,
    observability::{
        account_names::AccountNames,
        metrics::{Histogram, Metrics, catalog},
    },
};

/// The metrics of calls: durations, time to the first message, calls in progress.
#[derive(Debug, Default)]
pub struct CallMetrics {
    duration: Histogram,
    first_message: Histogram,
    active: [AtomicI64; method::KNOWN.len() + 1],
    names: AccountNames,
}

impl CallMetrics {
    /// Call metrics that `metrics` exports, with these names of accounts.
    pub fn exported_by(metrics: &Metrics, names: AccountNames) -> Arc<Self> {
        let calls = Arc::new(Self {
            duration: metrics.histogram(&catalog::CALL_DURATION),
            first_message: metrics.histogram(&catalog::FIRST_MESSAGE),
            active: Default::default(),
            names,
        });
        let exported = calls.clone();
        metrics.gauges(&catalog::ACTIVE_CALLS, move |observe| {
            for (index, active) in exported.active.iter().enumerate() {
                let count = u32::try_from(active.load(Ordering::Relaxed)).unwrap_or_default();
                observe(f64::from(count), &[("rpc.method", method::name(index))]);
            }
        });
        calls
    }

    pub(super) fn begin(&self, method: usize) {
        self.active[method].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn first_message(&self, method: usize, waited: Duration) {
        self.first_message
            .record(waited.as_secs_f64(), &[("rpc.method", method::name(method))]);
    }

    pub(super) fn end(&self, method: usize, call: &EndedCall<'_>) {
        self.active[method].fetch_sub(1, Ordering::Relaxed);
        let mut attributes = vec![("rpc.system.name", "grpc"), ("rpc.method", method::name(method))];
        if let Some(scope) = &call.facts.scope {
            attributes.extend(self.names.attributes(scope));
        }
        match &call.end {
            End::Http(status) => attributes.push(("error.type", status.as_str())),
            end => {
                let code = end.code();
                attributes.push(("rpc.response.status_code", status::name_of(code)));
                if status::is_server_error(code) {
                    attributes.push(("error.type", status::name_of(code)));
                }
                let is_authenticated = call.context.caller().is_some();
                let owner = status::classify(code, call.info, is_authenticated).owner;
                attributes.extend(owner.map(|owner| ("tapegate.fault_owner", owner.as_str())));
            }
        }
        self.duration.record(call.took.as_secs_f64(), &attributes);
    }
}
