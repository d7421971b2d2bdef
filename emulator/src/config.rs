//! Reads the settings of an emulator from flags, variables, a file and defaults.
//!
//! A flag takes precedence over a variable, a variable over the file, the file over the default.
//! Every value is checked, also one that another takes precedence over, and everything wrong is
//! reported at once.

mod credentials_file;
mod fault;
mod file;
mod flags;
mod tables;

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use crate::{
    faults::Rule,
    files,
    settings::{Credentials, Group, Life, Process, Setting, Settings, Undocumented, text},
};
pub use fault::Faults;
pub(crate) use fault::Place;
pub use flags::Flags;
pub(crate) use flags::check_other_names;
use tables::Tables;

/// The environment variables of a process, by name.
pub type Variables = BTreeMap<OsString, OsString>;

/// An emulator as its settings describe it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address that it serves the AWS API on.
    pub listen: SocketAddr,
    /// The file that keeps its state; `None`: the state ends with the process.
    pub state: Option<PathBuf>,
    /// The credentials of the settings `access_key_id` and `secret_access_key`.
    pub pair: Option<Credentials>,
    /// What it is made with. Its credentials are the pair and those of the credentials file.
    pub settings: Settings,
}

/// A value of a setting, and where it comes from.
struct Given {
    place: Place,
    value: Value,
}

/// The values of one source, by key.
type Layer = BTreeMap<&'static str, Given>;

/// The values that take precedence, and what is wrong so far.
struct Values {
    winning: Layer,
    faults: Faults,
    /// Whether the file was read, so that a setting without a value is known to have none.
    is_complete: bool,
}

impl Values {
    /// Merges the layers, of which the first takes precedence.
    fn merge(
        layers: impl IntoIterator<Item = Layer>,
        settings: &[Setting],
        faults: Faults,
        is_complete: bool,
    ) -> Self {
        let mut values = Self {
            winning: Layer::new(),
            faults,
            is_complete,
        };
        for mut layer in layers {
            for setting in settings {
                if let Some(given) = layer.remove(setting.key) {
                    values.add(setting, given);
                }
            }
        }
        values
    }

    fn add(&mut self, setting: &Setting, Given { place, value }: Given) {
        if setting.accepts(&value) {
            self.winning.entry(setting.key).or_insert(Given { place, value });
            return;
        }
        let shown = match setting.key {
            "secret_access_key" => "the value (not shown)".to_owned(),
            _ => value.to_string(),
        };
        let message = format!("{shown} is wrong; it takes {}", setting.takes);
        self.faults.push_about(setting.key, place, message);
    }

    /// The settings of one group.
    fn group<G: Group>(&self) -> G {
        let given = |(key, _): &(&'static str, &str)| {
            let Given { value, .. } = self.winning.get(key)?;
            Some(((*key).to_owned(), value.clone()))
        };
        let table: Table = G::KEYS.iter().filter_map(given).collect();
        table.try_into().expect("every value was accepted alone")
    }

    /// Adds a fault of a setting, at the place that its value comes from.
    fn fault(&mut self, key: &'static str, message: impl AsRef<str>) {
        if self.is_complete {
            let given = self.winning.get(key).map(|given| given.place.clone());
            let place = given.unwrap_or(Place::Absent(key));
            self.faults.push_about(key, place, message.as_ref());
        }
    }

    /// Adds a fault where a minimum is above its maximum.
    fn check_order(&mut self, is_above: bool, [min, max]: [&'static str; 2], settings: &[Setting]) {
        if !is_above {
            return;
        }
        let shown = |key| {
            let given = self.winning.get(key).map(|given| text(&given.value));
            let setting = settings.iter().find(|setting| setting.key == key);
            given.or_else(|| setting?.default.clone()).unwrap_or_default()
        };
        let (low, high) = (shown(min), shown(max));
        // The one to fix is the one that is not a default.
        if self.winning.contains_key(min) {
            self.fault(min, format!("{low} is above {max} ({high}); lower it"));
        } else {
            self.fault(max, format!("{high} is below {min} ({low}); raise it"));
        }
    }
}

/// Reads the settings from merged values. `check` adds what the program that the emulator is a
/// part of finds wrong with them: the key and the message.
fn read(
    mut values: Values,
    tables: &Tables,
    settings: &[Setting],
    check: impl FnOnce(&Config) -> Vec<(&'static str, String)>,
) -> Result<Config, Faults> {
    let process: Process = values.group();
    let life: Life = values.group();
    let account: Settings = values.group();
    let sizes = ["min_tape_size_gib", "max_tape_size_gib"];
    let is_above = account.min_tape_size_gib > account.max_tape_size_gib;
    values.check_order(is_above, sizes, settings);
    let times = ["min_retrieving_time_glacier", "max_retrieving_time_glacier"];
    let is_above = life.min_retrieving_time_glacier > life.max_retrieving_time_glacier;
    values.check_order(is_above, times, settings);

    let pair = match (&process.access_key_id, &process.secret_access_key) {
        (Some(access_key_id), Some(secret_access_key)) => Some(Credentials {
            access_key_id: access_key_id.clone(),
            secret_access_key: secret_access_key.clone(),
            session_token: None,
            account_id: None,
        }),
        (None, None) => None,
        (Some(_), None) => {
            let message = "is not set, but access_key_id is; set both or neither";
            values.fault("secret_access_key", message);
            None
        }
        (None, Some(_)) => {
            let message = "is not set, but secret_access_key is; set both or neither";
            values.fault("access_key_id", message);
            None
        }
    };
    let credentials = credentials(pair.as_ref(), process.credentials.as_deref()).unwrap_or_else(|wrong| {
        wrong.iter().for_each(|wrong| values.fault("credentials", wrong));
        Vec::new()
    });
    let faults = fault_rules(process.faults.as_deref()).unwrap_or_else(|wrong| {
        wrong.iter().for_each(|wrong| values.fault("faults", wrong));
        Vec::new()
    });
    let account = Settings {
        accounts: tables
            .accounts
            .iter()
            .map(|(_, account)| account.clone())
            .collect(),
        roles: tables.roles.iter().map(|(_, role)| role.clone()).collect(),
        credentials,
        ..account
    };
    tables.check(&account, &mut values.faults);
    let config = Config {
        listen: process.listen,
        state: process.state,
        pair,
        settings: Settings {
            faults,
            life,
            undocumented: values.group::<Undocumented>(),
            ..account
        },
    };
    for (key, message) in check(&config) {
        values.fault(key, message);
    }
    values.faults.or(config)
}

/// The pair and the credentials of the file, or everything wrong with the file.
fn credentials(pair: Option<&Credentials>, file: Option<&Path>) -> Result<Vec<Credentials>, Vec<String>> {
    let mut all: Vec<Credentials> = pair.cloned().into_iter().collect();
    let Some(path) = file else {
        return Ok(all);
    };
    let located = |wrong: String| format!("{}: {wrong}", path.display());
    let text =
        files::read_to_string(path).map_err(|error| vec![located(format!("cannot be read: {error}"))])?;
    let profiles =
        credentials_file::read(&text).map_err(|wrong| wrong.into_iter().map(located).collect::<Vec<_>>())?;
    let own = |pair: &Credentials| (pair.access_key_id.clone(), "the emulator's own pair".to_owned());
    let mut owners: HashMap<String, String> = all.iter().map(own).collect();
    let mut wrong = Vec::new();
    for (name, credentials) in profiles {
        let owner = format!("profile {name}");
        if let Some(first) = owners.insert(credentials.access_key_id.clone(), owner.clone()) {
            wrong.push(located(format!("{owner} has the same access key id as {first}")));
        }
        all.push(credentials);
    }
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}

/// The rules of a file, or everything wrong with it.
fn fault_rules(file: Option<&Path>) -> Result<Vec<Rule>, Vec<String>> {
    let Some(path) = file else {
        return Ok(Vec::new());
    };
    let path_shown = path.display();
    let text =
        files::read_to_string(path).map_err(|error| vec![format!("cannot read {path_shown}: {error}")])?;
    let rules = Rule::read_all(&text);
    rules.map_err(|wrong| {
        wrong
            .iter()
            .map(|wrong| format!("{path_shown}: {wrong}"))
            .collect()
    })
}
