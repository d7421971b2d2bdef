//! What the profile in AWS's shared configuration file says beside credentials: endpoints, FIPS,
//! dual-stack and root certificates.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Faults, Origin, Variables,
    environment::{self, IgnoredVariable},
    given::Given,
};
use crate::{domain::Invalid, network::read_root_certificates, upstream::sdk::locate_aws_file};

/// Settings of a profile that this service does not honour, with what decides instead.
const IGNORED: [(&str, &str); 4] = [
    ("defaults_mode", "the settings upstream.* and retry.* decide"),
    ("max_attempts", "the settings retry.* decide about retries"),
    ("retry_mode", "the settings retry.* decide about retries"),
    (
        "sts_regional_endpoints",
        "STS is called in the region of the service",
    ),
];

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
        let [file, home, profile] =
            ["AWS_CONFIG_FILE", "HOME", "AWS_PROFILE"].map(|name| environment::get(variables, name));
        if file.is_none() && home.is_none() {
            return Self::default();
        }
        let path = locate_aws_file(
            file.map(PathBuf::from),
            home.unwrap_or_default().as_ref(),
            "config",
        );
        let text = fs::read_to_string(&path).unwrap_or_default();
        let profile = profile.unwrap_or("default");
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

    /// Adds the faults of the profile, and returns its settings without an effect.
    pub(super) fn check(&self, faults: &mut Faults) -> Vec<IgnoredVariable> {
        for name in [
            "use_fips_endpoint",
            "use_dualstack_endpoint",
            "ignore_configured_endpoint_urls",
        ] {
            if let Some(found) = self.properties.get(name)
                && !["true", "false"]
                    .iter()
                    .any(|word| found.value.eq_ignore_ascii_case(word))
            {
                let value = Invalid::quote(&found.value);
                let message = format!("{name}: invalid value {value}; expected true or false");
                faults.push(self.origin(found), message);
            }
        }
        if let Some(found) = self.properties.get("ca_bundle")
            && let Err(wrong) = read_root_certificates(Path::new(&found.value))
        {
            faults.push(self.origin(found), format!("ca_bundle: {wrong}"));
        }
        let ignored = IGNORED.iter().filter_map(|(name, instead)| {
            let line = self.properties.get(*name)?.line;
            let name = format!("{name} at {}:{line}", self.path);
            Some(IgnoredVariable { name, instead })
        });
        ignored.collect()
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

/// The properties of each section. The key of a nested property is that of its parent, a dot and its
/// own.
fn sections(text: &str) -> BTreeMap<String, BTreeMap<String, Property>> {
    let mut sections = BTreeMap::<String, BTreeMap<_, _>>::new();
    let (mut section, mut parent) = (None, None);
    for (index, line) in text.lines().enumerate() {
        let content = without_comment(line);
        if let Some(header) = content.strip_prefix('[') {
            let words: Vec<_> = header.trim_end_matches(']').split_whitespace().collect();
            section = Some(words.join(" ").replace(['"', '\''], ""));
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
            Some("config:5:1: use_fips_endpoint: invalid value \"maybe\"; expected true or false")
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
