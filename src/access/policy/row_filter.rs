use std::{borrow::Cow, net::IpAddr, sync::Arc};

use cedar_policy::PolicySet;

use super::{
    attribute_usage::AttributeUsage,
    decision::PolicyDecision,
    remembered::Remembered,
    request::{AuthorizationRequest, TapeView},
};
use crate::domain::Principal;

/// Decides which rows of a list one caller may see.
#[derive(Clone, Debug)]
pub struct RowFilter {
    authorizer: Arc<RowAuthorizer>,
    address: IpAddr,
    /// The authorizer by the policies on trial.
    trial: Option<Arc<RowAuthorizer>>,
}

/// Decides which tapes of a scope one principal may read, by one version of the policies.
#[derive(Debug)]
pub(super) struct RowAuthorizer {
    policies: PolicySet,
    usage: AttributeUsage,
    principal: Arc<Principal>,
    scope: String,
    /// Earlier decisions, by [`AttributeUsage::cache_key`].
    decisions: Remembered<String, bool>,
}

/// The capacity of the cache of decisions. If policies distinguish every tape, each has a key.
const MAX_DECISIONS: usize = 1_024;

impl RowFilter {
    pub(super) fn new(authorizer: Arc<RowAuthorizer>, address: IpAddr) -> Self {
        Self {
            authorizer,
            address,
            trial: None,
        }
    }

    /// Adds the filter by the policies on trial, which is compared and not enforced.
    pub(super) fn with_trial(self, trial: Self) -> Self {
        Self {
            trial: Some(trial.authorizer),
            ..self
        }
    }

    /// Whether every tape may be shown, whatever its attributes.
    pub fn shows_all(&self) -> bool {
        let all = |authorizer: &Arc<RowAuthorizer>| {
            authorizer.usage.ignores_resource() && authorizer.may_read(&ANY_TAPE, self.address)
        };
        all(&self.authorizer) && self.trial.as_ref().is_none_or(all)
    }

    /// Whether a tape may be shown, and whether the policies on trial decide differently.
    pub fn may_show(&self, tape: &TapeView<'_>) -> (bool, bool) {
        let is_shown = self.authorizer.may_read(tape, self.address);
        let trial_differs = self
            .trial
            .as_ref()
            .is_some_and(|trial| trial.may_read(tape, self.address) != is_shown);
        (is_shown, trial_differs)
    }
}

/// Stands for any tape where policies ignore the resource.
const ANY_TAPE: TapeView<'static> = TapeView {
    arn: "",
    barcode: "",
    pool: "",
    status: Cow::Borrowed(""),
    gateway: None,
};

impl RowAuthorizer {
    pub(super) fn new(policies: PolicySet, principal: Arc<Principal>, scope: String) -> Self {
        Self {
            usage: AttributeUsage::of(policies.policies()),
            policies,
            principal,
            scope,
            decisions: Remembered::new(MAX_DECISIONS),
        }
    }

    fn may_read(&self, tape: &TapeView<'_>, address: IpAddr) -> bool {
        let key = self.usage.cache_key(tape, address);
        if let Some(may) = self.decisions.get(&key) {
            return may;
        }
        let request =
            AuthorizationRequest::read_tape(self.principal.clone(), address, self.scope.clone(), tape);
        let may = PolicyDecision::evaluate(&self.policies, &request).0.is_allowed;
        self.decisions.add(key, may);
        may
    }
}
