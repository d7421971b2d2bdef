use std::{borrow::Cow, collections::HashSet, fmt, net::IpAddr, sync::Arc};

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};

use super::schema::{EntityType, READ_TAPE, scope_id};
use crate::{
    call::Caller,
    domain::{AccountId, Operation, Principal, Region, RequestedBarcode, RequestedTapes},
};

/// A request for a decision of the policies: may this principal do this action on this resource?
///
/// It has no types of Cedar: most requests are decided without asking Cedar again.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    pub(super) subject: Subject,
    resource_attributes: Vec<(&'static str, AttributeValue)>,
    context: Vec<(&'static str, AttributeValue)>,
}

/// Who does what on what. The attributes of a gateway and a scope follow from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) principal: Arc<Principal>,
    pub(super) action: &'static str,
    /// The resource, followed by its parents: their types and ids.
    resources: Vec<(EntityType, String)>,
}

/// Attributes with their values.
pub(super) type AttributeValues = Vec<(&'static str, AttributeValue)>;

/// The value of an attribute of the resource or the context.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum AttributeValue {
    Text(String),
    Number(i64),
    Flag(bool),
    Address(IpAddr),
}

impl AttributeValue {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Returns the value as a Cedar expression.
    fn expression(&self) -> RestrictedExpression {
        match self {
            Self::Text(text) => RestrictedExpression::new_string(text.clone()),
            Self::Number(number) => RestrictedExpression::new_long(*number),
            Self::Flag(flag) => RestrictedExpression::new_bool(*flag),
            Self::Address(address) => RestrictedExpression::new_ip(address.to_string()),
        }
    }
}

/// The value as policies spell it.
impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Address(address) => write!(f, "ip(\"{address}\")"),
        }
    }
}

impl Subject {
    /// The resource as an entity of Cedar, followed by its parents.
    pub(super) fn resource_uids(&self) -> Vec<EntityUid> {
        self.resources.iter().map(|(kind, id)| kind.uid(id)).collect()
    }
}

/// A principal as an entity of Cedar, and its groups.
pub(super) fn principal_uids(principal: &Principal) -> (EntityUid, Vec<EntityUid>) {
    let groups = principal.groups().iter();
    (
        EntityType::Agent.uid(principal.name()),
        groups.map(|group| EntityType::Group.uid(group)).collect(),
    )
}

/// A tape as policies see it. Values that AWS did not return are empty.
#[derive(Clone, Debug)]
pub struct TapeView<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// Its barcode.
    pub barcode: &'a str,
    /// Its pool, as AWS spells it.
    pub pool: &'a str,
    /// Its status, with underscores.
    pub status: Cow<'a, str>,
    /// The ARN of its gateway.
    pub gateway: Option<&'a str>,
}

/// Returns the id of the resource of an operation: a gateway's ARN, or `ACCOUNT/REGION`.
pub(super) fn resource_of<O: Operation>(operation: &O) -> String {
    match operation.gateway() {
        Some(gateway) => gateway.to_string(),
        None => scope_id(operation.account(), operation.region()),
    }
}

impl AuthorizationRequest {
    /// Creates the request for an operation. Policies see `unset_pool` if a create names no pool.
    pub fn of<O: Operation>(caller: &Caller, operation: &O, unset_pool: &str) -> Self {
        let scope = scope_id(operation.account(), operation.region());
        let mut context = vec![address(caller.address)];
        if let Some(new) = operation.requested_tapes() {
            context.extend(create_context(&new, unset_pool));
        }
        let gateway = operation.gateway().map(|gateway| gateway.as_str().to_owned());
        let resource_attributes = match gateway {
            Some(_) => Vec::new(),
            None => scope_attributes(operation.account(), operation.region()),
        };
        let gateway = gateway.map(|gateway| (EntityType::Gateway, gateway));
        Self {
            subject: Subject {
                principal: caller.principal.clone(),
                action: O::NAME,
                resources: gateway.into_iter().chain([(EntityType::Scope, scope)]).collect(),
            },
            resource_attributes,
            context,
        }
    }

    /// Creates the request for reading a tape of an account and a region.
    pub fn of_tape(
        caller: &Caller,
        account: Option<&AccountId>,
        region: &Region,
        tape: &TapeView<'_>,
    ) -> Self {
        let scope = scope_id(account, region);
        Self::read_tape(caller.principal.clone(), caller.address, scope, tape)
    }

    pub(super) fn read_tape(
        principal: Arc<Principal>,
        address: IpAddr,
        scope: String,
        tape: &TapeView<'_>,
    ) -> Self {
        let TapeView {
            arn,
            barcode,
            pool,
            status,
            gateway,
        } = tape;
        let gateway = gateway.map(|gateway| (EntityType::Gateway, gateway.to_owned()));
        let resources = [(EntityType::Tape, (*arn).to_owned())].into_iter().chain(gateway);
        Self {
            subject: Subject {
                principal,
                action: READ_TAPE,
                resources: resources.chain([(EntityType::Scope, scope)]).collect(),
            },
            resource_attributes: vec![
                ("barcode", AttributeValue::text(barcode)),
                ("pool", AttributeValue::text(pool)),
                ("status", AttributeValue::text(status)),
            ],
            context: vec![self::address(address)],
        }
    }

    /// Returns the tags of the principal and the attributes of the resource and the context, with
    /// their values.
    pub fn attributes(&self) -> impl Iterator<Item = (String, String)> {
        let tags = self.subject.principal.tags().iter();
        let tags = tags.map(|(name, value)| (format!("principal.getTag({name:?})"), format!("{value:?}")));
        let named = |of: &'static str| {
            move |(name, value): &(&str, AttributeValue)| (format!("{of}.{name}"), value.to_string())
        };
        let resource = self.resource_attributes.iter().map(named("resource"));
        tags.chain(resource)
            .chain(self.context.iter().map(named("context")))
    }

    /// Returns the id of the resource.
    pub fn resource(&self) -> &str {
        self.subject.resources.first().map_or("", |(_, id)| id)
    }

    /// What does not follow from the subject: the attributes of the context that are used, and those of a tape.
    pub(super) fn variable(&self, is_used: impl Fn(&str) -> bool) -> AttributeValues {
        let used = self.context.iter().filter(|(name, _)| is_used(name));
        let of_tape = self
            .resource_attributes
            .iter()
            .filter(|_| self.subject.action == READ_TAPE);
        used.chain(of_tape).cloned().collect()
    }

    /// Converts to a request of Cedar and the entities that it refers to. `None` if Cedar rejects a
    /// value.
    pub(super) fn to_cedar(&self) -> Option<(Request, Entities)> {
        let context = Context::from_pairs(expressions(&self.context)).ok()?;
        let (uid, groups) = principal_uids(&self.subject.principal);
        let mut parents = self.subject.resource_uids().into_iter();
        let resource = parents.next()?;
        let request = Request::new(
            uid.clone(),
            EntityType::Action.uid(self.subject.action),
            resource.clone(),
            context,
            None,
        );
        let tag = |(name, value): (&String, &String)| {
            (name.clone(), RestrictedExpression::new_string(value.clone()))
        };
        let tags = self.subject.principal.tags().iter().map(tag);
        let principal = Entity::new_with_tags(uid, [], groups, tags);
        let attributes = expressions(&self.resource_attributes).collect();
        let resource = Entity::new(resource, attributes, parents.collect::<HashSet<_>>()).ok()?;
        let entities = Entities::from_entities([principal.ok()?, resource], None).ok()?;
        Some((request.ok()?, entities))
    }
}

fn expressions(
    attributes: &[(&'static str, AttributeValue)],
) -> impl Iterator<Item = (String, RestrictedExpression)> {
    attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.expression()))
}

fn scope_attributes(account: Option<&AccountId>, region: &Region) -> Vec<(&'static str, AttributeValue)> {
    let account = account.map(ToString::to_string).unwrap_or_default();
    vec![
        ("account", AttributeValue::Text(account)),
        ("region", AttributeValue::text(region.as_str())),
    ]
}

fn address(address: IpAddr) -> (&'static str, AttributeValue) {
    // A listener on IPv6 reports IPv4 callers as ::ffff:a.b.c.d, which IPv4 ranges do not match.
    ("address", AttributeValue::Address(address.to_canonical()))
}

fn create_context(new: &RequestedTapes<'_>, unset_pool: &str) -> [(&'static str, AttributeValue); 7] {
    const GIB: i64 = 1 << 30;
    let RequestedTapes { tape, count, barcode } = new;
    let encryption = &tape.encryption;
    let label = match barcode {
        RequestedBarcode::Exact(barcode) => ("barcode", AttributeValue::text(barcode.as_str())),
        RequestedBarcode::Prefix(prefix) => ("prefix", AttributeValue::text(prefix.as_str())),
    };
    [
        (
            "pool",
            AttributeValue::text(tape.pool.as_ref().map_or(unset_pool, |pool| pool.as_str())),
        ),
        ("size_gib", AttributeValue::Number(tape.size.bytes() / GIB)),
        ("tapes", AttributeValue::Number(i64::from(*count))),
        label,
        (
            "kms_encrypted",
            AttributeValue::Flag(encryption.kms_encrypted().unwrap_or(false)),
        ),
        (
            "kms_key",
            AttributeValue::text(encryption.kms_key().map_or("", |key| key.as_str())),
        ),
        ("worm", AttributeValue::Flag(tape.worm.unwrap_or(false))),
    ]
}
