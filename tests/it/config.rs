//! Settings and the command line: parses arguments, variables and a file, and compares the
//! resulting command or list of faults.
mod access;
mod accounts;
mod check;
mod commands;
mod faults;
mod files;
mod health;
mod precedence;
mod reference;

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path, time::Duration};

use tapegate::app::{
    cli::{self, Command, Stop},
    commands::Checked,
    settings::{Config, Faults, SETTINGS, TABLES, TomlType, Variables},
};

/// A command line with its variables and its file.
#[derive(Clone, Default)]
struct Call {
    arguments: Vec<OsString>,
    variables: BTreeMap<OsString, OsString>,
    file: Option<Vec<u8>>,
}

/// The name of the file in messages.
const FILE: &str = "tapegate.toml";

impl Call {
    fn new(command: &str) -> Self {
        Self::default().arg(command)
    }

    /// `serve` with the minimum of settings.
    fn serve() -> Self {
        Self::new("serve")
            .arg("--allow-anonymous")
            .arg("--region=us-east-1")
    }

    fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    fn file(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.file = Some(content.into());
        self
    }

    fn parse(&self) -> Result<Command, Stop> {
        self.with_file(|variables| {
            let program = OsString::from("tapegate");
            cli::parse(
                std::iter::once(&program).chain(&self.arguments),
                variables.clone(),
            )
        })
    }

    /// Calls `read` with the variables, which name the file if there is one.
    fn with_file<T>(&self, read: impl FnOnce(&Variables) -> T) -> T {
        let directory = tempfile::tempdir().unwrap();
        let mut variables = self.variables.clone();
        if let Some(content) = &self.file {
            let path = directory.path().join(FILE);
            fs::write(&path, content).unwrap();
            variables.insert("TAPEGATE_CONFIG".into(), path.into());
        }
        read(&variables)
    }

    fn config(&self) -> Config {
        match self.parse() {
            Ok(Command::Serve(checked)) => checked.config,
            other => panic!("{other:?}"),
        }
    }

    /// The settings of the service in `tapegate dev` with these flags, without the name of the command.
    fn read_dev(&self) -> Result<Checked, Faults> {
        self.with_file(|variables| {
            let program = OsString::from("dev");
            let arguments = std::iter::once(&program).chain(&self.arguments);
            cli::dev(&cli::dev_command().get_matches_from(arguments), variables)
        })
    }

    fn dev(&self) -> Checked {
        self.read_dev().unwrap()
    }

    fn dev_faults(&self) -> Vec<String> {
        shown(&self.read_dev().unwrap_err())
    }

    fn check(&self) -> (Config, String) {
        match self.parse() {
            Ok(Command::Check(checked)) => (checked.config, checked.document),
            other => panic!("{other:?}"),
        }
    }

    /// Every fault, without the directory of the file.
    fn faults(&self) -> Vec<String> {
        match self.parse() {
            Err(Stop::Faults(faults)) => shown(&faults),
            other => panic!("{other:?}"),
        }
    }

    /// The message of clap.
    fn usage(&self) -> String {
        match self.parse() {
            Err(Stop::Usage(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

/// Every fault. Messages have the full path of the file, tests only its name.
fn shown(faults: &Faults) -> Vec<String> {
    let shorten = |text: String| match text.find(FILE) {
        Some(at) if text.starts_with('/') => text[at..].to_owned(),
        _ => text,
    };
    faults.iter().map(|fault| shorten(fault.to_string())).collect()
}

/// Each item of `wanted` is the start of a fault, and a later part of it.
#[track_caller]
fn assert_faults(call: &Call, wanted: &[(&str, &str)]) {
    assert_eq_faults(&call.faults(), wanted);
}

#[track_caller]
fn assert_eq_faults(found: &[String], wanted: &[(&str, &str)]) {
    let fits =
        |(fault, (start, part)): (&String, &(&str, &str))| fault.starts_with(start) && fault.contains(part);
    assert!(
        found.len() == wanted.len() && found.iter().zip(wanted).all(fits),
        "found:\n{}\nwanted:\n{wanted:#?}",
        found.join("\n"),
    );
}
