//! The command line: parses the command and loads its settings.
//!
//! Arguments and variables are passed in, so that tests need no process of their own.

pub mod explain;
mod flags;
pub mod health;
pub mod token;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{ArgMatches, error::ErrorKind};

use super::{
    Inherited,
    commands::Checked,
    settings::{Config, Faults, Variables},
};

/// The exit code for an invalid command line or configuration.
pub const MISUSE: u8 = 2;

/// The command to run.
#[derive(Debug)]
pub enum Command {
    /// Run the service.
    Serve(Box<Checked>),
    /// Print the settings in effect.
    Check(Box<Checked>),
    /// Explain a decision of the policies.
    Explain(Box<Config>, explain::HypotheticalCall),
    /// Check the health of a running service.
    Health(health::HealthCheck),
    /// Create, list or revoke static tokens.
    Token(token::TokenRequest),
}

impl Command {
    /// The number of worker threads that the settings of the service ask for.
    pub fn worker_threads(&self) -> Option<usize> {
        match self {
            Self::Serve(checked) => checked.config.server.worker_threads,
            _ => None,
        }
    }
}

/// Why there is no command to run.
#[derive(Debug)]
pub enum Stop {
    /// Help or the version was requested, or the command line is invalid.
    Usage(clap::Error),
    /// The configuration is invalid.
    Faults(Faults),
    /// The call to explain is invalid.
    Explain(explain::ExplainError),
}

impl Stop {
    /// Prints the reason: help and version to stdout, faults to stderr.
    pub fn report(&self) -> ExitCode {
        match self {
            // If the streams are closed, nothing can be reported.
            Self::Usage(error) => {
                let _ = error.print();
                if error.use_stderr() {
                    ExitCode::from(MISUSE)
                } else {
                    ExitCode::SUCCESS
                }
            }
            Self::Faults(faults) => {
                let _ = write!(io::stderr(), "{faults}");
                ExitCode::from(MISUSE)
            }
            Self::Explain(error) => {
                let _ = writeln!(io::stderr(), "tapegate: {error}");
                ExitCode::from(MISUSE)
            }
        }
    }
}

impl From<explain::ExplainError> for Stop {
    fn from(error: explain::ExplainError) -> Self {
        Self::Explain(error)
    }
}

impl From<Faults> for Stop {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

/// The command line of the service. The binary adds the commands with an emulator.
pub fn program() -> clap::Command {
    flags::program()
}

/// The command line of the service in `tapegate dev`.
pub fn dev_command() -> clap::Command {
    flags::dev()
}

/// Loads the settings of the service in `tapegate dev` from the flags of [`dev_command`], the
/// environment `variables` and the configuration file.
///
/// # Errors
///
/// All faults of the settings.
pub fn dev(matches: &ArgMatches, variables: &Variables) -> Result<Checked, Faults> {
    Checked::load_dev(flags::sources(flags::DEV, matches, variables))
}

/// Parses `arguments`, of which the first is the program's name, and loads the settings from
/// them, the environment `variables` and the configuration file.
///
/// # Errors
///
/// As [`command`].
pub fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Result<Command, Stop> {
    let matches = program().try_get_matches_from(arguments).map_err(Stop::Usage)?;
    let variables = variables
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    command(&matches, &variables, &Inherited::default())
}

/// The command that the arguments of [`program`] and the variables ask for, in a process with these
/// listeners.
///
/// # Errors
///
/// [`Stop`]: help or the version was requested, or something is invalid. It has all faults of the
/// configuration at once.
pub fn command(matches: &ArgMatches, variables: &Variables, inherited: &Inherited) -> Result<Command, Stop> {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Stop::Usage(
            flags::program().error(ErrorKind::MissingSubcommand, "no command is given"),
        ));
    };
    let sources = || flags::sources(name, matches, variables);
    Ok(match name {
        flags::SERVE => {
            let sources = sources().with_inherited(inherited.addresses());
            Command::Serve(Box::new(Checked::load(sources)?))
        }
        flags::CHECK => {
            let call = explain::HypotheticalCall::read(matches)?;
            let checked = Checked::load(sources())?;
            match call {
                Some(call) => Command::Explain(Box::new(checked.config), call),
                None => Command::Check(Box::new(checked)),
            }
        }
        flags::TOKEN => match token::TokenRequest::read(matches) {
            Some(token) => Command::Token(token),
            None => {
                let message = "no command is given";
                return Err(Stop::Usage(
                    flags::program().error(ErrorKind::MissingSubcommand, message),
                ));
            }
        },
        _ => Command::Health(health::HealthCheck::read(matches, sources)?),
    })
}
