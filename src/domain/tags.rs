use std::sync::LazyLock;

use regex::Regex;

use super::Invalid;

/// The most tags in one request (service model).
pub const MAX_TAGS: usize = 50;

/// The service model's pattern of a tag key.
static KEY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z").expect("the pattern is a constant"));

/// The key of a [`Tag`]: 1–128 letters, digits, spaces and `_ . : / = + - @`, not
/// beginning with `aws:` (service model).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagKey(String);

/// The value of a [`Tag`]: at most 256 characters (service model).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagValue(String);

/// A label on a tape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// The key, unique on a tape.
    pub key: TagKey,
    /// The value.
    pub value: TagValue,
}

impl TagKey {
    /// A key with this text.
    ///
    /// # Errors
    ///
    /// If the text is not as the type's documentation says.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let shown = Invalid::quote(text);
        if text.starts_with("aws:") {
            return Err(Invalid::new(format!(
                "{shown} begins with aws:, which is reserved for AWS; use another key"
            )));
        }
        if !(1..=128).contains(&text.chars().count()) || !KEY.is_match(text) {
            return Err(Invalid::new(format!(
                "{shown} is not a tag key; use 1–128 letters, digits, spaces and _ . : / = + - @"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TagValue {
    /// A value with this text.
    ///
    /// # Errors
    ///
    /// If the text has more than 256 characters.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        match text.chars().count() {
            0..=256 => Ok(Self(text.to_owned())),
            length => Err(Invalid::new(format!(
                "a tag value has at most 256 characters, but this one has {length}"
            ))),
        }
    }

    /// The value's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
