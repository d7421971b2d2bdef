use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use super::{
    Faults, PREFIX, Place, SETTINGS, scope,
    suggest::did_you_mean,
    values::{Given, Layer},
};
use crate::domain::Invalid;

/// The variable that names the configuration file.
pub(crate) const CONFIG_FILE: &str = "TAPEGATE_CONFIG";

/// The environment variables of the process, by name.
pub type Variables = BTreeMap<OsString, OsString>;

/// What the `TAPEGATE_…` variables give.
pub(super) fn read(variables: &Variables, faults: &mut Faults) -> Layer {
    let mut layer = Layer::new();
    let ours = variables
        .iter()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    for (name, value) in ours.filter(|(name, _)| *name != CONFIG_FILE && !is_emulators(name)) {
        let place = Place::Variable(name.to_string_lossy().into_owned());
        let setting = SETTINGS
            .iter()
            .find(|setting| setting.variable().is_some_and(|known| *name == *known));
        match setting {
            Some(setting) => drop(layer.insert(setting.key(), Given::external(place, value))),
            None if is_service_link(name, value) => {}
            None => faults.push(place, unknown(name)),
        }
    }
    layer
}

/// Whether the variable is one of the emulator's, which checks its own.
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
        Some(key) => format!("{key} is a list, and lists are set in the file alone"),
        None => format!(
            "there is no variable {}{}",
            Invalid::quote(&name),
            did_you_mean(&name, known)
        ),
    }
}

/// The region that AWS's own tools would take.
pub(super) fn aws_region(variables: &Variables) -> Layer {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .filter_map(|name| Some((name, variables.get(OsStr::new(name))?)))
        // As AWS's tools have it, an empty variable is no variable.
        .find(|(_, value)| !value.is_empty())
        .map(|(name, value)| Given::external(Place::Variable(name.to_owned()), value))
        .map(|given| (scope::REGION.key, given))
        .into_iter()
        .collect()
}

/// Whether Kubernetes made this variable, for a Service whose name begins with
/// `tapegate`: it gives every container the addresses of the Services beside it.
fn is_service_link(name: &OsStr, value: &OsStr) -> bool {
    let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
        return false;
    };
    let protocol = |word: &str| matches!(word, "TCP" | "UDP" | "SCTP");
    let number = |word: &str| word.parse::<u16>().is_ok();
    let words: Vec<_> = name.split('_').collect();
    match words.as_slice() {
        [.., "SERVICE", "HOST"] => true,
        [.., "SERVICE", "PORT"] => number(value),
        [.., "PORT", port, kind] | [.., "PORT", port, kind, "PROTO" | "PORT" | "ADDR"]
            if number(port) && protocol(kind) =>
        {
            true
        }
        // A setting that somebody takes to be named so would hold no URL.
        [.., "PORT"] => value.contains("://"),
        // A port's own name may have words of its own.
        _ => number(value) && name.contains("_SERVICE_PORT_"),
    }
}
