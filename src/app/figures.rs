//! Which figures of the service are shown as which metrics.

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

/// What the service counts, and where.
pub(super) struct Figures {
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

impl Figures {
    /// Shows all of it.
    pub(super) fn show(self, metrics: &Metrics) {
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
        show_calls(metrics, shed, connections);
        show_access(metrics, refusals, identities, authority);
        if !remotes.is_empty() {
            metrics.count(&catalog::KEY_FETCH_FAILURES, move || {
                remotes.iter().map(|remote| remote.failures()).sum()
            });
        }
        show_upstream(metrics, shared);
        metrics.counts_by(&catalog::LIMITS_REACHED, "tapegate.limit", move || {
            limits.reached.get()
        });
        metrics.count(&catalog::AUDIT_LOST, move || audit.lost());
        let looked_at = files.clone();
        metrics.gauges(&catalog::BROKEN_FILES, move |seen| {
            for file in &looked_at {
                seen(flag(file.is_broken()), &[("tapegate.setting", file.what())]);
            }
        });
        metrics.counts(&catalog::RELOADS, move |seen| {
            for file in &files {
                let [applied, refused] = file.counts();
                let setting = ("tapegate.setting", file.what());
                seen(applied, &[setting, (RESULT, "applied")]);
                seen(refused, &[setting, (RESULT, "refused")]);
            }
        });
        metrics.gauges(&catalog::CREDENTIALS_AGE, move |seen| {
            if let Some(obtained) = clients.credentials_obtained() {
                seen(obtained.elapsed().as_secs_f64(), &[]);
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

fn show_calls(metrics: &Metrics, shed: Arc<Count>, connections: Arc<accept::ConnectionMetrics>) {
    metrics.count(&catalog::SHED, move || shed.get());
    let tally = connections.clone();
    metrics.counts_by(&catalog::CONNECTIONS, RESULT, move || {
        [
            ("accepted", tally.accepted.get()),
            ("refused", tally.refused.get()),
            ("handshake_failed", tally.handshakes_failed.get()),
        ]
    });
    metrics.gauge(&catalog::OPEN_CONNECTIONS, move || {
        approximate(connections.open())
    });
}

fn show_access(
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
    let decided = policies.clone();
    metrics.counts_by(&catalog::POLICY_DECISIONS, "tapegate.decision", move || {
        let [allowed, denied, _] = decided.counts();
        [("allow", allowed), ("deny", denied)]
    });
    let hiding = policies.clone();
    metrics.count(&catalog::HIDDEN_TAPES, move || {
        let [_, _, hidden] = hiding.counts();
        hidden
    });
    metrics.count(&catalog::TRIAL_DIFFERENCES, move || policies.trial_differs());
}

fn show_upstream(metrics: &Metrics, shared: Shared) {
    let tally = &shared.metrics;
    let shown = tally.clone();
    metrics.counts_by(&catalog::PAGES, OPERATION, move || shown.pages.get());
    let shown = tally.clone();
    metrics.counts_by(&catalog::TAPES, OPERATION, move || shown.tapes.get());
    let shown = tally.clone();
    metrics.counts(&catalog::RETRIES, move |seen| {
        for ((operation, reason), count) in shown.retries.get() {
            seen(count, &[(OPERATION, operation), (REASON, reason)]);
        }
    });
    let shown = tally.clone();
    metrics.counts_by(&catalog::RETRIES_ENDED, REASON, move || {
        shown.retries_ended_by_reason()
    });
    for (definition, count) in [
        (
            &catalog::PACED,
            (|tally| &tally.paced_attempts) as fn(&UpstreamMetrics) -> &Count,
        ),
        (&catalog::PACE_REFUSALS, |tally| &tally.pace_rejections),
        (&catalog::THROTTLED, |tally| &tally.throttled_attempts),
        (&catalog::SHARED_READS, |tally| &tally.coalesced_reads),
        (&catalog::CREATES_UNHEARD, |tally| &tally.creates_orphaned),
        (&catalog::CREATES_LOOKED_UP, |tally| &tally.creates_looked_up),
        (&catalog::CREATES_RECONCILED, |tally| &tally.creates_reconciled),
        (&catalog::CREATES_UNCLEAR, |tally| &tally.creates_unclear),
    ] {
        let shown = tally.clone();
        metrics.count(definition, move || count(&shown).get());
    }
    let budget = shared.clone();
    metrics.gauge(&catalog::RETRY_BUDGET, move || approximate(budget.retry_budget()));
    let asked = shared.clone();
    metrics.gauges(&catalog::CONDITION, move |seen| {
        for (region, found) in asked.conditions() {
            for condition in Condition::ALL {
                let attributes = [
                    ("cloud.region", region.as_str()),
                    ("tapegate.condition", condition.as_str()),
                ];
                seen(flag(found.contains(&condition)), &attributes);
            }
        }
    });
    metrics.gauges(&catalog::PACE, move |seen| {
        for (region, kind, rate) in shared.paces() {
            let kind = match kind {
                OperationKind::Read => "read",
                OperationKind::Create => "create",
            };
            seen(
                rate,
                &[("cloud.region", region.as_str()), ("tapegate.kind", kind)],
            );
        }
    });
}

/// What holds or not, as a gauge has it.
fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}
