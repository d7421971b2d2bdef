//! What policies are asked, in their own words.

use std::{collections::HashSet, fmt, net::IpAddr, sync::LazyLock};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};

use super::rows::TapeView;
use crate::{
    call::Caller,
    domain::{AccountId, GatewayArn, Operation, Principal, Region, RequestedBarcode, RequestedTapes},
};

/// Whether a principal may do something with a resource.
#[derive(Clone, Debug)]
pub struct Question {
    pub(super) agent: Agent,
    pub(super) action: &'static str,
    /// The resource first, then what it is in.
    pub(super) resources: Vec<EntityUid>,
    resource_attributes: Vec<(&'static str, Value)>,
    context: Vec<(&'static str, Value)>,
}

/// What policies see of something.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    Address(IpAddr),
}

impl Value {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// The same for Cedar.
    fn expression(&self) -> RestrictedExpression {
        match self {
            Self::Text(text) => RestrictedExpression::new_string(text.clone()),
            Self::Number(number) => RestrictedExpression::new_long(*number),
            Self::Flag(flag) => RestrictedExpression::new_bool(*flag),
            Self::Address(address) => RestrictedExpression::new_ip(address.to_string()),
        }
    }
}

/// As a policy spells it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Address(address) => write!(f, "ip(\"{address}\")"),
        }
    }
}

/// The principal as policies see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Agent {
    pub(super) uid: EntityUid,
    pub(super) groups: Vec<EntityUid>,
}

/// The types of the schema.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    Agent,
    Group,
    Scope,
    Gateway,
    Tape,
    Action,
}

impl Type {
    pub(super) fn name(self) -> &'static EntityTypeName {
        static NAMES: LazyLock<[EntityTypeName; 6]> = LazyLock::new(|| {
            ["Agent", "Group", "Scope", "Gateway", "Tape", "Action"].map(|name| {
                format!("TapeGate::{name}")
                    .parse()
                    .expect("these are names of the schema")
            })
        });
        &NAMES[self as usize]
    }

    pub(super) fn uid(self, id: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.name().clone(), EntityId::new(id))
    }
}

impl Agent {
    pub(super) fn of(principal: &Principal) -> Self {
        Self {
            uid: Type::Agent.uid(principal.name()),
            groups: principal
                .groups()
                .iter()
                .map(|group| Type::Group.uid(group))
                .collect(),
        }
    }
}

/// The id of the scope of an account and region.
pub(super) fn scope_id(account: Option<&AccountId>, region: &Region) -> String {
    let account = account.map(ToString::to_string).unwrap_or_default();
    format!("{account}/{region}")
}

impl Question {
    /// Whether a caller may have this operation; where a create names no pool, policies see
    /// `unset_pool`.
    pub fn of<O: Operation>(caller: &Caller, operation: &O, unset_pool: &str) -> Self {
        let scope = Type::Scope.uid(&scope_id(operation.account(), operation.region()));
        let mut context = vec![address(caller.address)];
        if let Some(new) = operation.requested_tapes() {
            context.extend(creation(&new, unset_pool));
        }
        let gateway = operation
            .gateway()
            .map(|gateway| Type::Gateway.uid(GatewayArn::as_str(gateway)));
        let resource_attributes = match gateway {
            Some(_) => Vec::new(),
            None => scope_attributes(operation.account(), operation.region()),
        };
        Self {
            agent: Agent::of(&caller.principal),
            action: O::NAME,
            resources: gateway.into_iter().chain([scope]).collect(),
            resource_attributes,
            context,
        }
    }

    /// Whether a caller may read this tape of an account and region.
    pub fn of_tape(
        caller: &Caller,
        account: Option<&AccountId>,
        region: &Region,
        tape: &TapeView<'_>,
    ) -> Self {
        let scope = Type::Scope.uid(&scope_id(account, region));
        Self::read_tape(Agent::of(&caller.principal), caller.address, scope, tape)
    }

    pub(super) fn read_tape(agent: Agent, address: IpAddr, scope: EntityUid, tape: &TapeView<'_>) -> Self {
        let TapeView {
            arn,
            barcode,
            pool,
            status,
            gateway,
        } = tape;
        let gateway = gateway.map(|gateway| Type::Gateway.uid(gateway));
        Self {
            agent,
            action: READ_TAPE,
            resources: [Type::Tape.uid(arn)]
                .into_iter()
                .chain(gateway)
                .chain([scope])
                .collect(),
            resource_attributes: vec![
                ("barcode", Value::text(barcode)),
                ("pool", Value::text(pool)),
                ("status", Value::text(status)),
            ],
            context: vec![self::address(address)],
        }
    }

    /// What policies see of it beside who, what and where: attributes with their values.
    pub fn attributes(&self) -> impl Iterator<Item = (String, String)> {
        let named = |of: &'static str| {
            move |(name, value): &(&str, Value)| (format!("{of}.{name}"), value.to_string())
        };
        let resource = self.resource_attributes.iter().map(named("resource"));
        resource.chain(self.context.iter().map(named("context")))
    }

    /// The id of the resource.
    pub fn resource(&self) -> &str {
        self.resources
            .first()
            .map_or("", |resource| resource.id().as_ref())
    }

    /// The question as Cedar takes it: the request, and the entities that it speaks of.
    pub(super) fn ask(&self) -> Option<(Request, Entities)> {
        let context = Context::from_pairs(expressions(&self.context)).ok()?;
        let (resource, parents) = self.resources.split_first()?;
        let request = Request::new(
            self.agent.uid.clone(),
            Type::Action.uid(self.action),
            resource.clone(),
            context,
            None,
        );
        let agent = Entity::new_no_attrs(
            self.agent.uid.clone(),
            self.agent.groups.iter().cloned().collect(),
        );
        let parents: HashSet<_> = parents.iter().cloned().collect();
        let attributes = expressions(&self.resource_attributes).collect();
        let resource = Entity::new(resource.clone(), attributes, parents).ok()?;
        let entities = Entities::from_entities([agent, resource], None).ok()?;
        Some((request.ok()?, entities))
    }
}

/// The action that is asked of each tape of a list.
pub(super) const READ_TAPE: &str = "ReadTape";

fn expressions(attributes: &[(&'static str, Value)]) -> impl Iterator<Item = (String, RestrictedExpression)> {
    attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.expression()))
}

fn scope_attributes(account: Option<&AccountId>, region: &Region) -> Vec<(&'static str, Value)> {
    let account = account.map(ToString::to_string).unwrap_or_default();
    vec![
        ("account", Value::Text(account)),
        ("region", Value::text(region.as_str())),
    ]
}

fn address(address: IpAddr) -> (&'static str, Value) {
    // A listener on IPv6 shows IPv4 callers in a form that no rule for IPv4 matches.
    ("address", Value::Address(address.to_canonical()))
}

fn creation(new: &RequestedTapes<'_>, unset_pool: &str) -> [(&'static str, Value); 7] {
    const GIB: i64 = 1 << 30;
    let RequestedTapes { tape, count, barcode } = new;
    let encryption = &tape.encryption;
    let barcode = match barcode {
        RequestedBarcode::Exact(barcode) => ("barcode", Value::text(barcode.as_str())),
        RequestedBarcode::Prefix(prefix) => ("prefix", Value::text(prefix.as_str())),
    };
    [
        (
            "pool",
            Value::text(tape.pool.as_ref().map_or(unset_pool, |pool| pool.as_str())),
        ),
        ("size_gib", Value::Number(tape.size.bytes() / GIB)),
        ("tapes", Value::Number(i64::from(*count))),
        barcode,
        (
            "kms_encrypted",
            Value::Flag(encryption.kms_encrypted().unwrap_or(false)),
        ),
        (
            "kms_key",
            Value::text(encryption.kms_key().map_or("", |key| key.as_str())),
        ),
        ("worm", Value::Flag(tape.worm.unwrap_or(false))),
    ]
}
