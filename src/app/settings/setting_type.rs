use std::{collections::BTreeSet, fmt};

use super::{
    Origin,
    given::{Given, Raw},
};
use crate::domain::Invalid;

/// The TOML type of a value in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TomlType {
    /// `"text"`
    String,
    /// `250`
    Integer,
    /// `true`
    Boolean,
    /// `["text", "text"]`
    Strings,
}

impl fmt::Display for TomlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a string in quotes",
            Self::Integer => "an integer without quotes",
            Self::Boolean => "a boolean without quotes",
            Self::Strings => "an array of strings",
        })
    }
}

/// The type of a setting: a single value or a list of them.
pub(crate) trait SettingType {
    /// What a valid value is parsed to.
    type Value;
    /// The TOML type of a value in the file.
    const TOML: TomlType;

    /// The placeholder for a value in a usage line: `DURATION`.
    fn name(&self) -> String;

    /// Which values are valid: `a duration from 1ms to 1h, such as 500ms or 30s`.
    fn expected(&self) -> String;

    /// The value, or everything wrong with it, each fault with its origin.
    fn read<'g>(&self, given: &'g Given) -> Result<Self::Value, Vec<(&'g Origin, String)>>;
}

/// Parses a single value: every [`SettingType`] but [`List`].
pub(crate) trait ValueParser {
    /// What a valid text is parsed to.
    type Value;
    /// The TOML type of a value in the file.
    const TOML: TomlType = TomlType::String;

    /// The placeholder for a value in a usage line.
    fn name(&self) -> String;

    /// Which texts are valid.
    fn expected(&self) -> String;

    /// The value of `text`; `None` if it is not [`expected`](ValueParser::expected).
    fn parse(&self, text: &str) -> Option<Self::Value>;

    /// Whether a message about an invalid `text` may show it.
    fn may_show(&self, _text: &str) -> bool {
        true
    }
}

/// The value of `text`, or what is wrong with it.
fn parse<P: ValueParser>(parser: &P, text: &str) -> Result<P::Value, String> {
    let expected = parser.expected();
    match parser.parse(text) {
        Some(value) => Ok(value),
        None if text.trim().is_empty() => Err(format!(
            "the value is empty; expected {expected} (for the default, leave the setting out)"
        )),
        None if !parser.may_show(text) => Err(format!("invalid value (not shown); expected {expected}")),
        None => Err(format!(
            "invalid value {}; expected {expected}",
            Invalid::quote(text)
        )),
    }
}

impl<P: ValueParser> SettingType for P {
    type Value = P::Value;
    const TOML: TomlType = P::TOML;

    fn name(&self) -> String {
        ValueParser::name(self)
    }

    fn expected(&self) -> String {
        ValueParser::expected(self)
    }

    fn read<'g>(&self, given: &'g Given) -> Result<P::Value, Vec<(&'g Origin, String)>> {
        match &given.raw {
            Raw::One(text) => parse(self, text),
            Raw::Many(_) => Err(format!("is a list; expected {}", ValueParser::expected(self))),
            Raw::Wrong(message) => Err(message.clone()),
        }
        .map_err(|message| vec![(&given.origin, message)])
    }
}

/// A list of values without duplicates.
pub(crate) struct List<P>(pub(crate) P);

impl<P: ValueParser<Value: Ord>> SettingType for List<P> {
    type Value = BTreeSet<P::Value>;
    const TOML: TomlType = TomlType::Strings;

    fn name(&self) -> String {
        ValueParser::name(&self.0)
    }

    fn expected(&self) -> String {
        format!("a list, each item {}", ValueParser::expected(&self.0))
    }

    fn read<'g>(&self, given: &'g Given) -> Result<Self::Value, Vec<(&'g Origin, String)>> {
        let (items, faults) = self.items(given);
        if faults.is_empty() { Ok(items) } else { Err(faults) }
    }
}

impl<P: ValueParser<Value: Ord>> List<P> {
    /// The valid items, and everything wrong with the others, each fault with its origin.
    pub(super) fn items<'g>(&self, given: &'g Given) -> (BTreeSet<P::Value>, Vec<(&'g Origin, String)>) {
        let items = match &given.raw {
            Raw::One(text) => vec![(&given.origin, Some(text))],
            Raw::Many(items) => items
                .iter()
                .map(|(origin, text)| (origin, text.as_ref()))
                .collect(),
            Raw::Wrong(message) => return (BTreeSet::new(), vec![(&given.origin, message.clone())]),
        };
        let (mut set, mut faults) = (BTreeSet::new(), Vec::new());
        for (origin, text) in items {
            let value = match text {
                Some(text) => parse(&self.0, text),
                None => Err(format!(
                    "this item is not a string in quotes; expected {}",
                    ValueParser::expected(&self.0)
                )),
            };
            match value {
                Ok(value) if set.contains(&value) => {
                    faults.push((origin, "this item is in the list twice; remove it".to_owned()));
                }
                Ok(value) => drop(set.insert(value)),
                Err(message) => faults.push((origin, message)),
            }
        }
        (set, faults)
    }
}
