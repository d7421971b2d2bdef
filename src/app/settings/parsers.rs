//! Parsers of single values.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use http::{HeaderValue, Uri};
use ipnet::IpNet;
use url::Url;

use super::setting_type::{TomlType, ValueParser};
use crate::{
    access::identity::{
        certificate::{NamePattern, Template},
        jwt::{ClaimPath, JwksLocation},
    },
    domain::{AccountId, AwsPartition, Invalid, MAX_NAME, Region, RoleArn},
    observability::telemetry::Directives,
};

/// A whole number of some unit, within a range.
pub(crate) struct Integer<N> {
    /// The valid numbers.
    pub range: RangeInclusive<N>,
    /// What is counted: `bytes`.
    pub unit: &'static str,
}

impl<N: FromStr + PartialOrd + Display> ValueParser for Integer<N> {
    type Value = N;
    const TOML: TomlType = TomlType::Integer;

    fn name(&self) -> String {
        self.unit.to_uppercase()
    }

    fn expected(&self) -> String {
        let (min, max) = (self.range.start(), self.range.end());
        format!("a whole number of {} from {min} to {max}", self.unit)
    }

    fn parse(&self, text: &str) -> Option<N> {
        text.parse().ok().filter(|number| self.range.contains(number))
    }
}

/// A duration within a range.
pub(crate) struct DurationIn(pub RangeInclusive<Duration>);

impl ValueParser for DurationIn {
    type Value = Duration;

    fn name(&self) -> String {
        "DURATION".to_owned()
    }

    fn expected(&self) -> String {
        let [min, max] = [self.0.start(), self.0.end()].map(|end| humantime::format_duration(*end));
        let mut examples = vec!["500ms", "30s", "1m 30s"];
        examples.retain(|example| self.parse(example).is_some());
        let commas = examples.len().saturating_sub(2);
        let examples = examples.join(" or ").replacen(" or ", ", ", commas);
        format!("a duration from {min} to {max}, such as {examples}")
    }

    fn parse(&self, text: &str) -> Option<Duration> {
        humantime::parse_duration(text)
            .ok()
            .filter(|duration| self.0.contains(duration))
    }
}

/// `true` or `false`.
pub(crate) struct Bool;

impl ValueParser for Bool {
    type Value = bool;
    const TOML: TomlType = TomlType::Boolean;

    fn name(&self) -> String {
        "BOOLEAN".to_owned()
    }

    fn expected(&self) -> String {
        "true or false".to_owned()
    }

    fn parse(&self, text: &str) -> Option<bool> {
        text.parse().ok()
    }
}

/// One of a few words, each with its value.
pub(crate) struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy> ValueParser for Choice<T> {
    type Value = T;

    fn name(&self) -> String {
        self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("|")
    }

    fn expected(&self) -> String {
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

/// A text without control characters.
pub(crate) struct Text {
    /// What the text is.
    pub what: &'static str,
}

impl ValueParser for Text {
    type Value = String;

    fn name(&self) -> String {
        "TEXT".to_owned()
    }

    fn expected(&self) -> String {
        format!("{}: 1 to {MAX_NAME} bytes without control characters", self.what)
    }

    fn parse(&self, text: &str) -> Option<String> {
        let is_valid = (1..=MAX_NAME).contains(&text.len()) && !text.contains(char::is_control);
        is_valid.then(|| text.to_owned())
    }
}

/// A text that a function parses.
pub(crate) struct Parsed<T> {
    name: &'static str,
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
    may_show: fn(&str) -> bool,
}

impl<T> Parsed<T> {
    /// `name` is the placeholder in a usage line, `expected` describes the valid texts.
    pub(crate) const fn new(
        name: &'static str,
        expected: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Self {
        Self {
            name,
            expected,
            parse,
            may_show: |_| true,
        }
    }

    /// The same, for URLs: one with a user may have a password, so no message shows it.
    const fn hiding_users(mut self) -> Self {
        self.may_show = |text| !text.contains('@');
        self
    }
}

impl<T: FromStr<Err = Invalid>> Parsed<T> {
    /// A value of the domain, which parses itself.
    pub(crate) const fn domain(name: &'static str, expected: &'static str) -> Self {
        Self::new(name, expected, |text| text.parse().ok())
    }
}

impl<T> ValueParser for Parsed<T> {
    type Value = T;

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn expected(&self) -> String {
        self.expected.to_owned()
    }

    fn parse(&self, text: &str) -> Option<T> {
        (self.parse)(text)
    }

    fn may_show(&self, text: &str) -> bool {
        (self.may_show)(text)
    }
}

/// An address to listen on.
pub(crate) const ADDRESS: Parsed<SocketAddr> = Parsed::new(
    "ADDRESS",
    "an IP address and a port, such as 127.0.0.1:50051 or [::1]:50051 (port 0 chooses a free port)",
    |text| text.parse().ok(),
);

/// An IP address or a network.
pub(crate) const NETWORK: Parsed<IpNet> = Parsed::new(
    "NETWORK",
    "an IP address or a network in CIDR notation, such as 192.0.2.1, 10.0.0.0/8 or fd00::/8",
    |text| {
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        text.parse().ok().or_else(address)
    },
);

/// The root URL of an HTTP server.
pub(crate) const ENDPOINT: Parsed<Uri> = Parsed::new(
    "URL",
    "an http or https URL with a host and optionally a port, but no path, user or query, such as \
     http://127.0.0.1:4588",
    endpoint,
)
.hiding_users();

/// The origin of web pages, as browsers send it.
pub(crate) const ORIGIN: Parsed<HeaderValue> = Parsed::new(
    "ORIGIN",
    "the origin of a web page as its browser sends it: http or https, a host in lower case, and a port unless it is the \
     scheme's own, such as https://console.example.com or http://localhost:8080",
    origin,
)
.hiding_users();

fn origin(text: &str) -> Option<HeaderValue> {
    let url = Url::parse(text).ok()?;
    let is_as_sent = matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text;
    // The standard allows it in the name of a host. It would be taken for a pattern.
    (is_as_sent && !text.contains('*')).then(|| text.parse().ok())?
}

/// The longest name of a host in the domain name system (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// An http or https URL with a host, without user and password.
pub(super) fn http_url(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?;
    let has_host_only = (1..=MAX_HOST).contains(&authority.host().len()) && !authority.as_str().contains('@');
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    (is_http && has_host_only).then_some(uri)
}

fn endpoint(text: &str) -> Option<Uri> {
    let uri = http_url(text)?;
    let authority = uri.authority()?;
    let is_root = uri.path_and_query().is_none_or(|path| path == "/" || path == "");
    // `Authority` accepts any digits as a port, and `port_u16` hides those that are not a port.
    let has_valid_port = authority.as_str().len() == authority.host().len()
        || authority.port_u16().is_some_and(|port| port != 0);
    (is_root && has_valid_port && !text.contains('#')).then_some(uri)
}

/// A Redis or Valkey server.
pub(crate) const STORE: Parsed<String> = Parsed::new(
    "URL",
    "redis:// or rediss:// with a host, optionally a port and the number of a database, but no user, such as \
     rediss://redis.example.com:6379/0",
    store,
)
.hiding_users();

fn store(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?;
    let has_host_only = (1..=MAX_HOST).contains(&authority.host().len()) && !authority.as_str().contains('@');
    let has_valid_port = authority.as_str().len() == authority.host().len()
        || authority.port_u16().is_some_and(|port| port != 0);
    let database = uri.path().strip_prefix('/').unwrap_or_default();
    let is_valid = matches!(uri.scheme_str(), Some("redis" | "rediss"))
        && has_host_only
        && has_valid_port
        && (database.is_empty() || database.parse::<u16>().is_ok())
        && uri.query().is_none()
        && !text.contains('#');
    is_valid.then(|| text.to_owned())
}

/// The path of a file.
pub(crate) const FILE: Parsed<PathBuf> = Parsed::new("FILE", "the path of a file", path);

/// The path of a directory.
pub(crate) const DIRECTORY: Parsed<PathBuf> = Parsed::new("DIRECTORY", "the path of a directory", path);

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}

/// Where the public keys of an issuer are. Whether a URL can be used is checked with the files.
pub(crate) const KEY_LOCATION: Parsed<JwksLocation> = Parsed::new(
    "FILE|URL",
    "the path of a file or an https URL (http is allowed for loopback addresses)",
    |text| match text.split_once("://") {
        Some(_) => Some(JwksLocation::Url(text.to_owned())),
        None => path(text).map(JwksLocation::File),
    },
)
.hiding_users();

/// The directives of a log filter.
pub(crate) const LOG_FILTER: Parsed<Directives> =
    Parsed::new("DIRECTIVES", Directives::EXPECTED, Directives::parse);

/// A pattern of names.
pub(crate) const NAME_PATTERN: Parsed<NamePattern> = Parsed::new(
    "PATTERN",
    "a name in which * matches any characters, such as spiffe://example.org/agents/*",
    |text| (text.len() <= MAX_NAME).then(|| NamePattern::new(text)).flatten(),
);

/// A text with captures of a pattern.
pub(crate) const TEMPLATE: Parsed<Template> = Parsed::new(
    "TEMPLATE",
    "text with captures of the pattern in braces, such as site/{site}",
    |text| (text.len() <= MAX_NAME).then(|| text.parse().ok()).flatten(),
);

/// A claim of a token.
pub(crate) const CLAIM: Parsed<ClaimPath> = Parsed::new(
    "CLAIM",
    "the name of a claim, such as sub, or a JSON Pointer to a nested claim, such as /kubernetes.io/namespace",
    ClaimPath::new,
);

/// An AWS region.
pub(crate) const REGION: Parsed<Region> = Parsed::domain("REGION", "an AWS region, such as us-east-1");

/// An AWS account.
pub(crate) const ACCOUNT: Parsed<AccountId> =
    Parsed::domain("ACCOUNT", "an AWS account of 12 digits, such as 123456789012");

/// An AWS partition.
pub(crate) const PARTITION: Parsed<AwsPartition> =
    Parsed::domain("PARTITION", "an AWS partition, such as aws, aws-cn or aws-us-gov");

/// An IAM role.
pub(crate) const ROLE: Parsed<RoleArn> = Parsed::domain(
    "ARN",
    "the ARN of an IAM role, such as arn:aws:iam::123456789012:role/tapegate",
);

/// The name of an account.
pub(crate) const ALIAS: Parsed<String> = Parsed::new(
    "NAME",
    "a name of 1 to 64 letters, digits, hyphens and underscores",
    |text| word(text, 1..=64, "-_"),
);

/// The external ID of a role's trust policy (STS, AssumeRole).
pub(crate) const EXTERNAL_ID: Parsed<String> =
    Parsed::new("TEXT", "2 to 1224 letters, digits and +=,.@:/-_", |text| {
        word(text, 2..=1224, "+=,.@:/-_")
    });

/// The name of a session of a role (STS, AssumeRole).
pub(crate) const SESSION_NAME: Parsed<String> =
    Parsed::new("NAME", "2 to 64 letters, digits and +=,.@-_", |text| {
        word(text, 2..=64, "+=,.@-_")
    });

/// A text of so many ASCII letters, digits and `others`.
pub(super) fn word(text: &str, length: RangeInclusive<usize>, others: &str) -> Option<String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    (length.contains(&text.len()) && text.chars().all(is_allowed)).then(|| text.to_owned())
}
