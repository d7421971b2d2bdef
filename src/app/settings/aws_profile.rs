//! What the profile in AWS's shared configuration file says beside credentials: the region, endpoints,
//! FIPS, dual-stack and root certificates.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    Faults, Origin, Variables,
    environment::{self, IgnoredVariable, Rule},
    given::Given,
};
use crate::files;

/// The properties of a profile that the SDK reads, each with the variable that has the same values.
const PROPERTIES: [(&str, &str); 21] = [
    ("account_id_endpoint_mode", "AWS_ACCOUNT_ID_ENDPOINT_MODE"),
    ("auth_scheme_preference", "AWS_AUTH_SCHEME_PREFERENCE"),
    ("ca_bundle", "AWS_CA_BUNDLE"),
    ("defaults_mode", "AWS_DEFAULTS_MODE"),
    (
        "disable_clock_skew_correction",
        "AWS_DISABLE_CLOCK_SKEW_CORRECTION",
    ),
    ("disable_request_compression", "AWS_DISABLE_REQUEST_COMPRESSION"),
    (
        "ec2_metadata_service_endpoint",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ),
    (
        "ec2_metadata_service_endpoint_mode",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    ),
    ("ec2_metadata_v1_disabled", "AWS_EC2_METADATA_V1_DISABLED"),
    (
        "ignore_configured_endpoint_urls",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    ),
    ("max_attempts", "AWS_MAX_ATTEMPTS"),
    ("request_checksum_calculation", "AWS_REQUEST_CHECKSUM_CALCULATION"),
    (
        "request_min_compression_size_bytes",
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
    ),
    ("response_checksum_validation", "AWS_RESPONSE_CHECKSUM_VALIDATION"),
    ("retry_mode", "AWS_RETRY_MODE"),
    ("sdk-ua-app-id", "AWS_SDK_UA_APP_ID"),
    ("sdk_ua_app_id", "AWS_SDK_UA_APP_ID"),
    ("sigv4a_signing_region_set", "AWS_SIGV4A_SIGNING_REGION_SET"),
    ("use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT"),
    ("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT"),
    ("web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE"),
];

/// The property of a profile that no variable replaces, and has no effect.
const STS_ENDPOINTS: &str = "sts_regional_endpoints";

/// The selected profile of the shared configuration file, and the section of services that it names.
#[derive(Debug, Default)]
pub(super) struct AwsProfile {
    path: String,
    properties: BTreeMap<String, Property>,
    /// The endpoints of single services.
    endpoints: BTreeMap<String, Property>,
}

#[derive(Clone, Debug)]
struct Property {
    value: String,
    /// Counted from 1.
    line: usize,
}

impl AwsProfile {
    /// The profile that these variables select. A file that cannot be read has none: the credentials
    /// chain reports that.
    pub(super) fn of(variables: &Variables) -> Self {
        let Some((path, _)) = environment::aws_file(variables, "AWS_CONFIG_FILE", "config") else {
            return Self::default();
        };
        let text = files::read_to_string(&path).unwrap_or_default();
        let profile = environment::get(variables, "AWS_PROFILE").unwrap_or("default");
        Self::parse(path.display().to_string(), &text, profile)
    }

    fn parse(path: String, text: &str, profile: &str) -> Self {
        let sections = sections(text);
        let prefixed = format!("profile {profile}");
        let mut properties = BTreeMap::new();
        // `[profile default]` takes precedence over `[default]`.
        for name in [profile, &prefixed] {
            let is_its = name != profile || profile == "default";
            let found = sections.get(name).filter(|_| is_its);
            properties.extend(
                found
                    .into_iter()
                    .flatten()
                    .map(|(key, one)| (key.clone(), one.clone())),
            );
        }
        let services = properties
            .get("services")
            .map(|named: &Property| format!("services {}", named.value));
        let services = services
            .and_then(|name| sections.get(&name))
            .into_iter()
            .flatten();
        let endpoints = services.filter_map(|(key, one)| {
            let service = key.strip_suffix(".endpoint_url")?;
            Some((service.to_owned(), one.clone()))
        });
        Self {
            path,
            endpoints: endpoints.collect(),
            properties,
        }
    }

    /// The endpoint of a service, such as `storage_gateway`.
    pub(super) fn endpoint(&self, service: &str) -> Option<Given> {
        if self.flag("ignore_configured_endpoint_urls") {
            return None;
        }
        let of_all = || self.properties.get("endpoint_url");
        let found = self.endpoints.get(service).or_else(of_all)?;
        Some(Given::one(self.origin(found), found.value.clone()))
    }

    /// The file of root certificates.
    pub(super) fn ca_bundle(&self) -> Option<PathBuf> {
        self.properties
            .get("ca_bundle")
            .map(|found| found.value.clone().into())
    }

    /// The region.
    pub(super) fn region(&self) -> Option<Given> {
        let found = self.properties.get("region");
        let found = found.filter(|found| !found.value.is_empty())?;
        Some(Given::one(self.origin(found), found.value.clone()))
    }

    /// Adds the faults of the profile, and returns its settings without an effect.
    pub(super) fn check(&self, faults: &mut Faults) -> Vec<IgnoredVariable> {
        let mut ignored = Vec::new();
        let mut ignore = |name: &str, line: usize, instead| {
            let name = format!("{name} at {}:{line}", self.path);
            ignored.push(IgnoredVariable { name, instead });
        };
        for (name, variable) in PROPERTIES {
            let Some((found, rule)) = self.properties.get(name).zip(environment::rule(variable)) else {
                continue;
            };
            if let Rule::Ignored(instead) = rule {
                ignore(name, found.line, instead);
            } else if let Err(wrong) = rule.check(&found.value) {
                faults.push(self.origin(found), format!("{name}: {wrong}"));
            }
        }
        if let Some(found) = self.properties.get(STS_ENDPOINTS) {
            ignore(
                STS_ENDPOINTS,
                found.line,
                "STS is called in the region of the service",
            );
        }
        ignored
    }

    fn flag(&self, name: &str) -> bool {
        let found = self.properties.get(name);
        found.is_some_and(|found| found.value.eq_ignore_ascii_case("true"))
    }

    fn origin(&self, property: &Property) -> Origin {
        Origin::Position {
            path: self.path.clone(),
            line: property.line,
            column: 1,
        }
    }
}

/// The profiles in both AWS files.
#[derive(Clone, Debug, Default)]
pub(crate) struct AwsProfiles {
    names: BTreeSet<String>,
    /// The paths of the files.
    paths: Vec<String>,
}

impl AwsProfiles {
    /// Those in the files that these variables name. A file that cannot be read has none.
    pub(super) fn of(variables: &Variables) -> Self {
        let mut all = Self::default();
        for (variable, name) in environment::AWS_FILES {
            let Some((path, _)) = environment::aws_file(variables, variable, name) else {
                continue;
            };
            let text = files::read_to_string(&path).unwrap_or_default();
            all.names.extend(sections(&text).into_keys().map(|section| {
                let profile = section.strip_prefix("profile ");
                profile.map(str::to_owned).unwrap_or(section)
            }));
            all.paths.push(path.display().to_string());
        }
        all
    }

    /// Where a profile was looked for; `None` if it is there.
    pub(crate) fn missing(&self, profile: &str) -> Option<String> {
        (!self.names.contains(profile)).then(|| self.paths.join(" or "))
    }
}

/// The properties of each section. The key of a nested property is that of its parent, a dot and its
/// own.
fn sections(text: &str) -> BTreeMap<String, BTreeMap<String, Property>> {
    let mut sections = BTreeMap::<String, BTreeMap<_, _>>::new();
    let (mut section, mut parent) = (None, None);
    for (index, line) in text.lines().enumerate() {
        let content = without_comment(line);
        if let Some(header) = content.strip_prefix('[') {
            let words: Vec<_> = header.trim_end_matches(']').split_whitespace().collect();
            let name = words.join(" ").replace(['"', '\''], "");
            sections.entry(name.clone()).or_default();
            section = Some(name);
            parent = None;
            continue;
        }
        let (Some(section), Some((key, value))) = (&section, content.split_once('=')) else {
            continue;
        };
        let (mut key, value) = (key.trim().to_lowercase(), value.trim().to_owned());
        let is_nested = line.starts_with([' ', '\t']);
        match &parent {
            Some(parent) if is_nested => key = format!("{parent}.{key}"),
            _ => parent = value.is_empty().then(|| key.clone()),
        }
        let properties = sections.entry(section.clone()).or_default();
        let line = index + 1;
        properties.insert(key, Property { value, line });
    }
    sections
}

/// A line without the comment, which is a line of its own or follows a space.
fn without_comment(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return "";
    }
    let comment = [" #", " ;", "\t#", "\t;"]
        .iter()
        .filter_map(|mark| line.find(mark))
        .min();
    line[..comment.unwrap_or(line.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
[default]
endpoint_url = http://127.0.0.1:1 # of all
services = mine
[profile default]
use_fips_endpoint = maybe
[profile other]
retry_mode = legacy
ignore_configured_endpoint_urls = TRUE
endpoint_url = http://127.0.0.1:2
[services mine]
storage_gateway =
  endpoint_url = http://127.0.0.1:3
";

    fn shown(given: Option<Given>) -> Option<String> {
        given.map(|given| given.origin.to_string())
    }

    #[test]
    fn the_endpoint_of_a_service_takes_precedence() {
        let profile = AwsProfile::parse("config".to_owned(), FILE, "default");
        assert_eq!(
            shown(profile.endpoint("storage_gateway")).as_deref(),
            Some("config:12:1")
        );
        assert_eq!(shown(profile.endpoint("sts")).as_deref(), Some("config:2:1"));
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_line() {
        let mut faults = Faults::default();
        let profile = AwsProfile::parse("config".to_owned(), FILE, "default");
        assert!(profile.check(&mut faults).is_empty());
        let told = faults.or(None::<()>).err().map(|faults| faults.to_string());
        assert_eq!(
            told.as_deref().map(str::trim_end),
            Some("config:5:1: use_fips_endpoint: is \"maybe\"; expected `true` or `false`")
        );
        let other = AwsProfile::parse("config".to_owned(), FILE, "other");
        let ignored = other.check(&mut Faults::default());
        assert_eq!(ignored.len(), 1);
        assert_eq!(ignored[0].name, "retry_mode at config:7");
        assert_eq!(shown(other.endpoint("sts")), None);
    }

    #[test]
    fn a_file_of_anything_is_no_panic() {
        for text in [
            "",
            "[",
            "=",
            "[a\n = \n\u{0}=\u{fffd}",
            " x = y\n[services]\n  a = b",
        ] {
            AwsProfile::parse("config".to_owned(), text, "default").check(&mut Faults::default());
        }
    }
}
