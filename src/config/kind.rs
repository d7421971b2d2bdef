//! The kinds of values that settings take.

use std::{
    collections::BTreeSet,
    fmt::{self, Display},
    marker::PhantomData,
    net::SocketAddr,
    ops::RangeInclusive,
    str::FromStr,
    time::Duration,
};

use http::Uri;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

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
}

/// The value of one word, or what is wrong with it.
fn word<W: Word>(kind: &W, text: &str) -> Result<W::Value, String> {
    let takes = Word::takes(kind);
    match kind.parse(text) {
        Some(value) => Ok(value),
        None if text.trim().is_empty() => Err(format!(
            "is empty; it takes {takes} (leave it out altogether for the default)"
        )),
        None if W::SECRET => Err(format!("the value (not shown) is wrong; it takes {takes}")),
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
                    wrong.push((place, "stands in the list twice".to_owned()))
                }
                Ok(value) => drop(set.insert(value)),
                Err(message) => wrong.push((place, message)),
            }
        }
        if wrong.is_empty() { Ok(set) } else { Err(wrong) }
    }
}

/// An address to listen on.
pub(crate) struct Address;

impl Word for Address {
    type Value = SocketAddr;

    fn name(&self) -> String {
        "ADDRESS".to_owned()
    }

    fn takes(&self) -> String {
        "an IP address and a port, such as 127.0.0.1:50051 or [::1]:50051 (port 0: any free one)".to_owned()
    }

    fn parse(&self, text: &str) -> Option<SocketAddr> {
        text.parse().ok()
    }
}

/// A whole number of some unit, in a range.
pub(crate) struct Integer<N> {
    /// The numbers that are right.
    pub range: RangeInclusive<N>,
    /// What is counted: `bytes`.
    pub unit: &'static str,
}

impl<N: FromStr + PartialOrd + Display> Word for Integer<N> {
    type Value = N;
    const TOML: Toml = Toml::Integer;

    fn name(&self) -> String {
        self.unit.to_uppercase()
    }

    fn takes(&self) -> String {
        let (min, max) = (self.range.start(), self.range.end());
        format!("a whole number of {} from {min} to {max}", self.unit)
    }

    fn parse(&self, text: &str) -> Option<N> {
        text.parse().ok().filter(|number| self.range.contains(number))
    }
}

/// A length of time, in a range.
pub(crate) struct Span(pub RangeInclusive<Duration>);

impl Word for Span {
    type Value = Duration;

    fn name(&self) -> String {
        "DURATION".to_owned()
    }

    fn takes(&self) -> String {
        let [min, max] = [self.0.start(), self.0.end()].map(|end| humantime::format_duration(*end));
        format!("a duration from {min} to {max}, such as 500ms, 30s or 1m 30s")
    }

    fn parse(&self, text: &str) -> Option<Duration> {
        humantime::parse_duration(text)
            .ok()
            .filter(|span| self.0.contains(span))
    }
}

/// Yes or no.
pub(crate) struct Switch;

impl Word for Switch {
    type Value = bool;
    const TOML: Toml = Toml::Boolean;

    fn name(&self) -> String {
        "BOOLEAN".to_owned()
    }

    fn takes(&self) -> String {
        "true or false".to_owned()
    }

    fn parse(&self, text: &str) -> Option<bool> {
        text.parse().ok()
    }
}

/// One of a few words.
pub(crate) struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy> Word for Choice<T> {
    type Value = T;

    fn name(&self) -> String {
        self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("|")
    }

    fn takes(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("{word:?}")).collect();
        words.join(" or ")
    }

    fn parse(&self, text: &str) -> Option<T> {
        self.0
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value)
    }
}

/// A name of AWS that the domain knows how to read.
pub(crate) struct Name<T> {
    name: &'static str,
    takes: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Name<T> {
    /// Names that read as a `T`; `takes` says which do, and `name` stands for one in a usage line.
    pub(crate) const fn new(name: &'static str, takes: &'static str) -> Self {
        Self {
            name,
            takes,
            value: PhantomData,
        }
    }
}

impl<T: FromStr<Err = Invalid>> Word for Name<T> {
    type Value = T;

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn takes(&self) -> String {
        self.takes.to_owned()
    }

    fn parse(&self, text: &str) -> Option<T> {
        text.parse().ok()
    }
}

/// The root of an HTTP server.
pub(crate) struct Endpoint;

impl Word for Endpoint {
    type Value = Uri;

    fn name(&self) -> String {
        "URL".to_owned()
    }

    fn takes(&self) -> String {
        "an http or https URL of a host and maybe a port, with no path, user or query, such as http://127.0.0.1:4588"
            .to_owned()
    }

    fn parse(&self, text: &str) -> Option<Uri> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let root = uri.path_and_query().is_none_or(|path| path == "/" || path == "");
        let plain = !authority.host().is_empty() && !authority.as_str().contains('@');
        // `Authority` takes any digits for a port, and `port_u16` hides those that are none.
        let port = authority.as_str().len() == authority.host().len()
            || authority.port_u16().is_some_and(|port| port != 0);
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        (scheme && root && plain && port && !text.contains('#')).then_some(uri)
    }
}

/// Which log lines are kept.
pub(crate) struct Filter;

impl Word for Filter {
    type Value = String;

    fn name(&self) -> String {
        "DIRECTIVES".to_owned()
    }

    fn takes(&self) -> String {
        "directives of tracing's EnvFilter, such as info or warn,tapegate=debug".to_owned()
    }

    fn parse(&self, text: &str) -> Option<String> {
        (!text.trim().is_empty() && EnvFilter::try_new(text).is_ok()).then(|| text.to_owned())
    }
}

/// The public half of a pair of AWS credentials.
pub(crate) struct AccessKeyId;

impl Word for AccessKeyId {
    type Value = String;

    fn name(&self) -> String {
        "ID".to_owned()
    }

    fn takes(&self) -> String {
        "an access key id of 1 to 128 letters, digits and underscores".to_owned()
    }

    fn parse(&self, text: &str) -> Option<String> {
        let right = |c: char| c.is_ascii_alphanumeric() || c == '_';
        ((1..=128).contains(&text.len()) && text.chars().all(right)).then(|| text.to_owned())
    }
}

/// The secret half of a pair of AWS credentials.
pub(crate) struct SecretKey;

impl Word for SecretKey {
    type Value = SecretString;
    const SECRET: bool = true;

    fn name(&self) -> String {
        "SECRET".to_owned()
    }

    fn takes(&self) -> String {
        "a secret of 1 to 1024 visible ASCII characters".to_owned()
    }

    fn parse(&self, text: &str) -> Option<SecretString> {
        ((1..=1024).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| text.into())
    }
}
