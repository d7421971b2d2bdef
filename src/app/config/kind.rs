//! How values are read from what was given.

use std::{collections::BTreeSet, fmt};

use super::{
    Place,
    values::{Given, Raw},
};
use crate::domain::Invalid;

/// How the file spells a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toml {
    /// `"text"`
    String,
    /// `250`
    Integer,
    /// `true`
    Boolean,
    /// `["text", "text"]`
    Strings,
}

impl fmt::Display for Toml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a string in quotes",
            Self::Integer => "an integer without quotes",
            Self::Boolean => "a boolean without quotes",
            Self::Strings => "an array of strings",
        })
    }
}

/// A kind of value: what reads it from what was given.
pub(crate) trait Kind {
    /// What a right value is read as.
    type Value;
    /// How the file spells it.
    const TOML: Toml;
    /// Whether it is never shown.
    const SECRET: bool;

    /// What stands for a value in a usage line: `DURATION`.
    fn name(&self) -> String;

    /// Which values are right: `a duration from 1ms to 1h, such as 500ms or 30s`.
    fn takes(&self) -> String;

    /// The value, or everything wrong with it, each with its place.
    fn read<'g>(&self, given: &'g Given) -> Result<Self::Value, Vec<(&'g Place, String)>>;
}

/// A kind of value that one word spells: every kind but a list.
pub(crate) trait Word {
    /// What a right word is read as.
    type Value;
    /// How the file spells it.
    const TOML: Toml = Toml::String;
    /// Whether it is never shown.
    const SECRET: bool = false;

    /// What stands for a word in a usage line.
    fn name(&self) -> String;

    /// Which words are right.
    fn takes(&self) -> String;

    /// The value of `text`; `None` if it is not what [`takes`](Word::takes) says.
    fn parse(&self, text: &str) -> Option<Self::Value>;

    /// Whether a message about a wrong `text` may show it.
    fn may_show(&self, _text: &str) -> bool {
        !Self::SECRET
    }
}

/// The value of one word, or what is wrong with it.
fn word<W: Word>(kind: &W, text: &str) -> Result<W::Value, String> {
    let takes = Word::takes(kind);
    match kind.parse(text) {
        Some(value) => Ok(value),
        None if text.trim().is_empty() => Err(format!(
            "is empty; it takes {takes} (leave it out altogether for the default)"
        )),
        None if !kind.may_show(text) => Err(format!("the value (not shown) is wrong; it takes {takes}")),
        None => Err(format!("{} is wrong; it takes {takes}", Invalid::quote(text))),
    }
}

impl<W: Word> Kind for W {
    type Value = W::Value;
    const TOML: Toml = W::TOML;
    const SECRET: bool = W::SECRET;

    fn name(&self) -> String {
        Word::name(self)
    }

    fn takes(&self) -> String {
        Word::takes(self)
    }

    fn read<'g>(&self, given: &'g Given) -> Result<W::Value, Vec<(&'g Place, String)>> {
        match &given.raw {
            Raw::One(text) => word(self, text),
            Raw::Many(_) => Err(format!("is a list; it takes {}", Word::takes(self))),
            Raw::Wrong(message) => Err(message.clone()),
        }
        .map_err(|message| vec![(&given.place, message)])
    }
}

/// A list of words, none of them twice.
pub(crate) struct List<W>(pub(crate) W);

impl<W: Word<Value: Ord>> Kind for List<W> {
    type Value = BTreeSet<W::Value>;
    const TOML: Toml = Toml::Strings;
    const SECRET: bool = W::SECRET;

    fn name(&self) -> String {
        Word::name(&self.0)
    }

    fn takes(&self) -> String {
        format!("a list, each item {}", Word::takes(&self.0))
    }

    fn read<'g>(&self, given: &'g Given) -> Result<Self::Value, Vec<(&'g Place, String)>> {
        let items = match &given.raw {
            Raw::One(text) => vec![(&given.place, Some(text))],
            Raw::Many(items) => items.iter().map(|(place, text)| (place, text.as_ref())).collect(),
            Raw::Wrong(message) => return Err(vec![(&given.place, message.clone())]),
        };
        let (mut set, mut wrong) = (BTreeSet::new(), Vec::new());
        for (place, text) in items {
            let value = match text {
                Some(text) => word(&self.0, text),
                None => Err(format!(
                    "is not a string in quotes; it takes {}",
                    Word::takes(&self.0)
                )),
            };
            match value {
                Ok(value) if set.contains(&value) => {
                    wrong.push((place, "stands in the list twice".to_owned()));
                }
                Ok(value) => drop(set.insert(value)),
                Err(message) => wrong.push((place, message)),
            }
        }
        if wrong.is_empty() { Ok(set) } else { Err(wrong) }
    }
}
