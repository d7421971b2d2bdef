//! Settings and the command line: parses arguments, variables and a file, and compares the
//! resulting command or list of faults.
mod access;
mod check;
mod commands;
mod faults;
mod health;
mod precedence;
mod reference;

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path, time::Duration};

use tapegate::app::{
    cli::{self, Command, Stop},
    commands::{DEV_CREDENTIALS, Dev, Standalone},
    settings::{Config, SETTINGS, TABLES, TomlType},
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
        let directory = tempfile::tempdir().unwrap();
        let mut variables = self.variables.clone();
        if let Some(content) = &self.file {
            let path = directory.path().join(FILE);
            fs::write(&path, content).unwrap();
            variables.insert("TAPEGATE_CONFIG".into(), path.into());
        }
        let program = OsString::from("tapegate");
        let result = cli::parse(std::iter::once(&program).chain(&self.arguments), variables);
        // Messages have the full path of the file, tests only its name.
        drop(directory);
        result
    }

    fn config(&self) -> Config {
        match self.parse() {
            Ok(Command::Serve(checked)) => checked.config,
            other => panic!("{other:?}"),
        }
    }

    fn dev(&self) -> Dev {
        match self.parse() {
            Ok(Command::Dev(dev)) => *dev,
            other => panic!("{other:?}"),
        }
    }

    fn emulator(&self) -> Standalone {
        match self.parse() {
            Ok(Command::Emulator(emulator)) => emulator,
            other => panic!("{other:?}"),
        }
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
            Err(Stop::Faults(faults)) => faults
                .iter()
                .map(|fault| {
                    let text = fault.to_string();
                    match text.find(FILE) {
                        Some(at) if text.starts_with('/') => text[at..].to_owned(),
                        _ => text,
                    }
                })
                .collect(),
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

/// Each item of `wanted` is the start of a fault, and a later part of it.
#[track_caller]
fn assert_faults(call: &Call, wanted: &[(&str, &str)]) {
    let found = call.faults();
    let fits =
        |(fault, (start, part)): (&String, &(&str, &str))| fault.starts_with(start) && fault.contains(part);
    assert!(
        found.len() == wanted.len() && found.iter().zip(wanted).all(fits),
        "found:\n{}\nwanted:\n{wanted:#?}",
        found.join("\n"),
    );
}
