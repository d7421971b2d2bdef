use std::{fmt, str::FromStr};

use super::Invalid;

/// An AWS region, such as `us-east-1`: 1–64 lower-case letters, digits and hyphens, as in the
/// service model's pattern of a tape's ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    /// The name as AWS spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=64).contains(&text.len()) && text.chars().all(letters) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(format!(
                "{} is not an AWS region; use lower-case letters, digits and hyphens, such as us-east-1",
                Invalid::quote(text)
            )))
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
