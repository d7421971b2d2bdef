//! Parses the file of static tokens, and finds all its faults.

use std::collections::HashSet;

use jiff::Timestamp;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{StaticToken, digest::TokenDigest, is_id};
use crate::domain::{Principal, Proof};

/// What the file says of a token. It has no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedToken {
    /// The public part of the token.
    pub id: String,
    /// The principal's name.
    pub name: String,
    /// The groups of the principal.
    pub groups: Vec<String>,
    /// When the token was created, if the file says so.
    pub created: Option<Timestamp>,
    /// When the token expires.
    pub expires: Timestamp,
}

/// The fields of a `[[token]]`.
const FIELDS: [&str; 6] = ["id", "name", "groups", "created", "expires", "sha256"];

const TIME: &str = "a time in quotes, such as \"2027-01-31T12:00:00Z\"";

/// How many syntax errors are reported: a file with more is most likely not TOML at all.
const MAX_SYNTAX_ERRORS: usize = 20;

/// Faults, each with its line.
type Faulty = Vec<(usize, String)>;

/// Returns the tokens of a file's text, in its order.
///
/// # Errors
///
/// All faults, each with its line.
pub(super) fn parse(text: &str) -> Result<Vec<(ListedToken, StaticToken)>, Faulty> {
    let mut faults = Faults::of(text);
    let mut tokens = Vec::new();
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
        let at = error.span().map_or(text.len(), |span| span.start);
        faults.add(at, error.message().trim_end());
    }
    if errors.is_empty() {
        for (name, value) in document.get_ref() {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("token", DeValue::Array(tables)) => {
                    tokens.extend(tables.iter().filter_map(|table| faults.token(table)));
                }
                ("token", _) => faults.add(value.span().start, "expected tables [[token]]"),
                (unknown, _) => {
                    let what = format!("unknown field `{unknown}`; expected tables [[token]]");
                    faults.add(name.span().start, what);
                }
            }
        }
    }
    match faults.found.is_empty() {
        true => Ok(tokens),
        false => Err(faults.found),
    }
}

/// The faults of a file.
struct Faults {
    /// Counted once, because each of many tokens can have a fault.
    line_ends: Vec<usize>,
    found: Faulty,
    ids: HashSet<String>,
}

impl Faults {
    fn of(text: &str) -> Self {
        Self {
            line_ends: text.match_indices('\n').map(|(at, _)| at).collect(),
            found: Vec::new(),
            ids: HashSet::new(),
        }
    }

    fn add(&mut self, offset: usize, what: impl Into<String>) {
        let line = self.line_ends.partition_point(|end| *end < offset) + 1;
        self.found.push((line, what.into()));
    }

    /// The token of a table, unless it has faults.
    fn token(&mut self, value: &Spanned<DeValue<'_>>) -> Option<(ListedToken, StaticToken)> {
        let start = value.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            self.add(start, "expected a table [[token]]");
            return None;
        };
        let unknown = table
            .keys()
            .filter(|name| !FIELDS.contains(&name.get_ref().as_ref()));
        for name in unknown {
            let what = format!(
                "unknown field `{}`; expected {}",
                name.get_ref(),
                FIELDS.join(", ")
            );
            self.add(name.span().start, what);
        }
        let id = self.required(start, table, "id", "text", text);
        let name = self.required(start, table, "name", "text", text);
        let groups = self.optional(table, "groups", "a list of texts", texts);
        let created = self.optional(table, "created", TIME, time);
        let expires = self.required(start, table, "expires", TIME, time);
        let digest = self.required(start, table, "sha256", "64 hexadecimal digits", |value| {
            TokenDigest::from_hex(&text(value)?)
        });
        if let Some(id) = &id {
            if !is_id(id) {
                self.add(start, "id must be 16 lower-case hexadecimal digits");
            } else if !self.ids.insert(id.clone()) {
                self.add(
                    start,
                    format!("another token has the id {id}; ids must be unique"),
                );
            }
        }
        // A missing name and missing groups are faults already, and hide none of the others.
        let proof = Proof::Token {
            id: id.clone().unwrap_or_default(),
        };
        let principal = Principal::new(
            name.clone().unwrap_or_else(|| "unnamed".to_owned()),
            groups.clone().flatten().unwrap_or_default(),
            proof,
        );
        if principal.is_none() {
            self.add(
                start,
                "name and groups must have 1 to 2048 bytes each without control characters, and there may be at most \
                 1000 groups",
            );
        }
        let expires = expires?;
        let listed = ListedToken {
            id: id?,
            name: name?,
            groups: groups?.unwrap_or_default(),
            created: created?,
            expires,
        };
        let token = StaticToken {
            principal: principal?,
            expires,
            digest: digest?,
        };
        Some((listed, token))
    }

    fn required<T>(
        &mut self,
        start: usize,
        table: &DeTable<'_>,
        name: &str,
        expected: &str,
        read: impl FnOnce(&DeValue<'_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.optional(table, name, expected, read)?;
        if value.is_none() {
            self.add(start, format!("{name} is missing; expected {expected}"));
        }
        value
    }

    /// `Some(None)` if the field is not there, `None` if it is invalid.
    fn optional<T>(
        &mut self,
        table: &DeTable<'_>,
        name: &str,
        expected: &str,
        read: impl FnOnce(&DeValue<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        let Some(value) = table.get(name) else {
            return Some(None);
        };
        let read = read(value.get_ref());
        if read.is_none() {
            self.add(value.span().start, format!("{name} must be {expected}"));
        }
        read.map(Some)
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| text(value.get_ref())).collect(),
        _ => None,
    }
}

fn time(value: &DeValue<'_>) -> Option<Timestamp> {
    text(value)?.parse().ok()
}
