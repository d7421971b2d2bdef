use std::{collections::BTreeMap, ffi::OsStr};

use super::Origin;

/// A value as it was given, and where. Has no `Debug`, because a URL may have a password.
pub struct Given {
    /// Where it was given.
    pub origin: Origin,
    /// What was given.
    pub raw: Raw,
}

/// A given value, not yet parsed.
pub enum Raw {
    /// A single value, spelled as in a flag.
    One(String),
    /// A list, each item with its origin; `None` is an item that is not a string.
    Many(Vec<(Origin, Option<String>)>),
    /// Something that cannot be a value of the setting, and why.
    Wrong(String),
}

impl Given {
    /// A single value.
    pub(crate) fn one(origin: Origin, text: impl Into<String>) -> Self {
        Self {
            origin,
            raw: Raw::One(text.into()),
        }
    }

    /// A single value of a flag or a variable, which may be any bytes.
    pub(crate) fn external(origin: Origin, value: &OsStr) -> Self {
        let raw = value.to_str().map_or_else(
            || Raw::Wrong("is not UTF-8".to_owned()),
            |text| Raw::One(text.to_owned()),
        );
        Self { origin, raw }
    }
}

/// The values that one source gives, by key.
pub(crate) type Layer = BTreeMap<&'static str, Given>;

/// One table of an array of tables.
pub(crate) struct Row {
    /// Where it begins.
    pub origin: Origin,
    /// Its values.
    pub values: Layer,
}

/// The rows of every [`Table`], in the order of the file, by the table's key.
pub(crate) type Rows = BTreeMap<&'static str, Vec<Row>>;
