use std::sync::Arc;

use super::policy::{self, Policies, Rows, Verdict};
use crate::domain::{Caller, Decision, Grant, Listing, Operation};

/// Who decides what callers may do.
#[derive(Clone, Debug)]
pub enum Authority {
    /// Nobody: every caller may do everything. The service runs with `allow_anonymous`.
    Anyone,
    /// Policies.
    Policies(Arc<Policies>),
}

impl Authority {
    /// Whether a caller may have this operation. The caller's trail is told.
    ///
    /// # Errors
    ///
    /// The decision, when it is no.
    pub fn decide<O: Operation>(&self, caller: &Caller, operation: &O) -> Result<Grant, Decision> {
        let (resource, verdict) = match self {
            Self::Anyone => (policy::resource_of(operation), Verdict::to_anyone()),
            Self::Policies(policies) => policies.decide(caller, operation),
        };
        let Verdict { is_allowed, policies } = verdict;
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

    /// Which rows of a list a caller may see; `None` where that is all of them.
    pub fn rows<L: Listing>(&self, caller: &Caller, list: &L) -> Option<Rows> {
        match self {
            Self::Policies(policies) if L::IS_SIFTED => {
                let rows = policies.rows(caller, list.account(), list.region());
                (!rows.are_all()).then_some(rows)
            }
            _ => None,
        }
    }

    /// Notes what a page left out.
    pub fn shown(&self, caller: &Caller, hidden: u64, trial_differs: u64) {
        caller.trail.hid(hidden);
        if let Self::Policies(policies) = self {
            policies.shown(caller, hidden, trial_differs);
        }
    }
}
