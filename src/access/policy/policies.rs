use std::{path::PathBuf, sync::Arc};

use super::{
    decision::PolicyDecision, engine::PolicyEngine, request::AuthorizationRequest, row_filter::RowFilter,
};
use crate::{
    access::reload::Reloading,
    call::Caller,
    domain::{AccountId, Operation, Pool, Region},
    observability::metrics::Count,
};

/// The directories of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// The directory of the enforced policies (`policy.path`).
    pub path: PathBuf,
    /// The directory of the policies on trial (`policy.trial`).
    pub trial: Option<PathBuf>,
    /// The pool that policies see if a create names none (`policy.unset_pool`).
    pub unset_pool: Pool,
}

/// The enforced policies, and the policies on trial, if any.
#[derive(Debug)]
pub struct Policies {
    enforced: Arc<Reloading<PolicyEngine>>,
    trial: Option<Arc<Reloading<PolicyEngine>>>,
    /// The pool that policies see if a create names none.
    unset_pool: String,
    metrics: PolicyMetrics,
}

/// Counts decisions since the start.
#[derive(Debug, Default)]
struct PolicyMetrics {
    allowed: Count,
    denied: Count,
    hidden: Count,
    trial_differs: Count,
}

impl Policies {
    /// Enforces the policies of one engine, and compares those of another.
    pub fn new(
        enforced: Arc<Reloading<PolicyEngine>>,
        trial: Option<Arc<Reloading<PolicyEngine>>>,
        unset_pool: String,
    ) -> Self {
        Self {
            enforced,
            trial,
            unset_pool,
            metrics: PolicyMetrics::default(),
        }
    }

    /// Decides whether a caller may perform an operation. Returns the id of the resource too.
    pub(super) fn decide<O: Operation>(&self, caller: &Caller, operation: &O) -> (String, PolicyDecision) {
        let request = AuthorizationRequest::of(caller, operation, &self.unset_pool);
        let decision = self.enforced.load().decide(&request);
        if let Some(trial) = &self.trial {
            let other = trial.load().decide(&request);
            if other.is_allowed != decision.is_allowed {
                self.metrics.trial_differs.add();
                tracing::warn!(
                    principal = caller.principal.name(),
                    action = O::NAME,
                    resource = request.resource(),
                    allowed = decision.is_allowed,
                    policies = %decision.policy_names(),
                    trial_allows = other.is_allowed,
                    trial_policies = %other.policy_names(),
                    "the policies on trial decide differently"
                );
            }
        }
        let count = match decision.is_allowed {
            true => &self.metrics.allowed,
            false => &self.metrics.denied,
        };
        count.add();
        (request.resource().to_owned(), decision)
    }

    /// Returns the filter for the tapes of an account and a region that a caller may read.
    pub fn row_filter(&self, caller: &Caller, account: Option<&AccountId>, region: &Region) -> RowFilter {
        let filter = self.enforced.load().row_filter(caller, account, region);
        match &self.trial {
            None => filter,
            Some(trial) => filter.with_trial(trial.load().row_filter(caller, account, region)),
        }
    }

    /// Counts the tapes of a page that were hidden, and those on which the policies on trial decide
    /// differently.
    pub(super) fn record_filtering(&self, caller: &Caller, hidden: u64, trial_differs: u64) {
        self.metrics.hidden.add_many(hidden);
        if trial_differs > 0 {
            self.metrics.trial_differs.add_many(trial_differs);
            tracing::warn!(
                principal = caller.principal.name(),
                action = "ReadTape",
                tapes = trial_differs,
                "the policies on trial decide differently on tapes of a page"
            );
        }
    }

    /// How often the policies on trial decided differently.
    pub fn trial_differs(&self) -> u64 {
        self.metrics.trial_differs.get()
    }

    /// The numbers of allowed calls, denied calls and hidden tapes.
    pub fn counts(&self) -> [u64; 3] {
        let PolicyMetrics {
            allowed,
            denied,
            hidden,
            ..
        } = &self.metrics;
        [allowed, denied, hidden].map(Count::get)
    }
}
