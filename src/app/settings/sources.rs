use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::Path,
};

use super::{
    Environment, Faults, Given, Layer, Origin, PREFIX, SETTINGS,
    aws_profile::AwsProfile,
    fault::did_you_mean,
    file,
    given::Rows,
    requests, server, upstream,
    values::{Values, defaults},
};
use crate::domain::Invalid;

/// The variable that names the configuration file.
pub(crate) const CONFIG_FILE: &str = "TAPEGATE_CONFIG";

/// The environment variables of the process, by name.
pub type Variables = BTreeMap<OsString, OsString>;

/// What each source gives, before it is checked.
pub(crate) struct Sources {
    /// The first takes precedence.
    layers: [Layer; 3],
    rows: Rows,
    variables: Variables,
    faults: Faults,
    /// Whether there is a file that could not be read.
    is_partial: bool,
}

impl Sources {
    /// Reads the variables and the file, if there is one. `flags` take precedence over both.
    pub(crate) fn collect(
        flags: Layer,
        variables: &Variables,
        file: Option<&Path>,
        mut faults: Faults,
    ) -> Self {
        let file = file.map_or_else(
            || Some(file::Content::default()),
            |path| file::read(path, &mut faults),
        );
        let is_partial = file.is_none();
        let file::Content { layer, rows } = file.unwrap_or_default();
        let layers = [flags, of_variables(variables, &mut faults), layer];
        Self {
            layers,
            rows,
            variables: variables.clone(),
            faults,
            is_partial,
        }
    }

    /// The same sources, in which the addresses of inherited listeners take precedence, so that they are
    /// checked like configured ones.
    pub(crate) fn with_inherited(mut self, [grpc, admin]: [Option<SocketAddr>; 2]) -> Self {
        for (setting, address) in [(&server::LISTEN, grpc), (&server::ADMIN_LISTEN, admin)] {
            if let Some(address) = address {
                let given = Given::one(Origin::InheritedSocket, address.to_string());
                self.layers[0].insert(setting.key, given);
            }
        }
        self
    }

    /// The merged values.
    pub(crate) fn values(self) -> Values {
        self.values_over(Layer::new(), Environment::default())
    }

    /// The merged values of a command that calls AWS. The variables and the profile of AWS's own tools
    /// name the default region and the default endpoints.
    pub(crate) fn values_of_service(mut self) -> Values {
        let profile = AwsProfile::of(&self.variables);
        let environment = Environment::of_service(&self.variables, &profile, &mut self.faults);
        let fallback = of_aws(&self.variables, &profile);
        self.values_over(fallback, environment)
    }

    /// The merged values of `command`, whose AWS is on this machine and which has these defaults of
    /// its own.
    pub(crate) fn values_of_dev(
        mut self,
        command: &'static str,
        command_defaults: &[(&'static str, &'static str)],
    ) -> Values {
        let environment = Environment::of_dev(&self.variables, &mut self.faults);
        let given = |text| Given::one(Origin::CommandDefault(command), text);
        let fallback = command_defaults.iter().map(|(key, text)| (*key, given(*text)));
        self.values_over(fallback.collect(), environment)
    }

    /// The merged values, with those of `fallback` for settings that no source gives.
    fn values_over(self, mut fallback: Layer, environment: Environment) -> Values {
        // A fallback that is not used is not checked either.
        fallback.retain(|key, _| !self.layers.iter().any(|layer| layer.contains_key(key)));
        Values::new(
            self.layers.into_iter().chain([fallback, defaults(SETTINGS)]),
            self.rows,
            self.faults,
            self.is_partial,
            environment,
        )
    }
}

/// The values of the `TAPEGATE_…` variables.
fn of_variables(variables: &Variables, faults: &mut Faults) -> Layer {
    let mut layer = Layer::new();
    let ours = variables
        .iter()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    // An empty variable is not set.
    let ours = ours.filter(|(name, value)| *name != CONFIG_FILE && !is_emulators(name) && !value.is_empty());
    for (name, value) in ours {
        let origin = Origin::Variable(name.to_string_lossy().into_owned());
        let setting = SETTINGS
            .iter()
            .find(|setting| setting.variable().is_some_and(|known| *name == *known));
        match setting {
            Some(setting) => drop(layer.insert(setting.key(), Given::external(origin, value))),
            None if is_service_link(name, value) => {}
            None => faults.push(origin, unknown(name)),
        }
    }
    layer
}

/// Whether the emulator reads this variable. It checks its variables itself.
fn is_emulators(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"TAPEGATE_EMULATOR_")
}

fn unknown(name: &OsStr) -> String {
    let name = name.to_string_lossy();
    let known: Vec<_> = SETTINGS.iter().filter_map(|setting| setting.variable()).collect();
    let known = known.iter().map(String::as_str).chain([CONFIG_FILE]);
    let lists = SETTINGS.iter().filter(|setting| setting.variable().is_none());
    let is_list = |key: &str| {
        name.strip_prefix(PREFIX)
            .is_some_and(|rest| rest.to_lowercase() == key)
    };
    match lists.map(|setting| setting.key()).find(|key| is_list(key)) {
        Some(key) => format!("{key} is a list; lists can be set in the file only"),
        None => format!(
            "unknown variable {}{}",
            Invalid::quote(&name),
            did_you_mean(&name, known)
        ),
    }
}

/// The region and the endpoints that AWS's own tools use.
fn of_aws(variables: &Variables, profile: &AwsProfile) -> Layer {
    let first = |names: &[&str]| {
        let given = names
            .iter()
            .filter_map(|name| Some((*name, variables.get(OsStr::new(name))?)));
        // To AWS's tools, an empty variable is not set.
        let (name, value) = given.into_iter().find(|(_, value)| !value.is_empty())?;
        Some(Given::external(Origin::Variable(name.to_owned()), value))
    };
    let ignores_endpoints = variables
        .get(OsStr::new("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let region = first(&["AWS_REGION", "AWS_DEFAULT_REGION"]).or_else(|| profile.region());
    let endpoint = |variable, service| {
        let of_variables = first(&[variable, "AWS_ENDPOINT_URL"]);
        let endpoint = of_variables.or_else(|| profile.endpoint(service));
        endpoint.filter(|_| !ignores_endpoints)
    };
    let given = [
        (requests::REGION.key, region),
        (
            upstream::UPSTREAM_ENDPOINT.key,
            endpoint("AWS_ENDPOINT_URL_STORAGE_GATEWAY", "storage_gateway"),
        ),
        (
            upstream::STS_ENDPOINT.key,
            endpoint("AWS_ENDPOINT_URL_STS", "sts"),
        ),
    ];
    given
        .into_iter()
        .filter_map(|(key, given)| Some((key, given?)))
        .collect()
}

/// Whether Kubernetes made this variable for a Service whose name begins with `tapegate`: each
/// container gets the addresses of the Services in its namespace.
fn is_service_link(name: &OsStr, value: &OsStr) -> bool {
    let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
        return false;
    };
    let is_protocol = |word: &str| matches!(word, "TCP" | "UDP" | "SCTP");
    let is_port = |word: &str| word.parse::<u16>().is_ok();
    let words: Vec<_> = name.split('_').collect();
    match words.as_slice() {
        [.., "SERVICE", "HOST"] => true,
        [.., "SERVICE", "PORT"] => is_port(value),
        [.., "PORT", port, protocol] | [.., "PORT", port, protocol, "PROTO" | "PORT" | "ADDR"]
            if is_port(port) && is_protocol(protocol) =>
        {
            true
        }
        // A misspelt setting of this name would not have a URL as its value.
        [.., "PORT"] => value.contains("://"),
        // The name of a port may have several words.
        _ => is_port(value) && name.contains("_SERVICE_PORT_"),
    }
}
