use std::str::FromStr;

use super::Invalid;

/// The token that makes CreateTapes idempotent: 5–100 characters, chosen by the caller (service
/// model).
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
        const HOW: &str =
            "use a UUID, store it before the first attempt, and send the same one with every retry";
        if text.is_empty() {
            return Err(Invalid::new(format!("required: {HOW}")));
        }
        match text.chars().count() {
            5..=100 => Ok(Self(text.to_owned())),
            length => Err(Invalid::new(format!(
                "a client token has 5–100 characters, but this one has {length}; {HOW}"
            ))),
        }
    }
}
