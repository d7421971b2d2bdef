use std::str::FromStr;

use super::Invalid;

/// What makes a CreateTapes safe to repeat: 5–100 characters of the caller's choice
/// (service model).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientToken(String);

impl ClientToken {
    /// The token as the caller sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const HOW: &str = "a UUID made and stored before the first attempt, and sent again with every repeat, \
                           makes no tape twice";
        if text.is_empty() {
            return Err(Invalid::new(format!("required: {HOW}")));
        }
        match text.chars().count() {
            5..=100 => Ok(Self(text.to_owned())),
            length => Err(Invalid::new(format!(
                "a token has 5–100 characters, this has {length}: {HOW}"
            ))),
        }
    }
}
