use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::error::Error;
use crate::protocol::StsOperation;

const VERSION: &str = "2011-06-15";

/// The members that are numbers: a form has only texts.
const NUMBERS: [&str; 1] = ["DurationSeconds"];

/// What stands between the name of a list and the number of its item.
const MEMBER: &str = "member";

/// The fields of a request, by name.
pub(super) struct Form(BTreeMap<String, String>);

/// A member that is being read: a text, or what is below it.
enum Node {
    Text(String),
    Below(BTreeMap<String, Node>),
}

impl Form {
    pub(super) fn read(body: &[u8]) -> Result<Self, Error> {
        let mut fields = BTreeMap::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut parts = pair.splitn(2, |byte| *byte == b'=').map(decoded);
            let (name, value) = (parts.next(), parts.next().unwrap_or(Some(String::new())));
            let Some((name, value)) = name.flatten().zip(value) else {
                return Err(malformed("The body is not a URL-encoded form in UTF-8."));
            };
            if fields.contains_key(&name) {
                return Err(malformed(&format!("{name} appears twice.")));
            }
            fields.insert(name, value);
        }
        Ok(Self(fields))
    }

    /// The operation, and its members with their lists.
    pub(super) fn operation(mut self) -> Result<(StsOperation, Map<String, Value>), Error> {
        let mut take = |name| self.0.remove(name).unwrap_or_default();
        let (action, version) = (take("Action"), take("Version"));
        if action.is_empty() {
            let message = "The request must contain the parameter Action.";
            return Err(Error::new(StatusCode::BAD_REQUEST, "MissingAction", message));
        }
        let known = StsOperation::from_name(&action).filter(|_| version == VERSION);
        let operation = known.ok_or_else(|| {
            let message = format!("Could not find operation {action} for version {version}");
            Error::new(StatusCode::BAD_REQUEST, "InvalidAction", message)
        })?;
        let mut members = BTreeMap::new();
        for (name, value) in self.0 {
            let parts: Vec<&str> = name.split('.').collect();
            if !put(&mut members, &parts, value) {
                return Err(malformed(&format!("{name} is both a value and a structure.")));
            }
        }
        let mut members = object(members);
        for name in NUMBERS {
            if let Some(value) = members.get_mut(name)
                && let Some(number) = value.as_str().and_then(|text| text.parse::<i64>().ok())
            {
                *value = number.into();
            }
        }
        Ok((operation, members))
    }
}

/// A name or a value of a form: `+` is a space, `%` begins two hexadecimal digits. `None` if it is
/// malformed.
fn decoded(text: &[u8]) -> Option<String> {
    let mut bytes = text.iter();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [*bytes.next()?, *bytes.next()?].map(|digit| char::from(digit).to_digit(16));
                u8::try_from(digits[0]? * 16 + digits[1]?).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn malformed(message: &str) -> Error {
    Error::new(StatusCode::BAD_REQUEST, "MalformedQueryString", message)
}

/// Puts a text at a path; false if the path leads through a text, or ends at a structure.
fn put(members: &mut BTreeMap<String, Node>, path: &[&str], text: String) -> bool {
    match path {
        [] => false,
        [last] => {
            let last = (*last).to_owned();
            members.insert(last, Node::Text(text)).is_none()
        }
        [first, rest @ ..] => {
            let below = members
                .entry((*first).to_owned())
                .or_insert_with(|| Node::Below(BTreeMap::new()));
            match below {
                Node::Text(_) => false,
                Node::Below(members) => put(members, rest, text),
            }
        }
    }
}

fn object(members: BTreeMap<String, Node>) -> Map<String, Value> {
    let members = members.into_iter();
    members.map(|(name, node)| (name, value(node))).collect()
}

/// A text, a structure, or the list that a structure with the one member `member` is.
fn value(node: Node) -> Value {
    let mut below = match node {
        Node::Text(text) => return text.into(),
        Node::Below(below) => below,
    };
    match below.remove(MEMBER) {
        Some(Node::Below(items)) if below.is_empty() => {
            let mut numbered: Vec<(u64, Node)> = items
                .into_iter()
                .filter_map(|(number, item)| Some((number.parse().ok()?, item)))
                .collect();
            numbered.sort_by_key(|(number, _)| *number);
            numbered.into_iter().map(|(_, item)| value(item)).collect()
        }
        Some(other) => {
            below.insert(MEMBER.to_owned(), other);
            object(below).into()
        }
        None => object(below).into(),
    }
}
