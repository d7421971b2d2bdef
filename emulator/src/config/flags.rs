use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgMatches, value_parser};
use toml::Value;

use super::{
    Config, Faults, Given, Layer, Place, Values, Variables,
    fault::did_you_mean,
    file::{self, Contents},
    read,
    tables::Tables,
};
use crate::settings::Setting;

/// What the name of every variable of the emulator begins with.
const PREFIX: &str = "TAPEGATE_EMULATOR_";

/// The key of the file of settings, which names no setting of it.
const CONFIG: &str = "config";

/// The settings that have a flag and a variable, each with the name of its value in the help. All
/// others are set in the file.
const EVERYDAY: [(&str, &str); 10] = [
    ("listen", "ADDRESS"),
    ("state", "FILE"),
    ("account_id", "ACCOUNT"),
    ("seed_tapes", "NUMBER"),
    ("time_scale", "NUMBER"),
    ("access_key_id", "ID"),
    ("secret_access_key", "SECRET"),
    ("credentials", "FILE"),
    ("faults", "FILE"),
    ("fault_seed", "NUMBER"),
];

/// The flags of an emulator on the command line of a program. The variables have the same names in
/// every program.
#[derive(Clone, Copy, Debug)]
pub struct Flags {
    prefix: &'static str,
}

impl Flags {
    /// The flags of a program that is the emulator alone, such as `--seed-tapes`.
    pub const ALONE: Self = Self { prefix: "" };
    /// The flags of a program that the emulator is a part of, such as `--emulator-seed-tapes`.
    pub const EMBEDDED: Self = Self { prefix: "emulator-" };

    fn name(self, key: &str) -> String {
        format!("{}{}", self.prefix, key.replace('_', "-"))
    }

    /// The arguments for the program's command line.
    pub fn arguments(self) -> Vec<Arg> {
        let settings = Setting::all();
        let everyday = EVERYDAY.into_iter().filter_map(|(key, value_name)| {
            let setting = settings.iter().find(|setting| setting.key == key)?;
            let default = setting.default.as_ref();
            let default = default
                .map(|value| format!("; default {value}"))
                .unwrap_or_default();
            let (help, takes, variable) = (setting.help, &setting.takes, variable(key));
            let help = format!("{help}\n[{takes}{default}; {variable}]");
            Some(self.argument(key, value_name).help(help))
        });
        let file = self.argument(CONFIG, "FILE").help(format!(
            "The file of the emulator's settings, in TOML. docs/emulator.md lists them\n[{}]",
            variable(CONFIG)
        ));
        std::iter::once(file).chain(everyday).collect()
    }

    fn argument(self, key: &str, value_name: &'static str) -> Arg {
        Arg::new(id(key))
            .long(self.name(key))
            .value_name(value_name)
            .value_parser(value_parser!(OsString))
            .help_heading("emulator")
    }

    /// The settings by these arguments, these variables, and the file that they name. `check` adds
    /// what the program finds wrong with them: the key and the message.
    ///
    /// # Errors
    /// Everything wrong with the settings.
    pub fn read(
        self,
        matches: &ArgMatches,
        variables: &Variables,
        check: impl FnOnce(&Config) -> Vec<(&'static str, String)>,
    ) -> Result<Config, Faults> {
        let settings = Setting::all();
        let mut faults = Faults::default();
        check_names(variables, &settings, &mut faults);
        let by_flag = |key| {
            let place = Place::Flag(format!("--{}", self.name(key)));
            Some((place, matches.get_one::<OsString>(&id(key))?.as_os_str()))
        };
        let by_variable = |key| {
            let name = variable(key);
            let value = variables.get(OsStr::new(&name))?.as_os_str();
            Some((Place::Variable(name), value))
        };
        let flags = layer(by_flag, &settings, &mut faults);
        let variables = layer(by_variable, &settings, &mut faults);
        let file = match by_flag(CONFIG).or_else(|| by_variable(CONFIG)) {
            None => Some(Contents::default()),
            Some((place, path)) if path.is_empty() => {
                faults.push(place, "is empty; give the path of a TOML file, or leave it out");
                None
            }
            Some((_, path)) => file::read(&path.to_string_lossy(), &settings, &mut faults),
        };
        let is_complete = file.is_some();
        let Contents { layer, tables } = file.unwrap_or_default();
        let tables = Tables::read(tables, &mut faults);
        let values = Values::merge([flags, variables, layer], &settings, faults, is_complete);
        read(values, &tables, &settings, check)
    }
}

/// The id of an argument, unlike that of any other of the program.
fn id(key: &str) -> String {
    format!("emulator.{key}")
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

/// The values of a source of text.
fn layer<'v>(
    find: impl Fn(&'static str) -> Option<(Place, &'v OsStr)>,
    settings: &[Setting],
    faults: &mut Faults,
) -> Layer {
    let mut layer = Layer::new();
    for (key, _) in EVERYDAY {
        let Some((place, value)) = find(key) else {
            continue;
        };
        let setting = settings.iter().find(|setting| setting.key == key);
        match (value.to_str(), setting) {
            (Some(text), Some(setting)) => {
                let value = value_of(text, setting);
                layer.insert(key, Given { place, value });
            }
            _ => faults.push(place, "is not UTF-8"),
        }
    }
    layer
}

/// The value that a text spells: an integer where the setting takes integers, else a string.
fn value_of(text: &str, setting: &Setting) -> Value {
    let number = text.parse().ok().map(Value::Integer);
    number
        .filter(|number| setting.accepts(number))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Adds a fault for each variable of this project that is neither the emulator's nor one of `others`.
pub(crate) fn check_other_names(variables: &Variables, others: &[&str], faults: &mut Faults) {
    for (name, value) in variables {
        let name = name.to_string_lossy();
        let Some(rest) = name.strip_prefix("TAPEGATE_") else {
            continue;
        };
        let is_known = name.starts_with(PREFIX) || others.contains(&&*name);
        // An empty variable is not set.
        if is_known || is_service_link(&name, rest) || value.is_empty() {
            continue;
        }
        let own: Vec<_> = EVERYDAY
            .iter()
            .map(|(key, _)| *key)
            .chain([CONFIG])
            .map(variable)
            .collect();
        let hint = did_you_mean(
            &name,
            own.iter().map(String::as_str).chain(others.iter().copied()),
        );
        let message = format!("there is no variable {name:?}{hint}");
        faults.push(Place::Variable(name.into_owned()), message);
    }
}

/// Whether Kubernetes sets this variable for a Service, such as `TAPEGATE_EMULATOR_SERVICE_HOST`.
fn is_service_link(name: &str, rest: &str) -> bool {
    name.contains("_SERVICE_") || rest.split('_').any(|word| word == "PORT")
}

/// Adds a fault for each variable of the emulator that is not known.
fn check_names(variables: &Variables, settings: &[Setting], faults: &mut Faults) {
    for name in variables.keys().map(|name| name.to_string_lossy()) {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let key = rest.to_lowercase();
        let mut known: Vec<_> = EVERYDAY.iter().map(|(key, _)| *key).collect();
        known.push(CONFIG);
        if is_service_link(&name, rest) || known.contains(&&*key) {
            continue;
        }
        let message = if settings.iter().any(|setting| setting.key == key) {
            format!(
                "{key} has no variable; set it in the file that {} names",
                variable(CONFIG)
            )
        } else {
            let known: Vec<_> = known.into_iter().map(variable).collect();
            let hint = did_you_mean(&name, known.iter().map(String::as_str));
            format!("there is no variable {name:?}{hint}")
        };
        faults.push(Place::Variable(name.clone().into_owned()), message);
    }
}
