use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::{Arg, ArgMatches, Command, value_parser};

use super::{explain, health, token};
use crate::app::settings::{
    AnySetting, CONFIG_FILE, Faults, Given, Layer, Origin, SETTINGS, Sources, TomlType, Variables,
};

pub(super) const DEV: &str = "dev";
pub(super) const SERVE: &str = "serve";
pub(super) const CHECK: &str = "check";
pub(super) const HEALTH: &str = "health";
pub(super) const TOKEN: &str = "token";

const CONFIG: &str = "config";

/// The whole command line.
pub(super) fn program() -> Command {
    Command::new("tapegate")
        .version(env!("BUILD_VERSION"))
        .about("A gRPC façade for the virtual tapes of AWS Storage Gateway")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(configured(SERVE).about("Run the service"))
        .subcommand(
            explain::arguments(configured(CHECK))
                .about("Print the settings that `serve` would use, or everything that is wrong with them")
                .before_help(
                    "Reads the settings and every file that `serve` reads: certificates, keys, tokens, policies and \
                     the audit file. Prints the settings in effect as a \
                     configuration file, with the origin of each value in a comment. With --as, it explains a \
                     decision of the policies instead.\n\
                     Exits with 2 if something is wrong, also if the certificate of the service has expired. What \
                     expires soon (expiry_warning) and other warnings leave the exit code 0.",
                ),
        )
        .subcommand(token::command(TOKEN))
        .subcommand(health::command(HEALTH).arg(config_file()))
}

/// The command line of the service in `tapegate dev`.
pub(super) fn dev() -> Command {
    configured(DEV)
        .about("Run the service and the emulator in one process, on loopback, with tapes to try")
        .before_help("Where not given, the region is us-east-1 and the account 123456789012.")
        // Refused, with the reason, but nothing to offer.
        .mut_arg("upstream.endpoint", |arg| arg.hide(true))
}

/// A command with settings.
fn configured(name: &'static str) -> Command {
    let flags = settings(name).filter_map(|setting| Some(flag(setting, setting.flag()?)));
    Command::new(name)
        .next_line_help(true)
        .arg(config_file())
        .args(flags)
        .after_help(
            "A flag takes precedence over its variable, and a variable over the file. \
             docs/configuration.md describes all settings, including lists, which are in the file only.",
        )
}

/// The settings that `command` has flags for.
fn settings(command: &str) -> impl Iterator<Item = &'static dyn AnySetting> {
    let has_flags = !matches!(command, HEALTH | TOKEN);
    SETTINGS.iter().copied().filter(move |_| has_flags)
}

fn flag(setting: &'static dyn AnySetting, name: String) -> Arg {
    let default = setting
        .default()
        .map(|value| format!("; default {value}"))
        .unwrap_or_default();
    let variable = setting.variable().unwrap_or_default();
    let arg = Arg::new(setting.key())
        .long(name)
        .value_name(setting.value_name())
        .value_parser(value_parser!(OsString))
        .help(format!(
            "{}\n[{}{default}; {variable}]",
            setting.help(),
            setting.expected()
        ));
    let arg = match setting.path().0 {
        "" => arg,
        section => arg.help_heading(section.to_owned()),
    };
    match setting.toml() {
        TomlType::Boolean => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        _ => arg,
    }
}

fn config_file() -> Arg {
    Arg::new(CONFIG)
        .long(CONFIG)
        .value_name("FILE")
        .value_parser(value_parser!(OsString))
        .help(format!(
            "The configuration file, such as tapegate.toml [{CONFIG_FILE}]"
        ))
}

/// The sources of the settings of `command`.
pub(super) fn sources(command: &str, matches: &ArgMatches, variables: &Variables) -> Sources {
    let mut faults = Faults::default();
    let mut flags = Layer::new();
    for setting in settings(command) {
        let Some(name) = setting.flag() else {
            continue;
        };
        let Some(value) = matches.get_one::<OsString>(setting.key()) else {
            continue;
        };
        let origin = Origin::Flag(format!("--{name}"));
        flags.insert(setting.key(), Given::external(origin, value));
    }
    let by_flag = matches
        .get_one::<OsString>(CONFIG)
        .map(|path| (Path::new(path), Origin::Flag("--config".to_owned())));
    let by_variable = || {
        let path = variables.get(OsStr::new(CONFIG_FILE))?;
        Some((Path::new(path), Origin::Variable(CONFIG_FILE.to_owned())))
    };
    let file = match by_flag.or_else(by_variable) {
        Some((path, origin)) if path.as_os_str().is_empty() => {
            faults.push(
                origin,
                "is empty; set it to the path of a TOML file, or leave it out",
            );
            None
        }
        file => file.map(|(path, _)| path),
    };
    Sources::collect(flags, variables, file, faults)
}
