//! Registers the counters and the state of each part of the service as metrics.

use std::sync::Arc;

use super::{credentials::AwsCredentials, expiry::Expiries};
use crate::{
    access::{
        Authenticator, Authority, audit::AuditLog, identity::jwt::RemoteKeys, limits::Limits, reload::Reload,
    },
    domain::OperationKind,
    grpc::{
        connection::accept,
        inbound::{Pressure, Refusals, ShedCalls},
    },
    observability::{
        account_names::{ACCOUNT, AccountNames},
        metrics::{Count, Metrics, approximate, catalog},
        readiness::{Readiness, UpstreamCondition},
        telemetry,
    },
    upstream::{Shared, metrics::UpstreamMetrics},
};

const OPERATION: &str = "tapegate.operation";
const REASON: &str = "tapegate.reason";
const RESULT: &str = "tapegate.result";

/// The parts of the service whose counters and state are metrics.
pub(super) struct MetricSources {
    pub(super) shared: Shared,
    pub(super) credentials: AwsCredentials,
    pub(super) names: AccountNames,
    pub(super) readiness: Readiness,
    pub(super) connections: Arc<accept::ConnectionMetrics>,
    pub(super) shed: Arc<ShedCalls>,
    pub(super) pressure: Arc<Pressure>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) identities: Option<Arc<Authenticator>>,
    pub(super) remotes: Vec<Arc<RemoteKeys>>,
    pub(super) authority: Authority,
    pub(super) limits: Arc<Limits>,
    pub(super) audit: Arc<AuditLog>,
    pub(super) files: Vec<Arc<dyn Reload>>,
    pub(super) expiries: Expiries,
}

impl MetricSources {
    /// Registers all of them.
    pub(super) fn register(self, metrics: &Metrics) {
        let Self {
            shared,
            credentials,
            names,
            readiness,
            connections,
            pressure,
            shed,
            refusals,
            identities,
            remotes,
            authority,
            limits,
            audit,
            files,
            expiries,
        } = self;
        register_calls(metrics, shed, pressure, connections);
        register_access(metrics, refusals, identities, authority);
        metrics.gauges(&catalog::EXPIRY, move |observe| {
            for expiring in expiries.next_of_each_kind() {
                observe(
                    expiring.seconds_left(),
                    &[("tapegate.kind", expiring.kind.as_str())],
                );
            }
        });
        if !remotes.is_empty() {
            let fetched = remotes.clone();
            metrics.gauges(&catalog::KEYS_AGE, move |observe| {
                for remote in &fetched {
                    if let Some(age) = remote.age() {
                        observe(age.as_secs_f64(), &[("url.full", remote.url())]);
                    }
                }
            });
            metrics.count(&catalog::KEY_FETCH_FAILURES, move || {
                remotes.iter().map(|remote| remote.failures()).sum()
            });
        }
        register_upstream(metrics, shared, readiness.clone(), names.clone());
        let of_store = limits.clone();
        metrics.counts_by(&catalog::SHARED_LIMIT_REQUESTS, RESULT, move || {
            of_store.shared_requests()
        });
        metrics.counts_by(&catalog::LIMITS_REACHED, "tapegate.limit", move || {
            limits.exceeded.get()
        });
        metrics.count(&catalog::AUDIT_LOST, move || audit.lost());
        metrics.count(&catalog::LOG_LOST, || telemetry::LOST_LOG_LINES.get());
        let watched = files.clone();
        metrics.gauges(&catalog::BROKEN_FILES, move |observe| {
            for file in &watched {
                observe(flag(file.is_broken()), &[("tapegate.setting", file.setting())]);
            }
        });
        metrics.counts(&catalog::RELOADS, move |observe| {
            for file in &files {
                let [applied, refused] = file.counts();
                let setting = ("tapegate.setting", file.setting());
                observe(applied, &[setting, (RESULT, "applied")]);
                observe(refused, &[setting, (RESULT, "refused")]);
            }
        });
        metrics.gauges(&catalog::CREDENTIALS_AGE, move |observe| {
            for (account, obtained) in credentials.obtained_by_account() {
                let account = names.of(account.as_ref()).map(|name| (ACCOUNT, name));
                observe(obtained.elapsed().as_secs_f64(), account.as_slice());
            }
        });
        metrics.counts_by(&catalog::SPANS, RESULT, || {
            telemetry::SPAN_EXPORTS.by_result("ended")
        });
        metrics.counts_by(&catalog::LOG_RECORDS, RESULT, || {
            telemetry::LOG_RECORD_EXPORTS.by_result("written")
        });
        metrics.gauge(&catalog::READY, move || flag(readiness.reasons().is_empty()));
    }
}

fn register_calls(
    metrics: &Metrics,
    shed: Arc<ShedCalls>,
    pressure: Arc<Pressure>,
    connections: Arc<accept::ConnectionMetrics>,
) {
    metrics.gauges(&catalog::ADMITTED, move |observe| {
        for kind in [OperationKind::Read, OperationKind::Create] {
            observe(pressure.admitted(kind), &[("tapegate.kind", kind.as_str())]);
        }
    });
    metrics.counts_by(&catalog::SHED, "tapegate.limit", move || {
        shed.by_limit().collect::<Vec<_>>()
    });
    let counts = connections.clone();
    metrics.counts_by(&catalog::CONNECTIONS, RESULT, move || {
        [
            ("accepted", counts.accepted.get()),
            ("refused", counts.refused.get()),
            ("refused_of_address", counts.refused_of_address.get()),
            ("displaced", counts.displaced.get()),
            ("handshake_failed", counts.handshakes_failed.get()),
        ]
    });
    let stalled = connections.stalled.clone();
    metrics.count(&catalog::STALLED, move || stalled.get());
    let errors = connections.protocol_errors.clone();
    metrics.counts_by(&catalog::PROTOCOL_ERRORS, "tapegate.code", move || {
        errors.counts.get()
    });
    let unread = connections.clone();
    metrics.gauge(&catalog::UNREAD_BYTES, move || approximate(unread.unread_bytes()));
    metrics.gauge(&catalog::OPEN_CONNECTIONS, move || {
        approximate(connections.open())
    });
}

fn register_access(
    metrics: &Metrics,
    refusals: Arc<Refusals>,
    identities: Option<Arc<Authenticator>>,
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
    let hidden = policies.clone();
    metrics.count(&catalog::HIDDEN_TAPES, move || {
        let [_, _, tapes] = hidden.counts();
        tapes
    });
    metrics.count(&catalog::TRIAL_DIFFERENCES, move || policies.trial_differs());
}

fn register_upstream(metrics: &Metrics, shared: Shared, readiness: Readiness, names: AccountNames) {
    let upstream = &shared.metrics;
    let counts = upstream.clone();
    metrics.counts_by(&catalog::PAGES, OPERATION, move || counts.pages.get());
    let counts = upstream.clone();
    metrics.counts_by(&catalog::TAPES, OPERATION, move || counts.tapes.get());
    let counts = upstream.clone();
    metrics.counts(&catalog::RETRIES, move |observe| {
        for ((operation, reason), count) in counts.retries.get() {
            observe(count, &[(OPERATION, operation), (REASON, reason)]);
        }
    });
    let counts = upstream.clone();
    metrics.counts_by(&catalog::RETRIES_ENDED, REASON, move || {
        counts.retries_ended_by_reason()
    });
    for (definition, count) in [
        (
            &catalog::PACED,
            (|counts| &counts.paced_attempts) as fn(&UpstreamMetrics) -> &Count,
        ),
        (&catalog::PACE_REFUSALS, |counts| &counts.pace_rejections),
        (&catalog::THROTTLED, |counts| &counts.throttled_attempts),
        (&catalog::SHARED_READS, |counts| &counts.coalesced_reads),
        (&catalog::CREATES_UNHEARD, |counts| &counts.creates_orphaned),
        (&catalog::CREATES_LOOKED_UP, |counts| &counts.creates_looked_up),
        (&catalog::CREATES_RECONCILED, |counts| &counts.creates_reconciled),
        (&catalog::CREATES_UNCLEAR, |counts| &counts.creates_unclear),
        (&catalog::TAGS_NOT_ADDED, |counts| &counts.tags_not_added),
    ] {
        let counts = upstream.clone();
        metrics.count(definition, move || count(&counts).get());
    }
    let (budget, its_names) = (shared.clone(), names.clone());
    metrics.gauges(&catalog::RETRY_BUDGET, move |observe| {
        for (scope, left) in budget.retry_budgets() {
            observe(approximate(left), &its_names.attributes(&scope));
        }
    });
    let (conditions, its_names) = (shared.clone(), names.clone());
    metrics.gauges(&catalog::CONDITION, move |observe| {
        for (scope, found) in readiness.with_credentials(conditions.conditions()) {
            for condition in UpstreamCondition::ALL {
                let mut attributes = its_names.attributes(&scope);
                attributes.push(("tapegate.condition", condition.as_str()));
                observe(flag(found.contains(&condition)), &attributes);
            }
        }
    });
    metrics.gauges(&catalog::PACE, move |observe| {
        for (scope, kind, rate) in shared.paces() {
            let mut attributes = names.attributes(&scope);
            attributes.push(("tapegate.kind", kind.as_str()));
            observe(rate, &attributes);
        }
    });
}

/// A gauge of something that is true or false.
fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}
