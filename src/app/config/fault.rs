use std::fmt;

use super::Place;

/// One thing wrong with a configuration: where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where to put it right.
    pub place: Place,
    /// What is wrong, and what would be right. Never holds the value of a secret.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything wrong with a configuration: the file's faults first, from top to
/// bottom, then those of variables and flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes one more fault.
    pub(crate) fn push(&mut self, place: Place, message: impl Into<String>) {
        self.0.push(Fault {
            place,
            message: message.into(),
        });
    }

    /// Notes one more fault of the setting `key`. A variable or a flag is named after
    /// its setting; a spot in a file is not.
    pub(crate) fn push_about(&mut self, key: &str, place: Place, message: impl fmt::Display) {
        let message = match place {
            Place::Spot { .. } => format!("{key}: {message}"),
            _ => message.to_string(),
        };
        self.push(place, message);
    }

    /// `value`, if nothing was wrong on the way to it.
    pub(crate) fn or<T>(mut self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => {
                self.0.sort();
                Err(self)
            }
        }
    }

    /// Each fault, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| writeln!(f, "{fault}"))
    }
}

impl std::error::Error for Faults {}
