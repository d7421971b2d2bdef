//! The shapes of the five operations in AWS's service model.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{LazyLock, Mutex},
};

use regex::Regex;
use serde_json::Value;

static MODEL: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("fixtures/service_model.json")).unwrap());

/// What the model says of one member.
pub struct Member {
    /// The least length of a text, or the least number.
    pub min: Option<i64>,
    /// The greatest length of a text, or the greatest number.
    pub max: Option<i64>,
    pattern: Option<Regex>,
}

/// A member of an operation's input, by its path: `Tags.Key` is in the list's elements.
pub fn member(operation: &str, path: &str) -> Member {
    let mut shape: &'static Value = &MODEL["operations"][operation]["input"];
    for name in path.split('.') {
        shape = &shape["members"][name];
        if shape["type"] == "list" {
            shape = &shape["member"];
        }
    }
    assert!(shape.is_object(), "{operation} has no {path}");
    Member {
        min: shape["min"].as_i64(),
        max: shape["max"].as_i64(),
        // Smithy's patterns are anchored only where they say so, and so are these.
        pattern: shape["pattern"].as_str().map(compiled),
    }
}

/// A pattern's regex, made once: properties ask for it thousands of times.
fn compiled(pattern: &'static str) -> Regex {
    static COMPILED: LazyLock<Mutex<HashMap<&str, Regex>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap();
    let regex = compiled
        .entry(pattern)
        .or_insert_with(|| Regex::new(pattern).unwrap());
    regex.clone()
}

/// The members of an operation's input, and whether each is required.
pub fn members(operation: &str) -> BTreeMap<&'static str, bool> {
    let members = MODEL["operations"][operation]["input"]["members"]
        .as_object()
        .unwrap();
    members
        .iter()
        .map(|(name, shape)| (name.as_str(), shape["required"] == true))
        .collect()
}

/// The members of an operation's answer.
pub fn answer(operation: &str) -> BTreeSet<&'static str> {
    names(&MODEL["operations"][operation]["output"])
}

/// The members of the rows in an operation's answer, which are in its list `rows`.
pub fn row(operation: &str, rows: &str) -> BTreeSet<&'static str> {
    names(&MODEL["operations"][operation]["output"]["members"][rows]["member"])
}

fn names(shape: &'static Value) -> BTreeSet<&'static str> {
    shape["members"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// The nested error codes.
pub fn error_codes() -> Vec<&'static str> {
    let exception = &MODEL["errors"]["InvalidGatewayRequestException"]["members"];
    let codes = exception["error"]["members"]["errorCode"]["enum"]
        .as_array()
        .unwrap();
    codes.iter().map(|code| code.as_str().unwrap()).collect()
}

/// All operations of the model.
pub fn operations() -> BTreeSet<&'static str> {
    let operations = MODEL["operations"].as_object().unwrap();
    operations.keys().map(String::as_str).collect()
}

impl Member {
    /// Whether the model lets a text pass. Lengths are of characters, by Smithy.
    pub fn accepts(&self, text: &str) -> bool {
        let length = i64::try_from(text.chars().count()).unwrap();
        self.accepts_number(length) && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
    }

    /// Whether the model lets a number pass.
    pub fn accepts_number(&self, number: i64) -> bool {
        self.min.is_none_or(|min| min <= number) && self.max.is_none_or(|max| number <= max)
    }

    /// Lengths just within and just without.
    pub fn edges(&self) -> Vec<usize> {
        let edges = [self.min, self.max].into_iter().flatten();
        edges
            .flat_map(|edge| [edge - 1, edge, edge + 1])
            .map(|edge| usize::try_from(edge).unwrap())
            .collect()
    }
}
