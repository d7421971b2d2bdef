//! Registers what the service counts as metrics.

use std::sync::Arc;

use crate::{
    access::{Authority, Identities, audit::Audit, jwt::Remote, limits::Limits, reload::Reload},
    domain::OperationKind,
    grpc::inbound::{Refusals, accept},
    observability::{
        metrics::{Count, Metrics, approximate, catalog},
        readiness::{Condition, Readiness},
        telemetry,
    },
    upstream::{Shared, metrics::UpstreamMetrics, sdk::Clients},
};

const OPERATION: &str = "tapegate.operation";
const REASON: &str = "tapegate.reason";
const RESULT: &str = "tapegate.result";

/// What the metrics are read from.
pub(super) struct MetricSources {
    pub(super) shared: Shared,
    pub(super) clients: Arc<Clients>,
    pub(super) readiness: Readiness,
    pub(super) connections: Arc<accept::ConnectionMetrics>,
    pub(super) shed: Arc<Count>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) identities: Option<Arc<Identities>>,
    pub(super) remotes: Vec<Arc<Remote>>,
    pub(super) authority: Authority,
    pub(super) limits: Arc<Limits>,
    pub(super) audit: Arc<Audit>,
    pub(super) files: Vec<Arc<dyn Reload>>,
}

impl MetricSources {
    /// Registers all metrics.
    pub(super) fn register(self, metrics: &Metrics) {
        let Self {
            shared,
            clients,
            readiness,
            connections,
            shed,
            refusals,
            identities,
            remotes,
            authority,
            limits,
            audit,
            files,
        } = self;
        register_calls(metrics, shed, connections);
        register_access(metrics, refusals, identities, authority);
        if !remotes.is_empty() {
            metrics.count(&catalog::KEY_FETCH_FAILURES, move || {
                remotes.iter().map(|remote| remote.failures()).sum()
            });
        }
        register_upstream(metrics, shared);
        metrics.counts_by(&catalog::LIMITS_REACHED, "tapegate.limit", move || {
            limits.reached.get()
        });
        metrics.count(&catalog::AUDIT_LOST, move || audit.lost());
        let watched = files.clone();
        metrics.gauges(&catalog::BROKEN_FILES, move |observe| {
            for file in &watched {
                observe(flag(file.is_broken()), &[("tapegate.setting", file.what())]);
            }
        });
        metrics.counts(&catalog::RELOADS, move |observe| {
            for file in &files {
                let [applied, refused] = file.counts();
                let setting = ("tapegate.setting", file.what());
                observe(applied, &[setting, (RESULT, "applied")]);
                observe(refused, &[setting, (RESULT, "refused")]);
            }
        });
        metrics.gauges(&catalog::CREDENTIALS_AGE, move |observe| {
            if let Some(obtained) = clients.credentials_obtained() {
                observe(obtained.elapsed().as_secs_f64(), &[]);
            }
        });
        metrics.counts_by(&catalog::SPANS, RESULT, || {
            telemetry::SENT_SPANS.by_result("ended")
        });
        metrics.counts_by(&catalog::LOG_RECORDS, RESULT, || {
            telemetry::SENT_RECORDS.by_result("written")
        });
        metrics.gauge(&catalog::READY, move || flag(readiness.reasons().is_empty()));
    }
}

fn register_calls(metrics: &Metrics, shed: Arc<Count>, connections: Arc<accept::ConnectionMetrics>) {
    metrics.count(&catalog::SHED, move || shed.get());
    let counts = connections.clone();
    metrics.counts_by(&catalog::CONNECTIONS, RESULT, move || {
        [
            ("accepted", counts.accepted.get()),
            ("refused", counts.refused.get()),
            ("handshake_failed", counts.handshakes_failed.get()),
        ]
    });
    metrics.gauge(&catalog::OPEN_CONNECTIONS, move || {
        approximate(connections.open())
    });
}

fn register_access(
    metrics: &Metrics,
    refusals: Arc<Refusals>,
    identities: Option<Arc<Identities>>,
    authority: Authority,
) {
    metrics.counts_by(&catalog::AUTH_REFUSALS, REASON, move || refusals.get());
    if let Some(identities) = identities {
        metrics.counts_by(&catalog::TOKEN_CACHE, RESULT, move || {
            [("hit", identities.hits.get()), ("miss", identities.misses.get())]
        });
    }
    let Authority::Policies(policies) = authority else {
        return;
    };
    let decisions = policies.clone();
    metrics.counts_by(&catalog::POLICY_DECISIONS, "tapegate.decision", move || {
        let [allowed, denied, _] = decisions.counts();
        [("allow", allowed), ("deny", denied)]
    });
    let filtered = policies.clone();
    metrics.count(&catalog::HIDDEN_TAPES, move || {
        let [_, _, hidden] = filtered.counts();
        hidden
    });
    metrics.count(&catalog::TRIAL_DIFFERENCES, move || policies.trial_differs());
}

fn register_upstream(metrics: &Metrics, shared: Shared) {
    let upstream = &shared.metrics;
    let counts = upstream.clone();
    metrics.counts_by(&catalog::PAGES, OPERATION, move || counts.pages.get());
    let counts = upstream.clone();
    metrics.counts_by(&catalog::TAPES, OPERATION, move || counts.tapes.get());
    let counts = upstream.clone();
    metrics.counts(&catalog::RETRIES, move |observe| {
        for ((operation, reason), count) in counts.repeats.get() {
            observe(count, &[(OPERATION, operation), (REASON, reason)]);
        }
    });
    let counts = upstream.clone();
    metrics.counts_by(&catalog::RETRIES_ENDED, REASON, move || counts.wanting());
    for (definition, count) in [
        (
            &catalog::PACED,
            (|upstream| &upstream.paced) as fn(&UpstreamMetrics) -> &Count,
        ),
        (&catalog::PACE_REFUSALS, |upstream| &upstream.refused_by_pace),
        (&catalog::THROTTLED, |upstream| &upstream.throttled),
        (&catalog::SHARED_READS, |upstream| &upstream.shared_reads),
        (&catalog::CREATES_UNHEARD, |upstream| &upstream.creates_unheard),
        (&catalog::CREATES_LOOKED_UP, |upstream| {
            &upstream.creates_looked_up
        }),
        (&catalog::CREATES_RECONCILED, |upstream| {
            &upstream.creates_reconciled
        }),
        (&catalog::CREATES_UNCLEAR, |upstream| &upstream.creates_unclear),
    ] {
        let counts = upstream.clone();
        metrics.count(definition, move || count(&counts).get());
    }
    let budget = shared.clone();
    metrics.gauge(&catalog::RETRY_BUDGET, move || approximate(budget.retry_budget()));
    let conditions = shared.clone();
    metrics.gauges(&catalog::CONDITION, move |observe| {
        for (region, found) in conditions.conditions() {
            for condition in Condition::ALL {
                let attributes = [
                    ("cloud.region", region.as_str()),
                    ("tapegate.condition", condition.as_str()),
                ];
                observe(flag(found.contains(&condition)), &attributes);
            }
        }
    });
    metrics.gauges(&catalog::PACE, move |observe| {
        for (region, kind, rate) in shared.paces() {
            let kind = match kind {
                OperationKind::Read => "read",
                OperationKind::Create => "create",
            };
            observe(
                rate,
                &[("cloud.region", region.as_str()), ("tapegate.kind", kind)],
            );
        }
    });
}

/// 1 or 0, as the value of a gauge.
fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}
