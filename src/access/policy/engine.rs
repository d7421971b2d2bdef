use std::{fmt, path::Path, sync::Arc};

use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PolicySet, PrincipalConstraint, ResourceConstraint,
};
use moka::sync::Cache;

use super::{
    attribute_usage::AttributeUsage,
    decision::PolicyDecision,
    files,
    remembered::Remembered,
    request::{AttributeValues, AuthorizationRequest, Subject, principal_uids},
    row_filter::{RowAuthorizer, RowFilter},
    schema::{EntityType, READ_TAPE, scope_id},
};
use crate::{
    access::reload::{Files, Reloading},
    call::Caller,
    domain::{AccountId, Principal, Region},
};

/// Evaluates one version of the policies of a folder.
///
/// When the folder changes, the engine is replaced with all its caches.
pub struct PolicyEngine {
    policies: Vec<Policy>,
    applicable: Cache<Subject, Arc<Applicable>>,
    /// The authorizers of rows, by principal and scope.
    row_authorizers: Cache<(Arc<Principal>, String), Arc<RowAuthorizer>>,
}

/// The policies whose scope matches a principal, an action, and a resource with its parents.
#[derive(Debug)]
struct Applicable {
    policies: PolicySet,
    usage: AttributeUsage,
    /// The decisions so far, by what these policies use of the context and of a tape.
    decisions: Remembered<AttributeValues, PolicyDecision>,
}

/// The capacity of the cache of applicable policies.
const MAX_APPLICABLE: u64 = 10_000;

/// How many decisions are remembered of each of them. If policies distinguish every barcode, each has one.
const MAX_DECISIONS: usize = 16;

/// The capacity of the cache of row authorizers, each of which has a cache of decisions.
const MAX_ROW_AUTHORIZERS: u64 = 500;

impl PolicyEngine {
    /// Loads the policies of a folder; `setting` is the setting that names it.
    ///
    /// # Errors
    ///
    /// All faults of the policies.
    pub fn open(setting: &'static str, folder: &Path) -> Result<Reloading<Self>, Vec<String>> {
        let folder = Files::Folder(folder.to_owned(), "cedar");
        Reloading::open(setting, folder, |contents| files::parse(contents).map(Self::new))
    }

    fn new(policies: Vec<Policy>) -> Self {
        Self {
            policies,
            applicable: Cache::new(MAX_APPLICABLE),
            row_authorizers: Cache::new(MAX_ROW_AUTHORIZERS),
        }
    }

    /// Decides a request. Evaluates only the policies whose scope matches, and those only if nothing that they
    /// use is new.
    pub fn decide(&self, request: &AuthorizationRequest) -> PolicyDecision {
        let subject = &request.subject;
        let applicable = self
            .applicable
            .get_with_by_ref(subject, || self.select_for(subject));
        applicable.decide(request)
    }

    fn select_for(&self, subject: &Subject) -> Arc<Applicable> {
        let (principal, groups) = principal_uids(&subject.principal);
        let resources = subject.resource_uids();
        let policies = self.select(|policy| {
            matches_caller(policy, &principal, &groups, subject.action)
                && matches_resource(policy, &resources)
        });
        Arc::new(Applicable {
            usage: AttributeUsage::of(policies.policies()),
            policies,
            decisions: Remembered::new(MAX_DECISIONS),
        })
    }

    /// Decides a request by evaluating all policies. The result is that of [`PolicyEngine::decide`].
    pub fn decide_unoptimized(&self, request: &AuthorizationRequest) -> PolicyDecision {
        PolicyDecision::evaluate(&self.select(|_| true), request).0
    }

    /// Returns the filter for the tapes of an account and a region that a caller may read.
    pub(super) fn row_filter(
        &self,
        caller: &Caller,
        account: Option<&AccountId>,
        region: &Region,
    ) -> RowFilter {
        let key = (caller.principal.clone(), scope_id(account, region));
        let authorizer = self.row_authorizers.get_with_by_ref(&key, || {
            let (principal, scope) = key.clone();
            let (uid, groups) = principal_uids(&principal);
            let policies = self.select(|policy| matches_caller(policy, &uid, &groups, READ_TAPE));
            Arc::new(RowAuthorizer::new(policies, principal, scope))
        });
        RowFilter::new(authorizer, caller.address)
    }

    /// The number of policies.
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether there are no policies.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    fn select(&self, matches: impl Fn(&Policy) -> bool) -> PolicySet {
        let policies = self.policies.iter().filter(|policy| matches(policy));
        PolicySet::from_policies(policies.cloned()).expect("the ids of the policies are unique")
    }
}

impl Applicable {
    fn decide(&self, request: &AuthorizationRequest) -> PolicyDecision {
        let used = request.variable(|name| self.usage.uses_context(name));
        if let Some(decision) = self.decisions.get(&used) {
            return decision;
        }
        let (decision, is_sound) = PolicyDecision::evaluate(&self.policies, request);
        // Each failure to evaluate a policy is logged.
        if is_sound {
            self.decisions.add(used, decision.clone());
        }
        decision
    }
}

/// Whether the scope of a policy matches a principal with its groups and an action, for any resource.
fn matches_caller(policy: &Policy, principal: &EntityUid, groups: &[EntityUid], action: &str) -> bool {
    matches_principal(&policy.principal_constraint(), principal, groups)
        && matches_action(&policy.action_constraint(), action)
}

/// Whether the scope of a policy matches a resource, which is followed by its parents.
fn matches_resource(policy: &Policy, resources: &[EntityUid]) -> bool {
    let Some(resource) = resources.first() else {
        return false;
    };
    match policy.resource_constraint() {
        ResourceConstraint::Any => true,
        ResourceConstraint::Eq(uid) => uid == *resource,
        ResourceConstraint::In(uid) => resources.contains(&uid),
        ResourceConstraint::Is(name) => is_a(resource, &name),
        ResourceConstraint::IsIn(name, uid) => is_a(resource, &name) && resources.contains(&uid),
    }
}

fn matches_principal(constraint: &PrincipalConstraint, principal: &EntityUid, groups: &[EntityUid]) -> bool {
    let is_in = |uid: &EntityUid| uid == principal || groups.contains(uid);
    match constraint {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Eq(uid) => uid == principal,
        PrincipalConstraint::In(uid) => is_in(uid),
        PrincipalConstraint::Is(name) => is_a(principal, name),
        PrincipalConstraint::IsIn(name, uid) => is_a(principal, name) && is_in(uid),
    }
}

/// Whether an action is in a constraint. The schema has no groups of actions.
fn matches_action(constraint: &ActionConstraint, action: &str) -> bool {
    let is_it =
        |uid: &EntityUid| is_a(uid, EntityType::Action.name()) && AsRef::<str>::as_ref(uid.id()) == action;
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is_it(uid),
        ActionConstraint::In(uids) => uids.iter().any(is_it),
    }
}

fn is_a(uid: &EntityUid, name: &EntityTypeName) -> bool {
    uid.type_name() == name
}

impl fmt::Debug for PolicyEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} policies", self.len())
    }
}
