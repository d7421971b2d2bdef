//! Which figures of the service are shown as which metrics.

use std::{sync::Arc, time::Instant};

use crate::{
    audit::Audit,
    auth::{Authority, Identities},
    domain::Kind,
    inbound::{Refusals, accept},
    limits::Limits,
    metrics::{Count, Metrics, catalog},
    readiness::Readiness,
    reload::Reload,
    telemetry::{self, Sent},
    upstream::{Shared, sdk::Clients, tally::Tally},
};

/// What the service counts, and where.
pub(super) struct Figures {
    pub(super) shared: Shared,
    pub(super) clients: Arc<Clients>,
    pub(super) readiness: Readiness,
    pub(super) connections: Arc<accept::Tally>,
    pub(super) shed: Arc<Count>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) identities: Option<Arc<Identities>>,
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
            authority,
            limits,
            audit,
            files,
        } = self;
        show_calls(metrics, shed, connections);
        show_access(metrics, refusals, identities, authority);
        show_upstream(metrics, shared);
        metrics.counts(&catalog::LIMITS_REACHED, move |seen| {
            for (limit, count) in limits.reached.get() {
                seen(count, &[("tapegate.limit", limit)]);
            }
        });
        metrics.count(&catalog::AUDIT_LOST, move || audit.lost());
        metrics.counts(&catalog::RELOADS, move |seen| {
            for file in &files {
                let [applied, refused] = file.counts();
                let setting = ("tapegate.setting", file.what());
                seen(applied, &[setting, ("tapegate.result", "applied")]);
                seen(refused, &[setting, ("tapegate.result", "refused")]);
            }
        });
        metrics.gauges(&catalog::CREDENTIALS_AGE, move |seen| {
            if let Some(obtained) = clients.credentials_obtained() {
                seen((Instant::now() - obtained).as_secs_f64(), &[]);
            }
        });
        metrics.counts(&catalog::SPANS, |seen| {
            let Sent { ended, taken, failed } = telemetry::sent();
            for (result, count) in [("ended", ended), ("taken", taken), ("failed", failed)] {
                seen(count.get(), &[("tapegate.result", result)]);
            }
        });
        metrics.gauge(&catalog::READY, move || {
            f64::from(u8::from(readiness.reasons().is_empty()))
        });
    }
}

fn show_calls(metrics: &Metrics, shed: Arc<Count>, connections: Arc<accept::Tally>) {
    metrics.count(&catalog::SHED, move || shed.get());
    let tally = connections.clone();
    metrics.counts(&catalog::CONNECTIONS, move |seen| {
        let accept::Tally {
            accepted,
            refused,
            handshakes_failed,
            ..
        } = &*tally;
        for (result, count) in [
            ("accepted", accepted),
            ("refused", refused),
            ("handshake_failed", handshakes_failed),
        ] {
            seen(count.get(), &[("tapegate.result", result)]);
        }
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
    metrics.counts(&catalog::AUTH_REFUSALS, move |seen| {
        for (reason, count) in refusals.get() {
            seen(count, &[("tapegate.reason", reason)]);
        }
    });
    metrics.counts(&catalog::TOKEN_CACHE, move |seen| {
        if let Some(identities) = &identities {
            seen(identities.hits.get(), &[("tapegate.result", "hit")]);
            seen(identities.misses.get(), &[("tapegate.result", "miss")]);
        }
    });
    let Authority::Policies(policies) = authority else {
        return;
    };
    let decided = policies.clone();
    metrics.counts(&catalog::POLICY_DECISIONS, move |seen| {
        let [allowed, denied, _] = decided.counts();
        seen(allowed, &[("tapegate.decision", "allow")]);
        seen(denied, &[("tapegate.decision", "deny")]);
    });
    let hiding = policies.clone();
    metrics.count(&catalog::HIDDEN_TAPES, move || {
        let [_, _, hidden] = hiding.counts();
        hidden
    });
    metrics.count(&catalog::TRIAL_DIFFERENCES, move || policies.trial_differs());
}

fn show_upstream(metrics: &Metrics, shared: Shared) {
    let tally = &shared.tally;
    let shown = tally.clone();
    metrics.counts(&catalog::PAGES, move |seen| {
        for (operation, count) in shown.pages.get() {
            seen(count, &[("tapegate.operation", operation)]);
        }
    });
    let shown = tally.clone();
    metrics.counts(&catalog::TAPES, move |seen| {
        for (operation, count) in shown.tapes.get() {
            seen(count, &[("tapegate.operation", operation)]);
        }
    });
    let shown = tally.clone();
    metrics.counts(&catalog::RETRIES, move |seen| {
        for ((operation, reason), count) in shown.repeats.get() {
            seen(
                count,
                &[("tapegate.operation", operation), ("tapegate.reason", reason)],
            );
        }
    });
    let shown = tally.clone();
    metrics.counts(&catalog::RETRIES_ENDED, move |seen| {
        for (reason, count) in shown.not_repeated.get() {
            seen(count, &[("tapegate.reason", reason)]);
        }
    });
    for (definition, count) in [
        (&catalog::PACED, (|tally| &tally.paced) as fn(&Tally) -> &Count),
        (&catalog::PACE_REFUSALS, |tally| &tally.refused_by_pace),
        (&catalog::THROTTLED, |tally| &tally.throttled),
        (&catalog::SHARED_READS, |tally| &tally.shared_reads),
        (&catalog::CREATES_UNHEARD, |tally| &tally.creates_unheard),
        (&catalog::CREATES_LOOKED_UP, |tally| &tally.creates_looked_up),
        (&catalog::CREATES_RECONCILED, |tally| &tally.creates_reconciled),
    ] {
        let shown = tally.clone();
        metrics.count(definition, move || count(&shown).get());
    }
    metrics.gauges(&catalog::PACE, move |seen| {
        for (region, kind, rate) in shared.paces() {
            let kind = match kind {
                Kind::Read => "read",
                Kind::Create => "create",
            };
            seen(
                rate,
                &[("cloud.region", region.as_str()), ("tapegate.kind", kind)],
            );
        }
    });
}

#[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
fn approximate(number: usize) -> f64 {
    number as f64
}
