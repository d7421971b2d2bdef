//! Parsers of values that only the emulator's settings have.

use secrecy::SecretString;

use crate::app::settings::{
    parsers::Parsed,
    setting_type::{TomlType, ValueParser},
};

/// One of a few whole numbers.
pub(crate) struct NumberChoice<T: 'static> {
    /// The placeholder in a usage line.
    pub name: &'static str,
    /// The valid numbers.
    pub choices: &'static [(u16, T)],
}

impl<T: Copy> ValueParser for NumberChoice<T> {
    type Value = T;
    const TOML: TomlType = TomlType::Integer;

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn expected(&self) -> String {
        let numbers: Vec<_> = self
            .choices
            .iter()
            .map(|(number, _)| number.to_string())
            .collect();
        numbers.join(" or ")
    }

    fn parse(&self, text: &str) -> Option<T> {
        let number: u16 = text.parse().ok()?;
        let found = self.choices.iter().find(|(choice, _)| *choice == number);
        found.map(|(_, value)| *value)
    }
}

/// The seed of a random number generator.
pub(crate) struct Seed;

impl ValueParser for Seed {
    type Value = u32;
    const TOML: TomlType = TomlType::Integer;

    fn name(&self) -> String {
        "SEED".to_owned()
    }

    fn expected(&self) -> String {
        format!("a whole number from 0 to {}", u32::MAX)
    }

    fn parse(&self, text: &str) -> Option<u32> {
        text.parse().ok()
    }
}

/// The public half of a pair of AWS credentials.
pub(crate) const ACCESS_KEY_ID: Parsed<String> = Parsed::new(
    "ID",
    "an access key id of 1 to 128 letters, digits and underscores",
    |text| {
        let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        ((1..=128).contains(&text.len()) && text.chars().all(is_valid)).then(|| text.to_owned())
    },
);

/// A secret of visible ASCII characters.
pub(crate) struct Secret {
    name: &'static str,
    expected: &'static str,
    max: usize,
}

/// The secret half of a pair of AWS credentials.
pub(crate) const SECRET_KEY: Secret = Secret {
    name: "SECRET",
    expected: "a secret of 1 to 1024 visible ASCII characters",
    max: 1024,
};

/// The session token of temporary AWS credentials.
pub(crate) const SESSION_TOKEN: Secret = Secret {
    name: "TOKEN",
    expected: "a token of 1 to 16384 visible ASCII characters",
    max: 16_384,
};

impl ValueParser for Secret {
    type Value = SecretString;

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn expected(&self) -> String {
        self.expected.to_owned()
    }

    fn parse(&self, text: &str) -> Option<SecretString> {
        ((1..=self.max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| text.into())
    }

    fn is_secret(&self) -> bool {
        true
    }
}
