use std::sync::Arc;

use cedar_policy::{AuthorizationError, Authorizer, Decision, PolicySet, Response};

use super::request::AuthorizationRequest;

/// What policies decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDecision {
    /// Whether the request is allowed.
    pub is_allowed: bool,
    /// The ids of the policies that decided, sorted; empty if no policy permits the request.
    pub policies: Arc<[String]>,
}

impl PolicyDecision {
    /// Allows a request without policies.
    pub(super) fn allowed_to_anyone() -> Self {
        Self {
            is_allowed: true,
            policies: Arc::new([]),
        }
    }

    /// Evaluates these policies. A request that Cedar rejects is denied. Returns whether all of them could be
    /// evaluated, too.
    pub(super) fn evaluate(policies: &PolicySet, request: &AuthorizationRequest) -> (Self, bool) {
        let Some((request, entities)) = request.to_cedar() else {
            let denied = Self {
                is_allowed: false,
                policies: Arc::new([]),
            };
            return (denied, false);
        };
        let response = Authorizer::new().is_authorized(&request, policies, &entities);
        let is_sound = response.diagnostics().errors().next().is_none();
        (Self::of(&response), is_sound)
    }

    fn of(response: &Response) -> Self {
        for AuthorizationError::PolicyEvaluationError(error) in response.diagnostics().errors() {
            tracing::warn!(
                policy = %error.policy_id(),
                why = %error.inner(),
                "failed to evaluate a policy; it neither permits nor forbids this request"
            );
        }
        let mut policies: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        policies.sort_unstable();
        Self {
            is_allowed: response.decision() == Decision::Allow,
            policies: policies.into(),
        }
    }

    /// Returns the ids of the policies, separated by commas.
    pub fn policy_names(&self) -> String {
        self.policies.join(", ")
    }
}
