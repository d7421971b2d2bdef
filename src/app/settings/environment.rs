//! The variables that the libraries of this service read: of the AWS SDK, OpenTelemetry, proxies,
//! TLS and tokio.
//!
//! Each is checked here when the service starts, so that the library finds only values that it can
//! use: some of them panic on others, some ignore them in silence. An empty variable is one that is
//! not set, and a line end behind a value does not belong to it: the program starts itself again
//! without them, before anything reads them.

use std::{
    borrow::Cow,
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use super::{Faults, Origin, PREFIX, Variables, parsers::MAX_HOST};
use crate::{
    domain::Invalid,
    network::{NetworkSettings, PROXY_VARIABLES, Proxies, read_certificates},
};

/// What the variables say.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// How this process connects to others.
    pub(crate) network: NetworkSettings,
    /// Variables that are set and have no effect.
    pub(crate) ignored: Vec<IgnoredVariable>,
}

/// A variable that is set and has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IgnoredVariable {
    /// Its name.
    pub name: &'static str,
    /// What decides instead.
    pub instead: &'static str,
}

/// The variables with which the program starts itself again, if it has to: without empty ones, and
/// without line ends behind a value. In `tapegate dev`, whose AWS is on this machine, also without
/// those of AWS, proxies and root certificates. `None` if they are like that already.
///
/// Only variables that this service or its libraries read are changed.
pub fn cleaned(variables: &Variables, is_dev: bool) -> Option<Variables> {
    let mut clean = variables.clone();
    for (name, value) in variables {
        let Some(text) = name.to_str() else { continue };
        if !text.starts_with(PREFIX) && rule(text).is_none() {
            continue;
        }
        let is_of_aws = !text.starts_with(PREFIX) && !is_general(text);
        let trimmed = value.to_str().map(|value| value.trim_end_matches(['\r', '\n']));
        if (is_dev && is_of_aws) || value.is_empty() || trimmed.is_some_and(str::is_empty) {
            clean.remove(name);
        } else if let Some(trimmed) = trimmed {
            clean.insert(name.clone(), trimmed.into());
        }
    }
    (clean != *variables).then_some(clean)
}

/// The variables that libraries of this service read, each with the values that it takes. The
/// endpoints of AWS services (`AWS_ENDPOINT_URL…`) and the proxies are not among them.
pub fn library_variables() -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
    KNOWN.iter().map(|(name, rule)| (*name, rule.expected()))
}

/// The values that a library takes.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// Every text.
    Any,
    /// Those of a setting, which checks it.
    OfSetting,
    /// None: the variable has no effect. What decides instead.
    Ignored(&'static str),
    /// `true` or `false`, in any case.
    Flag,
    /// An `http` or `https` URL with a host.
    Url,
    /// A path of a URL, which begins with `/`.
    UrlPath,
    /// A whole number in this range.
    Number(u64, u64),
    /// A number from 0 to 1.
    Share,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, in any case.
    AnyCase(&'static [&'static str]),
    /// Several of these words, separated by commas.
    Words(&'static [&'static str]),
    /// Visible ASCII characters: the value becomes a part of an HTTP header. It may be a secret, and
    /// is not shown.
    Secret,
    /// Visible ASCII characters and spaces, for the `User-Agent` header.
    UserAgent,
    /// An application's name of at most 50 characters.
    AppName,
    /// 12 digits.
    AccountId,
    /// The ARN of an IAM role.
    RoleArn,
    /// 2 to 64 letters, digits and `+=,.@-_`.
    SessionName,
    /// `NAME=VALUE` pairs, separated by commas, whose values may be secrets.
    Headers,
    /// `NAME=VALUE` pairs, separated by commas.
    Pairs,
    /// A file of PEM certificates.
    Certificates,
}

const RETRIES: &str = "the settings retry.* decide about retries";
const PROFILE: &str = "the AWS SDK for Rust reads AWS_PROFILE";
/// A day in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;
const CHECKSUMS: &[&str] = &["when_supported", "when_required"];
const COMPRESSION: &[&str] = &["gzip", "none"];
const OTLP: &[&str] = &["grpc", "http/protobuf"];
const EXPORTER: &[&str] = &["otlp", "none"];

/// The variables, in alphabetical order. The tests compare the list with the sources of the libraries.
const KNOWN: &[(&str, Rule)] = &[
    ("AWS_ACCESS_KEY_ID", Rule::Secret),
    ("AWS_ACCOUNT_ID", Rule::AccountId),
    (
        "AWS_ACCOUNT_ID_ENDPOINT_MODE",
        Rule::AnyCase(&["preferred", "disabled", "required"]),
    ),
    (
        "AWS_AUTH_SCHEME_PREFERENCE",
        Rule::Ignored("Storage Gateway has one way to sign, SigV4"),
    ),
    ("AWS_CA_BUNDLE", Rule::Certificates),
    ("AWS_CONFIG_FILE", Rule::Any),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", Rule::Secret),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Rule::Any),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Rule::Url),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Rule::UrlPath),
    (
        "AWS_DEFAULTS_MODE",
        Rule::Ignored("the settings upstream.* and retry.* decide"),
    ),
    ("AWS_DEFAULT_PROFILE", Rule::Ignored(PROFILE)),
    ("AWS_DISABLE_CLOCK_SKEW_CORRECTION", Rule::Flag),
    ("AWS_DISABLE_REQUEST_COMPRESSION", Rule::Flag),
    ("AWS_EC2_METADATA_DISABLED", Rule::Flag),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", Rule::Url),
    (
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        Rule::AnyCase(&["IPv4", "IPv6"]),
    ),
    (
        "AWS_EC2_METADATA_V1_DISABLED",
        Rule::Ignored("the SDK uses version 2 only"),
    ),
    ("AWS_EXECUTION_ENV", Rule::UserAgent),
    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", Rule::Flag),
    ("AWS_LAMBDA_FUNCTION_NAME", Rule::Any),
    ("AWS_LOGIN_CACHE_DIRECTORY", Rule::Any),
    ("AWS_MAX_ATTEMPTS", Rule::Ignored(RETRIES)),
    ("AWS_NEW_RETRIES_2026", Rule::Ignored(RETRIES)),
    ("AWS_PROFILE", Rule::Any),
    ("AWS_REQUEST_CHECKSUM_CALCULATION", Rule::AnyCase(CHECKSUMS)),
    (
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
        Rule::Number(0, 10_485_760),
    ),
    ("AWS_RESPONSE_CHECKSUM_VALIDATION", Rule::AnyCase(CHECKSUMS)),
    ("AWS_RETRY_MODE", Rule::Ignored(RETRIES)),
    ("AWS_ROLE_ARN", Rule::RoleArn),
    ("AWS_ROLE_SESSION_NAME", Rule::SessionName),
    ("AWS_SDK_UA_APP_ID", Rule::AppName),
    ("AWS_SECRET_ACCESS_KEY", Rule::Secret),
    ("AWS_SESSION_TOKEN", Rule::Secret),
    ("AWS_SHARED_CREDENTIALS_FILE", Rule::Any),
    (
        "AWS_SIGV4A_SIGNING_REGION_SET",
        Rule::Ignored("Storage Gateway has one way to sign, SigV4"),
    ),
    ("AWS_USE_DUALSTACK_ENDPOINT", Rule::Flag),
    ("AWS_USE_FIPS_ENDPOINT", Rule::Flag),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", Rule::Any),
    (
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
        Rule::Ignored("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT limits attributes"),
    ),
    ("OTEL_BLRP_EXPORT_TIMEOUT", Rule::Number(1, DAY)),
    ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", Rule::Number(1, 1_000_000)),
    ("OTEL_BLRP_MAX_QUEUE_SIZE", Rule::Number(1, 1_000_000)),
    ("OTEL_BLRP_SCHEDULE_DELAY", Rule::Number(1, DAY)),
    ("OTEL_BSP_EXPORT_TIMEOUT", Rule::Number(1, DAY)),
    ("OTEL_BSP_MAX_CONCURRENT_EXPORTS", Rule::Number(1, 1_000)),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", Rule::Number(1, 1_000_000)),
    ("OTEL_BSP_MAX_QUEUE_SIZE", Rule::Number(1, 1_000_000)),
    ("OTEL_BSP_SCHEDULE_DELAY", Rule::Number(1, DAY)),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", Rule::Word(COMPRESSION)),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", Rule::Url),
    ("OTEL_EXPORTER_OTLP_HEADERS", Rule::Headers),
    ("OTEL_EXPORTER_OTLP_INSECURE", Rule::Flag),
    ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", Rule::Word(COMPRESSION)),
    ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", Rule::Url),
    ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", Rule::Headers),
    ("OTEL_EXPORTER_OTLP_LOGS_INSECURE", Rule::Flag),
    ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", Rule::Word(OTLP)),
    ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", Rule::Number(1, DAY)),
    ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", Rule::Word(COMPRESSION)),
    ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", Rule::Url),
    ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", Rule::Headers),
    ("OTEL_EXPORTER_OTLP_METRICS_INSECURE", Rule::Flag),
    ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", Rule::Word(OTLP)),
    (
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        Rule::Word(&["cumulative", "delta", "lowmemory"]),
    ),
    ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", Rule::Number(1, DAY)),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", Rule::Word(OTLP)),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", Rule::Number(1, DAY)),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", Rule::Word(COMPRESSION)),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", Rule::Url),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", Rule::Headers),
    ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", Rule::Flag),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", Rule::Word(OTLP)),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", Rule::Number(1, DAY)),
    ("OTEL_LOGS_EXPORTER", Rule::Words(EXPORTER)),
    ("OTEL_LOG_LEVEL", Rule::Ignored("the setting log.filter decides")),
    ("OTEL_METRICS_EXPORTER", Rule::Words(EXPORTER)),
    ("OTEL_METRIC_EXPORT_INTERVAL", Rule::Number(1, DAY)),
    ("OTEL_METRIC_EXPORT_TIMEOUT", Rule::Number(1, DAY)),
    (
        "OTEL_PROPAGATORS",
        Rule::Ignored("traces are propagated as W3C trace context and baggage"),
    ),
    ("OTEL_RESOURCE_ATTRIBUTES", Rule::Pairs),
    ("OTEL_SDK_DISABLED", Rule::Flag),
    ("OTEL_SERVICE_NAME", Rule::Any),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", Rule::Number(0, 1_000_000)),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", Rule::Number(0, 1_000_000)),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", Rule::Number(0, 1_000_000)),
    ("OTEL_TRACES_EXPORTER", Rule::Words(EXPORTER)),
    (
        "OTEL_TRACES_SAMPLER",
        Rule::Word(&[
            "always_on",
            "always_off",
            "traceidratio",
            "parentbased_always_on",
            "parentbased_always_off",
            "parentbased_traceidratio",
        ]),
    ),
    ("OTEL_TRACES_SAMPLER_ARG", Rule::Share),
    ("SSL_CERT_DIR", Rule::Any),
    ("SSL_CERT_FILE", Rule::Any),
    ("TOKIO_WORKER_THREADS", Rule::Number(1, 1_024)),
];

/// The variables that are defaults of settings.
const SETTINGS_CHECK: [&str; 4] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STORAGE_GATEWAY",
];

/// The rule of a variable that a library reads; `None` for all others.
fn rule(name: &str) -> Option<Rule> {
    // The settings region and upstream.endpoint check these.
    if SETTINGS_CHECK.contains(&name) {
        return Some(Rule::OfSetting);
    }
    if name.starts_with("AWS_ENDPOINT_URL_") {
        return Some(Rule::Url);
    }
    let is_proxy = PROXY_VARIABLES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name));
    let known = KNOWN.binary_search_by_key(&name, |(name, _)| *name).ok();
    known.map(|at| KNOWN[at].1).or(is_proxy.then_some(Rule::Any))
}

/// Whether OpenTelemetry or tokio reads the variable. These two are also at work in `tapegate dev`.
fn is_general(name: &str) -> bool {
    name.starts_with("OTEL_") || name.starts_with("TOKIO_")
}

impl Environment {
    /// Checks the variables of a command that calls AWS.
    pub(crate) fn of_service(variables: &Variables, faults: &mut Faults) -> Self {
        let ignored = check(variables, |_| true, faults);
        check_pair(variables, faults);
        check_roots(variables, faults);
        let proxies = Proxies::of(variables).unwrap_or_else(|wrong| {
            for (name, what) in wrong {
                faults.push(Origin::Variable(name.to_owned()), what);
            }
            Proxies::default()
        });
        Self {
            network: NetworkSettings {
                proxies,
                ca_bundle: get(variables, "AWS_CA_BUNDLE").map(PathBuf::from),
                native_roots: true,
            },
            ignored,
        }
    }

    /// Checks the variables of `tapegate dev`, whose AWS is on this machine.
    pub(crate) fn of_dev(variables: &Variables, faults: &mut Faults) -> Self {
        let ignored = check(variables, is_general, faults);
        Self {
            network: NetworkSettings::default(),
            ignored,
        }
    }
}

/// Adds the faults of the variables that `is_used` takes, and returns those without an effect.
fn check(variables: &Variables, is_used: impl Fn(&str) -> bool, faults: &mut Faults) -> Vec<IgnoredVariable> {
    let mut ignored = Vec::new();
    for (name, value) in variables {
        let Some((name, rule)) = name.to_str().and_then(|name| Some((name, rule(name)?))) else {
            continue;
        };
        if !is_used(name) || value.is_empty() {
            continue;
        }
        let fault = match (value.to_str(), rule) {
            (_, Rule::Ignored(instead)) => {
                let known = KNOWN.iter().find(|(known, _)| *known == name);
                ignored.extend(known.map(|(name, _)| IgnoredVariable { name, instead }));
                None
            }
            (_, Rule::OfSetting) => None,
            (None, _) => Some("is not UTF-8".to_owned()),
            (Some(value), rule) => rule.check(value).err(),
        };
        if let Some(fault) = fault {
            faults.push(Origin::Variable(name.to_owned()), fault);
        }
    }
    ignored
}

fn get<'v>(variables: &'v Variables, name: &str) -> Option<&'v str> {
    let value = variables.get(OsStr::new(name))?.to_str()?;
    (!value.is_empty()).then_some(value)
}

/// Half a pair of keys is a mistake: the SDK would look for credentials elsewhere.
fn check_pair(variables: &Variables, faults: &mut Faults) {
    const PAIR: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let [id, secret] = PAIR.map(|name| get(variables, name));
    let missing = match (id, secret) {
        (Some(_), None) => PAIR[1],
        (None, Some(_)) => PAIR[0],
        _ => return,
    };
    let message = "is not set, but the other half of the pair is; set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither";
    faults.push(Origin::Variable(missing.to_owned()), message);
}

/// The root certificates that `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead of the system's.
fn check_roots(variables: &Variables, faults: &mut Faults) {
    let has_roots = |file: Option<&Path>, directory: Option<&Path>| {
        !rustls_native_certs::load_certs_from_paths(file, directory)
            .certs
            .is_empty()
    };
    let [file, directories] =
        ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(|name| Some((name, get(variables, name)?)));
    let in_file = file.is_some_and(|(_, path)| has_roots(Some(path.as_ref()), None));
    let in_directory = |(_, paths)| env::split_paths(paths).any(|path| has_roots(None, Some(&path)));
    if in_file || directories.is_some_and(in_directory) {
        return;
    }
    for (name, value) in file.into_iter().chain(directories) {
        let value = Invalid::quote(value);
        let message = format!(
            "has no certificate (BEGIN CERTIFICATE) at {value}, so no TLS connection could be trusted"
        );
        faults.push(Origin::Variable(name.to_owned()), message);
    }
}

fn is_word(words: &[&str], text: &str) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether it is a header as `OTEL_EXPORTER_OTLP_HEADERS` has it, with its value percent-encoded.
fn is_header(pair: &str) -> bool {
    let Some((name, value)) = pair.split_once('=') else {
        return false;
    };
    let value = percent_decode_str(value.trim()).decode_utf8();
    HeaderName::try_from(name.trim()).is_ok()
        && value.is_ok_and(|value| HeaderValue::try_from(&*value).is_ok())
}

impl Rule {
    /// The values that the library takes, as documents and errors say it.
    fn expected(self) -> Cow<'static, str> {
        match self {
            Self::Any | Self::OfSetting => "any text".into(),
            Self::Ignored(instead) => format!("no effect: {instead}").into(),
            Self::Flag => "`true` or `false`".into(),
            Self::Url => "an http or https URL with a host, without user and password".into(),
            Self::UrlPath => "the path of a URL, such as `/v2/credentials`".into(),
            Self::Number(least, most) => format!("a whole number from {least} to {most}").into(),
            Self::Share => "a number from 0 to 1".into(),
            Self::Word(words) | Self::AnyCase(words) => one_of(words).into(),
            Self::Words(words) => {
                format!("{}, or several of them, separated by commas", one_of(words)).into()
            }
            Self::Secret => "visible ASCII characters, at most 16 KiB".into(),
            Self::UserAgent => "at most 256 visible ASCII characters".into(),
            Self::AppName => "at most 50 letters, digits and ``!#$%&'*+-.^_`|~``".into(),
            Self::AccountId => "12 digits".into(),
            Self::RoleArn => {
                "the ARN of an IAM role, such as `arn:aws:iam::123456789012:role/tapegate`".into()
            }
            Self::SessionName => "2 to 64 letters, digits and `+=,.@-_`".into(),
            Self::Headers => "`NAME=VALUE` pairs of headers, separated by commas".into(),
            Self::Pairs => "`NAME=VALUE` pairs, separated by commas".into(),
            Self::Certificates => "the path of a file of PEM certificates".into(),
        }
    }

    /// Whether the value can be a secret, or have one in it, and so is not shown.
    fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Headers | Self::Url)
    }

    /// Checks a value; the error says what is wrong with it and what is right.
    fn check(self, value: &str) -> Result<(), String> {
        match (self, self.allows(value)) {
            (Self::Certificates, _) => read_certificates(value.as_ref()).map(drop),
            (_, true) => Ok(()),
            (_, false) if self.is_secret() => Err(format!("is not valid; expected {}", self.expected())),
            (_, false) => Err(format!(
                "is {}; expected {}",
                Invalid::quote(value),
                self.expected()
            )),
        }
    }

    fn allows(self, value: &str) -> bool {
        let is_visible = |c: char| ('!'..='~').contains(&c);
        let pairs = || value.split(',').filter(|pair| !pair.trim().is_empty());
        match self {
            Self::Any | Self::OfSetting | Self::Ignored(_) | Self::Certificates => true,
            Self::Flag => is_word(&["true", "false"], value),
            Self::Url => value.parse().is_ok_and(|url: Uri| is_url(&url)),
            Self::UrlPath => value.starts_with('/') && value.parse::<Uri>().is_ok(),
            Self::Number(least, most) => value
                .parse()
                .is_ok_and(|number: u64| (least..=most).contains(&number)),
            Self::Share => value.parse().is_ok_and(|share: f64| (0.0..=1.0).contains(&share)),
            Self::Word(words) => words.contains(&value),
            Self::AnyCase(words) => is_word(words, value),
            Self::Words(words) => value.split(',').all(|word| words.contains(&word.trim())),
            Self::Secret => value.chars().all(is_visible) && value.len() <= 16 * 1024,
            Self::UserAgent => value.chars().all(|c| is_visible(c) || c == ' ') && value.len() <= 256,
            Self::AppName => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                value.chars().all(is_name) && value.len() <= 50
            }
            Self::AccountId => value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()),
            Self::RoleArn => {
                let parts: Vec<_> = value.splitn(6, ':').collect();
                let is_role =
                    matches!(parts[..], ["arn", _, "iam", "", _, role] if role.starts_with("role/"));
                is_role && value.chars().all(is_visible) && value.len() <= 2048
            }
            Self::SessionName => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c);
                (2..=64).contains(&value.len()) && value.chars().all(is_name)
            }
            Self::Headers => pairs().all(is_header),
            Self::Pairs => pairs().all(|pair| {
                pair.split_once('=')
                    .is_some_and(|(name, _)| !name.trim().is_empty())
            }),
        }
    }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}

fn is_url(url: &Uri) -> bool {
    let has_host = url
        .host()
        .is_some_and(|host| (1..=MAX_HOST).contains(&host.len()));
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    let has_user = url
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    has_host && is_http && !has_user
}
