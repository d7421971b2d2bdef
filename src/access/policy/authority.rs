use std::sync::Arc;

use super::{decision::PolicyDecision, policies::Policies, request::resource_of, row_filter::RowFilter};
use crate::domain::{Caller, Decision, Grant, Listing, Operation};

/// Decides what callers may do.
#[derive(Clone, Debug)]
pub enum Authority {
    /// Every caller may do everything. The service runs with `allow_anonymous`.
    Anyone,
    /// The policies decide.
    Policies(Arc<Policies>),
}

impl Authority {
    /// Decides whether a caller may perform an operation, and records that in the caller's trail.
    ///
    /// # Errors
    ///
    /// The decision, if the operation is denied.
    pub fn decide<O: Operation>(&self, caller: &Caller, operation: &O) -> Result<Grant, Decision> {
        let (resource, decision) = match self {
            Self::Anyone => (resource_of(operation), PolicyDecision::allowed_to_anyone()),
            Self::Policies(policies) => policies.decide(caller, operation),
        };
        let PolicyDecision { is_allowed, policies } = decision;
        let decision = Decision {
            action: O::NAME,
            resource,
            is_allowed,
            policies,
        };
        caller.trail.decided(decision.clone());
        match is_allowed {
            true => Ok(Grant {
                policies: decision.policies,
            }),
            false => Err(decision),
        }
    }

    /// Returns the filter for the rows of a list; `None` if the caller may see all of them.
    pub fn row_filter<L: Listing>(&self, caller: &Caller, list: &L) -> Option<RowFilter> {
        match self {
            Self::Policies(policies) if L::IS_FILTERED => {
                let filter = policies.row_filter(caller, list.account(), list.region());
                (!filter.shows_all()).then_some(filter)
            }
            _ => None,
        }
    }

    /// Records how many tapes of a page were hidden, and on how many the policies on trial decide
    /// differently.
    pub fn record_filtering(&self, caller: &Caller, hidden: u64, trial_differs: u64) {
        caller.trail.hid(hidden);
        if let Self::Policies(policies) = self {
            policies.record_filtering(caller, hidden, trial_differs);
        }
    }
}
