//! The kinds of values that one word spells.

use std::{
    fmt::Display,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use http::Uri;
use ipnet::IpNet;

use super::{
    Directives,
    kind::{Toml, Word},
};
use crate::{
    access::identity::{
        certificate::NamePattern,
        jwt::{ClaimPath, JwksLocation},
    },
    domain::{Invalid, MAX_NAME},
};

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
        "an http or https URL of a host and maybe a port, with no path, user or query, \
         such as http://127.0.0.1:4588"
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

    fn may_show(&self, text: &str) -> bool {
        // A user comes with a password.
        !text.contains('@')
    }
}

/// Which log lines are kept.
pub(crate) struct Filter;

impl Word for Filter {
    type Value = Directives;

    fn name(&self) -> String {
        "DIRECTIVES".to_owned()
    }

    fn takes(&self) -> String {
        Directives::TAKES.to_owned()
    }

    fn parse(&self, text: &str) -> Option<Directives> {
        Directives::parse(text)
    }
}

/// The path of a file.
pub(crate) struct File;

impl Word for File {
    type Value = PathBuf;

    fn name(&self) -> String {
        "FILE".to_owned()
    }

    fn takes(&self) -> String {
        "the path of a file".to_owned()
    }

    fn parse(&self, text: &str) -> Option<PathBuf> {
        (!text.is_empty()).then(|| text.into())
    }
}

/// The path of a folder.
pub(crate) struct Folder;

impl Word for Folder {
    type Value = PathBuf;

    fn name(&self) -> String {
        "FOLDER".to_owned()
    }

    fn takes(&self) -> String {
        "the path of a folder".to_owned()
    }

    fn parse(&self, text: &str) -> Option<PathBuf> {
        (!text.is_empty()).then(|| text.into())
    }
}

/// A text of its own.
pub(crate) struct Text {
    /// What it is.
    pub what: &'static str,
}

impl Word for Text {
    type Value = String;

    fn name(&self) -> String {
        "TEXT".to_owned()
    }

    fn takes(&self) -> String {
        format!("{}: 1 to {MAX_NAME} bytes without control characters", self.what)
    }

    fn parse(&self, text: &str) -> Option<String> {
        let right = (1..=MAX_NAME).contains(&text.len()) && !text.contains(char::is_control);
        right.then(|| text.to_owned())
    }
}

/// Names, some of whose characters may be any.
pub(crate) struct Pattern;

impl Word for Pattern {
    type Value = NamePattern;

    fn name(&self) -> String {
        "PATTERN".to_owned()
    }

    fn takes(&self) -> String {
        "a name in which * stands for any run of characters, such as spiffe://example.org/agents/*".to_owned()
    }

    fn parse(&self, text: &str) -> Option<NamePattern> {
        (text.len() <= MAX_NAME).then(|| NamePattern::new(text)).flatten()
    }
}

/// A claim of a token.
pub(crate) struct ClaimName;

impl Word for ClaimName {
    type Value = ClaimPath;

    fn name(&self) -> String {
        "CLAIM".to_owned()
    }

    fn takes(&self) -> String {
        "a claim's name, such as sub, or a JSON Pointer to one inside another, such as /kubernetes.io/namespace"
            .to_owned()
    }

    fn parse(&self, text: &str) -> Option<ClaimPath> {
        ClaimPath::new(text)
    }
}

/// Where public keys are.
pub(crate) struct KeysAt;

impl Word for KeysAt {
    type Value = JwksLocation;

    fn name(&self) -> String {
        "FILE|URL".to_owned()
    }

    fn takes(&self) -> String {
        "the path of a file, or an https URL (http on loopback alone)".to_owned()
    }

    fn parse(&self, text: &str) -> Option<JwksLocation> {
        match text.split_once("://") {
            Some(_) => Some(JwksLocation::Url(text.to_owned())),
            None => (!text.is_empty()).then(|| JwksLocation::File(text.into())),
        }
    }

    fn may_show(&self, text: &str) -> bool {
        !text.contains('@')
    }
}

/// A range of addresses.
pub(crate) struct Network;

impl Word for Network {
    type Value = IpNet;

    fn name(&self) -> String {
        "NETWORK".to_owned()
    }

    fn takes(&self) -> String {
        "an IP address or a range of them, such as 192.0.2.1, 10.0.0.0/8 or fd00::/8".to_owned()
    }

    fn parse(&self, text: &str) -> Option<IpNet> {
        let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
        text.parse().ok().or_else(one)
    }
}
