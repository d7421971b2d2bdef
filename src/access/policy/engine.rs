use std::{fmt, sync::Arc};

use cedar_policy::{AuthorizationError, Authorizer, Decision, EntityUid, Policy, PolicySet, Response};
use moka::sync::Cache;

use super::{
    applicable::{fits_caller, fits_resource},
    question::{Agent, Question, READ_TAPE, Type, scope_id},
    rows::{Judge, Rows},
    sorted,
};
use crate::{
    call::Caller,
    domain::{AccountId, Region},
};

/// The policies of a folder, and what has been found out about them.
///
/// Replaced as a whole when the folder changes, so that nothing is remembered beyond that.
pub struct Engine {
    policies: Vec<Policy>,
    /// Those that can apply to a principal's action on a resource, and what that is in.
    applicable: Cache<(Agent, &'static str, Vec<EntityUid>), Arc<PolicySet>>,
    /// Who judges the rows of a list, by caller and scope.
    judges: Cache<(Agent, String), Arc<Judge>>,
}

/// What policies decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is allowed.
    pub is_allowed: bool,
    /// The names of the policies that decided; none where no policy allows.
    pub policies: Arc<[String]>,
}

/// For how many callers, actions and resources together the applicable policies are remembered.
const MAX_APPLICABLE: u64 = 5_000;

/// How many callers' judges are remembered, each with what it decided.
const MAX_JUDGES: u64 = 500;

impl Engine {
    /// An engine over policies that were checked.
    pub(super) fn new(policies: Vec<Policy>) -> Self {
        Self {
            policies,
            applicable: Cache::new(MAX_APPLICABLE),
            judges: Cache::new(MAX_JUDGES),
        }
    }

    /// What the policies say. It costs as much as evaluating those that can apply.
    pub fn decide(&self, question: &Question) -> Verdict {
        let Question {
            agent,
            action,
            resources,
            ..
        } = question;
        let key = (agent.clone(), *action, resources.clone());
        let policies = self.applicable.get_with(key, || {
            let fits =
                |policy: &Policy| fits_caller(policy, agent, action) && fits_resource(policy, resources);
            Arc::new(self.those(fits))
        });
        evaluate(&policies, question)
    }

    /// What the policies say, by evaluating all of them. [`Engine::decide`] says the same.
    pub fn decide_plainly(&self, question: &Question) -> Verdict {
        evaluate(&self.those(|_| true), question)
    }

    /// Which tapes of an account and region a caller may read.
    pub(super) fn rows(&self, caller: &Caller, account: Option<&AccountId>, region: &Region) -> Rows {
        let agent = Agent::of(&caller.principal);
        let scope = scope_id(account, region);
        let key = (agent.clone(), scope.clone());
        let judge = self.judges.get_with(key, || {
            let policies = self.those(|policy| fits_caller(policy, &agent, READ_TAPE));
            Arc::new(Judge::new(policies, agent.clone(), Type::Scope.uid(&scope)))
        });
        Rows::new(judge, caller.address)
    }

    /// How many policies there are.
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    fn those(&self, wanted: impl Fn(&Policy) -> bool) -> PolicySet {
        let policies = self.policies.iter().filter(|policy| wanted(policy));
        PolicySet::from_policies(policies.cloned()).expect("the folder was read with a name for each policy")
    }
}

/// What these policies say. What cannot be asked is denied.
pub(super) fn evaluate(policies: &PolicySet, question: &Question) -> Verdict {
    let Some((request, entities)) = question.ask() else {
        return Verdict::denied();
    };
    let response = Authorizer::new().is_authorized(&request, policies, &entities);
    Verdict::of(&response)
}

impl Verdict {
    /// What is allowed to anyone, by no policy.
    pub(in crate::access) fn to_anyone() -> Self {
        Self {
            is_allowed: true,
            policies: Arc::new([]),
        }
    }

    /// What no policy allows.
    fn denied() -> Self {
        Self {
            is_allowed: false,
            policies: Arc::new([]),
        }
    }

    fn of(response: &Response) -> Self {
        for AuthorizationError::PolicyEvaluationError(error) in response.diagnostics().errors() {
            // It counts for nothing then, whether it permits or forbids.
            tracing::warn!(policy = %error.policy_id(), why = %error.inner(), "a policy could not be evaluated");
        }
        let reasons = response.diagnostics().reason().map(ToString::to_string).collect();
        Self {
            is_allowed: response.decision() == Decision::Allow,
            policies: sorted(reasons),
        }
    }

    /// The policies' names, for people.
    pub fn names(&self) -> String {
        self.policies.join(", ")
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} policies", self.len())
    }
}
