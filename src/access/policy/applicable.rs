//! Which policies can apply, by their scope alone.

use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};

use super::question::{Agent, Type};

/// Whether a policy's scope lets it apply to this principal and action, whatever the resource.
pub(super) fn fits_caller(policy: &Policy, agent: &Agent, action: &str) -> bool {
    fits_principal(&policy.principal_constraint(), agent) && fits_action(&policy.action_constraint(), action)
}

/// Whether a policy's scope lets it apply to a resource, which comes first, in what follows.
pub(super) fn fits_resource(policy: &Policy, resources: &[EntityUid]) -> bool {
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

fn fits_principal(constraint: &PrincipalConstraint, agent: &Agent) -> bool {
    let is_in = |uid: &EntityUid| *uid == agent.uid || agent.groups.contains(uid);
    match constraint {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Eq(uid) => *uid == agent.uid,
        PrincipalConstraint::In(uid) => is_in(uid),
        PrincipalConstraint::Is(name) => is_a(&agent.uid, name),
        PrincipalConstraint::IsIn(name, uid) => is_a(&agent.uid, name) && is_in(uid),
    }
}

/// The schema has no groups of actions, so an action is in itself alone.
fn fits_action(constraint: &ActionConstraint, action: &str) -> bool {
    let is_it = |uid: &EntityUid| is_a(uid, Type::Action.name()) && AsRef::<str>::as_ref(uid.id()) == action;
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is_it(uid),
        ActionConstraint::In(uids) => uids.iter().any(is_it),
    }
}

fn is_a(uid: &EntityUid, name: &EntityTypeName) -> bool {
    uid.type_name() == name
}
