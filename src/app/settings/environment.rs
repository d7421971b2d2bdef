//! The variables that the libraries of this service read: of the AWS SDK, OpenTelemetry, proxies,
//! TLS and tokio.
//!
//! Each is checked here when the service starts, so that the library finds only values that it can
//! use: some of them panic on others, some ignore them in silence. An empty variable is one that is
//! not set, and a line end behind a value does not belong to it: the program starts itself again
//! without them, before anything reads them.

mod rule;

use std::{
    borrow::Cow,
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

pub(super) use self::rule::Rule;
use super::{
    Faults, Origin, PREFIX, Variables,
    aws_profile::{AwsProfile, AwsProfiles},
};
use crate::{
    domain::Invalid,
    files,
    network::{NetworkSettings, PROXY_VARIABLES, Proxies},
    upstream::sdk::locate_aws_file,
};

/// What the variables say.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// How this process connects to others.
    pub(crate) network: NetworkSettings,
    /// Variables that are set and have no effect.
    pub(crate) ignored: Vec<IgnoredVariable>,
    /// The profiles in the AWS files; `None` if the command does not read them.
    pub(crate) profiles: Option<AwsProfiles>,
}

/// A variable that is set and has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredVariable {
    /// Its name.
    pub name: String,
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
    ("AWS_CONFIG_FILE", Rule::AwsFile),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", Rule::Secret),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Rule::File),
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
    ("AWS_SHARED_CREDENTIALS_FILE", Rule::AwsFile),
    (
        "AWS_SIGV4A_SIGNING_REGION_SET",
        Rule::Ignored("Storage Gateway has one way to sign, SigV4"),
    ),
    ("AWS_USE_DUALSTACK_ENDPOINT", Rule::Flag),
    ("AWS_USE_FIPS_ENDPOINT", Rule::Flag),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", Rule::File),
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
    ("RUST_MIN_STACK", Rule::Number(1 << 20, 1 << 30)),
    ("SSL_CERT_DIR", Rule::Any),
    ("SSL_CERT_FILE", Rule::Any),
    ("TOKIO_WORKER_THREADS", Rule::Number(1, 1_024)),
];

/// The variables that are defaults of settings.
const SETTINGS_CHECK: [&str; 5] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STORAGE_GATEWAY",
    "AWS_ENDPOINT_URL_STS",
];

/// The rule of a variable that a library reads; `None` for all others.
pub(super) fn rule(name: &str) -> Option<Rule> {
    // The settings region, upstream.endpoint and upstream.sts_endpoint check these.
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
    name.starts_with("OTEL_") || name.starts_with("TOKIO_") || name.starts_with("RUST_")
}

impl Environment {
    /// Checks the variables and the AWS profile of a command that calls AWS.
    pub(super) fn of_service(variables: &Variables, profile: &AwsProfile, faults: &mut Faults) -> Self {
        let mut ignored = check(variables, |_| true, faults);
        ignored.extend(profile.check(faults));
        check_aws_files(variables, faults);
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
                ca_bundle: get(variables, "AWS_CA_BUNDLE")
                    .map(PathBuf::from)
                    .or_else(|| profile.ca_bundle()),
                native_roots: true,
            },
            ignored,
            profiles: Some(AwsProfiles::of(variables)),
        }
    }

    /// Checks the variables of `tapegate dev`, whose AWS is on this machine.
    pub(crate) fn of_dev(variables: &Variables, faults: &mut Faults) -> Self {
        let ignored = check(variables, is_general, faults);
        Self {
            network: NetworkSettings::default(),
            ignored,
            profiles: None,
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
                let name = name.to_owned();
                ignored.push(IgnoredVariable { name, instead });
                None
            }
            (_, Rule::OfSetting | Rule::AwsFile) => None,
            (None, _) => Some("is not UTF-8".to_owned()),
            (Some(value), rule) => rule.check(value).err(),
        };
        if let Some(fault) = fault {
            faults.push(Origin::Variable(name.to_owned()), fault);
        }
    }
    ignored
}

pub(super) fn get<'v>(variables: &'v Variables, name: &str) -> Option<&'v str> {
    let value = variables.get(OsStr::new(name))?.to_str()?;
    (!value.is_empty()).then_some(value)
}

/// The variables that name the files of AWS's tools, and the names of the files.
pub(super) const AWS_FILES: [(&str, &str); 2] = [
    ("AWS_CONFIG_FILE", "config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
];

/// The files of AWS's tools, at the paths that the variables name or at their own. The SDK reads them.
fn check_aws_files(variables: &Variables, faults: &mut Faults) {
    for (variable, name) in AWS_FILES {
        let Some((path, origin)) = aws_file(variables, variable, name) else {
            continue;
        };
        if let Err(error) = files::check(&path) {
            let shown = Invalid::quote(&path.to_string_lossy());
            faults.push(origin, format!("{shown} cannot be read: {error}"));
        }
    }
}

/// The path of a file of AWS's tools, and where it comes from.
pub(super) fn aws_file(variables: &Variables, variable: &str, name: &str) -> Option<(PathBuf, Origin)> {
    let [named, home] = [variable, "HOME"].map(|name| get(variables, name));
    let home = match home {
        None if named.is_none() => return None,
        home => Path::new(home.unwrap_or_default()),
    };
    let path = locate_aws_file(named.map(PathBuf::from), home, name);
    let origin = match named {
        Some(_) => Origin::Variable(variable.to_owned()),
        None => Origin::File {
            path: path.display().to_string(),
        },
    };
    Some((path, origin))
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
    if let Some((name, path)) = file
        && let Err(error) = files::check(path.as_ref())
    {
        let message = format!("{} cannot be read: {error}", Invalid::quote(path));
        return faults.push(Origin::Variable(name.to_owned()), message);
    }
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
