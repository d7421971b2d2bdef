use std::sync::LazyLock;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema};

use crate::domain::{AccountId, Region};

/// The text of the Cedar schema that policies are validated against.
pub const SCHEMA: &str = include_str!("../../../deploy/policies/tapegate.cedarschema");

/// The parsed schema.
pub(super) static PARSED_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).expect("the tests parse the schema");
    schema
});

/// The action that is authorized for each tape of a list.
pub(super) const READ_TAPE: &str = "ReadTape";

/// The entity types of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum EntityType {
    Agent,
    Group,
    Scope,
    Gateway,
    Tape,
    Action,
}

impl EntityType {
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

/// Returns the id of the `Scope` of an account and a region.
pub(super) fn scope_id(account: Option<&AccountId>, region: &Region) -> String {
    let account = account.map(ToString::to_string).unwrap_or_default();
    format!("{account}/{region}")
}
