//! The command line: which command was asked for, with which settings.
//!
//! Nothing here looks at the process: arguments and variables are handed in, so
//! that tests need no process to change them in.

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

use crate::app::config::{Checked, Config, Faults, Variables};

/// The code with which the program ends when it was called wrongly: a wrong command
/// line, or a wrong configuration.
pub const MISUSE: u8 = 2;

/// What the program was asked to do.
#[derive(Debug)]
pub enum Command {
    /// The service.
    Serve(Box<Checked>),
    /// Show the settings in effect.
    Check(Box<Checked>),
    /// Say what the policies decide.
    Explain(Box<Config>, explain::Imagined),
    /// Ask a running service how it is.
    Health(health::Question),
    /// Make a static token.
    NewToken(token::Wanted),
}

/// Why there is no command to run.
#[derive(Debug)]
pub enum Stop {
    /// Help or the version was asked for, or the command line was not understood.
    Usage(clap::Error),
    /// The configuration is wrong.
    Faults(Faults),
    /// What is to be explained is wrong.
    Unexplained(explain::Unexplained),
}

impl Stop {
    /// Says why: help and version on stdout, what is wrong on stderr.
    pub fn report(&self) -> ExitCode {
        match self {
            // Nobody is left to tell when the streams are closed.
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
            Self::Unexplained(error) => {
                let _ = writeln!(io::stderr(), "tapegate: {error}");
                ExitCode::from(MISUSE)
            }
        }
    }
}

impl From<explain::Unexplained> for Stop {
    fn from(unexplained: explain::Unexplained) -> Self {
        Self::Unexplained(unexplained)
    }
}

impl From<Faults> for Stop {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

/// The command line of the service's commands, to which the binary adds those with an emulator.
pub fn program() -> clap::Command {
    flags::program()
}

/// The flags of the service in `tapegate dev`.
pub fn dev_command() -> clap::Command {
    flags::dev()
}

/// The settings of the service in `tapegate dev`, by the flags of [`dev_command`].
///
/// # Errors
/// Everything that is wrong with the configuration.
pub fn dev(matches: &ArgMatches, variables: &Variables) -> Result<Checked, Faults> {
    Config::dev(flags::sources(flags::DEV, matches, variables))
}

/// The command that `arguments` (the program's name first) and the environment
/// `variables` ask for. Reads the configuration file that they name.
///
/// # Errors
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
    command(&matches, &variables)
}

/// The command that the arguments of [`program`] and the variables ask for.
///
/// # Errors
/// [`Stop`]: help or the version was asked for, or something is wrong; then
/// everything that is wrong with the configuration, at once.
pub fn command(matches: &ArgMatches, variables: &Variables) -> Result<Command, Stop> {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Stop::Usage(
            flags::program().error(ErrorKind::MissingSubcommand, "no command is given"),
        ));
    };
    let sources = || flags::sources(name, matches, variables);
    Ok(match name {
        flags::SERVE => Command::Serve(Box::new(Config::serve(sources())?)),
        flags::CHECK => {
            let imagined = explain::Imagined::read(matches)?;
            let checked = Config::serve(sources())?;
            match imagined {
                Some(imagined) => Command::Explain(Box::new(checked.config), imagined),
                None => Command::Check(Box::new(checked)),
            }
        }
        flags::TOKEN => match token::Wanted::read(matches) {
            Some(wanted) => Command::NewToken(wanted),
            None => {
                let message = "no command is given";
                return Err(Stop::Usage(
                    flags::program().error(ErrorKind::MissingSubcommand, message),
                ));
            }
        },
        _ => Command::Health(health::Question::read(matches, sources)?),
    })
}
