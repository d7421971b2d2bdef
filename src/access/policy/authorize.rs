use std::{ops::Deref, sync::Arc};

use super::{decision::PolicyDecision, policies::Policies, request::resource_of, row_filter::RowFilter};
use crate::{
    call::{AuthorizationDecision, Call, Caller, Deadline, LatestDeadline, NextAttempt},
    domain::{Failure, Fault, ListOperation, Operation},
};

/// Decides what callers may do.
#[derive(Clone, Debug)]
pub enum Authority {
    /// Every caller may do everything: the service runs with `allow_anonymous`.
    Anyone,
    /// Cedar policies decide.
    Policies(Arc<Policies>),
}

/// A call that is allowed. Only an [`Authority`] makes one, and nothing else can be sent
/// upstream.
#[derive(Clone, Debug)]
pub struct AuthorizedCall<O> {
    call: Call<O>,
    grant: Grant,
}

/// The proof of a decision that allowed a call. Only an [`Authority`] makes one.
#[derive(Clone, Debug)]
pub struct Grant(());

impl Authority {
    /// Decides whether a call is allowed, and adds the decision to the call's context.
    ///
    /// # Errors
    ///
    /// [`Fault::Denied`], if no policy allows it.
    pub fn authorize<O: Operation>(&self, call: Call<O>) -> Result<AuthorizedCall<O>, Failure> {
        let (resource, decision) = match self {
            Self::Anyone => (resource_of(&call.operation), PolicyDecision::allowed_to_anyone()),
            Self::Policies(policies) => policies.decide(&call.caller, &call.operation),
        };
        let PolicyDecision { is_allowed, policies } = decision;
        let decision = Arc::new(AuthorizationDecision {
            action: O::NAME,
            resource,
            is_allowed,
            policies,
        });
        call.context.record_decision(decision.clone());
        match is_allowed {
            true => Ok(AuthorizedCall {
                call,
                grant: Grant(()),
            }),
            false => Err(call.not_sent(Fault::Denied {
                action: O::NAME,
                resource: decision.resource.clone(),
            })),
        }
    }

    /// Returns the filter for the rows of a list; `None` if the caller may see all of them.
    pub fn row_filter<L: ListOperation>(&self, caller: &Caller, list: &L) -> Option<RowFilter> {
        match self {
            Self::Policies(policies) if L::IS_FILTERED => {
                let filter = policies.row_filter(caller, list.account(), list.region());
                (!filter.shows_all()).then_some(filter)
            }
            _ => None,
        }
    }

    /// Counts the tapes of a page that are hidden, and those on which the policies on trial decide
    /// differently.
    pub fn record_filtering(&self, caller: &Caller, hidden: u64, trial_differs: u64) {
        if let Self::Policies(policies) = self {
            policies.record_filtering(caller, hidden, trial_differs);
        }
    }
}

impl Grant {
    /// A call that is part of the one that was allowed, such as looking up the tape that a
    /// create may have made. It is not decided again.
    pub fn extend_to<O>(&self, call: Call<O>) -> AuthorizedCall<O> {
        AuthorizedCall {
            call,
            grant: self.clone(),
        }
    }
}

impl<O> AuthorizedCall<O> {
    /// The proof that the call is allowed.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The same call with the deadline of a coalesced fetch.
    #[must_use]
    pub fn with_deadline(mut self, deadline: LatestDeadline) -> Self {
        self.call.deadline = Deadline::Latest(deadline);
        self
    }

    /// Says which attempt comes next.
    pub fn set_attempt(&mut self, attempt: NextAttempt) {
        self.call.attempt = attempt;
    }
}

impl<O> Deref for AuthorizedCall<O> {
    type Target = Call<O>;

    fn deref(&self) -> &Call<O> {
        &self.call
    }
}
